/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bounce: the device never sees a driver's memory, only slots of a pool that is mapped
 * once, into and out of which the data is copied. A buffer lies in its slot as it lies
 * in its pages, and alone; beside it is nothing that this device was not given before:
 *   to the device: slots are READ. What is left in them was handed to it earlier.
 *   from the device: slots are WRITE, and filled with the buffer's own content first,
 *     which the device can't read and a short write leaves as it was.
 *   both: READ and WRITE, filled too.
 * A buffer that the pool can't hold (more than 256 KiB, the pool at its cap, no memory
 * for a chunk, out of the device's reach) is single-use, and counted as a fallback; a
 * scatter list, as a whole.
 */
#ifndef PVI_CORE_STRATEGY_BOUNCE_H
#define PVI_CORE_STRATEGY_BOUNCE_H

#include "core/strategy/bounce_pool.h"
#include "core/strategy/mapping.h"

struct pvi_bounce {
	struct pvi_endpoint *ep;
	struct pvi_pool *pool;
	struct pvi_space *common; /* of what falls back */
};

uint64_t pvi_bounce_map(struct pvi_bounce *b, uint64_t phys, size_t size,
			const struct pvi_how *how);
int pvi_bounce_map_sg(struct pvi_bounce *b, struct pvi_seg *sgl, int nents,
		      const struct pvi_how *how);

/* False: not of the pool. The size is what the slot holds. */
bool pvi_bounce_unmap(struct pvi_bounce *b, uint64_t addr, bool skip_sync);
bool pvi_bounce_unmap_sg(struct pvi_bounce *b, struct pvi_seg *sgl, int nents, bool skip_sync);

/* Part of a mapping, of this strategy or another one, changes hands. */
void pvi_bounce_copy(struct pvi_bounce *b, uint64_t addr, size_t size, bool to_device);

#endif
