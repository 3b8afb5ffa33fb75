// SPDX-License-Identifier: GPL-2.0-only
/*
 * A scatter list as one contiguous range of IOVA: one MAP for each physically
 * contiguous run, one kick, and one UNMAP for the whole range later.
 */
#include "pviommu.h"

/* The pages that an entry covers, and where its range starts in the list's range. */
struct layout {
	unsigned long npages;	/* of the list's range, holes included */
	unsigned long mapped;	/* without the holes */
	unsigned long boundary; /* in pages; no entry may cross a multiple. 0: none */
};

/*
 * Where an entry of @npages goes when the range is @at pages long so far. The range
 * is aligned to its size, so offsets within it tell where boundaries fall; an entry
 * that would cross one starts behind it, and the hole stays unmapped.
 */
static unsigned long place(const struct layout *l, unsigned long at, unsigned long npages)
{
	if (l->boundary && npages <= l->boundary &&
	    at / l->boundary != (at + npages - 1) / l->boundary)
		at = roundup(at, l->boundary);
	return at;
}

static int measure(struct layout *l, struct device *dev, struct scatterlist *sgl, int nents)
{
	u64 boundary = (u64)dma_get_seg_boundary(dev) + 1;
	struct scatterlist *sg;
	unsigned long n;
	int i;

	*l = (struct layout){.boundary = boundary >> PAGE_SHIFT};
	for_each_sg (sgl, sg, nents, i) {
		if (!sg->length)
			return -EINVAL;
		n = pvi_span_pages(sg_phys(sg), sg->length);
		l->npages = place(l, l->npages, n) + n;
		l->mapped += n;
	}
	return l->npages ? 0 : -EINVAL;
}

/* A run: pages that are contiguous in both spaces. */
struct run {
	unsigned long pfn;
	u64 phys_pfn;
	unsigned long npages;
};

static void map_run(struct pvi_batch *b, const struct run *r, u32 prot)
{
	if (r->npages)
		pvi_batch_map(b, pvi_pages(r->pfn, r->npages), r->phys_pfn << PAGE_SHIFT, prot);
}

static int map_runs(struct pvi_endpoint *ep, const struct layout *l, unsigned long base,
		    struct scatterlist *sgl, int nents, u32 prot)
{
	struct run run = {0};
	unsigned long at = 0, n;
	struct scatterlist *sg;
	struct pvi_batch b;
	u64 phys;
	int i;

	pvi_batch_init(&b, ep);
	for_each_sg (sgl, sg, nents, i) {
		phys = sg_phys(sg);
		n = pvi_span_pages(phys, sg->length);
		at = place(l, at, n);
		if (run.npages && run.pfn + run.npages == base + at &&
		    run.phys_pfn + run.npages == phys >> PAGE_SHIFT) {
			run.npages += n;
		} else {
			map_run(&b, &run, prot);
			run = (struct run){base + at, phys >> PAGE_SHIFT, n};
		}
		sg_dma_address(sg) = ((u64)(base + at) << PAGE_SHIFT) + offset_in_page(phys);
		sg_dma_len(sg) = sg->length;
		at += n;
	}
	map_run(&b, &run, prot);
	return pvi_batch_wait(&b);
}

/* Some runs may be mapped. UNMAP of the whole range is right for any of them. */
static void undo_runs(struct pvi_endpoint *ep, unsigned long base, unsigned long npages)
{
	struct pvi_batch b;

	pvi_batch_init(&b, ep);
	pvi_batch_unmap(&b, pvi_pages(base, npages));
	pvi_batch_wait(&b);
}

int pvi_sg_map(struct pvi_endpoint *ep, struct pvi_space *sp, struct scatterlist *sgl, int nents,
	       const struct pvi_how *how)
{
	struct layout l;
	unsigned long base;
	int r = measure(&l, &ep->pdev->dev, sgl, nents);

	if (r)
		return r;
	base = pvi_iova_alloc(sp, l.npages, how->limit);
	if (!base)
		return -ENOMEM;
	r = map_runs(ep, &l, base, sgl, nents, how->prot);
	if (r == -ENOMEM) {
		undo_runs(ep, base, l.npages);
		if (pvi_strategy_nomem(ep))
			r = map_runs(ep, &l, base, sgl, nents, how->prot);
	}
	if (r) {
		pvi_iova_unmap_pages(ep, sp, base, l.npages);
		return r == -ENOMEM ? -ENOMEM : -EIO;
	}
	pvi_count_mapped(ep, l.mapped);
	return 0;
}

unsigned long pvi_sg_range(struct scatterlist *sgl, int nents, unsigned long *ret_pfn,
			   unsigned long *ret_npages)
{
	struct scatterlist *sg, *last = sgl;
	unsigned long mapped = 0, last_pfn;
	int i;

	for_each_sg (sgl, sg, nents, i) {
		mapped += pvi_span_pages(sg_dma_address(sg), sg_dma_len(sg));
		last = sg;
	}
	*ret_pfn = sg_dma_address(sgl) >> PAGE_SHIFT;
	last_pfn = (sg_dma_address(last) + sg_dma_len(last) - 1) >> PAGE_SHIFT;
	*ret_npages = last_pfn - *ret_pfn + 1;
	return mapped;
}
