// SPDX-License-Identifier: GPL-2.0-only
/*
 * deferred: a mapping for each DMA, whose UNMAP waits after dma_unmap until a batch
 * is full or a time has passed: one kick for the lot. Until then the device still
 * reaches the buffer, and the IOVA is not used again. The IOVAs come from a space of
 * its own, which tells its mappings from others; without room there, single-use.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/slab.h>
#include <linux/timer.h>

#include "compat.h"
#include "core/defer.h"
#include "pviommu.h"

#define BATCH	    128u /* what fits into a request queue of 256 at once */
#define NODES	    (4 * BATCH)
#define FLUSH_MS    20
#define SPACE_PAGES (1ul << (29 - PAGE_SHIFT))

/* Made when deferred is first chosen, freed with the endpoint. */
struct pvi_deferred {
	struct pvi_endpoint *ep;
	struct pvi_space space;
	struct timer_list timer; /* armed when the first of a batch is queued */
	spinlock_t lock;	 /* queue; never held for a request */
	struct pvi_defer queue;
	struct pvi_late nodes[NODES];
};

static struct pvi_deferred *deferred_of(struct pvi_endpoint *ep)
{
	return smp_load_acquire(&ep->deferred);
}

/* One kick; then, and not before, the IOVAs are free. False: they never are. */
static bool unmap_batch(struct pvi_deferred *d, struct pvi_late *list)
{
	struct pvi_late *n;
	unsigned long flags;
	struct pvi_batch b;
	long mapped = 0;
	int r;

	pvi_batch_init(&b, d->ep);
	for (n = list; n; n = n->next)
		pvi_batch_unmap(&b, pvi_pages(n->pfn, n->npages));
	r = pvi_batch_wait(&b);
	if (r)
		pr_err_ratelimited("%s: deferred UNMAPs failed (%d): the device may still reach "
				   "old buffers\n",
				   pci_name(d->ep->pdev), r);
	for (n = list; n && !r; n = n->next) {
		pvi_iova_free(&d->space, n->pfn, n->npages);
		mapped += n->mapped;
	}
	pvi_count_mapped(d->ep, -mapped);
	spin_lock_irqsave(&d->lock, flags);
	pvi_defer_give_back(&d->queue, list);
	spin_unlock_irqrestore(&d->lock, flags);
	return !r;
}

bool pvi_deferred_flush(struct pvi_endpoint *ep)
{
	struct pvi_deferred *d = deferred_of(ep);
	struct pvi_late *list;
	unsigned long flags;

	if (!d)
		return false;
	spin_lock_irqsave(&d->lock, flags);
	list = pvi_defer_take(&d->queue);
	spin_unlock_irqrestore(&d->lock, flags);
	return list && unmap_batch(d, list);
}

static void timer_fn(struct timer_list *t)
{
	struct pvi_deferred *d = pvi_compat_from_timer(d, t, timer);

	pvi_deferred_flush(d->ep);
}

static int start(struct pvi_endpoint *ep)
{
	struct pvi_deferred *d;
	int r;

	if (ep->deferred)
		return 0;
	d = kzalloc(sizeof(*d), GFP_KERNEL);
	if (!d)
		return -ENOMEM;
	r = pvi_space_carve(ep, &d->space, SPACE_PAGES);
	if (r) {
		kfree(d);
		return r;
	}
	d->ep = ep;
	spin_lock_init(&d->lock);
	timer_setup(&d->timer, timer_fn, 0);
	pvi_defer_init(&d->queue, d->nodes, NODES, BATCH);
	smp_store_release(&ep->deferred, d); /* flush() and unmap() look without a lock */
	return 0;
}

static void trim(struct pvi_endpoint *ep)
{
	pvi_deferred_flush(ep);
}

static void stop(struct pvi_endpoint *ep)
{
	pvi_compat_timer_sync(&ep->deferred->timer);
	pvi_deferred_flush(ep);
}

/* The endpoint is stopped. */
void pvi_deferred_free(struct pvi_endpoint *ep)
{
	struct pvi_deferred *d = ep->deferred;

	if (!d)
		return;
	pvi_compat_timer_sync(&d->timer);
	pvi_space_return(ep, &d->space);
	kfree(d);
}

static dma_addr_t map(struct pvi_endpoint *ep, phys_addr_t phys, size_t size,
		      const struct pvi_how *how)
{
	struct pvi_space *sp = &ep->deferred->space;
	dma_addr_t addr = pvi_iova_map(ep, sp, phys, size, how->prot, how->limit);

	if (addr == DMA_MAPPING_ERROR && pvi_deferred_flush(ep))
		addr = pvi_iova_map(ep, sp, phys, size, how->prot, how->limit);
	if (addr == DMA_MAPPING_ERROR)
		return pvi_single_use.map(ep, phys, size, how);
	pvi_count_mapped(ep, pvi_span_pages(phys, size));
	return addr;
}

static int map_sg(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
		  const struct pvi_how *how)
{
	struct pvi_space *sp = &ep->deferred->space;
	int r = pvi_sg_map(ep, sp, sgl, nents, how);

	if (r == -ENOMEM && pvi_deferred_flush(ep))
		r = pvi_sg_map(ep, sp, sgl, nents, how);
	return r == -ENOMEM ? pvi_single_use.map_sg(ep, sgl, nents, how) : r;
}

static void unmap_late(struct pvi_deferred *d, unsigned long pfn, unsigned long npages,
		       unsigned long mapped)
{
	struct pvi_late *list = NULL;
	unsigned long flags;
	int n;

	spin_lock_irqsave(&d->lock, flags);
	n = pvi_defer_add(&d->queue, pfn, npages, mapped);
	if (n >= (int)d->queue.batch)
		list = pvi_defer_take(&d->queue);
	spin_unlock_irqrestore(&d->lock, flags);
	if (list)
		unmap_batch(d, list);
	else if (n == 1)
		mod_timer(&d->timer, jiffies + msecs_to_jiffies(FLUSH_MS));
	else if (n < 0 && !pvi_iova_unmap_pages(d->ep, &d->space, pfn, npages))
		pvi_count_mapped(d->ep, -(long)mapped);
}

static bool is_ours(struct pvi_endpoint *ep, dma_addr_t addr)
{
	struct pvi_deferred *d = deferred_of(ep);

	return d && pvi_space_has(&d->space, addr);
}

static bool unmap(struct pvi_endpoint *ep, dma_addr_t addr, size_t size, const struct pvi_how *how)
{
	unsigned long npages = pvi_span_pages(addr, size);

	if (!is_ours(ep, addr))
		return false;
	unmap_late(ep->deferred, addr >> PAGE_SHIFT, npages, npages);
	return true;
}

static bool unmap_sg(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
		     const struct pvi_how *how)
{
	unsigned long pfn, npages, mapped;

	if (!is_ours(ep, sg_dma_address(sgl)))
		return false;
	mapped = pvi_sg_range(sgl, nents, &pfn, &npages);
	unmap_late(ep->deferred, pfn, npages, mapped);
	return true;
}

const struct pvi_strategy pvi_deferred = {
	.name = "deferred",
	.bit = 2,
	.start = start,
	.retire = trim,
	.trim = trim,
	.stop = stop,
	.map = map,
	.unmap = unmap,
	.map_sg = map_sg,
	.unmap_sg = unmap_sg,
};
