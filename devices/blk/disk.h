/* SPDX-License-Identifier: BSD-2-Clause */
/* What a simulated disk keeps its sectors in: a raw file or a block device. */
#ifndef DEVICES_BLK_DISK_H
#define DEVICES_BLK_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/runtime/sandbox.h"

#define SECTOR_SHIFT 9
#define SECTOR_SIZE  512u

struct disk {
	int fd; /* owned by the caller */
	uint64_t sectors;
	uint64_t id[2]; /* what tells this file from others */
	bool block;
	bool read_only;
};

/* The system calls of the functions below disk_init(). */
extern const struct sandbox_call disk_calls[];
extern const size_t disk_nr_calls;

/*
 * -EISDIR, -ENOTBLK: not a file or block device; -EBADF: @fd can't be written,
 * or read; -ENODATA: smaller than a sector; -EBUSY: another process has it.
 */
int disk_init(struct disk *disk, int fd, bool read_only);

/* Bytes; within the disk, in whole sectors. 0 or -errno; all of it or a failure. */
int disk_read(struct disk *disk, uint64_t off, void *buf, size_t len);
int disk_write(struct disk *disk, uint64_t off, const void *buf, size_t len);
int disk_flush(struct disk *disk);
/* -EOPNOTSUPP where the file system or device can't. */
int disk_discard(struct disk *disk, uint64_t off, uint64_t len);
int disk_zero(struct disk *disk, uint64_t off, uint64_t len, bool may_unmap);

#endif
