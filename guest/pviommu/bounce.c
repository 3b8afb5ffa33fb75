// SPDX-License-Identifier: GPL-2.0-only
/* bounce in the kernel: a pool is made and freed. core/strategy/bounce.c does the rest. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <linux/slab.h>

#include "core/strategy/bounce.h"
#include "pviommu.h"

static struct pvi_bounce *bounce_of(struct pvi_endpoint *ep)
{
	return smp_load_acquire(&ep->bounce);
}

/* Made when bounce is first chosen, freed with the endpoint. */
static struct pvi_bounce *bounce_new(struct pvi_endpoint *ep, int *ret_err)
{
	struct pvi_bounce *b = kzalloc(sizeof(*b), GFP_KERNEL);
	struct pvi_pool *p = kvzalloc(pvi_pool_bytes(pvi_bounce_pages), GFP_KERNEL);

	*ret_err = b && p ? pvi_pool_init(p, ep, pvi_bounce_pages) : -ENOMEM;
	if (!*ret_err) {
		*b = (struct pvi_bounce){.ep = ep, .pool = p, .common = &ep->space};
		return b;
	}
	kvfree(p);
	kfree(b);
	return NULL;
}

static int start(struct pvi_endpoint *ep)
{
	struct pvi_bounce *b = ep->bounce;
	int r;

	if (b) {
		pvi_pool_open(b->pool);
		return 0;
	}
	b = bounce_new(ep, &r);
	if (b)
		smp_store_release(&ep->bounce, b); /* unmap() and sync() look without a lock */
	return r;
}

static void retire(struct pvi_endpoint *ep)
{
	pvi_pool_close(ep->bounce->pool);
}

static void trim(struct pvi_endpoint *ep)
{
	retire(ep);
	if (ep->strategy == &pvi_bounce)
		pvi_pool_open(ep->bounce->pool);
}

int pvi_bounce_remap(struct pvi_endpoint *ep)
{
	return ep->bounce ? pvi_pool_remap(ep->bounce->pool) : 0;
}

void pvi_bounce_free(struct pvi_endpoint *ep)
{
	if (!ep->bounce)
		return;
	retire(ep);
	pvi_pool_done(ep->bounce->pool);
	kvfree(ep->bounce->pool);
	kfree(ep->bounce);
}

static dma_addr_t map(struct pvi_endpoint *ep, phys_addr_t phys, size_t size,
		      const struct pvi_how *how)
{
	return pvi_bounce_map(bounce_of(ep), phys, size, how);
}

static bool unmap(struct pvi_endpoint *ep, dma_addr_t addr, size_t size, const struct pvi_how *how)
{
	struct pvi_bounce *b = bounce_of(ep);

	return b && pvi_bounce_unmap(b, addr, how->skip_sync);
}

static int map_sg(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
		  const struct pvi_how *how)
{
	return pvi_bounce_map_sg(bounce_of(ep), sgl, nents, how);
}

static bool unmap_sg(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
		     const struct pvi_how *how)
{
	struct pvi_bounce *b = bounce_of(ep);

	return b && pvi_bounce_unmap_sg(b, sgl, nents, how->skip_sync);
}

void pvi_bounce_sync(struct pvi_endpoint *ep, dma_addr_t addr, size_t size, bool to_device)
{
	struct pvi_bounce *b = bounce_of(ep);

	if (b)
		pvi_bounce_copy(b, addr, size, to_device);
}

const struct pvi_strategy pvi_bounce = {
	.name = "bounce",
	.bit = 4,
	.start = start,
	.retire = retire,
	.trim = trim,
	.stop = trim,
	.map = map,
	.unmap = unmap,
	.map_sg = map_sg,
	.unmap_sg = unmap_sg,
};
