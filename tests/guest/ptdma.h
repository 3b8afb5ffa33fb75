/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pvi_ptdma.ko and ptdma.c: a device that does DMA to pages of the test's choice, in a Xen PV
 * domain. The module knows nothing of iosup: it finds pages, looks at them, and drives the
 * device; what should happen is ptdma.c's to say.
 */
#ifndef PTDMA_H
#define PTDMA_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define PTDMA_PATH   "/sys/kernel/debug/pvi_ptdma"
#define PTDMA_PAGE   4096
#define PTDMA_BYTES  64
#define PTDMA_LEVELS 4

/* The page-table pages (levels 1 to 4) that lead to an address of the caller's. */
struct ptdma_tables {
	__u64 address;
	__u64 pfn[PTDMA_LEVELS];
};

/* The pages of the caller's local descriptor table and of its CPU's global one. */
struct ptdma_descriptors {
	__u64 ldt_pfn, gdt_pfn;
};

/* A page: what is in it, and what the kernel says that it is. */
struct ptdma_page {
	__u64 pfn;
	__u32 references;
	__u32 is_table;	   /* the kernel counts it as a table */
	__u32 is_pinned;   /* of Xen's type for tables, as the guest knows it */
	__u32 is_writable; /* in the direct map */
	__u8 bytes[PTDMA_PAGE];
};

/* A DMA of PTDMA_BYTES. */
struct ptdma_dma {
	__u64 pfn;
	__u32 offset;
	__u32 to_memory;
	__u64 address;		 /* returned: what the device was told */
	__u8 bytes[PTDMA_BYTES]; /* what the device sends, or returned: what it got */
};

#define PTDMA_TABLES	  _IOWR('p', 1, struct ptdma_tables)
#define PTDMA_DESCRIPTORS _IOR('p', 2, struct ptdma_descriptors)
#define PTDMA_LOOK	  _IOWR('p', 3, struct ptdma_page)
#define PTDMA_DMA	  _IOWR('p', 4, struct ptdma_dma)
/* An ordinary page, until the file is closed: any, or (ENOENT where it is not free) this. */
#define PTDMA_ANY  _IOR('p', 5, __u64)
#define PTDMA_THIS _IOW('p', 6, __u64)

#endif
