// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/strategy/deferred.h"

#define NODES (4 * PVI_DEFERRED_BATCH)

void pvi_deferred_init(struct pvi_deferred *d, struct pvi_endpoint *ep, struct pvi_space *space,
		       struct pvi_space *common)
{
	d->ep = ep;
	d->space = space;
	d->common = common;
	pvi_spin_init(&d->lock);
	pvi_defer_init(&d->queue, d->nodes, NODES, PVI_DEFERRED_BATCH, PVI_DEFERRED_MS);
}

static void request(struct pvi_batch *b, const struct pvi_late *list)
{
	for (; list; list = list->next)
		pvi_batch_unmap(b, pvi_pages(list->pfn, list->npages));
}

/* Now that the UNMAPs have been waited for, and not before, the IOVAs are free. */
static bool finish(struct pvi_deferred *d, struct pvi_late *list, int err)
{
	uint64_t mapped = 0;
	struct pvi_late *n;
	unsigned long flags;

	if (!list)
		return false;
	for (n = list; n; n = n->next) {
		if (!err)
			pvi_iova_free(d->space, n->pfn, n->npages);
		mapped += n->mapped;
	}
	if (err)
		pvi_report_lost(d->ep, mapped, err);
	pvi_count_mapped(d->ep, -(long)mapped);
	flags = pvi_spin_lock(&d->lock);
	pvi_defer_give_back(&d->queue, list);
	pvi_spin_unlock(&d->lock, flags);
	return !err;
}

static bool unmap_batch(struct pvi_deferred *d, struct pvi_late *list)
{
	struct pvi_batch b;

	if (!list)
		return false;
	pvi_batch_init(&b, d->ep);
	request(&b, list);
	return finish(d, list, pvi_batch_wait(&b));
}

bool pvi_deferred_flush(struct pvi_deferred *d)
{
	struct pvi_late *list;
	unsigned long flags;

	flags = pvi_spin_lock(&d->lock);
	list = pvi_defer_take(&d->queue);
	pvi_spin_unlock(&d->lock, flags);
	return unmap_batch(d, list);
}

unsigned int pvi_deferred_tick(struct pvi_deferred *d)
{
	struct pvi_late *list = NULL;
	unsigned long flags;
	unsigned int left;

	flags = pvi_spin_lock(&d->lock);
	left = pvi_defer_left(&d->queue, pvi_clock_ms());
	if (!left)
		list = pvi_defer_take(&d->queue);
	pvi_spin_unlock(&d->lock, flags);
	unmap_batch(d, list);
	return left == UINT32_MAX ? 0 : left;
}

/* What goes along with a MAP. */
static struct pvi_late *take_due(struct pvi_deferred *d)
{
	struct pvi_late *list = NULL;
	unsigned long flags;

	flags = pvi_spin_lock(&d->lock);
	if (pvi_defer_due(&d->queue, pvi_clock_ms()))
		list = pvi_defer_take(&d->queue);
	pvi_spin_unlock(&d->lock, flags);
	return list;
}

static uint64_t map_once(struct pvi_deferred *d, uint64_t phys, size_t size,
			 const struct pvi_how *how)
{
	struct pvi_late *list = take_due(d);
	struct pvi_batch b;
	uint64_t addr;

	pvi_batch_init(&b, d->ep);
	request(&b, list);
	addr = pvi_iova_map_with(&b, d->space, phys, size, how->prot, how->limit);
	finish(d, list, b.unmap_err);
	return addr;
}

uint64_t pvi_deferred_map(struct pvi_deferred *d, uint64_t phys, size_t size,
			  const struct pvi_how *how)
{
	uint64_t addr = map_once(d, phys, size, how);

	if (addr == PVI_NO_ADDR && pvi_deferred_flush(d))
		addr = map_once(d, phys, size, how);
	if (addr == PVI_NO_ADDR)
		return pvi_single_map(d->ep, d->common, phys, size, how);
	pvi_count_mapped(d->ep, (long)pvi_span_pages(phys, size));
	return addr;
}

static int map_sg_once(struct pvi_deferred *d, struct pvi_seg *sgl, int nents,
		       const struct pvi_how *how)
{
	struct pvi_late *list = take_due(d);
	struct pvi_batch b;
	int r;

	pvi_batch_init(&b, d->ep);
	request(&b, list);
	r = pvi_sg_map_with(&b, d->space, sgl, nents, how);
	finish(d, list, b.unmap_err);
	return r;
}

int pvi_deferred_map_sg(struct pvi_deferred *d, struct pvi_seg *sgl, int nents,
			const struct pvi_how *how)
{
	int r = map_sg_once(d, sgl, nents, how);

	if (r == -ENOMEM && pvi_deferred_flush(d))
		r = map_sg_once(d, sgl, nents, how);
	return r == -ENOMEM ? pvi_single_map_sg(d->ep, d->common, sgl, nents, how) : r;
}

static bool unmap_late(struct pvi_deferred *d, uint64_t pfn, uint64_t npages, uint64_t mapped)
{
	struct pvi_late *list = NULL;
	unsigned long flags;
	int n;

	flags = pvi_spin_lock(&d->lock);
	n = pvi_defer_add(&d->queue, pfn, npages, mapped, pvi_clock_ms());
	if (n >= (int)d->queue.batch)
		list = pvi_defer_take(&d->queue);
	pvi_spin_unlock(&d->lock, flags);
	unmap_batch(d, list);
	if (n < 0) {
		pvi_iova_unmap_pages(d->ep, d->space, pfn, npages, mapped);
		pvi_count_mapped(d->ep, -(long)mapped);
	}
	return n == 1;
}

bool pvi_deferred_unmap(struct pvi_deferred *d, uint64_t addr, size_t size)
{
	uint64_t npages = pvi_span_pages(addr, size);

	return unmap_late(d, addr >> PVI_PAGE_SHIFT, npages, npages);
}

bool pvi_deferred_unmap_sg(struct pvi_deferred *d, struct pvi_seg *sgl, int nents)
{
	uint64_t pfn, npages, mapped = pvi_sg_range(sgl, nents, &pfn, &npages);

	return unmap_late(d, pfn, npages, mapped);
}
