// SPDX-License-Identifier: BSD-2-Clause
/*
 * Readers translate and use what they find while the writer maps, unmaps,
 * synchronizes and then reuses the memory behind. That memory is plain: if one
 * reader could still use a removed mapping, ThreadSanitizer would see the race
 * and the reader a frame of somebody else.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/table.h"

#define PAGES	64
#define FRAMES	128
#define ROUNDS	20000
#define READERS 3

/* Frame @f belongs to page frame[f].page - 1, 0: to nobody. */
static struct {
	uint64_t page;
} frame[FRAMES];

static struct pvi_table *table;
static atomic_bool stop;
static atomic_ulong hits;

/*
 * Half of them at the edges, with the root growing over them; half alone in a
 * node each, all at the same index, so that a node reused too early misleads.
 */
static uint64_t iova_of(unsigned int page)
{
	static const uint64_t base[] = {0, 1ull << 30, 1ull << 39, UINT64_MAX - 0xffff};

	if (page < PAGES / 2)
		return base[page % 4] + page / 4 * 0x1000;
	return (uint64_t)page << 21;
}

static void use(unsigned int page, const struct pvi_table_run *run)
{
	if (frame[run->target >> 12].page != page + 1) {
		fprintf(stderr, "page %u led to a frame of %lu\n", page,
			(unsigned long)frame[run->target >> 12].page - 1);
		abort();
	}
	atomic_fetch_add_explicit(&hits, 1, memory_order_relaxed);
}

/* Of two pages at once, as far as they are mapped. */
static void translate_two(unsigned int page)
{
	const unsigned int pages[2] = {page, page ^ 1};
	const struct pvi_table_access access[2] = {{iova_of(page), 1}, {iova_of(page ^ 1), 1}};
	struct pvi_table_run run[2];
	unsigned int n;
	int err;

	n = pvi_table_translate_vec(table, access, 2, PVI_READ, run, &err);
	for (unsigned int i = 0; i < n; i++)
		use(pages[i], &run[i]);
}

static void *reader(void *arg)
{
	uint64_t x = (uintptr_t)arg;

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		unsigned int page, cookie;
		struct pvi_table_run run;

		x = x * 6364136223846793005u + 1442695040888963407u;
		page = (unsigned int)(x >> 40) % PAGES;
		cookie = pvi_table_enter(table);
		if (x & 1ull << 33)
			translate_two(page);
		else if (!pvi_table_translate(table, iova_of(page), 1, PVI_READ, &run))
			use(page, &run);
		pvi_table_leave(table, cookie);
	}
	return NULL;
}

static unsigned int frame_of[PAGES]; /* plus 1 */

static unsigned int free_frame(void)
{
	static unsigned int next;

	do
		next = (next + 1) % FRAMES;
	while (frame[next].page);
	return next;
}

static void check(int err)
{
	if (err) {
		fprintf(stderr, "error %d\n", err);
		abort();
	}
}

static void toggle(unsigned int page)
{
	struct pvi_range r = {iova_of(page), iova_of(page) + 0xfff};
	unsigned int f;

	if (frame_of[page]) {
		check(pvi_table_unmap(table, r, NULL));
		pvi_table_synchronize(table);
		frame[frame_of[page] - 1].page = 0;
		frame_of[page] = 0;
	} else {
		f = free_frame();
		frame[f].page = page + 1;
		check(pvi_table_map(table, r, (uint64_t)f << 12, PVI_READ));
		frame_of[page] = f + 1;
	}
}

int main(void)
{
	const struct pvi_table_caps caps = {PAGES, 1 << 20};
	pthread_t thread[READERS];
	uint64_t x = 1;

	check(pvi_table_new(&caps, &table));
	for (int i = 0; i < READERS; i++)
		check(pthread_create(&thread[i], NULL, reader, (void *)(uintptr_t)(i + 1)));
	/* At least so many rounds, and until the readers really met mappings. */
	for (int i = 0; i < ROUNDS || atomic_load(&hits) < 1000; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		toggle((unsigned int)(x >> 40) % PAGES);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < READERS; i++)
		pthread_join(thread[i], NULL);
	printf("%lu translations used\n", atomic_load(&hits));
	pvi_table_free(table);
	return 0;
}
