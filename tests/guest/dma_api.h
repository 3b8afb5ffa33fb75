/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The DMA API as a driver sees it, operation by operation, with an nvme that really does the
 * DMA: what the CPU and what the device see is compared byte by byte. Reading debugfs'
 * pvi_nvme/api runs all cases under the device's strategy, and gives a line for each:
 *   ok - STRATEGY: CASE
 *   not ok - STRATEGY: CASE: FILE:LINE: WHAT
 * Open it for reading and writing: there is something to mmap, too. Reading pvi_nvme/nomem
 * runs the cases of dma_api_nomem.c in the same way.
 */
#ifndef PVI_DMA_API_H
#define PVI_DMA_API_H

#include <linux/dma-mapping.h>

#include "attack_nvme.h"

#define API_PAGES 128u /* of the memory that streaming cases map from */
#define API_BYTES (API_PAGES * PAGE_SIZE)

/* What the file's mmap maps: by which of the kernel's functions, and of which memory. */
struct api_mmap {
	int (*map)(struct device *dev, struct vm_area_struct *vma, const struct api_mmap *m);
	void *cpu;
	dma_addr_t addr;
	size_t size;
	unsigned long attrs;
	struct sg_table *table;
};

struct api {
	struct attacker *a;
	struct device *dev;
	struct seq_file *out;
	char strategy[16];
	bool none;   /* not the module's: the kernel's own operations */
	bool copies; /* what the device and the CPU see are two things until they are synced */
	u8 *memory;  /* API_BYTES, contiguous; and what must be in it when a case is over */
	u8 *expect;
	u32 seed;
	struct api_mmap mmap;
	void (*run)(struct api *t);
	char why[160]; /* the first failure of a case */
};

struct api_case {
	const char *name;
	void (*run)(struct api *t);
};

/* What it is when it fails; the first of a case is told. */
bool api_note(struct api *t, bool good, const char *what, const char *file, int line);
#define api_check(t, condition) api_note(t, condition, #condition, __FILE__, __LINE__)

/* Where in t->expect is what @p, in t->memory, must hold. */
static inline u8 *api_shadow(struct api *t, const void *p)
{
	return t->expect + ((const u8 *)p - t->memory);
}

/* Bytes that no other access had. */
void api_bytes(struct api *t, void *to, size_t size);
/* The CPU writes to t->memory. */
void api_change(struct api *t, void *p, size_t size);
/* t->memory is as it must be. */
#define api_intact(t) api_check(t, !memcmp((t)->memory, (t)->expect, API_BYTES))

/*
 * The device writes a sector with new content to @addr; @ret_data gets what it wrote. It reads
 * one; true: it is @expect.
 */
void api_device_write(struct api *t, dma_addr_t addr, void *ret_data);
bool api_device_reads(struct api *t, dma_addr_t addr, const void *expect);

/* @addr is good for what lies at @p. */
#define api_mapped(t, address, p)                                 \
	(api_check(t, !dma_mapping_error((t)->dev, (address))) && \
	 api_check(t, offset_in_page(address) == offset_in_page(p)))

void api_stream_run(struct api *t); /* dma_api_stream.c */
void api_list_run(struct api *t);   /* dma_api_list.c */
void api_alloc_run(struct api *t);  /* dma_api_alloc.c */
void api_limits_run(struct api *t); /* dma_api_limits.c */
void api_cpus_run(struct api *t);   /* dma_api_cpus.c */
void api_nomem_run(struct api *t);  /* dma_api_nomem.c */

void api_run(struct api *t, const struct api_case *cases, unsigned int n);

void attack_api_add(struct attacker *a); /* goes with a->dir */

#endif
