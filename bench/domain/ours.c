// SPDX-License-Identifier: BSD-2-Clause
/* Our domain table, called as an embedder calls it, with the caps it has by default. */
#include "bench.h"
#include "core/table.h"

#define MAX_MAPPINGS ((uint64_t)1 << 21)
#define MAX_BYTES    ((uint64_t)64 << 20)

static void *t_make(void)
{
	const struct pvi_table_caps caps = {MAX_MAPPINGS, MAX_BYTES};
	struct pvi_table *t;

	CHECK(!pvi_table_new(&caps, &t));
	return t;
}

static void t_free(void *t)
{
	pvi_table_free(t);
}

static struct pvi_range range_of(uint64_t page, uint64_t pages)
{
	uint64_t first = BASE + (page << PAGE_SHIFT);

	return (struct pvi_range){first, first + (pages << PAGE_SHIFT) - 1};
}

static void t_map(void *t, uint64_t page, uint64_t pages, uint64_t target)
{
	CHECK(!pvi_table_map(t, range_of(page, pages), target, PVI_READ | PVI_WRITE));
}

static void t_unmap(void *t, uint64_t page, uint64_t pages)
{
	CHECK(!pvi_table_unmap(t, range_of(page, pages), NULL));
}

static void t_flush(void *t)
{
	pvi_table_synchronize(t);
}

static inline uint64_t t_translate(void *t, uint64_t iova, uint64_t len, unsigned int prot,
				   uint64_t *target)
{
	struct pvi_table_run run;

	if (pvi_table_lookup(t, iova, len, prot, &run))
		return 0;
	*target = run.target;
	return run.len;
}

static bool t_vector(void *t, const uint64_t *iova, uint64_t *target)
{
	struct pvi_table_access access[VEC];
	struct pvi_table_run run[VEC];
	unsigned int cookie, done;
	int err;

	for (unsigned int k = 0; k < VEC; k++)
		access[k] = (struct pvi_table_access){iova[k], PAGE};
	cookie = pvi_table_enter(t);
	done = pvi_table_translate_vec(t, access, VEC, PVI_READ, run, &err);
	pvi_table_leave(t, cookie);
	for (unsigned int k = 0; k < VEC; k++)
		target[k] = run[k].target;
	return done == VEC;
}

static uint64_t t_bytes(void *t)
{
	struct pvi_table_stats s;

	pvi_table_stats(t, &s);
	return s.table_bytes;
}

/* Single pages so far apart that each needs tables of its own, until a cap says no. */
void ours_sparse(void)
{
	for (unsigned int shift = 9; shift <= 27; shift += 9) {
		void *t = t_make();
		uint64_t n = 0;

		while (!pvi_table_map(t, range_of(n << shift, 1), 0, PVI_READ))
			n++;
		CHECK(t_bytes(t) <= MAX_BYTES);
		sample("sparse_mappings", shift, "ours", 0, (double)n);
		sample("sparse_bytes", shift, "ours", 0, (double)t_bytes(t));
		sample("sparse_cap", shift, "ours", 0, (double)MAX_BYTES);
		t_free(t);
	}
}

#define PEER	  peer_ours
#define PEER_NAME "ours"
#include "work.h"
