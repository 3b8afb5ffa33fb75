/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The device's side of a split virtqueue (VIRTIO 1.3, 2.7), over accessors: the
 * queue's memory is never mapped, every field is fetched once into a local.
 * The virtio-iommu gives accessors for guest-physical memory, a simulated
 * device gives DMA accessors.
 *
 * Everything in the rings is hostile. A malformed ring breaks the queue: every
 * later call returns -EIO until it is initialised again, and the owner sets
 * DEVICE_NEEDS_RESET.
 */
#ifndef PVI_CORE_VIRTQUEUE_H
#define PVI_CORE_VIRTQUEUE_H

#include "core/types.h"

#define PVI_VQ_MAX_SIZE 1024
#define PVI_VQ_MAX_SEGS 256 /* descriptors in a chain, and entries of an indirect table */

/* Avail entries fetched in one read: an access may be a round trip on a socket. */
#define PVI_VQ_BATCH 16

/* 0 or -errno; all of @len bytes or a failure. */
struct pvi_vq_mem {
	int (*read)(void *ctx, uint64_t addr, void *buf, size_t len);
	int (*write)(void *ctx, uint64_t addr, const void *buf, size_t len);
	void *ctx;
};

struct pvi_vq_seg {
	uint64_t addr;
	uint32_t len;
};

/* One descriptor chain: @out device-readable segments, then @in device-writable. */
struct pvi_vq_chain {
	uint16_t head;
	uint16_t nr_out;
	uint16_t nr_in;
	uint64_t out_len; /* bytes */
	uint64_t in_len;  /* bytes */
	struct pvi_vq_seg seg[PVI_VQ_MAX_SEGS];
};

struct pvi_vq_config {
	uint16_t size; /* entries: a power of two, 1 to PVI_VQ_MAX_SIZE */
	uint64_t desc;
	uint64_t avail;
	uint64_t used;
	bool event_idx; /* VIRTIO_F_EVENT_IDX (bit 29) negotiated */
	bool indirect;	/* VIRTIO_F_INDIRECT_DESC (bit 28) negotiated */
};

struct pvi_vq {
	struct pvi_vq_config cfg;
	struct pvi_vq_mem mem;
	uint16_t next_avail;  /* next avail entry to take */
	uint16_t seen_avail;  /* avail index as last fetched */
	uint16_t next_used;   /* next used entry to write */
	uint16_t published;   /* used index as last published */
	uint16_t batch_first; /* avail index of batch[0] */
	uint16_t batch_nr;
	uint16_t batch[PVI_VQ_BATCH]; /* heads, fetched once */
	bool broken;
};

/* -EINVAL: size not a power of two or too large, or an area that wraps or is misaligned. */
int pvi_vq_init(struct pvi_vq *vq, const struct pvi_vq_mem *mem, const struct pvi_vq_config *cfg);

/*
 * 1: @ret holds the next chain; 0: none is waiting; -EIO: the queue is broken.
 * Malformed: an index past its table, a loop, a chain of more than the queue's
 * size or PVI_VQ_MAX_SEGS descriptors or of more than 4 GiB, an empty or
 * wrapping buffer, readable after writable, an indirect table that is nested,
 * chained on, empty or not negotiated, and more chains than the queue has room
 * for.
 */
int pvi_vq_pop(struct pvi_vq *vq, struct pvi_vq_chain *ret);

/* Writes a used entry without publishing it. @len: bytes written to the chain. */
int pvi_vq_push(struct pvi_vq *vq, uint16_t head, uint32_t len);

/* Publishes all pushed entries; *@ret_notify: the driver wants an interrupt for them. */
int pvi_vq_publish(struct pvi_vq *vq, bool *ret_notify);

/*
 * Asks the driver to (not) kick. Enabling returns 1 when entries became
 * available meanwhile (pop again), 0 when the queue is empty.
 */
int pvi_vq_kicks(struct pvi_vq *vq, bool enable);

/*
 * Copies between @buf and the out / in part of a chain, from @off bytes into that
 * part. -EINVAL: past its end; else the accessor's error. The queue goes on.
 */
int pvi_vq_copy_out(struct pvi_vq *vq, const struct pvi_vq_chain *c, uint64_t off, void *buf,
		    size_t len);
int pvi_vq_copy_in(struct pvi_vq *vq, const struct pvi_vq_chain *c, uint64_t off, const void *buf,
		   size_t len);

#endif
