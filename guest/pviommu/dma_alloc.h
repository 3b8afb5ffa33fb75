/* SPDX-License-Identifier: GPL-2.0-only */
/* The allocating half of the DMA API. One mapping per allocation, in every strategy. */
#ifndef PVIOMMU_DMA_ALLOC_H
#define PVIOMMU_DMA_ALLOC_H

#include "pviommu.h"

void *pvi_dma_alloc(struct device *dev, size_t size, dma_addr_t *ret_addr, gfp_t gfp,
		    unsigned long attrs);
void pvi_dma_free(struct device *dev, size_t size, void *cpu, dma_addr_t addr, unsigned long attrs);
struct page *pvi_dma_alloc_pages(struct device *dev, size_t size, dma_addr_t *ret_addr,
				 enum dma_data_direction dir, gfp_t gfp);
void pvi_dma_free_pages(struct device *dev, size_t size, struct page *page, dma_addr_t addr,
			enum dma_data_direction dir);
/* All of them, mapped again in an empty domain: 0 or -errno. */
int pvi_dma_remap(struct pvi_endpoint *ep);
void pvi_dma_forget_all(struct pvi_endpoint *ep);
int pvi_dma_mmap(struct device *dev, struct vm_area_struct *vma, void *cpu, dma_addr_t addr,
		 size_t size, unsigned long attrs);
int pvi_dma_get_sgtable(struct device *dev, struct sg_table *table, void *cpu, dma_addr_t addr,
			size_t size, unsigned long attrs);

#endif
