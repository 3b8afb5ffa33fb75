// SPDX-License-Identifier: GPL-2.0-only
/*
 * direct-map: all RAM is mapped once, in one window of IOVAs that is as low as its
 * size allows; a DMA's address is the window's start plus the physical one. When
 * another strategy is chosen the window goes with the last DMA that uses it. What
 * the window lacks (memory added later, or a device that can't address so high) is
 * single-use.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ioport.h>
#include <linux/percpu-refcount.h>
#include <linux/slab.h>

#include "pviommu.h"

#define MAX_RANGES 32u

struct pvi_direct {
	struct pvi_endpoint *ep;
	/* DMAs under way, and the strategy itself while it is chosen. */
	struct percpu_ref users;
	bool dying;	    /* another one was chosen; under ep->strategy_lock */
	bool gone;	    /* and the window is unmapped */
	unsigned long base; /* the window, in pages */
	unsigned long npages;
	struct pvi_range ram[MAX_RANGES]; /* whole pages, ascending */
	unsigned int nr_ram;
};

static int add_ram(struct resource *res, void *data)
{
	struct pvi_direct *d = data;
	u64 first = PAGE_ALIGN(res->start), end = (res->end + 1) & PAGE_MASK;

	if (first >= end)
		return 0;
	if (d->nr_ram == MAX_RANGES)
		return -E2BIG;
	d->ram[d->nr_ram++] = (struct pvi_range){first, end - 1};
	return 0;
}

static int find_ram(struct pvi_direct *d)
{
	int r;

	d->nr_ram = 0;
	r = walk_iomem_res_desc(IORES_DESC_NONE, IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY, 0, -1, d,
				add_ram);
	if (r < 0)
		return r;
	if (!d->nr_ram)
		return -ENODEV;
	d->npages = (d->ram[d->nr_ram - 1].last >> PAGE_SHIFT) + 1;
	return 0;
}

static u64 shift_of(const struct pvi_direct *d)
{
	return (u64)d->base << PAGE_SHIFT;
}

static int request_window(struct pvi_direct *d, bool map)
{
	u64 shift = shift_of(d);
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

static long ram_pages(const struct pvi_direct *d)
{
	u64 n = 0;
	unsigned int i;

	for (i = 0; i < d->nr_ram; i++)
		n += (d->ram[i].last - d->ram[i].first + 1) >> PAGE_SHIFT;
	return n;
}

/* The last user is gone. Any context. */
static void unmap_window(struct percpu_ref *ref)
{
	struct pvi_direct *d = container_of(ref, struct pvi_direct, users);
	struct pvi_endpoint *ep = d->ep;
	unsigned long base = d->base;
	long n = ram_pages(d);
	int r = request_window(d, false);

	/* Gone before its addresses are another's, or unmap() would take those for ours. */
	smp_store_release(&d->gone, true);
	pvi_count_fixed(ep, -n);
	if (r)
		pvi_report_lost(ep, n, r);
	else
		pvi_window_free(ep, base);
}

static int map_window(struct pvi_direct *d)
{
	int r = find_ram(d);

	if (r)
		return r;
	d->base = pvi_window_alloc(d->ep, roundup_pow_of_two(d->npages));
	if (!d->base)
		return -ENOSPC;
	r = request_window(d, true);
	if (r) {
		if (!request_window(d, false))
			pvi_window_free(d->ep, d->base);
		return r;
	}
	pvi_count_fixed(d->ep, ram_pages(d));
	return 0;
}

int pvi_direct_remap(struct pvi_endpoint *ep)
{
	struct pvi_direct *d = ep->direct;

	return d && !d->gone ? request_window(d, true) : 0;
}

static int start(struct pvi_endpoint *ep)
{
	struct pvi_direct *d = ep->direct;
	int r;

	/* Its last DMAs are under way: the window is about to go. */
	if (d && !smp_load_acquire(&d->gone))
		return -EBUSY;
	if (d) {
		r = map_window(d);
		if (r)
			return r;
		d->dying = false;
		/* Whoever gets a reference finds on the way back that it is ours. */
		smp_store_release(&d->gone, false);
		percpu_ref_reinit(&d->users);
		return 0;
	}
	d = kzalloc(sizeof(*d), GFP_KERNEL);
	if (!d)
		return -ENOMEM;
	d->ep = ep;
	r = percpu_ref_init(&d->users, unmap_window, PERCPU_REF_ALLOW_REINIT, GFP_KERNEL);
	if (r)
		goto free;
	r = map_window(d);
	if (r)
		goto exit_ref;
	smp_store_release(&ep->direct, d); /* unmap() looks without a lock */
	return 0;

exit_ref:
	percpu_ref_exit(&d->users);
free:
	kfree(d);
	return r;
}

static void retire(struct pvi_endpoint *ep)
{
	struct pvi_direct *d = ep->direct;

	if (d->dying)
		return;
	d->dying = true;
	percpu_ref_kill(&d->users);
	rcu_barrier(); /* the kill is complete: without users, the window is gone now */
}

/* No driver is bound. The window stays while it is chosen; freeing takes it. */
void pvi_direct_free(struct pvi_endpoint *ep)
{
	struct pvi_direct *d = ep->direct;

	if (!d)
		return;
	retire(ep);
	percpu_ref_exit(&d->users);
	kfree(d);
}

static bool in_window(const struct pvi_direct *d, phys_addr_t phys, size_t size, u64 limit)
{
	u64 last = phys + size - 1;
	unsigned int i;

	if (last + shift_of(d) > limit)
		return false;
	for (i = 0; i < d->nr_ram; i++) {
		if (phys >= d->ram[i].first && last <= d->ram[i].last)
			return true;
	}
	return false;
}

static dma_addr_t map(struct pvi_endpoint *ep, phys_addr_t phys, size_t size,
		      const struct pvi_how *how)
{
	struct pvi_direct *d = ep->direct;

	/* With a reference the window and what describes it stay as they are. */
	if (!percpu_ref_tryget_live(&d->users))
		return pvi_single_use.map(ep, phys, size, how);
	if (!in_window(d, phys, size, how->limit)) {
		percpu_ref_put(&d->users);
		return pvi_single_use.map(ep, phys, size, how);
	}
	pvi_count_reuse(ep, how->prot, size);
	return phys + shift_of(d);
}

static int map_sg(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
		  const struct pvi_how *how)
{
	struct pvi_direct *d = ep->direct;
	struct scatterlist *sg;
	int i;

	if (!percpu_ref_tryget_live(&d->users))
		return pvi_single_use.map_sg(ep, sgl, nents, how);
	for_each_sg (sgl, sg, nents, i) {
		if (!in_window(d, sg_phys(sg), sg->length, how->limit)) {
			percpu_ref_put(&d->users);
			return pvi_single_use.map_sg(ep, sgl, nents, how);
		}
	}
	for_each_sg (sgl, sg, nents, i) {
		pvi_count_reuse(ep, how->prot, sg->length);
		sg_dma_address(sg) = sg_phys(sg) + shift_of(d);
		sg_dma_len(sg) = sg->length;
	}
	return 0;
}

static bool unmap(struct pvi_endpoint *ep, dma_addr_t addr, size_t size, const struct pvi_how *how)
{
	struct pvi_direct *d = smp_load_acquire(&ep->direct);

	/*
	 * The window moves only while it is gone, which no DMA in it lets happen; an
	 * address of another strategy's is in no window that there is while it lives.
	 */
	if (!d || smp_load_acquire(&d->gone) || (addr >> PAGE_SHIFT) - d->base >= d->npages)
		return false;
	percpu_ref_put(&d->users);
	return true;
}

static bool unmap_sg(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
		     const struct pvi_how *how)
{
	return unmap(ep, sg_dma_address(sgl), 0, how);
}

const struct pvi_strategy pvi_direct_map = {
	.name = "direct-map",
	.bit = 1,
	.start = start,
	.retire = retire,
	.map = map,
	.unmap = unmap,
	.map_sg = map_sg,
	.unmap_sg = unmap_sg,
};
