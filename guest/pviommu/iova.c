// SPDX-License-Identifier: GPL-2.0-only
/* IOVAs, mappings of their own, and counts: what every strategy builds on. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "pviommu.h"

/* A to-device transfer of at most this many bytes is counted as small: a header. */
#define SMALL_BYTES 256

void pvi_count_dma(struct pvi_endpoint *ep, unsigned int n)
{
	this_cpu_add(ep->counts.pcpu->dmas, n);
}

void pvi_count_reuse(struct pvi_endpoint *ep, u32 prot, size_t size)
{
	if (prot & PVI_WRITE)
		this_cpu_inc(ep->counts.pcpu->reused_rx);
	else if (size <= SMALL_BYTES)
		this_cpu_inc(ep->counts.pcpu->reused_tx_small);
	else
		this_cpu_inc(ep->counts.pcpu->reused_tx_large);
}

void pvi_count_mapped(struct pvi_endpoint *ep, long npages)
{
	s64 now = atomic64_add_return(npages, &ep->counts.mapped_pages);
	s64 peak = atomic64_read(&ep->counts.peak_mapped_pages);

	while (now > peak && !atomic64_try_cmpxchg(&ep->counts.peak_mapped_pages, &peak, now))
		;
}

void pvi_count_fixed(struct pvi_endpoint *ep, long npages)
{
	atomic64_add(npages, &ep->counts.fixed_pages);
	pvi_count_mapped(ep, npages);
}

u64 pvi_stream_limit(struct pvi_endpoint *ep, struct device *dev)
{
	return min3(dma_get_mask(dev), dev->bus_dma_limit ?: U64_MAX, ep->viommu->input.last);
}

int pvi_space_init(struct pvi_space *sp, unsigned long first, unsigned long last)
{
	int r;

	init_iova_domain(&sp->iovad, PAGE_SIZE, first);
	r = iova_domain_init_rcaches(&sp->iovad);
	if (r) {
		put_iova_domain(&sp->iovad);
		return r;
	}
	sp->first = first;
	sp->last = last;
	return 0;
}

void pvi_space_done(struct pvi_space *sp)
{
	put_iova_domain(&sp->iovad);
}

unsigned long pvi_window_alloc(struct pvi_endpoint *ep, unsigned long npages)
{
	static const unsigned int bits[] = {32, 36, 40, 48, 64};
	struct iova *w;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		w = alloc_iova(&ep->space.iovad, npages,
			       min_t(u64, DMA_BIT_MASK(bits[i]) >> PAGE_SHIFT, ep->space.last),
			       true);
		if (w)
			return w->pfn_lo;
	}
	return 0;
}

void pvi_window_free(struct pvi_endpoint *ep, unsigned long pfn)
{
	free_iova(&ep->space.iovad, pfn);
}

int pvi_space_carve(struct pvi_endpoint *ep, struct pvi_space *sp, unsigned long npages)
{
	unsigned long first = pvi_window_alloc(ep, npages);
	int r;

	if (!first)
		return -ENOSPC;
	r = pvi_space_init(sp, first, first + npages - 1);
	if (r)
		pvi_window_free(ep, first);
	return r;
}

void pvi_space_return(struct pvi_endpoint *ep, struct pvi_space *sp)
{
	pvi_space_done(sp);
	pvi_window_free(ep, sp->first);
}

unsigned long pvi_iova_alloc(struct pvi_space *sp, unsigned long npages, u64 limit)
{
	/* The last page that lies wholly at or below the limit. */
	u64 last = limit == U64_MAX ? U64_MAX >> PAGE_SHIFT : ((limit + 1) >> PAGE_SHIFT) - 1;
	u64 low = DMA_BIT_MASK(32) >> PAGE_SHIFT;
	unsigned long pfn = 0;

	last = min_t(u64, last, sp->last);
	/* Below 4 GiB first, as the kernel does: not every device's high address bits work. */
	if (last > low)
		pfn = alloc_iova_fast(&sp->iovad, npages, low, false);
	return pfn ?: alloc_iova_fast(&sp->iovad, npages, last, true);
}

void pvi_iova_free(struct pvi_space *sp, unsigned long pfn, unsigned long npages)
{
	free_iova_fast(&sp->iovad, pfn, npages);
}

static int map_once(struct pvi_endpoint *ep, unsigned long pfn, u64 phys, unsigned long npages,
		    u32 flags)
{
	struct pvi_batch b;

	pvi_batch_init(&b, ep);
	pvi_batch_map(&b, pvi_pages(pfn, npages), phys, flags);
	return pvi_batch_wait(&b);
}

dma_addr_t pvi_iova_map(struct pvi_endpoint *ep, struct pvi_space *sp, phys_addr_t phys,
			size_t size, u32 flags, u64 limit)
{
	unsigned long npages = pvi_span_pages(phys, size);
	unsigned long pfn = npages ? pvi_iova_alloc(sp, npages, limit) : 0;
	int r;

	if (!pfn)
		return DMA_MAPPING_ERROR;
	r = map_once(ep, pfn, phys & PAGE_MASK, npages, flags);
	if (r == -ENOMEM && pvi_strategy_nomem(ep))
		r = map_once(ep, pfn, phys & PAGE_MASK, npages, flags);
	if (!r)
		return ((u64)pfn << PAGE_SHIFT) + offset_in_page(phys);
	/* A refused MAP left nothing; after a time-out nobody knows, so the IOVA stays unused. */
	if (!READ_ONCE(ep->viommu->rq.broken))
		pvi_iova_free(sp, pfn, npages);
	return DMA_MAPPING_ERROR;
}

int pvi_iova_unmap_pages(struct pvi_endpoint *ep, struct pvi_space *sp, unsigned long pfn,
			 unsigned long npages)
{
	struct pvi_batch b;
	int r;

	pvi_batch_init(&b, ep);
	pvi_batch_unmap(&b, pvi_pages(pfn, npages));
	r = pvi_batch_wait(&b);
	if (r)
		pr_err_ratelimited("%s: UNMAP of %lu pages at %#llx failed (%d): the device may "
				   "still reach them\n",
				   pci_name(ep->pdev), npages, (u64)pfn << PAGE_SHIFT, r);
	else
		pvi_iova_free(sp, pfn, npages);
	return r;
}

int pvi_iova_unmap(struct pvi_endpoint *ep, dma_addr_t addr, size_t size)
{
	return pvi_iova_unmap_pages(ep, &ep->space, addr >> PAGE_SHIFT, pvi_span_pages(addr, size));
}
