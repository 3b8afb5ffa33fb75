// SPDX-License-Identifier: BSD-2-Clause
#include "devices/runtime/virtio.h"

#include <errno.h>

/*
 * Writes only start: their order is kept, and a ring's writes are always
 * followed by a read, whose finish tells what became of them.
 */
static int mem_write(void *ctx, uint64_t addr, const void *buf, size_t len)
{
	struct virtio *v = ctx;

	return dev_dma_start_write(v->dev, addr, buf, len);
}

static int mem_read(void *ctx, uint64_t addr, void *buf, size_t len)
{
	struct virtio *v = ctx;

	return v->gather ? dev_dma_start_read(v->dev, addr, buf, len)
			 : dev_dma_read(v->dev, addr, buf, len);
}

void virtio_type(struct dev_type *type, uint16_t virtio_id, uint32_t class_rev,
		 const struct pvi_vp_config *cfg)
{
	type->vendor = type->sub_vendor = VIRTIO_VENDOR;
	type->device = 0x1040 + virtio_id;
	type->sub_device = virtio_id;
	type->class_rev = class_rev;
	type->bar[VIRTIO_BAR] = (struct dev_bar){.size = PVI_VP_BAR_SIZE};
	type->bar[VIRTIO_MSIX_BAR] = (struct dev_bar){.size = VIRTIO_MSIX_SIZE};
	type->nr_vectors = cfg->nr_vectors;
	type->msix_bar = VIRTIO_MSIX_BAR;
	type->nr_doorbells = cfg->nr_queues;
	for (unsigned int q = 0; q < cfg->nr_queues; q++)
		type->doorbell[q] =
			(struct dev_doorbell){.bar = VIRTIO_BAR,
					      .off = PVI_VP_NOTIFY + q * PVI_VP_NOTIFY_MULT,
					      .size = 2};
}

void virtio_init(struct virtio *v, const struct pvi_vp_config *cfg)
{
	struct pvi_vp_config own = *cfg;

	v->mem = (struct pvi_vq_mem){.read = mem_read, .write = mem_write, .ctx = v};
	own.mem = &v->mem;
	pvi_vp_init(&v->vp, &own);
}

int virtio_read(struct virtio *v, unsigned int bar, uint64_t off, void *buf, uint32_t len)
{
	if (bar != VIRTIO_BAR)
		return -EINVAL;
	pvi_vp_read(&v->vp, off, buf, len);
	return 0;
}

int virtio_write(struct virtio *v, unsigned int bar, uint64_t off, const void *buf, uint32_t len)
{
	if (bar != VIRTIO_BAR)
		return -EINVAL;
	pvi_vp_write(&v->vp, off, buf, len);
	return 0;
}

void virtio_caps(struct virtio *v, uint8_t *config, uint8_t *writable)
{
	uint32_t access = DEV_OWN_CAPS + PVI_VP_ACCESS_CAP;

	pvi_vp_caps(&v->vp.cfg, VIRTIO_BAR, DEV_OWN_CAPS, 0, config + DEV_OWN_CAPS);
	writable[access + 4] = 0xff; /* bar; then offset, length, data */
	for (uint32_t i = 8; i < 20; i++)
		writable[access + i] = 0xff;
}

void virtio_config(struct virtio *v, uint8_t *config, uint32_t off, uint32_t len, bool write)
{
	uint32_t data = DEV_OWN_CAPS + PVI_VP_ACCESS_DATA;

	/* Only an access to the data window itself has an effect. */
	if (off < data + 4 && off + len > data && len <= 4)
		pvi_vp_window(&v->vp, VIRTIO_BAR, config + DEV_OWN_CAPS + PVI_VP_ACCESS_CAP, write);
}

int virtio_publish(struct virtio *v, unsigned int q)
{
	bool notify;
	int err = pvi_vq_publish(&v->vp.vq[q], &notify);

	if (err)
		return err;
	if (notify)
		pvi_vp_queue_interrupt(&v->vp, q);
	return 0;
}
