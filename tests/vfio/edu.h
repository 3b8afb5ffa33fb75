/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QEMU's edu device through VFIO: a DMA engine that moves bytes between a buffer of its own
 * and any address that it is told, 100 ms after it is told. The buffer can be seen by
 * DMA only.
 */
#ifndef TESTS_VFIO_EDU_H
#define TESTS_VFIO_EDU_H

#include <stddef.h>
#include <stdint.h>

struct edu {
	int container, group, device;
	void *regs;
};

/* @group: number of its IOMMU group; @bdf: as in /sys. Its container is type1 v2. */
void edu_open(struct edu *e, const char *group, const char *bdf);
void edu_close(struct edu *e);

/* One DMA of at most 2 KiB, and its end: memory to the buffer's start, and back. */
void edu_read(const struct edu *e, uint64_t iova, size_t len);
void edu_write(const struct edu *e, uint64_t iova, size_t len);

#endif
