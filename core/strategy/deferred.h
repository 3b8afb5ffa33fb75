/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * deferred: a mapping for each DMA, whose UNMAP waits after dma_unmap for company. It
 * goes with the kick of a later MAP, as soon as half a batch waits, or the oldest has
 * waited for half of the time allowed; so that under steady traffic no kick is made for
 * UNMAPs. Else it goes with a kick of its own: when a batch is full, and at the latest
 * when the time is over. Until then the device still reaches the buffer, and the IOVA is
 * not used again. The IOVAs come from a space of its own, which tells its mappings from
 * others; without room there, single-use.
 */
#ifndef PVI_CORE_STRATEGY_DEFERRED_H
#define PVI_CORE_STRATEGY_DEFERRED_H

#include "core/defer.h"
#include "core/strategy/mapping.h"

#define PVI_DEFERRED_BATCH 128u
#define PVI_DEFERRED_MS	   20u

struct pvi_deferred {
	struct pvi_endpoint *ep;
	struct pvi_space *space;  /* its own; */
	struct pvi_space *common; /* and that of what falls back */
	struct pvi_spin lock;	  /* of the queue; never held for a request */
	struct pvi_defer queue;
	struct pvi_late nodes[4 * PVI_DEFERRED_BATCH];
};

void pvi_deferred_init(struct pvi_deferred *d, struct pvi_endpoint *ep, struct pvi_space *space,
		       struct pvi_space *common);

/* UNMAPs all that waits. True: some did, and it is gone. */
bool pvi_deferred_flush(struct pvi_deferred *d);

/* The clock ticks: what has waited for long enough goes. In how many ms to call again; 0: not. */
unsigned int pvi_deferred_tick(struct pvi_deferred *d);

uint64_t pvi_deferred_map(struct pvi_deferred *d, uint64_t phys, size_t size,
			  const struct pvi_how *how);
int pvi_deferred_map_sg(struct pvi_deferred *d, struct pvi_seg *sgl, int nents,
			const struct pvi_how *how);

/* Of its own space. True: the first to wait, so call pvi_deferred_tick() in due time. */
bool pvi_deferred_unmap(struct pvi_deferred *d, uint64_t addr, size_t size);
bool pvi_deferred_unmap_sg(struct pvi_deferred *d, struct pvi_seg *sgl, int nents);

#endif
