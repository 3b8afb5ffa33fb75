// SPDX-License-Identifier: GPL-2.0-only
/*
 * single-use: a mapping for each DMA, gone before dma_unmap returns. No state of its
 * own: address and size say it all. The others fall back on it for what they can't do.
 */
#include "pviommu.h"

static dma_addr_t map(struct pvi_endpoint *ep, phys_addr_t phys, size_t size,
		      const struct pvi_how *how)
{
	return pvi_single_map(ep, &ep->space, phys, size, how);
}

static bool unmap(struct pvi_endpoint *ep, dma_addr_t addr, size_t size, const struct pvi_how *how)
{
	pvi_single_unmap(ep, &ep->space, addr, size);
	return true;
}

static int map_sg(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
		  const struct pvi_how *how)
{
	return pvi_single_map_sg(ep, &ep->space, sgl, nents, how);
}

static bool unmap_sg(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
		     const struct pvi_how *how)
{
	pvi_single_unmap_sg(ep, &ep->space, sgl, nents);
	return true;
}

const struct pvi_strategy pvi_single_use = {
	.name = "single-use",
	.bit = 0,
	.map = map,
	.unmap = unmap,
	.map_sg = map_sg,
	.unmap_sg = unmap_sg,
};
