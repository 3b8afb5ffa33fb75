/* SPDX-License-Identifier: BSD-2-Clause */
/* The requests of a virtio block device (VIRTIO 1.3, 5.2.6). */
#ifndef DEVICES_BLK_REQUEST_H
#define DEVICES_BLK_REQUEST_H

struct blk;

/* Ranges in one discard; sectors in one range. */
#define BLK_MAX_RANGES		16u
#define BLK_MAX_DISCARD_SECTORS (1u << 22)
/* Less: where the file system can't, they are written. */
#define BLK_MAX_ZERO_SECTORS (1u << 15)

/* Takes and answers one request: 1; 0: none is waiting; -EIO: the queue is broken. */
int blk_request(struct blk *blk);

#endif
