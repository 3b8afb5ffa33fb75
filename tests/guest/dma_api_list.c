// SPDX-License-Identifier: GPL-2.0-only
/* Scatter lists: what each entry leads to, how many requests that took, and their syncs. */
#include <linux/scatterlist.h>

#include "core/strategy/deferred.h"
#include "dma_api.h"

#define ENTRIES 64u

struct counts {
	s64 maps, unmaps, kicks;
};

static struct counts count(struct api *t)
{
	return (struct counts){attack_counter(t->a, "maps"), attack_counter(t->a, "unmaps"),
			       attack_counter(t->a, "kicks")};
}

static struct counts since(struct api *t, struct counts then)
{
	struct counts now = count(t);

	return (struct counts){now.maps - then.maps, now.unmaps - then.unmaps,
			       now.kicks - then.kicks};
}

static bool is(struct api *t, const char *strategy)
{
	return !strcmp(t->strategy, strategy);
}

/* It makes IOVAs of its own for the whole list. */
static bool one_range(struct api *t)
{
	return is(t, "single-use") || is(t, "deferred");
}

/* Every entry leads to its own memory: the device reads its first and last sector. */
static void device_reads_all(struct api *t, struct sg_table *table)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_sg(table, sg, i)
	{
		u8 *p = sg_virt(sg);
		size_t last = sg->length - ATTACK_SECTOR;

		api_check(t, sg_dma_len(sg) == sg->length);
		api_check(t, offset_in_page(sg_dma_address(sg)) == sg->offset);
		api_check(t, api_device_reads(t, sg_dma_address(sg), p));
		if (last)
			api_check(t, api_device_reads(t, sg_dma_address(sg) + last, p + last));
	}
}

static void device_writes_all(struct api *t, struct sg_table *table)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_sg(table, sg, i)
	{
		u8 *p = sg_virt(sg);
		size_t last = sg->length - ATTACK_SECTOR;

		api_device_write(t, sg_dma_address(sg), api_shadow(t, p));
		if (last)
			api_device_write(t, sg_dma_address(sg) + last, api_shadow(t, p + last));
	}
}

/* Its pages follow each other, in the addresses of the device. */
static bool is_one_range(struct sg_table *table)
{
	struct scatterlist *sg;
	dma_addr_t next = 0;
	unsigned int i;

	for_each_sgtable_sg(table, sg, i)
	{
		if (i && (sg_dma_address(sg) & PAGE_MASK) != next)
			return false;
		next = PAGE_ALIGN(sg_dma_address(sg) + sg_dma_len(sg));
	}
	return true;
}

/* What mapping a list whose pages make @runs runs, and unmapping it, may take. */
static void check_map_cost(struct api *t, struct counts c, unsigned int runs)
{
	if (one_range(t)) {
		api_check(t, c.maps == runs);
		api_check(t, c.kicks == 1);
	} else if (is(t, "shared") || is(t, "persistent")) {
		api_check(t, c.maps == ENTRIES);
		api_check(t, c.kicks == 1);
	} else if (is(t, "direct-map")) {
		api_check(t, !c.maps && !c.kicks);
	}
}

/* @late: deferred's timer may have come by now. */
static void check_unmap_cost(struct api *t, struct counts c, bool late)
{
	if (is(t, "single-use"))
		api_check(t, c.unmaps == 1 && c.kicks == 1);
	else if (is(t, "shared"))
		api_check(t, c.unmaps == ENTRIES && c.kicks == 1);
	else if (is(t, "deferred") && late)
		api_check(t, c.unmaps <= 1 && c.kicks <= 1); /* read one after the other */
	else
		api_check(t, !c.unmaps && !c.kicks);
}

/* Mapped, and whatever was unmapped before is not on its way any more. */
static bool map_counted(struct api *t, struct sg_table *table, enum dma_data_direction dir,
			unsigned int runs)
{
	struct counts before;
	int r;

	attack_knob(t->a, "reclaim", "1");
	before = count(t);
	r = dma_map_sgtable(t->dev, table, dir, 0);
	if (!api_check(t, !r) || !api_check(t, table->nents == table->orig_nents))
		return false;
	check_map_cost(t, since(t, before), runs);
	api_check(t, !one_range(t) || is_one_range(table));
	return true;
}

static void unmap_counted(struct api *t, struct sg_table *table, enum dma_data_direction dir)
{
	struct counts before = count(t), cost;
	unsigned long begin = jiffies;

	dma_unmap_sgtable(t->dev, table, dir, 0);
	cost = since(t, before);
	check_unmap_cost(t, cost, jiffies - begin >= msecs_to_jiffies(PVI_DEFERRED_MS));
}

static void try_list(struct api *t, struct sg_table *table, unsigned int runs)
{
	if (!map_counted(t, table, DMA_TO_DEVICE, runs))
		return;
	device_reads_all(t, table);
	unmap_counted(t, table, DMA_TO_DEVICE);
	if (!map_counted(t, table, DMA_FROM_DEVICE, runs))
		return;
	device_writes_all(t, table);
	unmap_counted(t, table, DMA_FROM_DEVICE);
}

/* Every other page, in part: no two entries can share a MAP. */
static void offsets(struct api *t)
{
	struct scatterlist *sg;
	struct sg_table table;
	unsigned int i;

	if (!api_check(t, !sg_alloc_table(&table, ENTRIES, GFP_KERNEL)))
		return;
	for_each_sgtable_sg(&table, sg, i)
		sg_set_buf(sg, t->memory + 2 * i * PAGE_SIZE + i % 5 * 260,
			   i % 4 ? 512 + i % 7 * 256 : PAGE_SIZE - i % 5 * 260);
	try_list(t, &table, ENTRIES);
	sg_free_table(&table);
}

/* Whole pages, of which @group at a time lie behind each other. */
static void runs_of(struct api *t, unsigned int group)
{
	struct scatterlist *sg;
	struct sg_table table;
	unsigned int i;

	if (!api_check(t, !sg_alloc_table(&table, ENTRIES, GFP_KERNEL)))
		return;
	for_each_sgtable_sg(&table, sg, i)
		sg_set_buf(sg, t->memory + (i + i / group) * PAGE_SIZE, PAGE_SIZE);
	try_list(t, &table, ENTRIES / group);
	sg_free_table(&table);
}

static void eight_runs(struct api *t)
{
	runs_of(t, ENTRIES / 8);
}

static void one_run(struct api *t)
{
	runs_of(t, ENTRIES);
}

/* More than one page of a table holds, two entries in each page; synced in between. */
static void chained(struct api *t)
{
	struct scatterlist *sg;
	struct sg_table table;
	unsigned int i;

	if (!api_check(t, !sg_alloc_table(&table, 200, GFP_KERNEL)))
		return;
	for_each_sgtable_sg(&table, sg, i) sg_set_buf(sg, t->memory + i * 2048, 1024);
	if (!api_check(t, !dma_map_sgtable(t->dev, &table, DMA_BIDIRECTIONAL, 0)))
		goto free;
	device_writes_all(t, &table);
	dma_sync_sgtable_for_cpu(t->dev, &table, DMA_BIDIRECTIONAL);
	api_intact(t);
	api_change(t, t->memory, API_BYTES);
	dma_sync_sgtable_for_device(t->dev, &table, DMA_BIDIRECTIONAL);
	device_reads_all(t, &table);
	device_writes_all(t, &table);
	dma_unmap_sgtable(t->dev, &table, DMA_BIDIRECTIONAL, 0);
free:
	sg_free_table(&table);
}

static void skip_sync(struct api *t)
{
	struct scatterlist sg[2];
	struct sg_table table = {.sgl = sg, .nents = 2, .orig_nents = 2};
	u8 late[ATTACK_SECTOR];

	sg_init_table(sg, 2);
	sg_set_buf(&sg[0], t->memory, PAGE_SIZE);
	sg_set_buf(&sg[1], t->memory + 4 * PAGE_SIZE + 260, 1024);
	if (!api_check(t,
		       !dma_map_sgtable(t->dev, &table, DMA_FROM_DEVICE, DMA_ATTR_SKIP_CPU_SYNC)))
		return;
	device_writes_all(t, &table);
	dma_sync_sgtable_for_cpu(t->dev, &table, DMA_FROM_DEVICE);
	api_intact(t);
	api_device_write(t, sg_dma_address(&sg[1]), late);
	dma_unmap_sgtable(t->dev, &table, DMA_FROM_DEVICE, DMA_ATTR_SKIP_CPU_SYNC);
	if (!t->copies)
		memcpy(api_shadow(t, sg_virt(&sg[1])), late, sizeof(late));
}

/* Where addresses are not those of memory, no entry crosses a boundary of the device's. */
/* Where addresses are physical memory's, nobody can keep to it for the driver. */
static void boundary(struct api *t)
{
	unsigned long old = dma_get_seg_boundary(t->dev);
	struct scatterlist *sg;
	struct sg_table table;
	unsigned int i;

	if (t->none || is(t, "direct-map"))
		return;
	if (!api_check(t, !sg_alloc_table(&table, 40, GFP_KERNEL)))
		return;
	for_each_sgtable_sg(&table, sg, i)
		sg_set_buf(sg, t->memory + i * 3 * PAGE_SIZE, 3 * PAGE_SIZE);
	dma_set_seg_boundary(t->dev, SZ_64K - 1);
	if (!api_check(t, !dma_map_sgtable(t->dev, &table, DMA_BIDIRECTIONAL, 0)))
		goto free;
	for_each_sgtable_sg(&table, sg, i)
		api_check(t, sg_dma_address(sg) / SZ_64K ==
				     (sg_dma_address(sg) + sg_dma_len(sg) - 1) / SZ_64K);
	device_reads_all(t, &table);
	device_writes_all(t, &table);
	dma_unmap_sgtable(t->dev, &table, DMA_BIDIRECTIONAL, 0);
free:
	dma_set_seg_boundary(t->dev, old);
	sg_free_table(&table);
}

/* Refused as a whole. (The kernel's own operations let it pass.) */
static void empty_entry(struct api *t)
{
	struct scatterlist sg[3];
	struct sg_table table = {.sgl = sg, .nents = 3, .orig_nents = 3};

	if (t->none)
		return;
	sg_init_table(sg, 3);
	sg_set_buf(&sg[0], t->memory, PAGE_SIZE);
	sg_set_buf(&sg[1], t->memory + 2 * PAGE_SIZE, 0);
	sg_set_buf(&sg[2], t->memory + 4 * PAGE_SIZE, PAGE_SIZE);
	api_check(t, dma_map_sgtable(t->dev, &table, DMA_TO_DEVICE, 0) == -EINVAL);
	api_check(t, dma_map_sg(t->dev, sg, 3, DMA_TO_DEVICE) == 0);
}

void api_list_run(struct api *t)
{
	static const struct api_case cases[] = {
		{"a list of 64 parts of pages", offsets},
		{"a list of 64 pages in 8 runs", eight_runs},
		{"a list of 64 pages in one run", one_run},
		{"a chained list of 200 entries, synced", chained},
		{"a list with SKIP_CPU_SYNC", skip_sync},
		{"a list and the segment boundary", boundary},
		{"a list with an empty entry", empty_entry},
	};

	api_run(t, cases, ARRAY_SIZE(cases));
}
