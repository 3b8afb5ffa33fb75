/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio block device (VIRTIO 1.3, 5.2) over a disk. */
#ifndef DEVICES_BLK_BLK_H
#define DEVICES_BLK_BLK_H

#include "devices/blk/disk.h"
#include "devices/runtime/virtio.h"

#define BLK_SERIAL_SIZE 20

struct blk {
	struct virtio v;
	struct dev_type type;
	struct disk *disk;
	char serial[BLK_SERIAL_SIZE]; /* padded with zeroes; a full one has no end */
	struct pvi_vq_chain chain;    /* the request under way */
	uint32_t complaints;	      /* kinds of failure that the log has already */
	/* Data passes through here: the process never grows with the request. */
	uint8_t bounce[DEV_MAX_XFER];
};

/* @serial: NULL: made from the disk's identity. *@disk must outlive it. */
int blk_new(struct disk *disk, const char *serial, struct blk **ret_blk);
void blk_free(struct blk *blk);

/* Connects it with its client's socket; then dev_serve(blk->v.dev). Takes @sock. */
int blk_connect(struct blk *blk, int sock);

#endif
