/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The slots of the bounce strategy: whole pages of a pool of its own, mapped once in
 * chunks, each for one set of rights. Taken from lists per CPU; what those lack comes
 * from a list that all share, and then from a new chunk (one MAP), up to the cap.
 */
#ifndef PVI_CORE_STRATEGY_BOUNCE_POOL_H
#define PVI_CORE_STRATEGY_BOUNCE_POOL_H

#include "core/strategy/host.h"

#define PVI_CHUNK_ORDER 6u /* what one slot can be at most: 256 KiB */
#define PVI_CHUNK_PAGES ((uint64_t)1 << PVI_CHUNK_ORDER)

struct pvi_chunk;
struct pvi_pool;

struct pvi_bounce_slot {
	struct pvi_bounce_slot *next; /* in a free list */
	struct pvi_chunk *chunk;
	uint64_t orig; /* whose copy it holds; */
	size_t size;   /* 0: nobody's */
	bool idle;     /* not in any list: the pool is closed */
};

/* How much memory a pool takes that grows to @max_pages; the caller's, zeroed. */
size_t pvi_pool_bytes(uint64_t max_pages);
/* 0, -ENOMEM, or -ENOSPC: no window of that size is free. May sleep. */
int pvi_pool_init(struct pvi_pool *p, struct pvi_endpoint *ep, uint64_t max_pages);
/* Closed, and no slot is in use but those that a driver forgot: they are lost. */
void pvi_pool_done(struct pvi_pool *p);

/*
 * Closed: no slot is given out, and a chunk is unmapped and freed when its last one
 * comes back; what is not in use goes at once. May sleep. One caller at a time for both.
 */
void pvi_pool_close(struct pvi_pool *p);
void pvi_pool_open(struct pvi_pool *p);

/* Its chunks, mapped again in an empty domain, while nobody uses it: 0 or -errno. */
int pvi_pool_remap(struct pvi_pool *p);

/* A slot of @npages pages or more with the rights @prot; NULL: none. Any context. */
struct pvi_bounce_slot *pvi_pool_get(struct pvi_pool *p, uint64_t npages, uint32_t prot);
void pvi_pool_put(struct pvi_pool *p, struct pvi_bounce_slot *s);

/* Is @addr in the pool's window? Then *@ret is its slot in use, NULL when there is none. */
bool pvi_pool_find(struct pvi_pool *p, uint64_t addr, struct pvi_bounce_slot **ret);

void *pvi_slot_memory(const struct pvi_bounce_slot *s);
uint64_t pvi_slot_address(const struct pvi_bounce_slot *s);
uint32_t pvi_slot_prot(const struct pvi_bounce_slot *s);

#endif
