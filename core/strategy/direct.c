// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/strategy/direct.h"

static uint64_t shift_of(const struct pvi_direct *d)
{
	return d->base << PVI_PAGE_SHIFT;
}

static int request_window(struct pvi_direct *d, bool map)
{
	uint64_t shift = shift_of(d);
	struct pvi_range r;
	struct pvi_batch b;
	unsigned int i;

	pvi_batch_init(&b, d->ep);
	for (i = 0; i < d->nr_ram; i++) {
		r = (struct pvi_range){d->ram[i].first + shift, d->ram[i].last + shift};
		if (map)
			pvi_batch_map(&b, r, d->ram[i].first, PVI_READ | PVI_WRITE);
		else
			pvi_batch_unmap(&b, r);
	}
	return pvi_batch_wait(&b);
}

static uint64_t ram_pages(const struct pvi_direct *d)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < d->nr_ram; i++)
		n += (d->ram[i].last - d->ram[i].first + 1) >> PVI_PAGE_SHIFT;
	return n;
}

/* The last user is gone. Any context. */
static void unmap_window(struct pvi_ref *ref)
{
	struct pvi_direct *d =
		(struct pvi_direct *)((char *)ref - offsetof(struct pvi_direct, users));
	uint64_t base = d->base, n = ram_pages(d);
	int r = request_window(d, false);

	/* Gone before its addresses are another's, or unmap() would take those for ours. */
	pvi_store_release(&d->gone, true);
	pvi_count_fixed(d->ep, -(long)n);
	if (r)
		pvi_report_lost(d->ep, n, r);
	else
		pvi_window_free(d->ep, base);
}

static uint64_t window_of(uint64_t npages)
{
	uint64_t n = 1;

	while (n < npages)
		n *= 2;
	return n;
}

static int map_window(struct pvi_direct *d)
{
	int r;

	d->base = pvi_window_alloc(d->ep, window_of(d->npages));
	if (!d->base)
		return -ENOSPC;
	r = request_window(d, true);
	if (r) {
		if (!request_window(d, false))
			pvi_window_free(d->ep, d->base);
		return r;
	}
	pvi_count_fixed(d->ep, (long)ram_pages(d));
	return 0;
}

int pvi_direct_init(struct pvi_direct *d, struct pvi_endpoint *ep, struct pvi_space *common)
{
	memset(d, 0, sizeof(*d));
	d->ep = ep;
	d->common = common;
	d->gone = true;
	d->dying = true;
	return pvi_ref_init(&d->users, unmap_window);
}

void pvi_direct_done(struct pvi_direct *d)
{
	pvi_direct_end(d);
	pvi_ref_done(&d->users);
}

int pvi_direct_begin(struct pvi_direct *d, const struct pvi_range *ram, unsigned int n)
{
	int r;

	if (!pvi_load_acquire(&d->gone))
		return -EBUSY;
	if (!n || n > PVI_DIRECT_RANGES)
		return n ? -E2BIG : -ENODEV;
	memcpy(d->ram, ram, n * sizeof(*ram));
	d->nr_ram = n;
	d->npages = (ram[n - 1].last >> PVI_PAGE_SHIFT) + 1;
	r = map_window(d);
	if (r)
		return r;
	d->dying = false;
	/* Whoever gets a reference finds on the way back that it is ours. */
	pvi_store_release(&d->gone, false);
	pvi_ref_begin(&d->users);
	return 0;
}

void pvi_direct_end(struct pvi_direct *d)
{
	if (d->dying)
		return;
	d->dying = true;
	pvi_ref_end(&d->users); /* without users, the window is gone now */
}

int pvi_direct_map_again(struct pvi_direct *d)
{
	return d->gone ? 0 : request_window(d, true);
}

static bool in_window(const struct pvi_direct *d, uint64_t phys, size_t size, uint64_t limit)
{
	uint64_t last = phys + size - 1;
	unsigned int i;

	if (last + shift_of(d) > limit)
		return false;
	for (i = 0; i < d->nr_ram; i++) {
		if (phys >= d->ram[i].first && last <= d->ram[i].last)
			return true;
	}
	return false;
}

uint64_t pvi_direct_map_one(struct pvi_direct *d, uint64_t phys, size_t size,
			    const struct pvi_how *how)
{
	/* With a reference the window and what describes it stay as they are. */
	if (!pvi_ref_get(&d->users))
		return pvi_single_map(d->ep, d->common, phys, size, how);
	if (!in_window(d, phys, size, how->limit)) {
		pvi_ref_put(&d->users);
		return pvi_single_map(d->ep, d->common, phys, size, how);
	}
	pvi_count_reuse(d->ep, how->prot, size);
	return phys + shift_of(d);
}

static bool all_in_window(const struct pvi_direct *d, struct pvi_seg *sg, int nents, uint64_t limit)
{
	for (; nents; nents--, sg = pvi_seg_next(sg)) {
		if (!in_window(d, pvi_seg_phys(sg), pvi_seg_len(sg), limit))
			return false;
	}
	return true;
}

int pvi_direct_map_sg(struct pvi_direct *d, struct pvi_seg *sgl, int nents,
		      const struct pvi_how *how)
{
	struct pvi_seg *sg = sgl;

	if (!pvi_ref_get(&d->users))
		return pvi_single_map_sg(d->ep, d->common, sgl, nents, how);
	if (!all_in_window(d, sgl, nents, how->limit)) {
		pvi_ref_put(&d->users);
		return pvi_single_map_sg(d->ep, d->common, sgl, nents, how);
	}
	for (; nents; nents--, sg = pvi_seg_next(sg)) {
		pvi_count_reuse(d->ep, how->prot, pvi_seg_len(sg));
		pvi_seg_set(sg, pvi_seg_phys(sg) + shift_of(d), pvi_seg_len(sg));
	}
	return 0;
}

bool pvi_direct_unmap(struct pvi_direct *d, uint64_t addr)
{
	/*
	 * The window moves only while it is gone, which no DMA in it lets happen; an
	 * address of another strategy's is in no window that there is while it lives.
	 */
	if (pvi_load_acquire(&d->gone) || (addr >> PVI_PAGE_SHIFT) - d->base >= d->npages)
		return false;
	pvi_ref_put(&d->users);
	return true;
}
