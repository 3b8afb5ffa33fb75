// SPDX-License-Identifier: GPL-2.0-only
/* IOVAs, counts and complaints: what every strategy builds on (core/strategy/host.h). */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "pviommu.h"

void pvi_count_fallback(struct pvi_endpoint *ep)
{
	atomic64_inc(&ep->counts.bounce_fallbacks);
}

void pvi_count_reuse(struct pvi_endpoint *ep, u32 prot, size_t size)
{
	pvi_count_hit(ep, prot, size);
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

void pvi_report_lost(struct pvi_endpoint *ep, u64 npages, int err)
{
	atomic64_add(npages, &ep->counts.lost_pages);
	pr_err_ratelimited("%s: UNMAP of %llu pages failed (%d): the device may still reach them\n",
			   pci_name(ep->pdev), npages, err);
}

s64 pvi_unknown_pages(struct pvi_endpoint *ep)
{
	return atomic64_read(&ep->counts.mapped_pages) - atomic64_read(&ep->counts.fixed_pages) -
	       pvi_ep_cache_mapped(ep);
}

void pvi_write_off(struct pvi_endpoint *ep)
{
	s64 pages = pvi_unknown_pages(ep);

	pvi_count_mapped(ep, -pages);
	atomic64_add(pages, &ep->counts.lost_pages);
}

void pvi_report_unmapped_twice(struct pvi_endpoint *ep, u64 addr)
{
	dev_warn_ratelimited(&ep->pdev->dev, "pviommu: its driver unmapped %#llx twice\n", addr);
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

u64 pvi_window_alloc(struct pvi_endpoint *ep, u64 npages)
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

void pvi_window_free(struct pvi_endpoint *ep, u64 pfn)
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

u64 pvi_iova_alloc(struct pvi_space *sp, u64 npages, u64 limit)
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

void pvi_iova_free(struct pvi_space *sp, u64 pfn, u64 npages)
{
	free_iova_fast(&sp->iovad, pfn, npages);
}

int pvi_iova_unmap(struct pvi_endpoint *ep, dma_addr_t addr, size_t size)
{
	u64 npages = pvi_span_pages(addr, size);

	return pvi_iova_unmap_pages(ep, &ep->space, addr >> PAGE_SHIFT, npages, npages);
}
