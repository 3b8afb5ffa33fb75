/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * direct-map: all RAM is mapped once, in one window of IOVAs that is as low as its
 * size allows; a DMA's address is the window's start plus the physical one. When
 * another strategy is chosen the window goes with the last DMA that uses it. What
 * the window lacks (memory added later, or a device that can't address so high) is
 * single-use.
 */
#ifndef PVI_CORE_STRATEGY_DIRECT_H
#define PVI_CORE_STRATEGY_DIRECT_H

#include "core/strategy/mapping.h"

#define PVI_DIRECT_RANGES 32u

struct pvi_direct {
	struct pvi_endpoint *ep;
	struct pvi_space *common; /* of what falls back */
	/* DMAs under way, and the strategy itself while it is chosen. */
	struct pvi_ref users;
	bool dying;    /* another one was chosen; the caller's lock guards it */
	bool gone;     /* and the window is unmapped */
	uint64_t base; /* the window, in pages */
	uint64_t npages;
	struct pvi_range ram[PVI_DIRECT_RANGES];
	unsigned int nr_ram;
};

/* Without a window. 0 or -ENOMEM. These five may sleep, and come one after the other. */
int pvi_direct_init(struct pvi_direct *d, struct pvi_endpoint *ep, struct pvi_space *common);
/* No DMA is under way. */
void pvi_direct_done(struct pvi_direct *d);

/*
 * The window of RAM: whole pages, ascending, at most PVI_DIRECT_RANGES. 0 or -errno; -EBUSY: the
 * last DMAs of its last time are under way.
 */
int pvi_direct_begin(struct pvi_direct *d, const struct pvi_range *ram, unsigned int n);
/* Another strategy was chosen. */
void pvi_direct_end(struct pvi_direct *d);

/* Its window, mapped again in an empty domain, while nobody uses it: 0 or -errno. */
int pvi_direct_map_again(struct pvi_direct *d);

uint64_t pvi_direct_map_one(struct pvi_direct *d, uint64_t phys, size_t size,
			    const struct pvi_how *how);
int pvi_direct_map_sg(struct pvi_direct *d, struct pvi_seg *sgl, int nents,
		      const struct pvi_how *how);

/* Of one buffer, or of a list by the address of its first; false: not in the window. */
bool pvi_direct_unmap(struct pvi_direct *d, uint64_t addr);

#endif
