// SPDX-License-Identifier: BSD-2-Clause
/*
 * DMA by message. Several are under way at once; the client answers them in the
 * order sent. No deadlock on full socket buffers: a message that carries data is
 * sent only when no reply that carries data is awaited, so that at most one
 * side has much to say.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/range.h"
#include "devices/runtime/internal.h"
#include "devices/runtime/log.h"

static void die(struct dev *dev, int err, const char *why)
{
	if (dev->dead)
		return;
	dev->dead = err;
	if (why)
		log_line("the VMM's message is refused: %s", why);
}

static struct dma_slot *slot_of(struct dev *dev, uint16_t id)
{
	for (unsigned int i = 0; i < DMA_SLOTS; i++) {
		if (dev->slot[i].busy && dev->slot[i].id == id)
			return &dev->slot[i];
	}
	return NULL;
}

static void slot_done(struct dev *dev, struct dma_slot *slot, int err)
{
	slot->busy = false;
	dev->slots_busy--;
	if (slot->buf)
		dev->reads_busy--;
	if (err && !dev->dma_err)
		dev->dma_err = err;
}

static int refusal(const struct vfu_header *hdr)
{
	return hdr->error && hdr->error < 4096 ? -(int)hdr->error : -EIO;
}

/* Reads the rest of a reply, data straight into its buffer. */
static void take_reply(struct dev *dev, const struct vfu_header *hdr)
{
	uint32_t size = hdr->size - (uint32_t)sizeof(*hdr), data;
	struct dma_slot *slot = slot_of(dev, hdr->id);
	struct vfu_dma dma;

	if (!slot || hdr->command != (slot->buf ? VFU_DMA_READ : VFU_DMA_WRITE)) {
		die(dev, -EPROTO, "a reply to nothing");
		return;
	}
	if (hdr->flags & VFU_F_ERROR) {
		uint8_t skip[sizeof(dma)];

		if (size > sizeof(skip) || msg_recv_bytes(dev->sock, skip, size)) {
			die(dev, -EPROTO, "an error reply of a wrong size");
			return;
		}
		slot_done(dev, slot, refusal(hdr));
		return;
	}
	data = slot->buf ? slot->len : 0;
	/* Some clients answer a write with a bare header. */
	if (!slot->buf && !size) {
		slot_done(dev, slot, 0);
		return;
	}
	if (size != sizeof(dma) + data || msg_recv_bytes(dev->sock, &dma, sizeof(dma))) {
		die(dev, -EPROTO, "a DMA reply of a wrong size");
		return;
	}
	if (dma.address != slot->iova || dma.count != slot->len) {
		die(dev, -EPROTO, "a DMA reply to another request");
		return;
	}
	if (data && msg_recv_bytes(dev->sock, slot->buf, data)) {
		die(dev, -EPROTO, "a DMA reply cut short");
		return;
	}
	slot_done(dev, slot, 0);
}

static void defer(struct dev *dev, const struct msg *msg)
{
	struct deferred *d;

	if (dev->nr_deferred == MAX_DEFERRED) {
		die(dev, -EPROTO, "too many requests at once");
		return;
	}
	/* The body's tail is left out: messages are short. */
	d = malloc(offsetof(struct deferred, msg.body) + msg->len);
	if (!d) {
		die(dev, -ENOMEM, "no memory to keep it");
		return;
	}
	d->next = NULL;
	memcpy(&d->msg, msg, offsetof(struct msg, body) + msg->len);
	*dev->deferred_tail = d;
	dev->deferred_tail = &d->next;
	dev->nr_deferred++;
	if (msg->hdr.command == VFU_DEVICE_RESET)
		dev->reset_waiting = true;
}

void dma_wait_one(struct dev *dev)
{
	struct msg msg;
	int r;

	r = msg_recv_header(dev->sock, &msg);
	if (r <= 0) {
		die(dev, r ? r : -ENOTCONN, r == -EPROTO ? "a bad header" : NULL);
		return;
	}
	if ((msg.hdr.flags & VFU_F_TYPE_MASK) == VFU_F_REPLY) {
		msg_close_fds(&msg);
		take_reply(dev, &msg.hdr);
		return;
	}
	r = msg_recv_body(dev->sock, &msg);
	if (r) {
		die(dev, r, "too long, or cut short");
		return;
	}
	defer(dev, &msg);
	if (dev->dead)
		msg_close_fds(&msg);
}

static struct dma_slot *free_slot(struct dev *dev)
{
	while (dev->slots_busy == DMA_SLOTS && !dev->dead)
		dma_wait_one(dev);
	for (unsigned int i = 0; i < DMA_SLOTS; i++) {
		if (!dev->slot[i].busy)
			return &dev->slot[i];
	}
	return NULL;
}

int dma_start_one(struct dev *dev, uint64_t iova, void *in, const void *out, uint32_t len)
{
	struct vfu_dma dma = {.address = iova, .count = len};
	struct vfu_header hdr = {.command = in ? VFU_DMA_READ : VFU_DMA_WRITE};
	struct iovec iov[2] = {{&dma, sizeof(dma)}, {(void *)(uintptr_t)out, len}};
	struct dma_slot *slot;
	int err;

	while (out && dev->reads_busy && !dev->dead)
		dma_wait_one(dev);
	slot = free_slot(dev);
	if (dev->dead)
		return -ENOTCONN;
	if (dev->reset_waiting)
		return -ECANCELED;
	do {
		hdr.id = dev->next_id++;
	} while (slot_of(dev, hdr.id));
	*slot = (struct dma_slot){.buf = in, .iova = iova, .len = len, .id = hdr.id, .busy = true};
	dev->slots_busy++;
	if (in)
		dev->reads_busy++;
	err = msg_send(dev->sock, &hdr, iov, in ? 1 : 2, NULL, 0);
	if (err) {
		die(dev, err, NULL);
		return -ENOTCONN;
	}
	return 0;
}

static int start(struct dev *dev, uint64_t iova, void *in, const void *out, size_t len)
{
	struct pvi_range r;

	if (!len)
		return 0;
	if (pvi_range_from_len(iova, len, &r))
		return -EFAULT;
	for (size_t done = 0; done < len;) {
		uint32_t n = len - done < dev->max_xfer ? (uint32_t)(len - done) : dev->max_xfer;
		int err = dma_start_one(dev, iova + done, in ? (uint8_t *)in + done : NULL,
					out ? (const uint8_t *)out + done : NULL, n);

		if (err)
			return err;
		done += n;
	}
	return 0;
}

int dev_dma_start_read(struct dev *dev, uint64_t iova, void *buf, size_t len)
{
	return start(dev, iova, buf, NULL, len);
}

int dev_dma_start_write(struct dev *dev, uint64_t iova, const void *buf, size_t len)
{
	return start(dev, iova, NULL, buf, len);
}

int dev_dma_finish(struct dev *dev)
{
	int err;

	while (dev->slots_busy && !dev->dead)
		dma_wait_one(dev);
	err = dev->dead ? -ENOTCONN : dev->dma_err;
	dev->dma_err = 0;
	return err;
}

/* Waits even when it could not start: buffers of earlier transfers are the caller's. */
static int finish(struct dev *dev, int started)
{
	int err = dev_dma_finish(dev);

	return started ? started : err;
}

int dev_dma_read(struct dev *dev, uint64_t iova, void *buf, size_t len)
{
	return finish(dev, dev_dma_start_read(dev, iova, buf, len));
}

int dev_dma_write(struct dev *dev, uint64_t iova, const void *buf, size_t len)
{
	return finish(dev, dev_dma_start_write(dev, iova, buf, len));
}
