/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio device on the runtime: the modern PCI transport in BAR 0, its MSI-X
 * table in BAR 1, doorbells as ioeventfds, rings over DMA messages.
 */
#ifndef DEVICES_RUNTIME_VIRTIO_H
#define DEVICES_RUNTIME_VIRTIO_H

#include "core/virtio_pci.h"
#include "devices/runtime/dev.h"

#define VIRTIO_VENDOR	 0x1af4
#define VIRTIO_BAR	 0
#define VIRTIO_MSIX_BAR	 1
#define VIRTIO_MSIX_SIZE 4096

struct virtio {
	struct pvi_vp vp;
	struct pvi_vq_mem mem;
	struct dev *dev;
	/*
	 * Reads only start, for pvi_vq_copy_out() of many segments; until
	 * dev_dma_finish(). Ring accesses must see it off.
	 */
	bool gather;
	uint32_t kicked; /* queues, one bit each */
};

/* The transport's part of a type: ids, BARs, vectors, doorbells. */
void virtio_type(struct dev_type *type, uint16_t virtio_id, uint32_t class_rev,
		 const struct pvi_vp_config *cfg);

/* cfg->mem is set here. The device's dev_ops call the functions below with @v. */
void virtio_init(struct virtio *v, const struct pvi_vp_config *cfg);

int virtio_read(struct virtio *v, unsigned int bar, uint64_t off, void *buf, uint32_t len);
int virtio_write(struct virtio *v, unsigned int bar, uint64_t off, const void *buf, uint32_t len);
void virtio_caps(struct virtio *v, uint8_t *config, uint8_t *writable);
void virtio_config(struct virtio *v, uint8_t *config, uint32_t off, uint32_t len, bool write);

/* Publishes what was pushed, and interrupts if the driver wants it; breaks as rings do. */
int virtio_publish(struct virtio *v, unsigned int q);

#endif
