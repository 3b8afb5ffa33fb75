// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "pvi_attack.h"

/* Of one page or two: a buffer that the driver maps, and bytes that it does not. */
struct cell {
	const char *name;
	size_t buffer_at; /* offsets in the memory */
	size_t buffer_size;
	size_t target_at;
	enum dma_data_direction dir;
};

static const struct cell cells[] = {
	/* Thunderclap: what shares a page with a buffer. */
	{"same-page-before", 1024, 64, 512, DMA_BIDIRECTIONAL},
	{"same-page-behind", 1024, 64, 2048, DMA_BIDIRECTIONAL},
	{"next-page", 0, PAGE_SIZE, PAGE_SIZE, DMA_BIDIRECTIONAL},
};

static void report(struct attacker *a, const char *name, const char *read, const char *write)
{
	seq_printf(a->out, "MATRIX %s %s %s\n", name, read, write);
}

/* What a write did is judged once the buffer is the driver's again: a copy comes back then. */
static const char *write_outcome(struct attacker *a, u64 iova, u8 *target, dma_addr_t addr,
				 size_t size, enum dma_data_direction dir)
{
	u8 before[ATTACK_BYTES];
	const char *outcome;

	memcpy(before, target, sizeof(before));
	outcome = attack_outcome(a, ATTACK_C_WRITE, iova, target);
	dma_unmap_single(&a->pdev->dev, addr, size, dir);
	if (strcmp(outcome, "possible") && memcmp(before, target, sizeof(before)))
		return "possible";
	return outcome;
}

static void try_cell(struct attacker *a, const struct cell *c, u8 *memory)
{
	struct device *dev = &a->pdev->dev;
	u8 *target = memory + c->target_at;
	const char *read, *write;
	dma_addr_t addr;
	u64 iova;

	attack_knob(a, "reclaim", "1");
	attack_fill_secret(memory, 2 * PAGE_SIZE);
	addr = dma_map_single(dev, memory + c->buffer_at, c->buffer_size, c->dir);
	if (dma_mapping_error(dev, addr)) {
		report(a, c->name, "failed", "failed");
		return;
	}
	iova = addr + c->target_at - c->buffer_at;
	read = attack_outcome(a, ATTACK_C_READ, iova, target);
	write = write_outcome(a, iova, target, addr, c->buffer_size, c->dir);
	report(a, c->name, read, write);
}

u64 attack_linear(struct attacker *a, u8 *memory)
{
	u64 shift = a->control_addr - virt_to_phys(a->control);
	char strategy[32] = "";

	attack_text(a, "strategy", strategy, sizeof(strategy));
	if (strcmp(strategy, "none") && strcmp(strategy, "direct-map"))
		shift = 0;
	return virt_to_phys(memory) + shift;
}

static void never_mapped(struct attacker *a, u8 *memory)
{
	u64 iova = attack_linear(a, memory);

	attack_knob(a, "reclaim", "1");
	attack_fill_secret(memory, 2 * PAGE_SIZE);
	report(a, "never-mapped", attack_outcome(a, ATTACK_C_READ, iova, memory),
	       attack_outcome(a, ATTACK_C_WRITE, iova, memory));
}

/* The right that the mapping was not made for, each way. */
static void wrong_right(struct attacker *a, u8 *memory)
{
	struct device *dev = &a->pdev->dev;
	const char *read = "failed", *write = "failed";
	dma_addr_t addr;

	attack_knob(a, "reclaim", "1");
	attack_fill_secret(memory, 2 * PAGE_SIZE);
	addr = dma_map_single(dev, memory, PAGE_SIZE, DMA_FROM_DEVICE);
	if (!dma_mapping_error(dev, addr)) {
		read = attack_outcome(a, ATTACK_C_READ, addr, memory);
		dma_unmap_single(dev, addr, PAGE_SIZE, DMA_FROM_DEVICE);
	}
	addr = dma_map_single(dev, memory, PAGE_SIZE, DMA_TO_DEVICE);
	if (!dma_mapping_error(dev, addr))
		write = write_outcome(a, addr, memory, addr, PAGE_SIZE, DMA_TO_DEVICE);
	report(a, "wrong-right", read, write);
}

void attack_matrix(struct attacker *a)
{
	u8 *memory = (u8 *)__get_free_pages(GFP_KERNEL, 1);
	unsigned int i;

	if (!memory)
		return;
	never_mapped(a, memory);
	for (i = 0; i < ARRAY_SIZE(cells); i++)
		try_cell(a, &cells[i], memory);
	wrong_right(a, memory);
	free_pages((unsigned long)memory, 1);
	attack_reuse(a);
}
