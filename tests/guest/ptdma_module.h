/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside pvi_ptdma.ko. */
#ifndef PTDMA_MODULE_H
#define PTDMA_MODULE_H

#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include "ptdma.h"

struct ptdma {
	void __iomem *regs;
	struct page *own;	/* what the device's page is filled from */
	struct mutex lock;	/* one ioctl at a time; guards pages */
	struct list_head pages; /* that the test has, by lru */
	struct dentry *file;
};

/* ptdma_edu.c */
u64 ptdma_address(unsigned long pfn, unsigned int offset);
int ptdma_dma(struct ptdma *p, struct ptdma_dma *d);

/* ptdma_pages.c */
int ptdma_tables(struct ptdma_tables *t);
int ptdma_descriptors(struct ptdma_descriptors *d);
void ptdma_look(struct ptdma_page *l);
int ptdma_any(struct ptdma *p, u64 *ret_pfn);
int ptdma_this(struct ptdma *p, u64 pfn);
void ptdma_free_pages(struct ptdma *p);

#endif
