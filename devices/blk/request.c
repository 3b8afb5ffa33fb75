// SPDX-License-Identifier: BSD-2-Clause
#include "devices/blk/request.h"

#include <errno.h>
#include <linux/virtio_blk.h>
#include <string.h>

#include "core/wire.h"
#include "devices/blk/blk.h"
#include "devices/runtime/log.h"

#define HEADER_SIZE 16u
#define RANGE_SIZE  16u

enum complaint { C_MALFORMED, C_STATUS, C_DMA, C_READ, C_WRITE, C_FLUSH, C_ZERO };

/* The guest can cause these at will: each kind is said once. */
static void complain(struct blk *blk, enum complaint kind, const char *what, int err)
{
	/* A reset, or the end of the VMM, is nobody's fault. */
	if (err == -ECANCELED || err == -ENOTCONN || (blk->complaints & 1u << kind))
		return;
	blk->complaints |= 1u << kind;
	log_line("%s: %s (said once)", what, strerror(-err));
}

static bool sectors_ok(const struct blk *blk, uint64_t first, uint64_t nr)
{
	return first <= blk->disk->sectors && nr <= blk->disk->sectors - first;
}

/* Is [@sector, + @bytes) whole sectors of the disk? */
static bool extent_ok(const struct blk *blk, uint64_t sector, uint64_t bytes)
{
	return !(bytes % SECTOR_SIZE) && sectors_ok(blk, sector, bytes >> SECTOR_SHIFT);
}

static size_t piece(uint64_t left)
{
	return left < DEV_MAX_XFER ? (size_t)left : DEV_MAX_XFER;
}

/* Guest to buffer: all segments at once. */
static int gather(struct blk *blk, uint64_t off, void *buf, size_t len)
{
	int err, refused;

	blk->v.gather = true;
	err = pvi_vq_copy_out(&blk->v.vp.vq[0], &blk->chain, off, buf, len);
	blk->v.gather = false;
	refused = dev_dma_finish(blk->v.dev);
	return err ? err : refused;
}

/* Disk to guest. *@written: bytes that surely arrived. */
static uint8_t do_read(struct blk *blk, uint64_t sector, uint64_t *written)
{
	uint64_t len = blk->chain.in_len - 1, done, off = sector << SECTOR_SHIFT;
	int err = 0, refused;

	if (!extent_ok(blk, sector, len))
		return VIRTIO_BLK_S_IOERR;
	for (done = 0; done < len && !err; done += piece(len - done)) {
		err = disk_read(blk->disk, off + done, blk->bounce, piece(len - done));
		if (err)
			complain(blk, C_READ, "reading the disk", err);
		else
			err = pvi_vq_copy_in(&blk->v.vp.vq[0], &blk->chain, done, blk->bounce,
					     piece(len - done));
	}
	refused = dev_dma_finish(blk->v.dev);
	if (refused)
		complain(blk, C_DMA, "data of a request", refused);
	if (err || refused)
		return VIRTIO_BLK_S_IOERR;
	*written = len;
	return VIRTIO_BLK_S_OK;
}

/* Without FLUSH the driver takes a write's end for its safety (5.2.6.2). */
static uint8_t flush(struct blk *blk)
{
	int err = disk_flush(blk->disk);

	if (err)
		complain(blk, C_FLUSH, "flushing the disk", err);
	return err ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

static uint8_t written_through(struct blk *blk)
{
	return pvi_vp_has(&blk->v.vp, VIRTIO_BLK_F_FLUSH) ? VIRTIO_BLK_S_OK : flush(blk);
}

static uint8_t do_write(struct blk *blk, uint64_t sector)
{
	uint64_t len = blk->chain.out_len - HEADER_SIZE, off = sector << SECTOR_SHIFT;

	if (blk->disk->read_only || !extent_ok(blk, sector, len))
		return VIRTIO_BLK_S_IOERR;
	for (uint64_t done = 0; done < len; done += piece(len - done)) {
		int err = gather(blk, HEADER_SIZE + done, blk->bounce, piece(len - done));

		if (err) {
			complain(blk, C_DMA, "data of a request", err);
			return VIRTIO_BLK_S_IOERR;
		}
		err = disk_write(blk->disk, off + done, blk->bounce, piece(len - done));
		if (err) {
			complain(blk, C_WRITE, "writing the disk", err);
			return VIRTIO_BLK_S_IOERR;
		}
	}
	return written_through(blk);
}

static uint8_t do_get_id(struct blk *blk, uint64_t *written)
{
	uint64_t len = blk->chain.in_len - 1;
	int err;

	if (len > BLK_SERIAL_SIZE)
		len = BLK_SERIAL_SIZE;
	err = pvi_vq_copy_in(&blk->v.vp.vq[0], &blk->chain, 0, blk->serial, (size_t)len);
	if (dev_dma_finish(blk->v.dev) || err)
		return VIRTIO_BLK_S_IOERR;
	*written = len;
	return VIRTIO_BLK_S_OK;
}

static int zero_by_writing(struct blk *blk, uint64_t off, uint64_t len)
{
	int err = 0;

	memset(blk->bounce, 0, piece(len));
	for (uint64_t done = 0; done < len && !err; done += piece(len - done))
		err = disk_write(blk->disk, off + done, blk->bounce, piece(len - done));
	return err;
}

static uint8_t one_range(struct blk *blk, uint32_t type, const uint8_t *range)
{
	uint64_t sector = pvi_get64(range);
	uint32_t nr = pvi_get32(range + 8), flags = pvi_get32(range + 12);
	bool discard = type == VIRTIO_BLK_T_DISCARD;
	uint64_t off = sector << SECTOR_SHIFT, len = (uint64_t)nr << SECTOR_SHIFT;
	int err;

	if (flags & (discard ? ~0u : ~(uint32_t)VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP))
		return VIRTIO_BLK_S_UNSUPP;
	if (nr > (discard ? BLK_MAX_DISCARD_SECTORS : BLK_MAX_ZERO_SECTORS) ||
	    !sectors_ok(blk, sector, nr))
		return VIRTIO_BLK_S_IOERR;
	if (!nr)
		return VIRTIO_BLK_S_OK;
	if (discard) {
		err = disk_discard(blk->disk, off, len);
		if (err == -EOPNOTSUPP)
			return VIRTIO_BLK_S_UNSUPP;
	} else {
		err = disk_zero(blk->disk, off, len, flags);
		if (err == -EOPNOTSUPP)
			err = zero_by_writing(blk, off, len);
	}
	if (err)
		complain(blk, C_ZERO, "discarding or zeroing", err);
	return err ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

static uint8_t do_ranges(struct blk *blk, uint32_t type)
{
	uint64_t len = blk->chain.out_len - HEADER_SIZE;
	uint32_t max = type == VIRTIO_BLK_T_DISCARD ? BLK_MAX_RANGES : 1;
	uint8_t ranges[BLK_MAX_RANGES * RANGE_SIZE];

	if (blk->disk->read_only || !len || len % RANGE_SIZE || len > max * RANGE_SIZE)
		return VIRTIO_BLK_S_IOERR;
	if (gather(blk, HEADER_SIZE, ranges, (size_t)len))
		return VIRTIO_BLK_S_IOERR;
	for (uint64_t at = 0; at < len; at += RANGE_SIZE) {
		uint8_t status = one_range(blk, type, ranges + at);

		if (status != VIRTIO_BLK_S_OK)
			return status;
	}
	return written_through(blk);
}

static uint8_t dispatch(struct blk *blk, const uint8_t *header, uint64_t *written)
{
	uint32_t type = pvi_get32(header);
	uint64_t sector = pvi_get64(header + 8);

	switch (type) {
	case VIRTIO_BLK_T_IN:
		return do_read(blk, sector, written);
	case VIRTIO_BLK_T_OUT:
		return do_write(blk, sector);
	case VIRTIO_BLK_T_FLUSH:
		return flush(blk);
	case VIRTIO_BLK_T_GET_ID:
		return do_get_id(blk, written);
	case VIRTIO_BLK_T_DISCARD:
		if (!pvi_vp_has(&blk->v.vp, VIRTIO_BLK_F_DISCARD))
			return VIRTIO_BLK_S_UNSUPP;
		return do_ranges(blk, type);
	case VIRTIO_BLK_T_WRITE_ZEROES:
		if (!pvi_vp_has(&blk->v.vp, VIRTIO_BLK_F_WRITE_ZEROES))
			return VIRTIO_BLK_S_UNSUPP;
		return do_ranges(blk, type);
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

/* Used lengths count from the front: the status is in it only when all before it is. */
static int complete(struct blk *blk, uint8_t status, uint64_t written)
{
	struct pvi_vq *vq = &blk->v.vp.vq[0];
	uint64_t at = blk->chain.in_len - 1;
	int err, refused;

	/*
	 * The status must have arrived before the used entry says so: without it
	 * the driver would read an old one. Then the request stays unanswered.
	 */
	err = pvi_vq_copy_in(vq, &blk->chain, at, &status, 1);
	refused = dev_dma_finish(blk->v.dev);
	if (err || refused) {
		complain(blk, C_STATUS, "a request's status can't be written", err ? err : refused);
		return 0;
	}
	if (written == at)
		written++;
	err = pvi_vq_push(vq, blk->chain.head, (uint32_t)written);
	return err ? err : virtio_publish(&blk->v, 0);
}

int blk_request(struct blk *blk)
{
	struct pvi_vq *vq = &blk->v.vp.vq[0];
	uint8_t header[HEADER_SIZE], status;
	uint64_t written = 0;
	int r;

	r = pvi_vq_pop(vq, &blk->chain);
	if (r <= 0)
		return r;
	if (blk->chain.out_len < HEADER_SIZE || !blk->chain.in_len) {
		complain(blk, C_MALFORMED, "a request without header or status", -EINVAL);
		r = pvi_vq_push(vq, blk->chain.head, 0);
		if (!r)
			r = virtio_publish(&blk->v, 0);
		return r ? r : 1;
	}
	if (gather(blk, 0, header, sizeof(header)))
		status = VIRTIO_BLK_S_IOERR;
	else
		status = dispatch(blk, header, &written);
	r = complete(blk, status, written);
	return r ? r : 1;
}
