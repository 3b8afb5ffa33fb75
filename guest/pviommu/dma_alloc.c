// SPDX-License-Identifier: GPL-2.0-only
/*
 * Coherent and noncoherent allocations (the same on x86): physically contiguous
 * pages in the kernel's direct map, so at most 4 MiB each, anywhere in memory: the
 * device's mask limits the IOVA, not the page.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/gfp.h>
#include <linux/mm.h>

#include "dma_alloc.h"

static void *alloc_mapped(struct pvi_endpoint *ep, size_t size, u64 limit, dma_addr_t *ret_addr,
			  gfp_t gfp)
{
	dma_addr_t addr;
	void *cpu;

	size = PAGE_ALIGN(size);
	if (!size)
		return NULL;
	/* Zeroed: what the device sees first must not be someone's old data. */
	cpu = alloc_pages_exact(
		size, (gfp & ~(__GFP_COMP | __GFP_DMA | __GFP_DMA32 | __GFP_HIGHMEM)) | __GFP_ZERO);
	if (!cpu)
		return NULL;
	addr = pvi_iova_map(ep, &ep->space, virt_to_phys(cpu), size, PVI_READ | PVI_WRITE, limit);
	if (addr == DMA_MAPPING_ERROR) {
		/* After a time-out the MAP may still come true: then the pages stay ours. */
		if (!READ_ONCE(ep->viommu->rq.broken))
			free_pages_exact(cpu, size);
		return NULL;
	}
	atomic64_add(size >> PAGE_SHIFT, &ep->counts.coherent_pages);
	*ret_addr = addr;
	return cpu;
}

static void free_mapped(struct pvi_endpoint *ep, size_t size, void *cpu, dma_addr_t addr)
{
	size = PAGE_ALIGN(size);
	/* Still reachable by the device: lost, rather than given to someone else. */
	if (pvi_iova_unmap(ep, addr, size))
		return;
	atomic64_sub(size >> PAGE_SHIFT, &ep->counts.coherent_pages);
	free_pages_exact(cpu, size);
}

void *pvi_dma_alloc(struct device *dev, size_t size, dma_addr_t *ret_addr, gfp_t gfp,
		    unsigned long attrs)
{
	struct pvi_endpoint *ep = pvi_ops_endpoint(dev);
	u64 limit =
		min3(dev->coherent_dma_mask, dev->bus_dma_limit ?: U64_MAX, ep->viommu->input.last);

	return alloc_mapped(ep, size, limit, ret_addr, gfp);
}

void pvi_dma_free(struct device *dev, size_t size, void *cpu, dma_addr_t addr, unsigned long attrs)
{
	free_mapped(pvi_ops_endpoint(dev), size, cpu, addr);
}

struct page *pvi_dma_alloc_pages(struct device *dev, size_t size, dma_addr_t *ret_addr,
				 enum dma_data_direction dir, gfp_t gfp)
{
	struct pvi_endpoint *ep = pvi_ops_endpoint(dev);
	void *cpu = alloc_mapped(ep, size, pvi_stream_limit(ep, dev), ret_addr, gfp);

	return cpu ? virt_to_page(cpu) : NULL;
}

void pvi_dma_free_pages(struct device *dev, size_t size, struct page *page, dma_addr_t addr,
			enum dma_data_direction dir)
{
	free_mapped(pvi_ops_endpoint(dev), size, page_address(page), addr);
}

int pvi_dma_mmap(struct device *dev, struct vm_area_struct *vma, void *cpu, dma_addr_t addr,
		 size_t size, unsigned long attrs)
{
	unsigned long npages = PAGE_ALIGN(size) >> PAGE_SHIFT;

	if (vma->vm_pgoff >= npages || vma_pages(vma) > npages - vma->vm_pgoff)
		return -ENXIO;
	return remap_pfn_range(vma, vma->vm_start, page_to_pfn(virt_to_page(cpu)) + vma->vm_pgoff,
			       vma_pages(vma) << PAGE_SHIFT, vma->vm_page_prot);
}

int pvi_dma_get_sgtable(struct device *dev, struct sg_table *table, void *cpu, dma_addr_t addr,
			size_t size, unsigned long attrs)
{
	int r = sg_alloc_table(table, 1, GFP_KERNEL);

	if (!r)
		sg_set_page(table->sgl, virt_to_page(cpu), PAGE_ALIGN(size), 0);
	return r;
}
