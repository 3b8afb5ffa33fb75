/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the domain-table benchmark's parts share. Each peer is one file that
 * defines its table and then includes work.h, which compiles the same loops over
 * it, inlined, so that the cheapest peer pays for no call that it would not need.
 */
#ifndef BENCH_DOMAIN_BENCH_H
#define BENCH_DOMAIN_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE_SHIFT 12
#define PAGE	   ((uint64_t)1 << PAGE_SHIFT)
/* Above 4 GiB, where a guest with devices of 64 bits has its mappings. */
#define BASE	    ((uint64_t)1 << 32)
#define SPAN_PAGES  ((uint64_t)1 << 22) /* what a flat array must cover */

#define RIGHT_READ  1u
#define RIGHT_WRITE 2u

#define VEC	    32
#define OUTSTANDING 512
#define BATCH	    64 /* unmaps that one completion covers, like a kick's requests */

/* A target that says which page it belongs to, not next to its neighbour's. */
static inline uint64_t target_of(uint64_t page)
{
	return (page * 0x9e3779b1u & 0xfffffffu) << PAGE_SHIFT;
}

/* Independent of one another, so that only the table makes a loop wait. */
static inline uint64_t hash(uint64_t i)
{
	uint64_t x = i * 0x9e3779b97f4a7c15u;

	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	return x ^ x >> 32;
}

static inline uint64_t pick(uint64_t i, uint64_t n)
{
	return (hash(i) >> 32) * n >> 32;
}

/* Mapping @k of those with 1 to 64 pages: a window of 64 pages each. */
static inline uint64_t long_pages(uint64_t k)
{
	return 1 + hash(k) % 64;
}

/*
 * Where churn maps: @live mappings have the even pages, and the odd ones, in an
 * order that visits each once before it comes back, are for those that come and go.
 */
static inline uint64_t churn_page(uint64_t j, uint64_t live)
{
	return 2 * (j * 0x9e3779b1u & (live - 1)) + 1;
}

#define CHECK(cond)                                                                        \
	do {                                                                               \
		if (!(cond)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond); \
			exit(1);                                                           \
		}                                                                          \
	} while (0)

/* @t is the peer's own. The loops return a sum that says whether all were right. */
struct peer {
	const char *name;
	void *(*make)(void);
	void (*free)(void *t);
	/* Pages [page, page + pages) from BASE on, targets from @target on. */
	void (*map)(void *t, uint64_t page, uint64_t pages, uint64_t target);
	void (*unmap)(void *t, uint64_t page, uint64_t pages);
	void (*flush)(void *t); /* waits until what was unmapped is out of use */
	/* One random page of the first @n. */
	uint64_t (*translate)(void *t, uint64_t n, uint64_t from, uint64_t count);
	/* The same, VEC at a time. */
	uint64_t (*vector)(void *t, uint64_t n, uint64_t from, uint64_t count);
	/* map + translate + unmap of one page among @live ones, a power of two. */
	uint64_t (*churn)(void *t, uint64_t live, uint64_t from, uint64_t count);
	/* Random ones of @n mappings of long_pages(): whole, or only their first page. */
	uint64_t (*ranges)(void *t, uint64_t n, uint64_t from, uint64_t count, bool whole);
	/* Map and unmap @pages in one, @count times. */
	void (*large)(void *t, uint64_t pages, uint64_t target, uint64_t count);
	/* Of the table itself, if it knows; else 0. */
	uint64_t (*bytes)(void *t);
	/* Neither a lock nor a peer's own slowness may make a round endless. */
	unsigned int slow;
};

extern const struct peer peer_ours, peer_flat, peer_sorted, peer_gtree, peer_vhost;

uint64_t now_ns(void);
uint64_t thread_ns(void);
void pin(int cpu);
/* One line of JSON on stdout for a sample. */
void sample(const char *work, uint64_t n, const char *peer, unsigned int round, double ns);
/* The memory of single pages far apart. */
void ours_sparse(void);
/* MAP and UNMAP, from the doorbell to the used ring. */
void requests_run(unsigned int rounds);

#endif
