/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A simulated device's way to guest memory: through its endpoint of the IOMMU,
 * or, where the VM has none, to guest RAM by guest-physical address. Off until
 * it is switched on.
 */
#ifndef VMM_DMA_PATH_H
#define VMM_DMA_PATH_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pviommu/iommu.h>

#include "vmm/memory.h"

struct dma_path {
	struct pvi_endpoint *endpoint; /* NULL: direct */
	struct memory *mem;

	/* Guards the rest and, in direct mode, the copying of one chunk; innermost. */
	pthread_mutex_t lock;
	bool on;
	struct pvi_endpoint_stats direct;
};

/* @iommu NULL: direct. As pvi_endpoint_add(). */
int dma_path_init(struct dma_path *path, struct pvi_iommu *iommu, struct memory *mem, uint32_t id);
void dma_path_done(struct dma_path *path);

/* After switching off: on return nothing is in flight, and all that comes is refused. */
void dma_path_set(struct dma_path *path, bool on);

/* As pvi_dma_read() and pvi_dma_write(). */
int dma_path_read(struct dma_path *path, uint64_t addr, void *buf, size_t len);
int dma_path_write(struct dma_path *path, uint64_t addr, const void *buf, size_t len);

void dma_path_stats(struct dma_path *path, struct pvi_endpoint_stats *ret_stats);

#endif
