// SPDX-License-Identifier: BSD-2-Clause
/*
 * The physical limit: an array with an entry for every page there could be. A
 * bounds check, an atomic load and the rights; nothing that protects a reader.
 */
#include <stdatomic.h>
#include <sys/mman.h>

#include "bench.h"

#define ENTRY_TARGET_SHIFT 2

static void *t_make(void)
{
	void *p = mmap(NULL, SPAN_PAGES * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static void t_free(void *t)
{
	munmap(t, SPAN_PAGES * 8);
}

static inline void t_map(void *t, uint64_t page, uint64_t pages, uint64_t target)
{
	_Atomic uint64_t *entry = t;

	for (uint64_t i = 0; i < pages; i++)
		atomic_store_explicit(&entry[page + i],
				      ((target >> PAGE_SHIFT) + i) << ENTRY_TARGET_SHIFT |
					      RIGHT_READ | RIGHT_WRITE,
				      memory_order_release);
}

static inline void t_unmap(void *t, uint64_t page, uint64_t pages)
{
	_Atomic uint64_t *entry = t;

	for (uint64_t i = 0; i < pages; i++)
		atomic_store_explicit(&entry[page + i], 0, memory_order_release);
}

static inline void t_flush(void *t)
{
}

/* The pages of a range one by one: an entry knows nothing of its neighbours. */
static inline uint64_t t_translate(void *t, uint64_t iova, uint64_t len, unsigned int prot,
				   uint64_t *target)
{
	_Atomic uint64_t *entry = t;
	uint64_t page = (iova - BASE) >> PAGE_SHIFT, done = 0, first = 0;

	do {
		uint64_t e;

		if (page >= SPAN_PAGES)
			return done;
		e = atomic_load_explicit(&entry[page], memory_order_acquire);
		if ((e & prot) != prot)
			return done;
		if (!done)
			first = e >> ENTRY_TARGET_SHIFT;
		else if (e >> ENTRY_TARGET_SHIFT != first + (done >> PAGE_SHIFT))
			return done;
		done += PAGE;
		page++;
	} while (done < len);
	*target = first << PAGE_SHIFT | (iova & (PAGE - 1));
	return done;
}

static inline bool t_vector(void *t, const uint64_t *iova, uint64_t *target)
{
	_Atomic uint64_t *entry = t;
	bool good = true;

	for (unsigned int k = 0; k < VEC; k++)
		__builtin_prefetch(&entry[(iova[k] - BASE) >> PAGE_SHIFT]);
	for (unsigned int k = 0; k < VEC; k++)
		good &= t_translate(t, iova[k], PAGE, RIGHT_READ, &target[k]) == PAGE;
	return good;
}

static uint64_t t_bytes(void *t)
{
	return 0;
}

#define PEER	  peer_flat
#define PEER_NAME "flat"
#include "work.h"
