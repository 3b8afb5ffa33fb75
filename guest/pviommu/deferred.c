// SPDX-License-Identifier: GPL-2.0-only
/* deferred in the kernel: a space of IOVAs and a timer. core/strategy/deferred.c does it. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/slab.h>
#include <linux/timer.h>

#include "compat.h"
#include "core/strategy/deferred.h"
#include "pviommu.h"

#define SPACE_PAGES (1ul << (29 - PAGE_SHIFT))

/* Made when deferred is first chosen, freed with the endpoint. */
struct pvi_ep_deferred {
	struct pvi_deferred d;
	struct pvi_space space;
	struct timer_list timer; /* armed when something begins to wait */
};

static struct pvi_ep_deferred *deferred_of(struct pvi_endpoint *ep)
{
	return smp_load_acquire(&ep->deferred);
}

bool pvi_deferred_nomem(struct pvi_endpoint *ep)
{
	struct pvi_ep_deferred *ed = deferred_of(ep);

	return ed && pvi_deferred_flush(&ed->d);
}

static void arm(struct pvi_ep_deferred *ed, unsigned int ms)
{
	mod_timer(&ed->timer, jiffies + msecs_to_jiffies(ms));
}

static void timer_fn(struct timer_list *t)
{
	struct pvi_ep_deferred *ed = pvi_compat_from_timer(ed, t, timer);
	unsigned int ms = pvi_deferred_tick(&ed->d);

	if (ms)
		arm(ed, ms);
}

static int start(struct pvi_endpoint *ep)
{
	struct pvi_ep_deferred *ed;
	int r;

	if (ep->deferred)
		return 0;
	ed = kzalloc(sizeof(*ed), GFP_KERNEL);
	if (!ed)
		return -ENOMEM;
	r = pvi_space_carve(ep, &ed->space, SPACE_PAGES);
	if (r) {
		kfree(ed);
		return r;
	}
	timer_setup(&ed->timer, timer_fn, 0);
	pvi_deferred_init(&ed->d, ep, &ed->space, &ep->space);
	smp_store_release(&ep->deferred, ed); /* nomem() and unmap() look without a lock */
	return 0;
}

/*
 * The timer first, for it may have taken what waited and be in the middle of it. Nothing waits
 * without a timer afterwards: what came in between the flush takes, and the first to come after
 * the flush arms the timer anew.
 */
static void trim(struct pvi_endpoint *ep)
{
	pvi_compat_timer_sync(&ep->deferred->timer);
	pvi_deferred_flush(&ep->deferred->d);
}

/* The endpoint is stopped. */
void pvi_deferred_free(struct pvi_endpoint *ep)
{
	struct pvi_ep_deferred *ed = ep->deferred;

	if (!ed)
		return;
	pvi_compat_timer_sync(&ed->timer);
	pvi_space_return(ep, &ed->space);
	kfree(ed);
}

static dma_addr_t map(struct pvi_endpoint *ep, phys_addr_t phys, size_t size,
		      const struct pvi_how *how)
{
	return pvi_deferred_map(&ep->deferred->d, phys, size, how);
}

static int map_sg(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
		  const struct pvi_how *how)
{
	return pvi_deferred_map_sg(&ep->deferred->d, sgl, nents, how);
}

/* NULL: @addr is another strategy's. */
static struct pvi_ep_deferred *owner_of(struct pvi_endpoint *ep, dma_addr_t addr)
{
	struct pvi_ep_deferred *ed = deferred_of(ep);

	return ed && pvi_space_has(&ed->space, addr) ? ed : NULL;
}

static bool unmap(struct pvi_endpoint *ep, dma_addr_t addr, size_t size, const struct pvi_how *how)
{
	struct pvi_ep_deferred *ed = owner_of(ep, addr);

	if (ed && pvi_deferred_unmap(&ed->d, addr, size))
		arm(ed, PVI_DEFERRED_MS);
	return ed != NULL;
}

static bool unmap_sg(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
		     const struct pvi_how *how)
{
	struct pvi_ep_deferred *ed = owner_of(ep, sg_dma_address(sgl));

	if (ed && pvi_deferred_unmap_sg(&ed->d, sgl, nents))
		arm(ed, PVI_DEFERRED_MS);
	return ed != NULL;
}

const struct pvi_strategy pvi_deferred = {
	.name = "deferred",
	.bit = 2,
	.start = start,
	.retire = trim,
	.trim = trim,
	.stop = trim,
	.map = map,
	.unmap = unmap,
	.map_sg = map_sg,
	.unmap_sg = unmap_sg,
};
