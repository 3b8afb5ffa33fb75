// SPDX-License-Identifier: GPL-2.0-only
/*
 * single-use: a mapping for each DMA, gone before dma_unmap returns. No state of its
 * own: address and size say it all. The others fall back on it for what they can't do.
 */
#include "pviommu.h"

static dma_addr_t map(struct pvi_endpoint *ep, phys_addr_t phys, size_t size,
		      const struct pvi_how *how)
{
	dma_addr_t addr = pvi_iova_map(ep, &ep->space, phys, size, how->prot, how->limit);

	if (addr != DMA_MAPPING_ERROR)
		pvi_count_mapped(ep, pvi_span_pages(phys, size));
	return addr;
}

static bool unmap(struct pvi_endpoint *ep, dma_addr_t addr, size_t size, const struct pvi_how *how)
{
	if (!pvi_iova_unmap(ep, addr, size))
		pvi_count_mapped(ep, -(long)pvi_span_pages(addr, size));
	return true;
}

static int map_sg(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
		  const struct pvi_how *how)
{
	return pvi_sg_map(ep, &ep->space, sgl, nents, how);
}

static bool unmap_sg(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
		     const struct pvi_how *how)
{
	unsigned long pfn, npages, mapped = pvi_sg_range(sgl, nents, &pfn, &npages);

	if (!pvi_iova_unmap_pages(ep, &ep->space, pfn, npages))
		pvi_count_mapped(ep, -(long)mapped);
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
