// SPDX-License-Identifier: GPL-2.0-only
/* Mapping a buffer: dma_map_single and dma_map_page, their syncs and attributes. */
#include <linux/delay.h>
#include <linux/slab.h>

#include "dma_api.h"

#define SIZE (2 * PAGE_SIZE) /* over three pages, for no buffer here begins at a page's */
#define LAST (SIZE - ATTACK_SECTOR)

static void to_device(struct api *t)
{
	u8 *p = t->memory + 260;
	dma_addr_t addr = dma_map_single(t->dev, p, SIZE, DMA_TO_DEVICE);
	size_t at;

	if (!api_mapped(t, addr, p))
		return;
	for (at = 0; at <= LAST; at += ATTACK_SECTOR)
		api_check(t, api_device_reads(t, addr + at, p + at));
	dma_unmap_single(t->dev, addr, SIZE, DMA_TO_DEVICE);
}

/* All but the first and the last sector: those stay as they were. */
static void from_device(struct api *t)
{
	u8 *p = t->memory + 516;
	dma_addr_t addr = dma_map_single(t->dev, p, SIZE, DMA_FROM_DEVICE);
	size_t at;

	if (!api_mapped(t, addr, p))
		return;
	for (at = ATTACK_SECTOR; at < LAST; at += ATTACK_SECTOR)
		api_device_write(t, addr + at, api_shadow(t, p + at));
	dma_unmap_single(t->dev, addr, SIZE, DMA_FROM_DEVICE);
}

static void both_ways(struct api *t)
{
	u8 *p = t->memory + 772;
	dma_addr_t addr = dma_map_single(t->dev, p, SIZE, DMA_BIDIRECTIONAL);

	if (!api_mapped(t, addr, p))
		return;
	api_check(t, api_device_reads(t, addr, p));
	api_check(t, api_device_reads(t, addr + LAST, p + LAST));
	api_device_write(t, addr, api_shadow(t, p));
	api_check(t, api_device_reads(t, addr, api_shadow(t, p)));
	dma_unmap_single(t->dev, addr, SIZE, DMA_BIDIRECTIONAL);
}

/* Of the first of several pages, an offset that leads to a later one. */
static void page_and_offset(struct api *t)
{
	u8 *p = t->memory + 3 * PAGE_SIZE + 64;
	dma_addr_t addr = dma_map_page(t->dev, virt_to_page(t->memory), 3 * PAGE_SIZE + 64,
				       PAGE_SIZE, DMA_BIDIRECTIONAL);

	if (!api_mapped(t, addr, p))
		return;
	api_check(t, api_device_reads(t, addr, p));
	api_device_write(t, addr + 1024, api_shadow(t, p + 1024));
	dma_unmap_page(t->dev, addr, PAGE_SIZE, DMA_BIDIRECTIONAL);
}

/* Where there are two copies, just what is synced is brought up to date. */
static void sync_for_cpu(struct api *t)
{
	u8 *p = t->memory + 260, a[ATTACK_SECTOR], b[ATTACK_SECTOR];
	dma_addr_t addr = dma_map_single(t->dev, p, SIZE, DMA_FROM_DEVICE);

	if (!api_mapped(t, addr, p))
		return;
	api_device_write(t, addr, a);
	api_device_write(t, addr + 4096, b);
	dma_sync_single_range_for_cpu(t->dev, addr, 4096, ATTACK_SECTOR, DMA_FROM_DEVICE);
	memcpy(api_shadow(t, p + 4096), b, sizeof(b));
	if (!t->copies)
		memcpy(api_shadow(t, p), a, sizeof(a));
	api_intact(t);
	dma_sync_single_for_cpu(t->dev, addr, SIZE, DMA_FROM_DEVICE);
	memcpy(api_shadow(t, p), a, sizeof(a));
	api_intact(t);
	dma_sync_single_for_device(t->dev, addr, SIZE, DMA_FROM_DEVICE);
	api_device_write(t, addr, api_shadow(t, p));
	dma_unmap_single(t->dev, addr, SIZE, DMA_FROM_DEVICE);
}

static void sync_for_device(struct api *t)
{
	u8 *p = t->memory + 260, old[ATTACK_SECTOR];
	dma_addr_t addr = dma_map_single(t->dev, p, SIZE, DMA_TO_DEVICE);

	if (!api_mapped(t, addr, p))
		return;
	dma_sync_single_for_cpu(t->dev, addr, SIZE, DMA_TO_DEVICE);
	memcpy(old, p, sizeof(old));
	api_change(t, p, ATTACK_SECTOR);
	api_change(t, p + 4096, ATTACK_SECTOR);
	dma_sync_single_range_for_device(t->dev, addr, 4096, ATTACK_SECTOR, DMA_TO_DEVICE);
	api_check(t, api_device_reads(t, addr + 4096, p + 4096));
	api_check(t, api_device_reads(t, addr, t->copies ? old : p));
	dma_sync_single_for_device(t->dev, addr, SIZE, DMA_TO_DEVICE);
	api_check(t, api_device_reads(t, addr, p));
	dma_unmap_single(t->dev, addr, SIZE, DMA_TO_DEVICE);
}

/* The CPU's turn and the device's, in one mapping. */
static void sync_both_ways(struct api *t)
{
	u8 *p = t->memory + 260;
	dma_addr_t addr = dma_map_single(t->dev, p, SIZE, DMA_BIDIRECTIONAL);
	unsigned int i;

	if (!api_mapped(t, addr, p))
		return;
	for (i = 0; i < 3; i++) {
		api_device_write(t, addr + 1024, api_shadow(t, p + 1024));
		dma_sync_single_for_cpu(t->dev, addr, SIZE, DMA_BIDIRECTIONAL);
		api_intact(t);
		api_change(t, p, SIZE);
		dma_sync_single_for_device(t->dev, addr, SIZE, DMA_BIDIRECTIONAL);
		api_check(t, api_device_reads(t, addr + 1024, p + 1024));
	}
	api_check(t, !t->copies || dma_need_sync(t->dev, addr));
	dma_unmap_single(t->dev, addr, SIZE, DMA_BIDIRECTIONAL);
}

/* Mapped before the data is there, and unmapped after it is of no interest any more. */
static void skip_sync_to_device(struct api *t)
{
	u8 *p = t->memory + 260;
	dma_addr_t addr =
		dma_map_single_attrs(t->dev, p, SIZE, DMA_TO_DEVICE, DMA_ATTR_SKIP_CPU_SYNC);

	if (!api_mapped(t, addr, p))
		return;
	api_change(t, p, SIZE);
	dma_sync_single_for_device(t->dev, addr, SIZE, DMA_TO_DEVICE);
	api_check(t, api_device_reads(t, addr, p));
	api_check(t, api_device_reads(t, addr + LAST, p + LAST));
	dma_unmap_single_attrs(t->dev, addr, SIZE, DMA_TO_DEVICE, DMA_ATTR_SKIP_CPU_SYNC);
}

static void skip_sync_from_device(struct api *t)
{
	u8 *p = t->memory + 260, late[ATTACK_SECTOR];
	dma_addr_t addr =
		dma_map_single_attrs(t->dev, p, SIZE, DMA_FROM_DEVICE, DMA_ATTR_SKIP_CPU_SYNC);

	if (!api_mapped(t, addr, p))
		return;
	api_device_write(t, addr, api_shadow(t, p));
	dma_sync_single_for_cpu(t->dev, addr, SIZE, DMA_FROM_DEVICE);
	api_intact(t);
	/* Not synced any more: where there are two copies, ours stays. */
	api_device_write(t, addr, late);
	dma_unmap_single_attrs(t->dev, addr, SIZE, DMA_FROM_DEVICE, DMA_ATTR_SKIP_CPU_SYNC);
	if (!t->copies)
		memcpy(api_shadow(t, p), late, sizeof(late));
}

/* Hints, which change nothing. */
static void hints(struct api *t)
{
	const unsigned long attrs = DMA_ATTR_WEAK_ORDERING | DMA_ATTR_WRITE_COMBINE |
				    DMA_ATTR_NO_WARN | DMA_ATTR_PRIVILEGED;
	u8 *p = t->memory + 260;
	dma_addr_t addr = dma_map_single_attrs(t->dev, p, SIZE, DMA_BIDIRECTIONAL, attrs);

	if (!api_mapped(t, addr, p))
		return;
	api_check(t, api_device_reads(t, addr, p));
	api_device_write(t, addr + LAST, api_shadow(t, p + LAST));
	dma_unmap_single_attrs(t->dev, addr, SIZE, DMA_BIDIRECTIONAL, attrs);
}

/* Two buffers of one page, and one of them twice: each lives as long as it is mapped. */
static void one_page(struct api *t)
{
	u8 *p = t->memory + 512, *q = t->memory + 2048;
	dma_addr_t in = dma_map_single(t->dev, p, 512, DMA_FROM_DEVICE);
	dma_addr_t out = dma_map_single(t->dev, q, 512, DMA_TO_DEVICE);
	dma_addr_t again = dma_map_single(t->dev, q, 512, DMA_TO_DEVICE);

	if (!api_mapped(t, in, p) || !api_mapped(t, out, q) || !api_mapped(t, again, q))
		return;
	dma_unmap_single(t->dev, out, 512, DMA_TO_DEVICE);
	api_check(t, api_device_reads(t, again, q));
	dma_unmap_single(t->dev, again, 512, DMA_TO_DEVICE);
	api_device_write(t, in, api_shadow(t, p));
	dma_unmap_single(t->dev, in, 512, DMA_FROM_DEVICE);
}

/* direct-map can be chosen again when the last of its DMAs has ended. */
static bool choose(struct api *t, const char *strategy)
{
	unsigned int i;
	int r;

	for (i = 0; i < 200; i++) {
		r = attack_knob(t->a, "strategy", strategy);
		if (r != -EBUSY)
			break;
		msleep(5);
	}
	return !r;
}

/* Mapped under this strategy, used and unmapped under another. */
static void switch_under(struct api *t, const char *other)
{
	u8 *p = t->memory + 260, *q = t->memory + 8 * PAGE_SIZE;
	dma_addr_t in = dma_map_single(t->dev, p, SIZE, DMA_FROM_DEVICE);
	dma_addr_t out = dma_map_single(t->dev, q, SIZE, DMA_TO_DEVICE);

	if (!api_mapped(t, in, p) || !api_mapped(t, out, q) || !api_check(t, choose(t, other)))
		return;
	api_change(t, q, 512);
	dma_sync_single_for_device(t->dev, out, SIZE, DMA_TO_DEVICE);
	api_check(t, api_device_reads(t, out, q));
	api_device_write(t, in, api_shadow(t, p));
	dma_sync_single_for_cpu(t->dev, in, SIZE, DMA_FROM_DEVICE);
	api_intact(t);
	api_device_write(t, in + LAST, api_shadow(t, p + LAST));
	dma_unmap_single(t->dev, in, SIZE, DMA_FROM_DEVICE);
	api_intact(t);
	dma_unmap_single(t->dev, out, SIZE, DMA_TO_DEVICE);
	api_check(t, choose(t, t->strategy));
}

static void switching(struct api *t)
{
	static const char *const others[] = {"direct-map", "single-use", "deferred",
					     "shared",	   "persistent", "bounce"};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(others) && !t->none && !t->why[0]; i++) {
		if (strcmp(others[i], t->strategy))
			switch_under(t, others[i]);
	}
}

void api_stream_run(struct api *t)
{
	static const struct api_case cases[] = {
		{"dma_map_single, to the device", to_device},
		{"dma_map_single, from the device", from_device},
		{"dma_map_single, both ways", both_ways},
		{"dma_map_page, an offset beyond the page", page_and_offset},
		{"dma_sync_single(_range)_for_cpu", sync_for_cpu},
		{"dma_sync_single(_range)_for_device", sync_for_device},
		{"dma_sync_single, both ways", sync_both_ways},
		{"SKIP_CPU_SYNC, to the device", skip_sync_to_device},
		{"SKIP_CPU_SYNC, from the device", skip_sync_from_device},
		{"WEAK_ORDERING, WRITE_COMBINE, NO_WARN, PRIVILEGED", hints},
		{"buffers of one page", one_page},
		{"switching while it is mapped", switching},
	};

	api_run(t, cases, ARRAY_SIZE(cases));
}
