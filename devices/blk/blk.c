// SPDX-License-Identifier: BSD-2-Clause
#include "devices/blk/blk.h"

#include <errno.h>
#include <linux/virtio_blk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/wire.h"
#include "devices/blk/request.h"
#include "devices/runtime/log.h"

#define VIRTIO_ID_BLOCK 2
#define CLASS_REV	0x01000001 /* mass storage, SCSI-like, as virtio-blk is known */
#define QUEUE_SIZE	256

#define BIT64(n)	((uint64_t)1 << (n))

static void config_read(void *ctx, uint32_t off, void *buf, uint32_t len)
{
	struct blk *blk = ctx;
	uint8_t c[sizeof(struct virtio_blk_config)] = {0};

	pvi_put64(c + offsetof(struct virtio_blk_config, capacity), blk->disk->sectors);
	pvi_put32(c + offsetof(struct virtio_blk_config, size_max), 1u << 20);
	/* The header and the status take a descriptor each. */
	pvi_put32(c + offsetof(struct virtio_blk_config, seg_max), QUEUE_SIZE - 2);
	pvi_put32(c + offsetof(struct virtio_blk_config, blk_size), SECTOR_SIZE);
	pvi_put32(c + offsetof(struct virtio_blk_config, max_discard_sectors),
		  BLK_MAX_DISCARD_SECTORS);
	pvi_put32(c + offsetof(struct virtio_blk_config, max_discard_seg), BLK_MAX_RANGES);
	pvi_put32(c + offsetof(struct virtio_blk_config, discard_sector_alignment), 8);
	pvi_put32(c + offsetof(struct virtio_blk_config, max_write_zeroes_sectors),
		  BLK_MAX_ZERO_SECTORS);
	pvi_put32(c + offsetof(struct virtio_blk_config, max_write_zeroes_seg), 1);
	c[offsetof(struct virtio_blk_config, write_zeroes_may_unmap)] = 1;
	memcpy(buf, c + off, len);
}

static void notify(void *ctx, unsigned int q)
{
	struct blk *blk = ctx;

	blk->v.kicked |= 1u << q;
}

/* What the driver queued before it said DRIVER_OK has no kick of its own. */
static int start(void *ctx)
{
	notify(ctx, 0);
	return 0;
}

static void virtio_reset(void *ctx)
{
	struct blk *blk = ctx;

	blk->v.kicked = 0;
}

static void interrupt(void *ctx, uint16_t vector)
{
	struct blk *blk = ctx;

	if (blk->v.dev)
		dev_interrupt(blk->v.dev, vector);
}

static const struct pvi_vp_ops vp_ops = {
	.start = start,
	.reset = virtio_reset,
	.notify = notify,
	.config_read = config_read,
	.interrupt = interrupt,
};

static int dev_read(void *ctx, unsigned int bar, uint64_t off, void *buf, uint32_t len)
{
	struct blk *blk = ctx;

	return virtio_read(&blk->v, bar, off, buf, len);
}

static int dev_write(void *ctx, unsigned int bar, uint64_t off, const void *buf, uint32_t len)
{
	struct blk *blk = ctx;

	return virtio_write(&blk->v, bar, off, buf, len);
}

static void dev_doorbell(void *ctx, unsigned int n)
{
	struct blk *blk = ctx;

	if (pvi_vp_running(&blk->v.vp, n))
		notify(ctx, n);
}

static bool dev_work(void *ctx)
{
	struct blk *blk = ctx;
	int r;

	if (!blk->v.kicked)
		return false;
	if (!pvi_vp_running(&blk->v.vp, 0)) {
		blk->v.kicked = 0;
		return false;
	}
	r = blk_request(blk);
	if (!r)
		r = pvi_vq_kicks(&blk->v.vp.vq[0], true);
	if (r > 0)
		return true;
	blk->v.kicked = 0;
	if (r < 0) {
		log_debug("the queue is broken");
		pvi_vp_needs_reset(&blk->v.vp);
	}
	return false;
}

static void dev_reset(void *ctx)
{
	struct blk *blk = ctx;

	pvi_vp_reset(&blk->v.vp);
}

static void dev_caps(void *ctx, uint8_t *config, uint8_t *writable)
{
	struct blk *blk = ctx;

	virtio_caps(&blk->v, config, writable);
}

static void dev_config(void *ctx, uint8_t *config, uint32_t off, uint32_t len, bool write)
{
	struct blk *blk = ctx;

	virtio_config(&blk->v, config, off, len, write);
}

static const struct dev_ops ops = {
	.read = dev_read,
	.write = dev_write,
	.doorbell = dev_doorbell,
	.work = dev_work,
	.reset = dev_reset,
	.caps = dev_caps,
	.config = dev_config,
};

static void set_serial(struct blk *blk, const char *serial)
{
	char made[BLK_SERIAL_SIZE + 1];

	if (!serial) {
		snprintf(made, sizeof(made), "%04x%016llx",
			 (unsigned int)(blk->disk->id[0] & 0xffff),
			 (unsigned long long)blk->disk->id[1]);
		serial = made;
	}
	memcpy(blk->serial, serial, strnlen(serial, BLK_SERIAL_SIZE));
}

int blk_new(struct disk *disk, const char *serial, struct blk **ret_blk)
{
	struct pvi_vp_config cfg = {
		.ops = &vp_ops,
		.features = BIT64(PVI_VIRTIO_F_ACCESS_PLATFORM) |
			    BIT64(PVI_VIRTIO_F_INDIRECT_DESC) | BIT64(PVI_VIRTIO_F_EVENT_IDX) |
			    BIT64(VIRTIO_BLK_F_SIZE_MAX) | BIT64(VIRTIO_BLK_F_SEG_MAX) |
			    BIT64(VIRTIO_BLK_F_BLK_SIZE) | BIT64(VIRTIO_BLK_F_FLUSH),
		.nr_queues = 1,
		.nr_vectors = 2,
		.queue_size = QUEUE_SIZE,
		.config_size = sizeof(struct virtio_blk_config),
	};
	struct blk *blk = calloc(1, sizeof(*blk));

	if (!blk)
		return -ENOMEM;
	if (disk->read_only)
		cfg.features |= BIT64(VIRTIO_BLK_F_RO);
	else
		cfg.features |= BIT64(VIRTIO_BLK_F_DISCARD) | BIT64(VIRTIO_BLK_F_WRITE_ZEROES);
	cfg.ctx = blk;
	blk->disk = disk;
	set_serial(blk, serial);
	blk->type.name = "virtio-blk";
	blk->type.ops = &ops;
	virtio_type(&blk->type, VIRTIO_ID_BLOCK, CLASS_REV, &cfg);
	virtio_init(&blk->v, &cfg);
	*ret_blk = blk;
	return 0;
}

int blk_connect(struct blk *blk, int sock)
{
	return dev_new(&blk->type, blk, sock, &blk->v.dev);
}

void blk_free(struct blk *blk)
{
	if (!blk)
		return;
	dev_free(blk->v.dev);
	free(blk);
}
