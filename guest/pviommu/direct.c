// SPDX-License-Identifier: GPL-2.0-only
/* direct-map in the kernel: where RAM is. core/strategy/direct.c does the rest. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ioport.h>
#include <linux/slab.h>

#include "core/strategy/direct.h"
#include "pviommu.h"

static struct pvi_direct *direct_of(struct pvi_endpoint *ep)
{
	return smp_load_acquire(&ep->direct);
}

struct ram {
	struct pvi_range range[PVI_DIRECT_RANGES];
	unsigned int n;
};

static int add_ram(struct resource *res, void *data)
{
	u64 first = PAGE_ALIGN(res->start), end = (res->end + 1) & PAGE_MASK;
	struct ram *ram = data;

	if (first >= end)
		return 0;
	if (ram->n == PVI_DIRECT_RANGES)
		return -E2BIG;
	ram->range[ram->n++] = (struct pvi_range){first, end - 1};
	return 0;
}

/* Made when direct-map is first chosen, freed with the endpoint. */
static struct pvi_direct *direct_new(struct pvi_endpoint *ep)
{
	struct pvi_direct *d = kzalloc(sizeof(*d), GFP_KERNEL);

	if (d && pvi_direct_init(d, ep, &ep->space)) {
		kfree(d);
		return NULL;
	}
	return d;
}

static int start(struct pvi_endpoint *ep)
{
	struct pvi_direct *d = ep->direct;
	struct ram ram = {.n = 0};
	int r;

	if (!d)
		d = direct_new(ep);
	if (!d)
		return -ENOMEM;
	smp_store_release(&ep->direct, d); /* unmap() looks without a lock */
	r = walk_iomem_res_desc(IORES_DESC_NONE, IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY, 0, -1,
				&ram, add_ram);
	return r < 0 ? r : pvi_direct_begin(d, ram.range, ram.n);
}

static void retire(struct pvi_endpoint *ep)
{
	pvi_direct_end(ep->direct);
}

/* No driver is bound. The window stays while it is chosen; freeing takes it. */
void pvi_direct_free(struct pvi_endpoint *ep)
{
	if (!ep->direct)
		return;
	pvi_direct_done(ep->direct);
	kfree(ep->direct);
}

int pvi_direct_remap(struct pvi_endpoint *ep)
{
	return ep->direct ? pvi_direct_map_again(ep->direct) : 0;
}

static dma_addr_t map(struct pvi_endpoint *ep, phys_addr_t phys, size_t size,
		      const struct pvi_how *how)
{
	return pvi_direct_map_one(ep->direct, phys, size, how);
}

static int map_sg(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
		  const struct pvi_how *how)
{
	return pvi_direct_map_sg(ep->direct, sgl, nents, how);
}

static bool unmap(struct pvi_endpoint *ep, dma_addr_t addr, size_t size, const struct pvi_how *how)
{
	struct pvi_direct *d = direct_of(ep);

	return d && pvi_direct_unmap(d, addr);
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
