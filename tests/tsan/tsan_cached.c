// SPDX-License-Identifier: BSD-2-Clause
/*
 * Threads map and unmap a few pages through one cache, so small that its mappings come
 * and go, while another switches between shared and persistent and reclaims. What the
 * device sees is plain memory, written by MAP and UNMAP outside of any lock: were a
 * mapping taken while it has a user, or an IOVA used before its UNMAP, ThreadSanitizer
 * would see the race and the user somebody else's page. Entries are freed for real.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/strategy/cached.h"
#include "readers.h"

#define PAGES	24
#define IOVAS	64 /* more than the threads can use at once, so that none is missing */
#define CAP	8
#define THREADS 3
#define ROUNDS	30000
#define BITS	2

/* What the device reaches at an IOVA: page + 1, 0: nothing. */
static struct {
	uint64_t page;
} device[IOVAS + 1];

static pthread_mutex_t space_lock = PTHREAD_MUTEX_INITIALIZER;
static bool taken[IOVAS + 1];
static unsigned int next_iova;

static struct pvi_cache cache;
static atomic_ulong hits, maps, unmaps;
static atomic_bool stop;

static void fail(const char *what, uint64_t value)
{
	fprintf(stderr, "%s: %lu\n", what, (unsigned long)value);
	abort();
}

/* ---- the host: requests are done at once ---- */

void pvi_batch_init(struct pvi_batch *b, struct pvi_endpoint *ep)
{
	*b = (struct pvi_batch){.ep = ep};
}

void pvi_batch_map(struct pvi_batch *b, struct pvi_range iova, uint64_t phys, uint32_t flags)
{
	if (device[iova.first >> 12].page)
		fail("MAP over a mapping", iova.first);
	device[iova.first >> 12].page = (phys >> 12) + 1;
	atomic_fetch_add_explicit(&maps, 1, memory_order_relaxed);
}

void pvi_batch_unmap(struct pvi_batch *b, struct pvi_range iova)
{
	if (!device[iova.first >> 12].page)
		fail("UNMAP of nothing", iova.first);
	device[iova.first >> 12].page = 0;
	atomic_fetch_add_explicit(&unmaps, 1, memory_order_relaxed);
}

int pvi_batch_wait(struct pvi_batch *b)
{
	return 0;
}

bool pvi_requests_broken(struct pvi_endpoint *ep)
{
	return false;
}

bool pvi_strategy_nomem(struct pvi_endpoint *ep)
{
	return false;
}

uint64_t pvi_iova_alloc(struct pvi_space *sp, uint64_t npages, uint64_t limit)
{
	uint64_t pfn = 0;

	pthread_mutex_lock(&space_lock);
	for (unsigned int i = 0; i < IOVAS && !pfn; i++) {
		next_iova = next_iova % IOVAS + 1;
		if (!taken[next_iova])
			pfn = next_iova;
	}
	taken[pfn] = true;
	pthread_mutex_unlock(&space_lock);
	return pfn;
}

void pvi_iova_free(struct pvi_space *sp, uint64_t pfn, uint64_t npages)
{
	pthread_mutex_lock(&space_lock);
	taken[pfn] = false;
	pthread_mutex_unlock(&space_lock);
}

void pvi_count_mapped(struct pvi_endpoint *ep, long npages)
{
}

void pvi_count_reuse(struct pvi_endpoint *ep, uint32_t prot, size_t size)
{
	atomic_fetch_add_explicit(&hits, 1, memory_order_relaxed);
}

void pvi_report_lost(struct pvi_endpoint *ep, uint64_t npages, int err)
{
	fail("lost", npages);
}

void pvi_report_unmapped_twice(struct pvi_endpoint *ep, uint64_t addr)
{
	fail("unmapped twice", addr);
}

uint64_t pvi_clock_ms(void)
{
	return 0;
}

/* ---- the threads ---- */

struct dma {
	uint64_t page, addr;
};

static uint64_t next_random(uint64_t *x)
{
	*x = *x * 6364136223846793005u + 1442695040888963407u;
	return *x >> 33;
}

static void check(const struct dma *d)
{
	if (d->addr == PVI_NO_ADDR)
		fail("not mapped", d->page);
	if (device[d->addr >> 12].page != d->page + 1)
		fail("leads elsewhere", d->page);
}

static void map(struct dma *d, uint64_t *x)
{
	const struct pvi_how how = {.prot = PVI_READ, .limit = UINT64_MAX};

	d->page = next_random(x) % PAGES;
	d->addr = pvi_cache_map(&cache, d->page << 12, 64, &how);
	check(d);
}

static void unmap(struct dma *d)
{
	check(d);
	if (!pvi_cache_unmap(&cache, d->addr))
		fail("not found", d->addr);
	d->addr = 0;
}

static void *user(void *arg)
{
	uint64_t x = (uintptr_t)arg;
	struct dma dma[4] = {{0}};

	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct dma *d = &dma[next_random(&x) % 4];

		if (d->addr)
			unmap(d);
		else
			map(d, &x);
		if (!(i % 64))
			readers_collect();
	}
	for (unsigned int i = 0; i < 4; i++) {
		if (dma[i].addr)
			unmap(&dma[i]);
	}
	return NULL;
}

static void *disturber(void *arg)
{
	uint64_t x = 99;

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		switch (next_random(&x) % 8) {
		case 0:
			pvi_cache_keep(&cache, false);
			break;
		case 1:
			pvi_cache_sweep(&cache);
			break;
		case 2:
			pvi_cache_reclaim(&cache, 2);
			break;
		default:
			pvi_cache_keep(&cache, true);
		}
		readers_collect();
		sched_yield();
	}
	return NULL;
}

static void expect_nothing_mapped(void)
{
	for (unsigned int i = 0; i <= IOVAS; i++) {
		if (device[i].page || (i && taken[i]))
			fail("still mapped, or taken", i);
	}
}

int main(void)
{
	struct pvi_mc_entry *index[2 << BITS] = {NULL};
	pthread_t thread[THREADS + 1];

	readers_init();
	pvi_cache_init(&cache, NULL, NULL, index, BITS, CAP);
	pvi_cache_keep(&cache, true);
	if (pthread_create(&thread[THREADS], NULL, disturber, NULL))
		abort();
	for (int i = 0; i < THREADS; i++) {
		if (pthread_create(&thread[i], NULL, user, (void *)(uintptr_t)(i + 1)))
			abort();
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	atomic_store(&stop, true);
	pthread_join(thread[THREADS], NULL);
	/* What became idle while it was not kept is gone; so is the rest now. */
	pvi_cache_keep(&cache, false);
	expect_nothing_mapped();
	pvi_cache_done(&cache);
	readers_done();
	printf("%lu hits, %lu MAPs, %lu UNMAPs\n", hits, maps, unmaps);
	if (hits < 1000 || maps < 1000)
		fail("too few", hits);
	return 0;
}
