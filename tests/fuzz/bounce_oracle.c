// SPDX-License-Identifier: BSD-2-Clause
#include "bounce_oracle.h"
#include "strategy_host.h"

#define HIDDEN 0xee
#define BYTES  (HOST_DRIVER * PVI_PAGE_SIZE)

static uint8_t expect[BYTES]; /* of the driver's memory */
static uint8_t next_byte;

static uint8_t new_byte(void)
{
	next_byte = (uint8_t)(next_byte % 200 + 1);
	return next_byte;
}

void oracle_reset(void)
{
	next_byte = 0;
	memset(expect, HIDDEN, BYTES);
	memset(pvi_virt_of(0), HIDDEN, BYTES);
}

static void driver_writes(uint64_t phys, size_t size, uint8_t byte)
{
	CHECK(phys + size <= BYTES);
	memset(expect + phys, byte, size);
	memset(pvi_virt_of(phys), byte, size);
	/* So that it shows where it begins and ends. */
	expect[phys] = *(uint8_t *)pvi_virt_of(phys) = byte == HIDDEN ? HIDDEN : new_byte();
	expect[phys + size - 1] = *(uint8_t *)pvi_virt_of(phys + size - 1) =
		byte == HIDDEN ? HIDDEN : new_byte();
}

void oracle_driver_fills(const struct pvi_seg *s)
{
	driver_writes(s->phys, s->len, new_byte());
}

void oracle_driver_hides(const struct pvi_seg *s)
{
	driver_writes(s->phys, s->len, HIDDEN);
}

/* The pages in which the buffer lies are as they must be, and so is what shares them. */
static void check_around(const struct pvi_seg *s)
{
	uint64_t first = s->phys & ~PVI_PAGE_MASK;
	size_t size = pvi_span_pages(s->phys, s->len) << PVI_PAGE_SHIFT;

	CHECK(!memcmp(pvi_virt_of(first), expect + first, size));
}

/* A slot's pages follow each other in memory, as they do for the device. */
static uint8_t *slot_of(const struct pvi_seg *s)
{
	return host_device_at(s->addr);
}

/* What the device can read beside it is nothing that is hidden from it. */
static void check_hidden(const struct pvi_seg *s, uint32_t prot)
{
	size_t pages = pvi_span_pages(s->phys, s->len) << PVI_PAGE_SHIFT;

	if (prot & PVI_READ)
		CHECK(!memchr(host_device_at(s->addr & ~PVI_PAGE_MASK), HIDDEN, pages));
}

void oracle_mapped(const struct pvi_seg *s, const struct pvi_how *how)
{
	if (!how->skip_sync || how->prot & PVI_WRITE)
		CHECK(!memcmp(slot_of(s), expect + s->phys, s->len));
	check_hidden(s, how->prot);
	check_around(s);
}

void oracle_unmaps(const struct pvi_seg *s, const struct pvi_how *how)
{
	if (how->prot & PVI_WRITE && !how->skip_sync)
		memcpy(expect + s->phys, slot_of(s), s->len);
}

void oracle_unmapped(const struct pvi_seg *s)
{
	check_around(s);
}

void oracle_syncs(struct pvi_bounce *b, const struct pvi_seg *s, uint32_t prot, size_t at,
		  size_t size, bool to_device)
{
	bool inside = size && at < s->len && size <= s->len - at;
	uint8_t byte = *slot_of(s);

	if (inside && to_device)
		driver_writes(s->phys + at, size, new_byte());
	else if (inside && prot & PVI_WRITE)
		memcpy(expect + s->phys + at, slot_of(s) + at, size);
	pvi_bounce_copy(b, s->addr + at, size, to_device);
	if (inside && to_device && prot & PVI_READ)
		CHECK(!memcmp(slot_of(s) + at, expect + s->phys + at, size));
	else
		CHECK(*slot_of(s) == byte);
	check_hidden(s, prot);
	check_around(s);
}

void oracle_device_writes(uint64_t pfn, size_t at, size_t size)
{
	const struct host_page *p = &host.page[pfn];

	if (!p->target || !(p->prot & PVI_WRITE) || at >= PVI_PAGE_SIZE)
		return;
	if (size > PVI_PAGE_SIZE - at)
		size = PVI_PAGE_SIZE - at;
	memset(host_device_at((pfn << PVI_PAGE_SHIFT) + at), new_byte(), size);
}

void oracle_check_all(void)
{
	CHECK(!memcmp(pvi_virt_of(0), expect, BYTES));
}
