// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/virtqueue.h"

#include "core/range.h"
#include "core/wire.h"

#define DESC_SIZE	     16u
#define DESC_F_NEXT	     1u
#define DESC_F_WRITE	     2u
#define DESC_F_INDIRECT	     4u

#define AVAIL_F_NO_INTERRUPT 1u
#define USED_F_NO_NOTIFY     1u

#define MAX_CHAIN_BYTES	     ((uint64_t)1 << 32)

/* Descriptors fetched in one read from the queue's own table. */
#define WINDOW 8u

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

/* A descriptor table, read through a window of it. */
struct table {
	uint64_t base;
	uint32_t nr;
	uint32_t first, valid; /* what @raw holds */
	uint32_t window;
	uint8_t *raw;
};

/* Orders our accesses to shared memory for accessors that reach it directly. */
static void barrier_full(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static int vq_break(struct pvi_vq *vq)
{
	vq->broken = true;
	return -EIO;
}

static int vq_read(struct pvi_vq *vq, uint64_t addr, void *buf, size_t len)
{
	return vq->mem.read(vq->mem.ctx, addr, buf, len) ? vq_break(vq) : 0;
}

static int vq_write(struct pvi_vq *vq, uint64_t addr, const void *buf, size_t len)
{
	return vq->mem.write(vq->mem.ctx, addr, buf, len) ? vq_break(vq) : 0;
}

static int vq_read16(struct pvi_vq *vq, uint64_t addr, uint16_t *ret)
{
	uint8_t raw[2];

	if (vq_read(vq, addr, raw, sizeof(raw)))
		return -EIO;
	*ret = pvi_get16(raw);
	return 0;
}

static int vq_write16(struct pvi_vq *vq, uint64_t addr, uint16_t value)
{
	uint8_t raw[2];

	pvi_put16(raw, value);
	return vq_write(vq, addr, raw, sizeof(raw));
}

static bool area_ok(uint64_t addr, uint64_t len, uint64_t align)
{
	struct pvi_range r;

	return !(addr & (align - 1)) && !pvi_range_from_len(addr, len, &r);
}

int pvi_vq_init(struct pvi_vq *vq, const struct pvi_vq_mem *mem, const struct pvi_vq_config *cfg)
{
	uint64_t size = cfg->size;

	if (!size || size > PVI_VQ_MAX_SIZE || (size & (size - 1)))
		return -EINVAL;
	if (!area_ok(cfg->desc, DESC_SIZE * size, 16) || !area_ok(cfg->avail, 6 + 2 * size, 2) ||
	    !area_ok(cfg->used, 6 + 8 * size, 4))
		return -EINVAL;

	memset(vq, 0, sizeof(*vq));
	vq->cfg = *cfg;
	vq->mem = *mem;
	return 0;
}

static uint16_t slot(const struct pvi_vq *vq, uint16_t index)
{
	return index & (uint16_t)(vq->cfg.size - 1);
}

static uint64_t avail_entry(const struct pvi_vq *vq, uint16_t index)
{
	return vq->cfg.avail + 4 + 2 * (uint64_t)slot(vq, index);
}

static uint64_t used_entry(const struct pvi_vq *vq, uint16_t index)
{
	return vq->cfg.used + 4 + 8 * (uint64_t)slot(vq, index);
}

static int fetch_avail(struct pvi_vq *vq)
{
	uint16_t index;

	if (vq_read16(vq, vq->cfg.avail + 2, &index))
		return -EIO;
	if ((uint16_t)(index - vq->next_avail) > vq->cfg.size)
		return vq_break(vq);
	vq->seen_avail = index;
	barrier_full(); /* the index before the entries that it covers */
	return 0;
}

static int fetch_head(struct pvi_vq *vq, uint16_t *ret_head)
{
	uint16_t pos = (uint16_t)(vq->next_avail - vq->batch_first);

	if (pos >= vq->batch_nr) {
		uint16_t nr = (uint16_t)(vq->seen_avail - vq->next_avail);
		uint16_t to_end = (uint16_t)(vq->cfg.size - slot(vq, vq->next_avail));
		uint8_t raw[2 * PVI_VQ_BATCH];

		if (nr > to_end)
			nr = to_end;
		if (nr > PVI_VQ_BATCH)
			nr = PVI_VQ_BATCH;
		if (vq_read(vq, avail_entry(vq, vq->next_avail), raw, 2u * nr))
			return -EIO;
		for (uint16_t i = 0; i < nr; i++)
			vq->batch[i] = pvi_get16(raw + 2 * i);
		vq->batch_first = vq->next_avail;
		vq->batch_nr = nr;
		pos = 0;
	}
	if (vq->batch[pos] >= vq->cfg.size)
		return vq_break(vq);
	*ret_head = vq->batch[pos];
	return 0;
}

static int fetch_desc(struct pvi_vq *vq, struct table *t, uint32_t index, struct desc *ret)
{
	const uint8_t *p;

	if (index >= t->nr)
		return vq_break(vq);
	if (index - t->first >= t->valid) {
		uint32_t nr = t->nr - index < t->window ? t->nr - index : t->window;

		if (vq_read(vq, t->base + (uint64_t)index * DESC_SIZE, t->raw, nr * DESC_SIZE))
			return -EIO;
		t->first = index;
		t->valid = nr;
	}
	p = t->raw + (size_t)(index - t->first) * DESC_SIZE;
	ret->addr = pvi_get64(p);
	ret->len = pvi_get32(p + 8);
	ret->flags = pvi_get16(p + 12);
	ret->next = pvi_get16(p + 14);
	return 0;
}

static int add_segment(struct pvi_vq *vq, struct pvi_vq_chain *c, const struct desc *d)
{
	unsigned int nr = (unsigned int)c->nr_out + c->nr_in;
	struct pvi_range r;

	if (nr == PVI_VQ_MAX_SEGS || pvi_range_from_len(d->addr, d->len, &r))
		return vq_break(vq);
	if (c->out_len + c->in_len + d->len > MAX_CHAIN_BYTES)
		return vq_break(vq);
	if (d->flags & DESC_F_WRITE) {
		c->nr_in++;
		c->in_len += d->len;
	} else {
		if (c->nr_in)
			return vq_break(vq);
		c->nr_out++;
		c->out_len += d->len;
	}
	c->seg[nr] = (struct pvi_vq_seg){.addr = d->addr, .len = d->len};
	return 0;
}

/*
 * Follows a chain within one table. A chain that is longer than its table visits
 * an entry twice: a loop. Stops at an indirect descriptor, for the caller: *@ret
 * is the last descriptor seen.
 */
static int walk(struct pvi_vq *vq, struct table *t, uint32_t index, struct pvi_vq_chain *c,
		struct desc *ret)
{
	for (uint32_t steps = 0; steps < t->nr; steps++) {
		if (fetch_desc(vq, t, index, ret))
			return -EIO;
		if (ret->flags & DESC_F_INDIRECT)
			return 0;
		if (add_segment(vq, c, ret))
			return -EIO;
		if (!(ret->flags & DESC_F_NEXT))
			return 0;
		index = ret->next;
	}
	return vq_break(vq);
}

static int walk_indirect(struct pvi_vq *vq, const struct desc *ind, struct pvi_vq_chain *c)
{
	uint8_t raw[PVI_VQ_MAX_SEGS * DESC_SIZE];
	struct table t = {.base = ind->addr, .nr = ind->len / DESC_SIZE, .raw = raw};
	struct pvi_range r;
	struct desc last;

	if (!vq->cfg.indirect || (ind->flags & DESC_F_NEXT) || ind->len % DESC_SIZE ||
	    t.nr > PVI_VQ_MAX_SEGS || pvi_range_from_len(ind->addr, ind->len, &r))
		return vq_break(vq);
	t.window = t.nr;
	if (walk(vq, &t, 0, c, &last))
		return -EIO;
	return last.flags & DESC_F_INDIRECT ? vq_break(vq) : 0;
}

int pvi_vq_pop(struct pvi_vq *vq, struct pvi_vq_chain *ret)
{
	uint8_t raw[WINDOW * DESC_SIZE];
	struct table t = {.base = vq->cfg.desc, .nr = vq->cfg.size, .window = WINDOW, .raw = raw};
	struct desc last;

	if (vq->broken)
		return -EIO;
	if (vq->next_avail == vq->seen_avail && fetch_avail(vq))
		return -EIO;
	if (vq->next_avail == vq->seen_avail)
		return 0;
	/* All of the queue's descriptors are in flight: this one is used twice. */
	if ((uint16_t)(vq->next_avail - vq->next_used) >= vq->cfg.size)
		return vq_break(vq);

	ret->nr_out = ret->nr_in = 0;
	ret->out_len = ret->in_len = 0;
	if (fetch_head(vq, &ret->head) || walk(vq, &t, ret->head, ret, &last))
		return -EIO;
	if ((last.flags & DESC_F_INDIRECT) && walk_indirect(vq, &last, ret))
		return -EIO;
	vq->next_avail++;
	return 1;
}

int pvi_vq_push(struct pvi_vq *vq, uint16_t head, uint32_t len)
{
	uint8_t raw[8];

	if (vq->broken)
		return -EIO;
	pvi_put32(raw, head);
	pvi_put32(raw + 4, len);
	if (vq_write(vq, used_entry(vq, vq->next_used), raw, sizeof(raw)))
		return -EIO;
	vq->next_used++;
	return 0;
}

int pvi_vq_publish(struct pvi_vq *vq, bool *ret_notify)
{
	uint16_t old = vq->published, new = vq->next_used, event;

	if (vq->broken)
		return -EIO;
	if (old == new) {
		*ret_notify = false;
		return 0;
	}
	barrier_full(); /* the entries before the index that covers them */
	if (vq_write16(vq, vq->cfg.used + 2, new))
		return -EIO;
	vq->published = new;
	barrier_full(); /* the index before we look whether the driver sleeps (2.7.10) */

	if (vq->cfg.event_idx) {
		if (vq_read16(vq, vq->cfg.avail + 4 + 2 * (uint64_t)vq->cfg.size, &event))
			return -EIO;
		*ret_notify = (uint16_t)(new - event - 1) < (uint16_t)(new - old);
	} else {
		if (vq_read16(vq, vq->cfg.avail, &event))
			return -EIO;
		*ret_notify = !(event & AVAIL_F_NO_INTERRUPT);
	}
	return 0;
}

int pvi_vq_kicks(struct pvi_vq *vq, bool enable)
{
	if (vq->broken)
		return -EIO;
	if (vq->cfg.event_idx) {
		/* An event index that stays behind suppresses kicks by itself. */
		if (!enable)
			return 0;
		if (vq_write16(vq, vq->cfg.used + 4 + 8 * (uint64_t)vq->cfg.size, vq->next_avail))
			return -EIO;
	} else {
		if (vq_write16(vq, vq->cfg.used, enable ? 0 : USED_F_NO_NOTIFY))
			return -EIO;
		if (!enable)
			return 0;
	}
	barrier_full(); /* the request for kicks before the last look (2.7.13.4.1) */
	if (vq->next_avail == vq->seen_avail && fetch_avail(vq))
		return -EIO;
	return vq->next_avail != vq->seen_avail;
}

/* Finds the pieces of [off, off + len) in @nr segments and copies each. */
static int copy(struct pvi_vq *vq, const struct pvi_vq_seg *seg, unsigned int nr, uint64_t off,
		void *in, const void *out, size_t len)
{
	for (size_t done = 0; len; seg++, nr--) {
		size_t n;
		int err;

		if (!nr)
			return -EINVAL;
		if (off >= seg->len) {
			off -= seg->len;
			continue;
		}
		n = seg->len - off < len ? (size_t)(seg->len - off) : len;
		if (in)
			err = vq->mem.read(vq->mem.ctx, seg->addr + off, (uint8_t *)in + done, n);
		else
			err = vq->mem.write(vq->mem.ctx, seg->addr + off,
					    (const uint8_t *)out + done, n);
		if (err)
			return err;
		done += n;
		len -= n;
		off = 0;
	}
	return 0;
}

int pvi_vq_copy_out(struct pvi_vq *vq, const struct pvi_vq_chain *c, uint64_t off, void *buf,
		    size_t len)
{
	if (off > c->out_len || len > c->out_len - off)
		return -EINVAL;
	return copy(vq, c->seg, c->nr_out, off, buf, NULL, len);
}

int pvi_vq_copy_in(struct pvi_vq *vq, const struct pvi_vq_chain *c, uint64_t off, const void *buf,
		   size_t len)
{
	if (off > c->in_len || len > c->in_len - off)
		return -EINVAL;
	return copy(vq, c->seg + c->nr_out, c->nr_in, off, NULL, buf, len);
}
