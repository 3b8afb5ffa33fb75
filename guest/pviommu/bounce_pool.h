/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The slots of the bounce strategy: whole pages of a pool of its own, mapped once in
 * chunks, each for one set of rights. Taken from lists per CPU; what those lack comes
 * from a list that all share, and then from a new chunk (one MAP), up to the cap.
 */
#ifndef PVIOMMU_BOUNCE_POOL_H
#define PVIOMMU_BOUNCE_POOL_H

#include "pviommu.h"

#define PVI_CHUNK_ORDER 6u /* what one slot can be at most: 256 KiB */

struct pvi_chunk;
struct pvi_pool;

struct pvi_bounce_slot {
	struct pvi_bounce_slot *next; /* in a free list */
	struct pvi_chunk *chunk;
	phys_addr_t orig; /* whose copy it holds; */
	size_t size;	  /* 0: nobody's */
	bool idle;	  /* not in any list: the pool is closed */
};

struct pvi_pool *pvi_pool_new(struct pvi_endpoint *ep, unsigned long max_pages);
/* Closed, and no slot is in use but those that a driver forgot: they are lost. */
void pvi_pool_free(struct pvi_pool *p);

/*
 * Closed: no slot is given out, and a chunk is unmapped and freed when its last one
 * comes back; what is not in use goes at once. May sleep. One caller at a time for both.
 */
void pvi_pool_close(struct pvi_pool *p);
void pvi_pool_open(struct pvi_pool *p);

/* Its chunks, mapped again in an empty domain, while nobody uses it: 0 or -errno. */
int pvi_pool_remap(struct pvi_pool *p);

/* A slot of @npages pages or more with the rights @prot; NULL: none. Any context. */
struct pvi_bounce_slot *pvi_pool_get(struct pvi_pool *p, unsigned long npages, u32 prot);
void pvi_pool_put(struct pvi_pool *p, struct pvi_bounce_slot *s);

/* Is @addr in the pool's window? Then *@ret is its slot in use, NULL when there is none. */
bool pvi_pool_find(struct pvi_pool *p, dma_addr_t addr, struct pvi_bounce_slot **ret);

void *pvi_slot_memory(const struct pvi_bounce_slot *s);
dma_addr_t pvi_slot_address(const struct pvi_bounce_slot *s);
u32 pvi_slot_prot(const struct pvi_bounce_slot *s);

#endif
