// SPDX-License-Identifier: BSD-2-Clause
/* An array of intervals in order, searched by halving; changed by moving all behind. No lock. */
#include <string.h>

#include "bench.h"

struct interval {
	uint64_t first, last, target, prot;
};

struct sorted {
	size_t nr, room;
	struct interval *at;
};

static void *t_make(void)
{
	struct sorted *s = calloc(1, sizeof(*s));

	CHECK(s);
	return s;
}

static void t_free(void *t)
{
	struct sorted *s = t;

	free(s->at);
	free(s);
}

/* The first interval that ends at @iova or behind. */
static inline size_t find(const struct sorted *s, uint64_t iova)
{
	size_t low = 0, nr = s->nr;

	while (nr) {
		size_t half = nr / 2;

		if (s->at[low + half].last < iova) {
			low += half + 1;
			nr -= half + 1;
		} else {
			nr = half;
		}
	}
	return low;
}

static void t_map(void *t, uint64_t page, uint64_t pages, uint64_t target)
{
	struct sorted *s = t;
	uint64_t first = BASE + (page << PAGE_SHIFT), last = first + (pages << PAGE_SHIFT) - 1;
	size_t i = find(s, first);

	CHECK(i == s->nr || s->at[i].first > last);
	if (s->nr == s->room) {
		s->room = s->room ? 2 * s->room : 64;
		s->at = realloc(s->at, s->room * sizeof(*s->at));
		CHECK(s->at);
	}
	memmove(s->at + i + 1, s->at + i, (s->nr - i) * sizeof(*s->at));
	s->at[i] = (struct interval){first, last, target, RIGHT_READ | RIGHT_WRITE};
	s->nr++;
}

static void t_unmap(void *t, uint64_t page, uint64_t pages)
{
	struct sorted *s = t;
	size_t i = find(s, BASE + (page << PAGE_SHIFT));

	CHECK(i < s->nr && s->at[i].first == BASE + (page << PAGE_SHIFT));
	s->nr--;
	memmove(s->at + i, s->at + i + 1, (s->nr - i) * sizeof(*s->at));
}

static void t_flush(void *t)
{
}

static inline uint64_t t_translate(void *t, uint64_t iova, uint64_t len, unsigned int prot,
				   uint64_t *target)
{
	struct sorted *s = t;
	size_t i = find(s, iova);
	uint64_t left;

	if (i == s->nr || s->at[i].first > iova || (s->at[i].prot & prot) != prot)
		return 0;
	*target = s->at[i].target + (iova - s->at[i].first);
	left = s->at[i].last - iova + 1;
	return len < left ? len : left;
}

#include "plain_vector.h"

static uint64_t t_bytes(void *t)
{
	struct sorted *s = t;

	return s->room * sizeof(*s->at);
}

#define PEER	  peer_sorted
#define PEER_NAME "sorted"
#define PEER_SLOW 500
#include "work.h"
