/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Mappings of their own: what single-use consists of, and what every other strategy
 * falls back on for what it can't do.
 */
#ifndef PVI_CORE_STRATEGY_MAPPING_H
#define PVI_CORE_STRATEGY_MAPPING_H

#include "core/strategy/host.h"

/* What a driver wants to map a buffer for, and within which bounds. */
struct pvi_how {
	uint32_t prot;
	bool skip_sync;	   /* a copy need not be made now */
	uint64_t limit;	   /* the highest address the device can use */
	uint64_t boundary; /* in bytes; no segment of a list may cross a multiple. 0: none */
};

/*
 * One mapping: allocates the IOVA, MAPs, and the reverse. Any context. A MAP that is
 * refused for lack of memory is tried once more after pvi_strategy_nomem(). PVI_NO_ADDR:
 * nothing is mapped, or, after a time-out, nobody knows and the IOVA is never used again.
 */
uint64_t pvi_iova_map(struct pvi_endpoint *ep, struct pvi_space *sp, uint64_t phys, size_t size,
		      uint32_t flags, uint64_t limit);
/*
 * UNMAP, then free the IOVA; on failure the IOVA is never used again. Of the @npages @mapped may
 * be mapped, without holes. What the caller has counted as mapped is not, whatever comes back.
 */
int pvi_iova_unmap_pages(struct pvi_endpoint *ep, struct pvi_space *sp, uint64_t pfn,
			 uint64_t npages, uint64_t mapped);

/*
 * The same with @b, to which the caller may have added UNMAPs that go with the same kick;
 * b->unmap_err says afterwards what became of them.
 */
uint64_t pvi_iova_map_with(struct pvi_batch *b, struct pvi_space *sp, uint64_t phys, size_t size,
			   uint32_t flags, uint64_t limit);

/*
 * A scatter list as one contiguous range of IOVA: one MAP for each physically contiguous
 * run, one kick (@b as above), and one UNMAP for the whole range later. 0 or -errno.
 */
int pvi_sg_map_with(struct pvi_batch *b, struct pvi_space *sp, struct pvi_seg *sgl, int nents,
		    const struct pvi_how *how);
/* That range, holes included; the number of pages without them. */
uint64_t pvi_sg_range(struct pvi_seg *sgl, int nents, uint64_t *ret_pfn, uint64_t *ret_npages);

/* ---- single-use: a mapping for each DMA, gone before its unmap returns ---- */

uint64_t pvi_single_map(struct pvi_endpoint *ep, struct pvi_space *sp, uint64_t phys, size_t size,
			const struct pvi_how *how);
void pvi_single_unmap(struct pvi_endpoint *ep, struct pvi_space *sp, uint64_t addr, size_t size);
/* All entries or none: 0 or -errno. */
int pvi_single_map_sg(struct pvi_endpoint *ep, struct pvi_space *sp, struct pvi_seg *sgl, int nents,
		      const struct pvi_how *how);
void pvi_single_unmap_sg(struct pvi_endpoint *ep, struct pvi_space *sp, struct pvi_seg *sgl,
			 int nents);

#endif
