// SPDX-License-Identifier: BSD-2-Clause
#include "fake_driver.h"

/* Common configuration (VIRTIO 1.3, 4.1.4.3). */
enum {
	FEATURE_SELECT = 0x00,
	FEATURE = 0x04,
	DRIVER_SELECT = 0x08,
	DRIVER_FEATURE = 0x0c,
	CONFIG_VECTOR = 0x10,
	STATUS = 0x14,
	QUEUE_SELECT = 0x16,
	QUEUE_SIZE = 0x18,
	QUEUE_VECTOR = 0x1a,
	QUEUE_ENABLE = 0x1c,
	QUEUE_DESC = 0x20,
	QUEUE_DRIVER = 0x28,
	QUEUE_DEVICE = 0x30,
};

uint64_t drv_read(struct driver *d, uint64_t off, uint32_t len)
{
	uint8_t raw[8] = {0};

	pvi_viommu_bar_read(d->v, off, raw, len);
	return pvi_get64(raw);
}

void drv_write(struct driver *d, uint64_t off, uint64_t value, uint32_t len)
{
	uint8_t raw[8];

	pvi_put64(raw, value);
	pvi_viommu_bar_write(d->v, off, raw, len);
}

uint64_t drv_features(struct driver *d)
{
	uint64_t f;

	drv_write(d, FEATURE_SELECT, 0, 4);
	f = drv_read(d, FEATURE, 4);
	drv_write(d, FEATURE_SELECT, 1, 4);
	return f | drv_read(d, FEATURE, 4) << 32;
}

static void start_queue(struct driver *d, unsigned int i)
{
	struct drv_queue *q = &d->q[i];

	*q = (struct drv_queue){
		.desc = 0x1000 + 0x3000 * i,
		.avail = 0x2000 + 0x3000 * i,
		.used = 0x3000 + 0x3000 * i,
	};
	memset(host_at(d->h, q->desc), 0, 0x3000);
	drv_write(d, QUEUE_SELECT, i, 2);
	drv_write(d, QUEUE_SIZE, DRV_SIZE, 2);
	drv_write(d, QUEUE_VECTOR, 1 + i, 2);
	drv_write(d, QUEUE_DESC, q->desc, 8);
	drv_write(d, QUEUE_DRIVER, q->avail, 8);
	drv_write(d, QUEUE_DEVICE, q->used, 8);
	drv_write(d, QUEUE_ENABLE, 1, 2);
	assert_int_equal(drv_read(d, QUEUE_ENABLE, 2), 1);
}

bool drv_prepare(struct driver *d, uint64_t features)
{
	uint8_t status = PVI_VIRTIO_S_ACKNOWLEDGE | PVI_VIRTIO_S_DRIVER;

	drv_write(d, STATUS, 0, 1);
	drv_write(d, STATUS, status, 1);
	drv_write(d, DRIVER_SELECT, 0, 4);
	drv_write(d, DRIVER_FEATURE, (uint32_t)features, 4);
	drv_write(d, DRIVER_SELECT, 1, 4);
	drv_write(d, DRIVER_FEATURE, features >> 32, 4);
	status |= PVI_VIRTIO_S_FEATURES_OK;
	drv_write(d, STATUS, status, 1);
	if (!(drv_read(d, STATUS, 1) & PVI_VIRTIO_S_FEATURES_OK))
		return false;
	drv_write(d, CONFIG_VECTOR, 0, 2);
	for (unsigned int i = 0; i < PVI_NR_VQS; i++)
		start_queue(d, i);
	return true;
}

void drv_go(struct driver *d)
{
	drv_write(d, STATUS, drv_read(d, STATUS, 1) | PVI_VIRTIO_S_DRIVER_OK, 1);
}

bool drv_start(struct driver *d, uint64_t features)
{
	if (!drv_prepare(d, features))
		return false;
	drv_go(d);
	return true;
}

void drv_desc(struct driver *d, unsigned int q, uint16_t i, uint64_t addr, uint32_t len,
	      uint16_t flags, uint16_t next)
{
	uint8_t *p = host_at(d->h, d->q[q].desc + 16u * i);

	pvi_put64(p, addr);
	pvi_put32(p + 8, len);
	pvi_put16(p + 12, flags);
	pvi_put16(p + 14, next);
}

void drv_offer(struct driver *d, unsigned int q, uint16_t head)
{
	uint8_t *avail = host_at(d->h, d->q[q].avail);

	pvi_put16(avail + 4 + 2 * (d->q[q].next_avail % DRV_SIZE), head);
	pvi_put16(avail + 2, ++d->q[q].next_avail);
}

void drv_kick(struct driver *d, unsigned int q)
{
	drv_write(d, PVI_VP_NOTIFY + q * PVI_VP_NOTIFY_MULT, q, 2);
}

uint16_t drv_used_idx(struct driver *d, unsigned int q)
{
	return pvi_get16(host_at(d->h, d->q[q].used + 2));
}

bool drv_take(struct driver *d, unsigned int q, uint32_t *ret_head, uint32_t *ret_len)
{
	struct drv_queue *dq = &d->q[q];
	uint8_t *e = host_at(d->h, dq->used + 4 + 8 * (dq->next_used % DRV_SIZE));

	if (drv_used_idx(d, q) == dq->next_used)
		return false;
	dq->next_used++;
	*ret_head = pvi_get32(e);
	*ret_len = pvi_get32(e + 4);
	return true;
}

uint64_t drv_out(unsigned int i)
{
	return 0x10000 + 0x800 * i;
}

uint64_t drv_in(unsigned int i)
{
	return drv_out(i) + 0x400;
}

void drv_add(struct driver *d, unsigned int i, const void *out, uint32_t out_len, uint32_t in_len)
{
	assert_true(i < 128 && out_len <= 0x400 && in_len <= 0x400);
	memcpy(host_at(d->h, drv_out(i)), out, out_len);
	memset(host_at(d->h, drv_in(i)), 0xee, 0x400);
	drv_desc(d, PVI_VQ_REQUEST, (uint16_t)(2 * i), drv_out(i), out_len, in_len ? DRV_NEXT : 0,
		 (uint16_t)(2 * i + 1));
	drv_desc(d, PVI_VQ_REQUEST, (uint16_t)(2 * i + 1), drv_in(i), in_len, DRV_WRITE, 0);
	drv_offer(d, PVI_VQ_REQUEST, (uint16_t)(2 * i));
}

uint32_t drv_submit(struct driver *d, const void *out, uint32_t out_len, uint32_t in_len)
{
	uint32_t head, len = 0;

	drv_add(d, 0, out, out_len, in_len);
	drv_kick(d, PVI_VQ_REQUEST);
	assert_true(drv_take(d, PVI_VQ_REQUEST, &head, &len));
	assert_int_equal(head, 0);
	return len;
}

uint32_t drv_status(struct driver *d, const void *out, uint32_t out_len)
{
	const uint8_t *tail = host_at(d->h, drv_in(0));
	uint32_t used = drv_submit(d, out, out_len, sizeof(struct pvi_wire_tail));

	if (!used) {
		assert_int_equal(pvi_get32(tail), 0xeeeeeeee);
		return DRV_NOT_USED;
	}
	assert_int_equal(used, 4);
	assert_memory_equal(tail + 1, "\0\0\0", 3);
	return tail[0];
}

struct pvi_wire_attach drv_attach_req(uint32_t domain, uint32_t endpoint, uint32_t flags)
{
	struct pvi_wire_attach r = {.head.type = PVI_T_ATTACH};

	pvi_put32(&r.domain, domain);
	pvi_put32(&r.endpoint, endpoint);
	pvi_put32(&r.flags, flags);
	return r;
}

struct pvi_wire_detach drv_detach_req(uint32_t domain, uint32_t endpoint)
{
	struct pvi_wire_detach r = {.head.type = PVI_T_DETACH};

	pvi_put32(&r.domain, domain);
	pvi_put32(&r.endpoint, endpoint);
	return r;
}

struct pvi_wire_map drv_map_req(uint32_t domain, uint64_t first, uint64_t last, uint64_t phys,
				uint32_t flags)
{
	struct pvi_wire_map r = {.head.type = PVI_T_MAP};
	uint8_t *p = (uint8_t *)&r;

	pvi_put32(p + offsetof(struct pvi_wire_map, domain), domain);
	pvi_put64(p + offsetof(struct pvi_wire_map, virt_start), first);
	pvi_put64(p + offsetof(struct pvi_wire_map, virt_end), last);
	pvi_put64(p + offsetof(struct pvi_wire_map, phys_start), phys);
	pvi_put32(p + offsetof(struct pvi_wire_map, flags), flags);
	return r;
}

struct pvi_wire_unmap drv_unmap_req(uint32_t domain, uint64_t first, uint64_t last)
{
	struct pvi_wire_unmap r = {.head.type = PVI_T_UNMAP};
	uint8_t *p = (uint8_t *)&r;

	pvi_put32(p + offsetof(struct pvi_wire_unmap, domain), domain);
	pvi_put64(p + offsetof(struct pvi_wire_unmap, virt_start), first);
	pvi_put64(p + offsetof(struct pvi_wire_unmap, virt_end), last);
	return r;
}

uint32_t drv_attach(struct driver *d, uint32_t domain, uint32_t endpoint, uint32_t flags)
{
	struct pvi_wire_attach r = drv_attach_req(domain, endpoint, flags);

	return drv_status(d, &r, sizeof(r));
}

uint32_t drv_detach(struct driver *d, uint32_t domain, uint32_t endpoint)
{
	struct pvi_wire_detach r = drv_detach_req(domain, endpoint);

	return drv_status(d, &r, sizeof(r));
}

uint32_t drv_map(struct driver *d, uint32_t domain, uint64_t first, uint64_t last, uint64_t phys,
		 uint32_t flags)
{
	struct pvi_wire_map r = drv_map_req(domain, first, last, phys, flags);

	return drv_status(d, &r, sizeof(r));
}

uint32_t drv_unmap(struct driver *d, uint32_t domain, uint64_t first, uint64_t last)
{
	struct pvi_wire_unmap r = drv_unmap_req(domain, first, last);

	return drv_status(d, &r, sizeof(r));
}

uint64_t drv_event(unsigned int i)
{
	return 0x7000 + 0x100 * i;
}

void drv_give_event(struct driver *d, unsigned int i, uint32_t len)
{
	assert_true(i < 64);
	memset(host_at(d->h, drv_event(i)), 0xee, 0x100);
	drv_desc(d, PVI_VQ_EVENT, (uint16_t)i, drv_event(i), len, DRV_WRITE, 0);
	drv_offer(d, PVI_VQ_EVENT, (uint16_t)i);
}
