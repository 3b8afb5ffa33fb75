// SPDX-License-Identifier: BSD-2-Clause
/* The device that requests.c compares with: a GTree behind a mutex, our virtqueue code. */
#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <string.h>

#include "bench.h"
#include "core/range.h"
#include "core/virtqueue.h"
#include "core/wire.h"
#include "requests.h"

struct device {
	struct pvi_vq vq;
	struct pvi_vq_chain chain;
	uint8_t *ram;
	pthread_mutex_t lock;
	GTree *tree;
};

struct target {
	uint64_t gpa;
	uint32_t flags;
};

static gint compare(gconstpointer a, gconstpointer b, gpointer data)
{
	const struct pvi_range *x = a, *y = b;

	if (x->last < y->first)
		return -1;
	return y->last < x->first ? 1 : 0;
}

static int ram_read(void *ctx, uint64_t addr, void *buf, size_t len)
{
	struct device *d = ctx;

	if (addr >= REQUESTS_RAM || len > REQUESTS_RAM - addr)
		return -EFAULT;
	memcpy(buf, d->ram + addr, len);
	return 0;
}

static int ram_write(void *ctx, uint64_t addr, const void *buf, size_t len)
{
	struct device *d = ctx;

	if (addr >= REQUESTS_RAM || len > REQUESTS_RAM - addr)
		return -EFAULT;
	memcpy(d->ram + addr, buf, len);
	return 0;
}

static enum pvi_status map(struct device *d, const uint8_t *raw)
{
	const struct pvi_wire_map *m = (const void *)raw;
	struct pvi_range r = {pvi_get64(&m->virt_start), pvi_get64(&m->virt_end)};
	uint64_t gpa = pvi_get64(&m->phys_start);
	uint32_t flags = pvi_get32(&m->flags);
	struct pvi_range *key;
	struct target *value;

	if (flags & ~3u || !pvi_range_valid(r))
		return PVI_S_INVAL;
	if ((r.first | gpa | (r.last + 1)) & (PAGE - 1))
		return PVI_S_RANGE;
	if (pvi_get32(&m->domain) != 1)
		return PVI_S_NOENT;
	if (gpa >= REQUESTS_RAM || r.last - r.first >= REQUESTS_RAM - gpa)
		return PVI_S_FAULT;
	if (g_tree_lookup(d->tree, &r))
		return PVI_S_INVAL;
	key = g_new(struct pvi_range, 1);
	value = g_new(struct target, 1);
	*key = r;
	*value = (struct target){gpa, flags};
	g_tree_insert(d->tree, key, value);
	return PVI_S_OK;
}

static enum pvi_status unmap(struct device *d, const uint8_t *raw)
{
	const struct pvi_wire_unmap *u = (const void *)raw;
	struct pvi_range r = {pvi_get64(&u->virt_start), pvi_get64(&u->virt_end)};
	gpointer key, value;

	if (pvi_get32(&u->domain) != 1)
		return PVI_S_NOENT;
	if (!pvi_range_valid(r))
		return PVI_S_INVAL;
	while (g_tree_lookup_extended(d->tree, &r, &key, &value)) {
		if (!pvi_range_contains(r, *(struct pvi_range *)key))
			return PVI_S_RANGE;
		g_tree_remove(d->tree, key);
	}
	return PVI_S_OK;
}

static void handle(struct device *d)
{
	uint8_t raw[sizeof(struct pvi_wire_map)];
	struct pvi_wire_tail tail = {.status = PVI_S_INVAL};
	uint64_t len = d->chain.out_len < sizeof(raw) ? d->chain.out_len : sizeof(raw);

	CHECK(!pvi_vq_copy_out(&d->vq, &d->chain, 0, raw, len));
	pthread_mutex_lock(&d->lock);
	if (raw[0] == PVI_T_MAP && len == sizeof(struct pvi_wire_map))
		tail.status = (uint8_t)map(d, raw);
	else if (raw[0] == PVI_T_UNMAP && len == sizeof(struct pvi_wire_unmap))
		tail.status = (uint8_t)unmap(d, raw);
	pthread_mutex_unlock(&d->lock);
	CHECK(!pvi_vq_copy_in(&d->vq, &d->chain, 0, &tail, sizeof(tail)));
	CHECK(!pvi_vq_push(&d->vq, d->chain.head, sizeof(tail)));
}

void gtree_kick(void *self)
{
	struct device *d = self;
	bool notify;

	while (pvi_vq_pop(&d->vq, &d->chain) == 1)
		handle(d);
	CHECK(!pvi_vq_publish(&d->vq, &notify));
}

void *gtree_start(uint8_t *ram, uint64_t desc, uint64_t avail, uint64_t used, uint16_t size)
{
	const struct pvi_vq_config cfg = {
		.size = size, .desc = desc, .avail = avail, .used = used, .indirect = true};
	struct device *d = calloc(1, sizeof(*d));
	const struct pvi_vq_mem mem = {ram_read, ram_write, d};

	CHECK(d && !pthread_mutex_init(&d->lock, NULL) && !pvi_vq_init(&d->vq, &mem, &cfg));
	d->ram = ram;
	d->tree = g_tree_new_full(compare, NULL, g_free, g_free);
	return d;
}
