// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/strategy/mapping.h"

static int map_once(struct pvi_batch *b, uint64_t pfn, uint64_t phys, uint64_t npages,
		    uint32_t flags)
{
	pvi_batch_map(b, pvi_pages(pfn, npages), phys & ~PVI_PAGE_MASK, flags);
	pvi_batch_wait(b);
	return b->err;
}

uint64_t pvi_iova_map_with(struct pvi_batch *b, struct pvi_space *sp, uint64_t phys, size_t size,
			   uint32_t flags, uint64_t limit)
{
	uint64_t npages = pvi_span_pages(phys, size);
	uint64_t pfn = npages ? pvi_iova_alloc(sp, npages, limit) : 0;
	struct pvi_batch again;
	int r;

	if (!pfn) {
		pvi_batch_wait(b);
		return PVI_NO_ADDR;
	}
	r = map_once(b, pfn, phys, npages, flags);
	if (r == -ENOMEM && pvi_strategy_nomem(b->ep)) {
		pvi_batch_init(&again, b->ep);
		r = map_once(&again, pfn, phys, npages, flags);
	}
	if (!r)
		return (pfn << PVI_PAGE_SHIFT) + (phys & PVI_PAGE_MASK);
	/* A refused MAP left nothing; after a time-out nobody knows, so the IOVA stays unused. */
	if (!pvi_requests_broken(b->ep))
		pvi_iova_free(sp, pfn, npages);
	return PVI_NO_ADDR;
}

uint64_t pvi_iova_map(struct pvi_endpoint *ep, struct pvi_space *sp, uint64_t phys, size_t size,
		      uint32_t flags, uint64_t limit)
{
	struct pvi_batch b;

	pvi_batch_init(&b, ep);
	return pvi_iova_map_with(&b, sp, phys, size, flags, limit);
}

int pvi_iova_unmap_pages(struct pvi_endpoint *ep, struct pvi_space *sp, uint64_t pfn,
			 uint64_t npages, uint64_t mapped)
{
	struct pvi_batch b;
	int r;

	pvi_batch_init(&b, ep);
	pvi_batch_unmap(&b, pvi_pages(pfn, npages));
	r = pvi_batch_wait(&b);
	if (r)
		pvi_report_lost(ep, mapped, r);
	else
		pvi_iova_free(sp, pfn, npages);
	return r;
}

uint64_t pvi_single_map(struct pvi_endpoint *ep, struct pvi_space *sp, uint64_t phys, size_t size,
			const struct pvi_how *how)
{
	uint64_t addr = pvi_iova_map(ep, sp, phys, size, how->prot, how->limit);

	if (addr != PVI_NO_ADDR)
		pvi_count_mapped(ep, (long)pvi_span_pages(phys, size));
	return addr;
}

void pvi_single_unmap(struct pvi_endpoint *ep, struct pvi_space *sp, uint64_t addr, size_t size)
{
	uint64_t npages = pvi_span_pages(addr, size);

	pvi_iova_unmap_pages(ep, sp, addr >> PVI_PAGE_SHIFT, npages, npages);
	pvi_count_mapped(ep, -(long)npages);
}

int pvi_single_map_sg(struct pvi_endpoint *ep, struct pvi_space *sp, struct pvi_seg *sgl, int nents,
		      const struct pvi_how *how)
{
	struct pvi_batch b;

	pvi_batch_init(&b, ep);
	return pvi_sg_map_with(&b, sp, sgl, nents, how);
}

void pvi_single_unmap_sg(struct pvi_endpoint *ep, struct pvi_space *sp, struct pvi_seg *sgl,
			 int nents)
{
	uint64_t pfn, npages, mapped = pvi_sg_range(sgl, nents, &pfn, &npages);

	pvi_iova_unmap_pages(ep, sp, pfn, npages, mapped);
	pvi_count_mapped(ep, -(long)mapped);
}
