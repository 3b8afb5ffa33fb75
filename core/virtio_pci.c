// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/virtio_pci.h"

#include "core/wire.h"

/* Common configuration (VIRTIO 1.3, 4.1.4.3). */
#define REG_DEVICE_FEATURE_SELECT 0x00
#define REG_DEVICE_FEATURE	  0x04
#define REG_DRIVER_FEATURE_SELECT 0x08
#define REG_DRIVER_FEATURE	  0x0c
#define REG_CONFIG_VECTOR	  0x10
#define REG_NUM_QUEUES		  0x12
#define REG_STATUS		  0x14
#define REG_GENERATION		  0x15
#define REG_QUEUE_SELECT	  0x16
#define REG_QUEUE_SIZE		  0x18
#define REG_QUEUE_VECTOR	  0x1a
#define REG_QUEUE_ENABLE	  0x1c
#define REG_QUEUE_NOTIFY_OFF	  0x1e
#define REG_QUEUE_DESC		  0x20
#define REG_QUEUE_DRIVER	  0x28
#define REG_QUEUE_DEVICE	  0x30
#define COMMON_SIZE		  0x38

#define ISR_QUEUE		  1u
#define ISR_CONFIG		  2u

#define CAP_VENDOR		  0x09
enum { CAP_COMMON = 1, CAP_NOTIFY, CAP_ISR, CAP_DEVICE, CAP_ACCESS };

#define BIT64(n) ((uint64_t)1 << (n))

void pvi_vp_init(struct pvi_vp *vp, const struct pvi_vp_config *cfg)
{
	memset(vp, 0, sizeof(*vp));
	vp->cfg = *cfg;
	vp->cfg.features |= BIT64(PVI_VIRTIO_F_VERSION_1);
	if (vp->cfg.nr_queues > PVI_VP_MAX_QUEUES)
		vp->cfg.nr_queues = PVI_VP_MAX_QUEUES;
	pvi_vp_reset(vp);
}

void pvi_vp_reset(struct pvi_vp *vp)
{
	vp->driver_features = 0;
	vp->feature_select = vp->driver_feature_select = 0;
	vp->config_vector = PVI_VP_NO_VECTOR;
	vp->queue_select = 0;
	vp->status = 0;
	vp->isr = 0;
	memset(vp->vq, 0, sizeof(vp->vq));
	memset(vp->queue, 0, sizeof(vp->queue));
	for (unsigned int q = 0; q < vp->cfg.nr_queues; q++) {
		vp->queue[q].size = vp->cfg.queue_size;
		vp->queue[q].vector = PVI_VP_NO_VECTOR;
	}
	if (vp->cfg.ops->reset)
		vp->cfg.ops->reset(vp->cfg.ctx);
}

bool pvi_vp_has(const struct pvi_vp *vp, unsigned int bit)
{
	return (vp->status & PVI_VIRTIO_S_FEATURES_OK) && (vp->driver_features & BIT64(bit));
}

bool pvi_vp_running(const struct pvi_vp *vp, unsigned int q)
{
	return (vp->status & PVI_VIRTIO_S_DRIVER_OK) && !(vp->status & PVI_VIRTIO_S_NEEDS_RESET) &&
	       q < vp->cfg.nr_queues && vp->queue[q].enabled && !vp->vq[q].broken;
}

static void interrupt(struct pvi_vp *vp, uint16_t vector, uint8_t cause)
{
	vp->isr |= cause;
	if (vector != PVI_VP_NO_VECTOR)
		vp->cfg.ops->interrupt(vp->cfg.ctx, vector);
}

void pvi_vp_queue_interrupt(struct pvi_vp *vp, unsigned int q)
{
	interrupt(vp, vp->queue[q].vector, ISR_QUEUE);
}

void pvi_vp_config_interrupt(struct pvi_vp *vp)
{
	vp->generation++;
	interrupt(vp, vp->config_vector, ISR_CONFIG);
}

void pvi_vp_needs_reset(struct pvi_vp *vp)
{
	if (vp->status & PVI_VIRTIO_S_NEEDS_RESET)
		return;
	vp->status |= PVI_VIRTIO_S_NEEDS_RESET;
	if (vp->status & PVI_VIRTIO_S_DRIVER_OK)
		pvi_vp_config_interrupt(vp);
}

static struct pvi_vp_queue *selected(struct pvi_vp *vp)
{
	return vp->queue_select < vp->cfg.nr_queues ? &vp->queue[vp->queue_select] : NULL;
}

static uint32_t half(uint64_t value, uint32_t select)
{
	return select > 1 ? 0 : (uint32_t)(value >> (32 * select));
}

/* The width of the register that starts at @off, 0: none does. */
static uint32_t common_width(uint64_t off)
{
	switch (off) {
	case REG_DEVICE_FEATURE_SELECT:
	case REG_DEVICE_FEATURE:
	case REG_DRIVER_FEATURE_SELECT:
	case REG_DRIVER_FEATURE:
	case REG_QUEUE_DESC + 4:
	case REG_QUEUE_DRIVER + 4:
	case REG_QUEUE_DEVICE + 4:
		return 4;
	case REG_CONFIG_VECTOR:
	case REG_NUM_QUEUES:
	case REG_QUEUE_SELECT:
	case REG_QUEUE_SIZE:
	case REG_QUEUE_VECTOR:
	case REG_QUEUE_ENABLE:
	case REG_QUEUE_NOTIFY_OFF:
		return 2;
	case REG_STATUS:
	case REG_GENERATION:
		return 1;
	case REG_QUEUE_DESC:
	case REG_QUEUE_DRIVER:
	case REG_QUEUE_DEVICE:
		return 8;
	default:
		return 0;
	}
}

static bool common_access_ok(uint64_t off, uint32_t len)
{
	uint32_t width = common_width(off);

	return width && (len == width || (width == 8 && len == 4));
}

static uint64_t queue_get(const struct pvi_vp_queue *q, uint16_t index, uint64_t off)
{
	switch (off) {
	case REG_QUEUE_SIZE:
		return q->size;
	case REG_QUEUE_VECTOR:
		return q->vector;
	case REG_QUEUE_ENABLE:
		return q->enabled;
	case REG_QUEUE_NOTIFY_OFF:
		return index;
	case REG_QUEUE_DESC:
		return q->desc;
	case REG_QUEUE_DESC + 4:
		return q->desc >> 32;
	case REG_QUEUE_DRIVER:
		return q->avail;
	case REG_QUEUE_DRIVER + 4:
		return q->avail >> 32;
	case REG_QUEUE_DEVICE:
		return q->used;
	default: /* REG_QUEUE_DEVICE + 4 */
		return q->used >> 32;
	}
}

static uint64_t common_get(struct pvi_vp *vp, uint64_t off)
{
	struct pvi_vp_queue *q;

	switch (off) {
	case REG_DEVICE_FEATURE_SELECT:
		return vp->feature_select;
	case REG_DEVICE_FEATURE:
		return half(vp->cfg.features, vp->feature_select);
	case REG_DRIVER_FEATURE_SELECT:
		return vp->driver_feature_select;
	case REG_DRIVER_FEATURE:
		return half(vp->driver_features, vp->driver_feature_select);
	case REG_CONFIG_VECTOR:
		return vp->config_vector;
	case REG_NUM_QUEUES:
		return vp->cfg.nr_queues;
	case REG_STATUS:
		return vp->status;
	case REG_GENERATION:
		return vp->generation;
	case REG_QUEUE_SELECT:
		return vp->queue_select;
	}
	q = selected(vp);
	return q ? queue_get(q, vp->queue_select, off) : 0;
}

static void common_read(struct pvi_vp *vp, uint64_t off, void *buf, uint32_t len)
{
	uint8_t raw[8];

	if (!common_access_ok(off, len)) {
		vp->bad_accesses++;
		return;
	}
	pvi_put64(raw, common_get(vp, off));
	memcpy(buf, raw, len);
}

/* A driver that accepts what was not offered, or not what is required, fails here. */
static bool features_acceptable(const struct pvi_vp *vp)
{
	uint64_t required = vp->cfg.features &
			    (BIT64(PVI_VIRTIO_F_VERSION_1) | BIT64(PVI_VIRTIO_F_ACCESS_PLATFORM));

	return !(vp->driver_features & ~vp->cfg.features) &&
	       (vp->driver_features & required) == required;
}

static bool write_status(struct pvi_vp *vp, uint8_t value)
{
	uint8_t added;

	if (!value) {
		pvi_vp_reset(vp);
		return true;
	}
	added = value & (uint8_t) ~(vp->status | PVI_VIRTIO_S_NEEDS_RESET);
	if ((added & PVI_VIRTIO_S_FEATURES_OK) && !features_acceptable(vp))
		added &= (uint8_t)~PVI_VIRTIO_S_FEATURES_OK;
	if ((added & PVI_VIRTIO_S_DRIVER_OK) && !((vp->status | added) & PVI_VIRTIO_S_FEATURES_OK))
		return false;
	vp->status |= added;
	if ((added & PVI_VIRTIO_S_DRIVER_OK) && vp->cfg.ops->start &&
	    vp->cfg.ops->start(vp->cfg.ctx))
		pvi_vp_needs_reset(vp);
	return true;
}

static bool write_driver_features(struct pvi_vp *vp, uint32_t value)
{
	uint32_t shift = 32 * vp->driver_feature_select;

	if (vp->status & PVI_VIRTIO_S_FEATURES_OK)
		return false;
	/* Banks past the second have nothing to accept; drivers may write 0 there. */
	if (vp->driver_feature_select > 1)
		return !value;
	vp->driver_features &= ~((uint64_t)UINT32_MAX << shift);
	vp->driver_features |= (uint64_t)value << shift;
	return true;
}

/* Refused vectors read back as none (4.1.5.1.2). */
static bool write_vector(struct pvi_vp *vp, uint16_t *vector, uint16_t value)
{
	bool ok = value < vp->cfg.nr_vectors || value == PVI_VP_NO_VECTOR;

	*vector = ok ? value : PVI_VP_NO_VECTOR;
	return ok;
}

static bool enable_queue(struct pvi_vp *vp, unsigned int index, uint64_t value)
{
	struct pvi_vp_queue *q = &vp->queue[index];
	struct pvi_vq_config cfg = {
		.size = q->size,
		.desc = q->desc,
		.avail = q->avail,
		.used = q->used,
		.event_idx = pvi_vp_has(vp, PVI_VIRTIO_F_EVENT_IDX),
		.indirect = pvi_vp_has(vp, PVI_VIRTIO_F_INDIRECT_DESC),
	};

	if (value != 1 || !(vp->status & PVI_VIRTIO_S_FEATURES_OK))
		return false;
	if (pvi_vq_init(&vp->vq[index], vp->cfg.mem, &cfg))
		return false;
	q->enabled = true;
	return true;
}

static void set_half(uint64_t *reg, bool high, uint64_t value, uint32_t len)
{
	if (len == 8)
		*reg = value;
	else if (high)
		*reg = (*reg & UINT32_MAX) | value << 32;
	else
		*reg = (*reg & ~(uint64_t)UINT32_MAX) | value;
}

static bool write_queue(struct pvi_vp *vp, uint64_t off, uint64_t value, uint32_t len)
{
	struct pvi_vp_queue *q = selected(vp);

	if (!q)
		return false;
	if (off == REG_QUEUE_VECTOR)
		return write_vector(vp, &q->vector, (uint16_t)value);
	/* A live queue's shape is fixed, and queues start before the device does. */
	if (q->enabled || (vp->status & PVI_VIRTIO_S_DRIVER_OK))
		return false;
	switch (off) {
	case REG_QUEUE_SIZE:
		if (!value || value > vp->cfg.queue_size || (value & (value - 1)))
			return false;
		q->size = (uint16_t)value;
		return true;
	case REG_QUEUE_ENABLE:
		return enable_queue(vp, vp->queue_select, value);
	case REG_QUEUE_DESC:
	case REG_QUEUE_DESC + 4:
		set_half(&q->desc, off & 4, value, len);
		return true;
	case REG_QUEUE_DRIVER:
	case REG_QUEUE_DRIVER + 4:
		set_half(&q->avail, off & 4, value, len);
		return true;
	case REG_QUEUE_DEVICE:
	case REG_QUEUE_DEVICE + 4:
		set_half(&q->used, off & 4, value, len);
		return true;
	default:
		return false; /* read-only */
	}
}

static bool common_write(struct pvi_vp *vp, uint64_t off, const void *buf, uint32_t len)
{
	uint8_t raw[8] = {0};
	uint64_t value;

	if (!common_access_ok(off, len))
		return false;
	memcpy(raw, buf, len);
	value = pvi_get64(raw);
	switch (off) {
	case REG_DEVICE_FEATURE_SELECT:
		vp->feature_select = (uint32_t)value;
		return true;
	case REG_DRIVER_FEATURE_SELECT:
		vp->driver_feature_select = (uint32_t)value;
		return true;
	case REG_DRIVER_FEATURE:
		return write_driver_features(vp, (uint32_t)value);
	case REG_CONFIG_VECTOR:
		return write_vector(vp, &vp->config_vector, (uint16_t)value);
	case REG_STATUS:
		return write_status(vp, (uint8_t)value);
	case REG_QUEUE_SELECT:
		vp->queue_select = (uint16_t)value;
		return true;
	case REG_DEVICE_FEATURE:
	case REG_NUM_QUEUES:
	case REG_GENERATION:
		return false; /* read-only */
	default:
		return write_queue(vp, off, value, len);
	}
}

static bool notify_write(struct pvi_vp *vp, uint64_t off, uint32_t len)
{
	uint64_t q = off / PVI_VP_NOTIFY_MULT;

	if (off % PVI_VP_NOTIFY_MULT || (len != 2 && len != 4) || q >= vp->cfg.nr_queues ||
	    !pvi_vp_running(vp, (unsigned int)q))
		return false;
	vp->cfg.ops->notify(vp->cfg.ctx, (unsigned int)q);
	return true;
}

static bool width_ok(uint32_t len)
{
	return len == 1 || len == 2 || len == 4 || len == 8;
}

static bool in_device_config(const struct pvi_vp *vp, uint64_t off, uint32_t len)
{
	return off >= PVI_VP_DEVICE && off < PVI_VP_NOTIFY &&
	       off - PVI_VP_DEVICE + len <= vp->cfg.config_size;
}

void pvi_vp_read(struct pvi_vp *vp, uint64_t off, void *buf, uint32_t len)
{
	memset(buf, 0, len);
	if (!width_ok(len)) {
		vp->bad_accesses++;
	} else if (off < COMMON_SIZE) {
		common_read(vp, off, buf, len);
	} else if (off == PVI_VP_ISR && len == 1) {
		memcpy(buf, &vp->isr, 1);
		vp->isr = 0;
	} else if (in_device_config(vp, off, len) && vp->cfg.ops->config_read) {
		vp->cfg.ops->config_read(vp->cfg.ctx, (uint32_t)(off - PVI_VP_DEVICE), buf, len);
	} else {
		vp->bad_accesses++;
	}
}

void pvi_vp_write(struct pvi_vp *vp, uint64_t off, const void *buf, uint32_t len)
{
	bool ok = false;

	if (!width_ok(len)) {
		ok = false;
	} else if (off < COMMON_SIZE) {
		ok = common_write(vp, off, buf, len);
	} else if (in_device_config(vp, off, len) && vp->cfg.ops->config_write) {
		vp->cfg.ops->config_write(vp->cfg.ctx, (uint32_t)(off - PVI_VP_DEVICE), buf, len);
		ok = true;
	} else if (off >= PVI_VP_NOTIFY && off < PVI_VP_BAR_SIZE) {
		ok = notify_write(vp, off - PVI_VP_NOTIFY, len);
	}
	if (!ok)
		vp->bad_accesses++;
}

static uint8_t *put_cap(uint8_t *p, uint8_t next, uint8_t len, uint8_t type, uint8_t bar,
			uint32_t off, uint32_t size)
{
	memset(p, 0, len);
	p[0] = CAP_VENDOR;
	p[1] = next;
	p[2] = len;
	p[3] = type;
	p[4] = bar;
	pvi_put32(p + 8, off);
	pvi_put32(p + 12, size);
	return p + len;
}

void pvi_vp_caps(const struct pvi_vp_config *cfg, uint8_t bar, uint8_t at, uint8_t next,
		 uint8_t *buf)
{
	uint8_t *p = buf;

	p = put_cap(p, at + 16, 16, CAP_COMMON, bar, PVI_VP_COMMON, COMMON_SIZE);
	p = put_cap(p, at + 36, 20, CAP_NOTIFY, bar, PVI_VP_NOTIFY,
		    cfg->nr_queues * PVI_VP_NOTIFY_MULT);
	pvi_put32(p - 4, PVI_VP_NOTIFY_MULT);
	p = put_cap(p, at + 52, 16, CAP_ISR, bar, PVI_VP_ISR, 1);
	p = put_cap(p, at + PVI_VP_ACCESS_CAP, 16, CAP_DEVICE, bar, PVI_VP_DEVICE,
		    cfg->config_size);
	put_cap(p, next, 20, CAP_ACCESS, 0, 0, 0);
}

void pvi_vp_window(struct pvi_vp *vp, uint8_t bar, uint8_t *cap, bool write)
{
	uint32_t off = pvi_get32(cap + 8), len = pvi_get32(cap + 12);
	uint8_t *data = cap + 16;

	if (cap[4] != bar || (len != 1 && len != 2 && len != 4) || off % len) {
		vp->bad_accesses++;
		if (!write)
			memset(data, 0, 4);
	} else if (write) {
		pvi_vp_write(vp, off, data, len);
	} else {
		pvi_vp_read(vp, off, data, len);
	}
}
