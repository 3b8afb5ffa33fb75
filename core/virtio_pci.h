/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The device's side of the modern virtio PCI transport (VIRTIO 1.3, 4.1): the
 * register block of one BAR, as a state machine without I/O of its own. PCI
 * config space, MSI-X table and interrupt delivery belong to the VMM.
 *
 * Layout of the BAR (PVI_VP_BAR_SIZE bytes): common configuration at 0, ISR at
 * 0x1000, device configuration at 0x2000, doorbells at 0x3000, one every
 * PVI_VP_NOTIFY_MULT bytes.
 *
 * Not thread-safe: the owner serialises calls.
 */
#ifndef PVI_CORE_VIRTIO_PCI_H
#define PVI_CORE_VIRTIO_PCI_H

#include "core/types.h"
#include "core/virtqueue.h"

#define PVI_VP_BAR_SIZE	   0x4000u
#define PVI_VP_COMMON	   0x0000u
#define PVI_VP_ISR	   0x1000u
#define PVI_VP_DEVICE	   0x2000u
#define PVI_VP_NOTIFY	   0x3000u
#define PVI_VP_NOTIFY_MULT 4u
#define PVI_VP_MAX_QUEUES  8
#define PVI_VP_NO_VECTOR   0xffffu

/* Size in bytes of the capabilities that pvi_vp_caps() writes. */
#define PVI_VP_CAPS_SIZE (16 + 20 + 16 + 16 + 20)
/* Within them: the PCI access capability, its writable part and its data window. */
#define PVI_VP_ACCESS_CAP	     68u
#define PVI_VP_ACCESS_WRITABLE	     (PVI_VP_ACCESS_CAP + 4u)
#define PVI_VP_ACCESS_DATA	     (PVI_VP_ACCESS_CAP + 16u)

#define PVI_VIRTIO_F_INDIRECT_DESC   28
#define PVI_VIRTIO_F_EVENT_IDX	     29
#define PVI_VIRTIO_F_VERSION_1	     32
#define PVI_VIRTIO_F_ACCESS_PLATFORM 33

#define PVI_VIRTIO_S_ACKNOWLEDGE     1
#define PVI_VIRTIO_S_DRIVER	     2
#define PVI_VIRTIO_S_DRIVER_OK	     4
#define PVI_VIRTIO_S_FEATURES_OK     8
#define PVI_VIRTIO_S_NEEDS_RESET     64
#define PVI_VIRTIO_S_FAILED	     128

struct pvi_vp;

struct pvi_vp_ops {
	/* The driver set DRIVER_OK: enabled queues are initialised in vp->vq[]. */
	int (*start)(void *ctx);
	/* The driver wrote 0 to status, or pvi_vp_reset(): forget all device state. */
	void (*reset)(void *ctx);
	/* A doorbell of queue @q was written (only when it isn't an ioeventfd). */
	void (*notify)(void *ctx, unsigned int q);
	/* Device configuration space; @off + @len is within config_size. */
	void (*config_read)(void *ctx, uint32_t off, void *buf, uint32_t len);
	void (*config_write)(void *ctx, uint32_t off, const void *buf, uint32_t len);
	/* Deliver MSI-X vector @vector. */
	void (*interrupt)(void *ctx, uint16_t vector);
};

struct pvi_vp_config {
	const struct pvi_vp_ops *ops;
	void *ctx;
	const struct pvi_vq_mem *mem;
	/*
	 * Offered; VERSION_1 always is. The driver must accept VERSION_1 and, where
	 * offered, ACCESS_PLATFORM.
	 */
	uint64_t features;
	uint16_t nr_queues;
	uint16_t nr_vectors;
	uint16_t queue_size;  /* largest, and the default */
	uint32_t config_size; /* bytes of device configuration */
};

struct pvi_vp_queue {
	uint16_t size;
	uint16_t vector;
	bool enabled;
	uint64_t desc, avail, used;
};

struct pvi_vp {
	struct pvi_vp_config cfg;
	uint64_t driver_features;
	uint32_t feature_select, driver_feature_select;
	uint16_t config_vector;
	uint16_t queue_select;
	uint8_t status;
	uint8_t isr;
	uint8_t generation;
	struct pvi_vp_queue queue[PVI_VP_MAX_QUEUES];
	struct pvi_vq vq[PVI_VP_MAX_QUEUES];
	uint64_t bad_accesses; /* refused: wrong offset, size or state */
};

void pvi_vp_init(struct pvi_vp *vp, const struct pvi_vp_config *cfg);

/*
 * A BAR access of 1, 2, 4 or 8 bytes, as wide as the register (halves of a 64-bit
 * one are allowed); others, and unknown offsets, read as 0 and write nothing.
 */
void pvi_vp_read(struct pvi_vp *vp, uint64_t off, void *buf, uint32_t len);
void pvi_vp_write(struct pvi_vp *vp, uint64_t off, const void *buf, uint32_t len);

void pvi_vp_reset(struct pvi_vp *vp);

/* Has feature @bit been negotiated? False before FEATURES_OK. */
bool pvi_vp_has(const struct pvi_vp *vp, unsigned int bit);

/* Is the device running (DRIVER_OK, no NEEDS_RESET) and queue @q usable? */
bool pvi_vp_running(const struct pvi_vp *vp, unsigned int q);

/* Interrupt for queue @q, or for a configuration change (bumps the generation). */
void pvi_vp_queue_interrupt(struct pvi_vp *vp, unsigned int q);
void pvi_vp_config_interrupt(struct pvi_vp *vp);

/* The driver broke a ring: set NEEDS_RESET and tell it, once. */
void pvi_vp_needs_reset(struct pvi_vp *vp);

/*
 * Writes the five virtio capabilities (common, notify, ISR, device, PCI access)
 * as they stand in config space from offset @at, chained to each other and then
 * to @next, for a register block in BAR @bar. @buf: PVI_VP_CAPS_SIZE bytes.
 */
void pvi_vp_caps(const struct pvi_vp_config *cfg, uint8_t bar, uint8_t at, uint8_t next,
		 uint8_t *buf);

/*
 * The guest reads or writes the data window of the PCI access capability (4.1.4.9).
 * @cap: its 20 bytes as they are now; a read fills the window, a write takes it.
 */
void pvi_vp_window(struct pvi_vp *vp, uint8_t bar, uint8_t *cap, bool write);

#endif
