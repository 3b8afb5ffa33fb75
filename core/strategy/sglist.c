// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/strategy/mapping.h"

/* The pages that a list covers. */
struct layout {
	uint64_t npages;   /* of the list's range, holes included */
	uint64_t mapped;   /* without the holes */
	uint64_t boundary; /* in pages; no entry may cross a multiple. 0: none */
};

/*
 * Where an entry of @npages goes when the range is @at pages long so far. The range
 * is aligned to its size, so offsets within it tell where boundaries fall; an entry
 * that would cross one starts behind it, and the hole stays unmapped.
 */
static uint64_t place(const struct layout *l, uint64_t at, uint64_t npages)
{
	if (l->boundary && npages <= l->boundary &&
	    at / l->boundary != (at + npages - 1) / l->boundary)
		at = (at / l->boundary + 1) * l->boundary;
	return at;
}

static int measure(struct layout *l, struct pvi_seg *sg, int nents, uint64_t boundary)
{
	uint64_t n;

	*l = (struct layout){.boundary = boundary >> PVI_PAGE_SHIFT};
	for (; nents; nents--, sg = pvi_seg_next(sg)) {
		if (!pvi_seg_len(sg))
			return -EINVAL;
		n = pvi_span_pages(pvi_seg_phys(sg), pvi_seg_len(sg));
		l->npages = place(l, l->npages, n) + n;
		l->mapped += n;
	}
	return l->npages ? 0 : -EINVAL;
}

/* A run: pages that are contiguous in both spaces. */
struct run {
	uint64_t pfn;
	uint64_t phys_pfn;
	uint64_t npages;
};

static void map_run(struct pvi_batch *b, const struct run *r, uint32_t prot)
{
	if (r->npages)
		pvi_batch_map(b, pvi_pages(r->pfn, r->npages), r->phys_pfn << PVI_PAGE_SHIFT, prot);
}

static int map_runs(struct pvi_batch *b, const struct layout *l, uint64_t base, struct pvi_seg *sg,
		    int nents, uint32_t prot)
{
	struct run run = {0};
	uint64_t at = 0, n, phys;

	for (; nents; nents--, sg = pvi_seg_next(sg)) {
		phys = pvi_seg_phys(sg);
		n = pvi_span_pages(phys, pvi_seg_len(sg));
		at = place(l, at, n);
		if (run.npages && run.pfn + run.npages == base + at &&
		    run.phys_pfn + run.npages == phys >> PVI_PAGE_SHIFT) {
			run.npages += n;
		} else {
			map_run(b, &run, prot);
			run = (struct run){base + at, phys >> PVI_PAGE_SHIFT, n};
		}
		pvi_seg_set(sg, ((base + at) << PVI_PAGE_SHIFT) + (phys & PVI_PAGE_MASK),
			    pvi_seg_len(sg));
		at += n;
	}
	map_run(b, &run, prot);
	pvi_batch_wait(b);
	return b->err;
}

/* Some runs may be mapped. UNMAP of the whole range is right for any of them. */
static int undo_runs(struct pvi_endpoint *ep, uint64_t base, uint64_t npages)
{
	struct pvi_batch b;

	pvi_batch_init(&b, ep);
	pvi_batch_unmap(&b, pvi_pages(base, npages));
	return pvi_batch_wait(&b);
}

int pvi_sg_map_with(struct pvi_batch *b, struct pvi_space *sp, struct pvi_seg *sgl, int nents,
		    const struct pvi_how *how)
{
	struct pvi_endpoint *ep = b->ep;
	struct pvi_batch again;
	struct layout l;
	uint64_t base = 0;
	int r = measure(&l, sgl, nents, how->boundary);

	if (!r) {
		base = pvi_iova_alloc(sp, l.npages, how->limit);
		r = base ? 0 : -ENOMEM;
	}
	if (r) {
		pvi_batch_wait(b);
		return r;
	}
	r = map_runs(b, &l, base, sgl, nents, how->prot);
	if (r == -ENOMEM && !undo_runs(ep, base, l.npages) && pvi_strategy_nomem(ep)) {
		pvi_batch_init(&again, ep);
		r = map_runs(&again, &l, base, sgl, nents, how->prot);
	}
	if (r) {
		pvi_iova_unmap_pages(ep, sp, base, l.npages, l.mapped);
		return r == -ENOMEM ? -ENOMEM : -EIO;
	}
	pvi_count_mapped(ep, (long)l.mapped);
	return 0;
}

uint64_t pvi_sg_range(struct pvi_seg *sgl, int nents, uint64_t *ret_pfn, uint64_t *ret_npages)
{
	struct pvi_seg *sg = sgl, *last = sgl;
	uint64_t mapped = 0, last_pfn;

	for (; nents; nents--, sg = pvi_seg_next(sg)) {
		mapped += pvi_span_pages(pvi_seg_addr(sg), pvi_seg_addr_len(sg));
		last = sg;
	}
	*ret_pfn = pvi_seg_addr(sgl) >> PVI_PAGE_SHIFT;
	last_pfn = (pvi_seg_addr(last) + pvi_seg_addr_len(last) - 1) >> PVI_PAGE_SHIFT;
	*ret_npages = last_pfn - *ret_pfn + 1;
	return mapped;
}
