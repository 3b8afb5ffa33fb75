// SPDX-License-Identifier: GPL-2.0-only
/* Memory that the DMA API allocates, and how user space and other devices get at it. */
#include <linux/dmapool.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/uaccess.h>

#include "dma_api.h"

#define SIZE (5 * PAGE_SIZE)
#define LAST (SIZE - ATTACK_SECTOR)

/* So that who gets these pages next finds something in them. */
static void soil(size_t size)
{
	void *p = alloc_pages_exact(size, GFP_KERNEL);

	if (p) {
		memset(p, 0xa5, size);
		free_pages_exact(p, size);
	}
}

/* The device and the CPU have the same memory before them, from its first byte to its last. */
static void same_memory(struct api *t, u8 *cpu, dma_addr_t addr, size_t size)
{
	const size_t last = PAGE_ALIGN(size) - ATTACK_SECTOR;
	u8 wrote[ATTACK_SECTOR];

	api_device_write(t, addr, wrote);
	api_check(t, !memcmp(cpu, wrote, sizeof(wrote)));
	api_device_write(t, addr + last, wrote);
	api_check(t, !memcmp(cpu + last, wrote, sizeof(wrote)));
	api_bytes(t, cpu, ATTACK_SECTOR);
	api_check(t, api_device_reads(t, addr, cpu));
	api_bytes(t, cpu + last, ATTACK_SECTOR);
	api_check(t, api_device_reads(t, addr + last, cpu + last));
}

static void coherent_of(struct api *t, size_t size, gfp_t gfp)
{
	s64 before = attack_counter(t->a, "coherent_pages");
	dma_addr_t addr;
	u8 *cpu;

	soil(PAGE_ALIGN(size));
	cpu = dma_alloc_coherent(t->dev, size, &addr, gfp);
	if (!api_check(t, cpu))
		return;
	api_check(t, addr + size - 1 <= t->dev->coherent_dma_mask);
	api_check(t, !memchr_inv(cpu, 0, PAGE_ALIGN(size)));
	api_check(t, t->none || attack_counter(t->a, "coherent_pages") ==
					before + (s64)(PAGE_ALIGN(size) >> PAGE_SHIFT));
	same_memory(t, cpu, addr, size);
	dma_free_coherent(t->dev, size, cpu, addr);
}

static void coherent(struct api *t)
{
	coherent_of(t, 1, GFP_KERNEL);
	coherent_of(t, PAGE_SIZE, GFP_ATOMIC);
	coherent_of(t, SIZE, GFP_KERNEL);
	coherent_of(t, SZ_1M, GFP_KERNEL);
}

static void noncoherent(struct api *t)
{
	u8 wrote[ATTACK_SECTOR];
	dma_addr_t addr;
	u8 *cpu = dma_alloc_noncoherent(t->dev, SIZE, &addr, DMA_BIDIRECTIONAL, GFP_KERNEL);

	/* The kernel's own checks count this as a mapping. */
	if (!api_check(t, cpu && !dma_mapping_error(t->dev, addr)))
		return;
	dma_sync_single_for_device(t->dev, addr, SIZE, DMA_BIDIRECTIONAL);
	api_device_write(t, addr + LAST, wrote);
	dma_sync_single_for_cpu(t->dev, addr, SIZE, DMA_BIDIRECTIONAL);
	api_check(t, !memcmp(cpu + LAST, wrote, sizeof(wrote)));
	api_bytes(t, cpu, SIZE);
	dma_sync_single_for_device(t->dev, addr, SIZE, DMA_BIDIRECTIONAL);
	api_check(t, api_device_reads(t, addr, cpu));
	api_check(t, api_device_reads(t, addr + LAST, cpu + LAST));
	dma_free_noncoherent(t->dev, SIZE, cpu, addr, DMA_BIDIRECTIONAL);
}

static void pool(struct api *t)
{
	struct dma_pool *pool = dma_pool_create("dma_api", t->dev, ATTACK_SECTOR, 64, 0);
	dma_addr_t a, b;
	u8 *p, *q, wrote[ATTACK_SECTOR];

	if (!api_check(t, pool))
		return;
	p = dma_pool_alloc(pool, GFP_KERNEL, &a);
	q = dma_pool_zalloc(pool, GFP_KERNEL, &b);
	if (api_check(t, p && q)) {
		api_device_write(t, a, wrote);
		api_check(t, !memcmp(p, wrote, sizeof(wrote)));
		api_check(t, !memchr_inv(q, 0, ATTACK_SECTOR));
		api_bytes(t, q, ATTACK_SECTOR);
		api_check(t, api_device_reads(t, b, q));
		dma_pool_free(pool, p, a);
		dma_pool_free(pool, q, b);
	}
	dma_pool_destroy(pool);
}

/* Refused, without a word in the kernel's log: more than the kernel has in one piece. */
static void too_large(struct api *t)
{
	dma_addr_t addr;

	api_check(t, !dma_alloc_attrs(t->dev, SZ_16M, &addr, GFP_KERNEL, DMA_ATTR_NO_WARN));
}

/* ---- in user space: that of whoever reads the file ---- */

static unsigned long map_user(struct api *t, size_t size, size_t offset)
{
	return vm_mmap((struct file *)t->out->file, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       offset);
}

static bool user_has(unsigned long user, const void *expect)
{
	u8 sector[ATTACK_SECTOR];

	return !copy_from_user(sector, (void __user *)user, sizeof(sector)) &&
	       !memcmp(sector, expect, sizeof(sector));
}

/* What user space sees at @user is what the device sees at @addr. */
static void same_in_user_space(struct api *t, unsigned long user, dma_addr_t addr)
{
	u8 bytes[ATTACK_SECTOR];

	api_device_write(t, addr, bytes);
	api_check(t, user_has(user, bytes));
	api_bytes(t, bytes, sizeof(bytes));
	api_check(t, !copy_to_user((void __user *)user, bytes, sizeof(bytes)));
	api_check(t, api_device_reads(t, addr, bytes));
}

/* t->mmap's memory of SIZE bytes, the whole of it and its third page; and no more than it. */
static void try_mmap(struct api *t)
{
	unsigned long user = map_user(t, SIZE, 0);

	if (!api_check(t, !IS_ERR_VALUE(user)))
		return;
	same_in_user_space(t, user, t->mmap.addr);
	same_in_user_space(t, user + LAST, t->mmap.addr + LAST);
	vm_munmap(user, SIZE);
	user = map_user(t, PAGE_SIZE, 2 * PAGE_SIZE);
	if (!api_check(t, !IS_ERR_VALUE(user)))
		return;
	same_in_user_space(t, user + 1024, t->mmap.addr + 2 * PAGE_SIZE + 1024);
	vm_munmap(user, PAGE_SIZE);
	api_check(t, map_user(t, SIZE + PAGE_SIZE, 0) == (unsigned long)-ENXIO);
	api_check(t, map_user(t, PAGE_SIZE, SIZE) == (unsigned long)-ENXIO);
	t->mmap.map = NULL;
}

static int mmap_attrs(struct device *dev, struct vm_area_struct *vma, const struct api_mmap *m)
{
	return dma_mmap_attrs(dev, vma, m->cpu, m->addr, m->size, m->attrs);
}

static int mmap_pages(struct device *dev, struct vm_area_struct *vma, const struct api_mmap *m)
{
	return dma_mmap_pages(dev, vma, m->size, virt_to_page(m->cpu));
}

static int mmap_noncontiguous(struct device *dev, struct vm_area_struct *vma,
			      const struct api_mmap *m)
{
	return dma_mmap_noncontiguous(dev, vma, m->size, m->table);
}

static void alloc_and_mmap(struct api *t, unsigned long attrs)
{
	struct api_mmap m = {.map = mmap_attrs, .size = SIZE, .attrs = attrs};

	m.cpu = dma_alloc_attrs(t->dev, SIZE, &m.addr, GFP_KERNEL, attrs);
	if (!api_check(t, m.cpu))
		return;
	api_check(t, dma_can_mmap(t->dev));
	t->mmap = m;
	try_mmap(t);
	dma_free_attrs(t->dev, SIZE, m.cpu, m.addr, attrs);
}

static void mmap_coherent(struct api *t)
{
	alloc_and_mmap(t, 0);
}

static void alloc_attrs(struct api *t)
{
	static const unsigned long attrs[] = {DMA_ATTR_NO_KERNEL_MAPPING, DMA_ATTR_WRITE_COMBINE,
					      DMA_ATTR_FORCE_CONTIGUOUS,
					      DMA_ATTR_ALLOC_SINGLE_PAGES | DMA_ATTR_WEAK_ORDERING};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(attrs); i++)
		alloc_and_mmap(t, attrs[i]);
}

static void pages(struct api *t)
{
	struct api_mmap m = {.map = mmap_pages, .size = SIZE};
	struct page *page = dma_alloc_pages(t->dev, SIZE, &m.addr, DMA_BIDIRECTIONAL, GFP_KERNEL);

	if (!api_check(t, page && !dma_mapping_error(t->dev, m.addr)))
		return;
	m.cpu = page_address(page);
	same_memory(t, m.cpu, m.addr, SIZE);
	t->mmap = m;
	try_mmap(t);
	dma_free_pages(t->dev, SIZE, page, m.addr, DMA_BIDIRECTIONAL);
}

static void noncontiguous(struct api *t)
{
	struct api_mmap m = {.map = mmap_noncontiguous, .size = SIZE};

	m.table = dma_alloc_noncontiguous(t->dev, SIZE, DMA_BIDIRECTIONAL, GFP_KERNEL, 0);
	if (!api_check(t, m.table))
		return;
	m.cpu = dma_vmap_noncontiguous(t->dev, SIZE, m.table);
	m.addr = sg_dma_address(m.table->sgl);
	if (api_check(t, m.cpu)) {
		same_memory(t, m.cpu, m.addr, SIZE);
		t->mmap = m;
		try_mmap(t);
		dma_vunmap_noncontiguous(t->dev, m.cpu);
	}
	dma_free_noncontiguous(t->dev, SIZE, m.table, DMA_BIDIRECTIONAL);
}

/* ---- as a list, which may be mapped again ---- */

static void reach_by_table(struct api *t, u8 *cpu, struct sg_table *table)
{
	dma_addr_t again;

	api_check(t, table->sgl->length == SIZE);
	/* Synced by hand: who maps memory a second time says so in this way. */
	if (!api_check(t,
		       !dma_map_sgtable(t->dev, table, DMA_BIDIRECTIONAL, DMA_ATTR_SKIP_CPU_SYNC)))
		return;
	again = sg_dma_address(table->sgl);
	dma_sync_sgtable_for_device(t->dev, table, DMA_BIDIRECTIONAL);
	api_check(t, api_device_reads(t, again + LAST, cpu + LAST));
	api_device_write(t, again, api_shadow(t, t->memory));
	dma_sync_sgtable_for_cpu(t->dev, table, DMA_BIDIRECTIONAL);
	dma_unmap_sgtable(t->dev, table, DMA_BIDIRECTIONAL, DMA_ATTR_SKIP_CPU_SYNC);
	/* By way of t->memory, of which it is known what must be there. */
	memcpy(t->memory, cpu, ATTACK_SECTOR);
}

static void get_sgtable(struct api *t)
{
	struct sg_table table;
	dma_addr_t addr;
	u8 *cpu = dma_alloc_coherent(t->dev, SIZE, &addr, GFP_KERNEL);

	if (!api_check(t, cpu))
		return;
	api_bytes(t, cpu, SIZE);
	if (api_check(t, !dma_get_sgtable(t->dev, &table, cpu, addr, SIZE))) {
		reach_by_table(t, cpu, &table);
		sg_free_table(&table);
	}
	dma_free_coherent(t->dev, SIZE, cpu, addr);
}

void api_alloc_run(struct api *t)
{
	static const struct api_case cases[] = {
		{"dma_alloc_coherent", coherent},
		{"dma_alloc_noncoherent", noncoherent},
		{"dma_pool", pool},
		{"dma_alloc_attrs of too much, NO_WARN", too_large},
		{"dma_mmap_coherent", mmap_coherent},
		{"dma_alloc_attrs and dma_mmap_attrs", alloc_attrs},
		{"dma_alloc_pages and dma_mmap_pages", pages},
		{"dma_alloc_noncontiguous, its vmap and mmap", noncontiguous},
		{"dma_get_sgtable", get_sgtable},
	};

	api_run(t, cases, ARRAY_SIZE(cases));
}
