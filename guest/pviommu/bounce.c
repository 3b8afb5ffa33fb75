// SPDX-License-Identifier: GPL-2.0-only
/*
 * bounce: the device never sees a driver's memory, only slots of a pool that is mapped
 * once, into and out of which the data is copied. A buffer lies in its slot as it lies
 * in its pages, and alone; beside it is nothing that this device was not given before:
 *   to the device: slots are READ. What is left in them was handed to it earlier.
 *   from the device: slots are WRITE, and filled with the buffer's own content first,
 *     which the device can't read and a short write leaves as it was.
 *   both: READ and WRITE, filled too.
 * A buffer that the pool can't hold (more than 256 KiB, the pool at its cap, no memory
 * for a chunk, out of the device's reach) is single-use, and counted as a fallback; a
 * scatter list, as a whole.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "bounce_pool.h"

static struct pvi_pool *pool_of(struct pvi_endpoint *ep)
{
	return smp_load_acquire(&ep->bounce);
}

static int start(struct pvi_endpoint *ep)
{
	struct pvi_pool *p = ep->bounce;

	if (p) {
		pvi_pool_open(p);
		return 0;
	}
	p = pvi_pool_new(ep, pvi_bounce_pages);
	if (!p)
		return -ENOMEM;
	smp_store_release(&ep->bounce, p); /* unmap() and sync() look without a lock */
	return 0;
}

static void retire(struct pvi_endpoint *ep)
{
	pvi_pool_close(ep->bounce);
}

static void trim(struct pvi_endpoint *ep)
{
	pvi_pool_close(ep->bounce);
	if (ep->strategy == &pvi_bounce)
		pvi_pool_open(ep->bounce);
}

int pvi_bounce_remap(struct pvi_endpoint *ep)
{
	return ep->bounce ? pvi_pool_remap(ep->bounce) : 0;
}

void pvi_bounce_free(struct pvi_endpoint *ep)
{
	if (ep->bounce) {
		pvi_pool_close(ep->bounce);
		pvi_pool_free(ep->bounce);
	}
}

/* Where in its slot the byte of a buffer is that has the address @addr for the device. */
static void *copy_at(const struct pvi_bounce_slot *s, dma_addr_t addr)
{
	return pvi_slot_memory(s) + (addr - pvi_slot_address(s));
}

static dma_addr_t slot_map(struct pvi_endpoint *ep, phys_addr_t phys, size_t size,
			   const struct pvi_how *how)
{
	struct pvi_bounce_slot *s = pvi_pool_get(ep->bounce, pvi_span_pages(phys, size), how->prot);
	dma_addr_t addr;

	if (!s)
		return DMA_MAPPING_ERROR;
	addr = pvi_slot_address(s) + offset_in_page(phys);
	if (addr + size - 1 > how->limit) {
		pvi_pool_put(ep->bounce, s);
		return DMA_MAPPING_ERROR;
	}
	s->orig = phys;
	WRITE_ONCE(s->size, size);
	/* What the device writes is filled even if the driver wants to sync later. */
	if (!how->skip_sync || how->prot & PVI_WRITE)
		memcpy(copy_at(s, addr), phys_to_virt(phys), size);
	pvi_count_reuse(ep, how->prot, size);
	return addr;
}

static void slot_unmap(struct pvi_endpoint *ep, struct pvi_bounce_slot *s, bool skip_sync)
{
	dma_addr_t addr = pvi_slot_address(s) + offset_in_page(s->orig);

	if (pvi_slot_prot(s) & PVI_WRITE && !skip_sync)
		memcpy(phys_to_virt(s->orig), copy_at(s, addr), s->size);
	WRITE_ONCE(s->size, 0);
	pvi_pool_put(ep->bounce, s);
}

static dma_addr_t map(struct pvi_endpoint *ep, phys_addr_t phys, size_t size,
		      const struct pvi_how *how)
{
	dma_addr_t addr = slot_map(ep, phys, size, how);

	if (addr != DMA_MAPPING_ERROR)
		return addr;
	pvi_count_fallback(ep);
	return pvi_single_use.map(ep, phys, size, how);
}

static bool unmap(struct pvi_endpoint *ep, dma_addr_t addr, size_t size, const struct pvi_how *how)
{
	struct pvi_pool *p = pool_of(ep);
	struct pvi_bounce_slot *s;

	if (!p || !pvi_pool_find(p, addr, &s))
		return false;
	if (s)
		slot_unmap(ep, s, how->skip_sync);
	else
		dev_warn_ratelimited(&ep->pdev->dev, "pviommu: its driver unmapped %#llx twice\n",
				     addr);
	return true;
}

static bool unmap_sg(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
		     const struct pvi_how *how)
{
	struct scatterlist *sg;
	int i;

	for_each_sg (sgl, sg, nents, i) {
		if (!unmap(ep, sg_dma_address(sg), sg_dma_len(sg), how) && !i)
			return false;
	}
	return true;
}

static int map_sg(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
		  const struct pvi_how *how)
{
	/* To give slots back that no device was told of: nothing came from it. */
	const struct pvi_how undo = {.skip_sync = true};
	struct scatterlist *sg;
	int i;

	for_each_sg (sgl, sg, nents, i) {
		sg_dma_address(sg) = slot_map(ep, sg_phys(sg), sg->length, how);
		if (sg_dma_address(sg) == DMA_MAPPING_ERROR)
			break;
		sg_dma_len(sg) = sg->length;
	}
	if (i == nents)
		return 0;
	unmap_sg(ep, sgl, i, &undo);
	pvi_count_fallback(ep);
	return pvi_single_use.map_sg(ep, sgl, nents, how);
}

void pvi_bounce_sync(struct pvi_endpoint *ep, dma_addr_t addr, size_t size, bool to_device)
{
	struct pvi_pool *p = pool_of(ep);
	struct pvi_bounce_slot *s;
	size_t off;

	if (!p || !pvi_pool_find(p, addr, &s) || !s)
		return;
	off = addr - (pvi_slot_address(s) + offset_in_page(s->orig));
	if (off >= s->size || size > s->size - off)
		return; /* not in the buffer: a driver's mistake, which must not reach others */
	if (to_device && pvi_slot_prot(s) & PVI_READ)
		memcpy(copy_at(s, addr), phys_to_virt(s->orig + off), size);
	else if (!to_device && pvi_slot_prot(s) & PVI_WRITE)
		memcpy(phys_to_virt(s->orig + off), copy_at(s, addr), size);
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
