// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/strategy/bounce.h"

/* Where in its slot the byte of a buffer is that has the address @addr for the device. */
static void *copy_at(const struct pvi_bounce_slot *s, uint64_t addr)
{
	return (uint8_t *)pvi_slot_memory(s) + (addr - pvi_slot_address(s));
}

static uint64_t address_of(const struct pvi_bounce_slot *s, uint64_t phys)
{
	return pvi_slot_address(s) + (phys & PVI_PAGE_MASK);
}

static uint64_t slot_map(struct pvi_bounce *b, uint64_t phys, size_t size,
			 const struct pvi_how *how)
{
	struct pvi_bounce_slot *s = pvi_pool_get(b->pool, pvi_span_pages(phys, size), how->prot);
	uint64_t addr;

	if (!s)
		return PVI_NO_ADDR;
	addr = address_of(s, phys);
	if (addr + size - 1 > how->limit) {
		pvi_pool_put(b->pool, s);
		return PVI_NO_ADDR;
	}
	s->orig = phys;
	pvi_store(&s->size, size);
	/* What the device writes is filled even if the driver wants to sync later. */
	if (!how->skip_sync || how->prot & PVI_WRITE)
		memcpy(copy_at(s, addr), pvi_virt_of(phys), size);
	pvi_count_reuse(b->ep, how->prot, size);
	return addr;
}

static void slot_unmap(struct pvi_bounce *b, struct pvi_bounce_slot *s, bool skip_sync)
{
	if (pvi_slot_prot(s) & PVI_WRITE && !skip_sync)
		memcpy(pvi_virt_of(s->orig), copy_at(s, address_of(s, s->orig)), s->size);
	pvi_store(&s->size, 0);
	pvi_pool_put(b->pool, s);
}

uint64_t pvi_bounce_map(struct pvi_bounce *b, uint64_t phys, size_t size, const struct pvi_how *how)
{
	uint64_t addr = slot_map(b, phys, size, how);

	if (addr != PVI_NO_ADDR)
		return addr;
	pvi_count_fallback(b->ep);
	return pvi_single_map(b->ep, b->common, phys, size, how);
}

bool pvi_bounce_unmap(struct pvi_bounce *b, uint64_t addr, bool skip_sync)
{
	struct pvi_bounce_slot *s;

	if (!pvi_pool_find(b->pool, addr, &s))
		return false;
	if (s)
		slot_unmap(b, s, skip_sync);
	else
		pvi_report_unmapped_twice(b->ep, addr);
	return true;
}

bool pvi_bounce_unmap_sg(struct pvi_bounce *b, struct pvi_seg *sgl, int nents, bool skip_sync)
{
	struct pvi_seg *sg = sgl;
	int i;

	for (i = 0; i < nents; i++, sg = pvi_seg_next(sg)) {
		if (!pvi_bounce_unmap(b, pvi_seg_addr(sg), skip_sync) && !i)
			return false;
	}
	return true;
}

int pvi_bounce_map_sg(struct pvi_bounce *b, struct pvi_seg *sgl, int nents,
		      const struct pvi_how *how)
{
	struct pvi_seg *sg = sgl;
	uint64_t addr;
	int i;

	for (i = 0; i < nents; i++, sg = pvi_seg_next(sg)) {
		addr = slot_map(b, pvi_seg_phys(sg), pvi_seg_len(sg), how);
		if (addr == PVI_NO_ADDR)
			break;
		pvi_seg_set(sg, addr, pvi_seg_len(sg));
	}
	if (i == nents)
		return 0;
	/* No device was told of them: nothing came from it. */
	pvi_bounce_unmap_sg(b, sgl, i, true);
	pvi_count_fallback(b->ep);
	return pvi_single_map_sg(b->ep, b->common, sgl, nents, how);
}

void pvi_bounce_copy(struct pvi_bounce *b, uint64_t addr, size_t size, bool to_device)
{
	struct pvi_bounce_slot *s;
	uint64_t off;

	if (!pvi_pool_find(b->pool, addr, &s) || !s)
		return;
	off = addr - address_of(s, s->orig);
	if (off >= s->size || size > s->size - off)
		return; /* not in the buffer: a driver's mistake, which must not reach others */
	if (to_device && pvi_slot_prot(s) & PVI_READ)
		memcpy(copy_at(s, addr), pvi_virt_of(s->orig + off), size);
	else if (!to_device && pvi_slot_prot(s) & PVI_WRITE)
		memcpy(pvi_virt_of(s->orig + off), copy_at(s, addr), size);
}
