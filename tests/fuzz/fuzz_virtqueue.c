// SPDX-License-Identifier: BSD-2-Clause
/*
 * The device's side of a virtqueue over hostile memory: the input is the guest's
 * memory, from the rings on, and how the queue is set up. Memory changes under
 * the device's hands: every access shifts what the next one sees.
 */
#include <stdlib.h>

#include "core/range.h"
#include "core/virtqueue.h"
#include "core/wire.h"

#define MEM_SIZE 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_mem {
	uint8_t mem[MEM_SIZE];
	const uint8_t *changes; /* (address, value) pairs yet to come */
	size_t nr_changes;
};

static void change(struct fuzz_mem *m)
{
	if (!m->nr_changes)
		return;
	m->mem[pvi_get16(m->changes) % MEM_SIZE] = m->changes[2];
	m->changes += 3;
	m->nr_changes--;
}

static int mem_read(void *ctx, uint64_t addr, void *buf, size_t len)
{
	struct fuzz_mem *m = ctx;

	change(m);
	if (addr > MEM_SIZE || len > MEM_SIZE - addr)
		return -EFAULT;
	memcpy(buf, m->mem + addr, len);
	return 0;
}

static int mem_write(void *ctx, uint64_t addr, const void *buf, size_t len)
{
	struct fuzz_mem *m = ctx;

	change(m);
	if (addr > MEM_SIZE || len > MEM_SIZE - addr)
		return -EFAULT;
	memcpy(m->mem + addr, buf, len);
	return 0;
}

/* What every chain promises its user. */
static void check_chain(const struct pvi_vq *vq, const struct pvi_vq_chain *c)
{
	uint64_t out = 0, in = 0;
	struct pvi_range r;

	if (c->head >= vq->cfg.size || c->nr_out + c->nr_in > PVI_VQ_MAX_SEGS)
		abort();
	for (unsigned int i = 0; i < c->nr_out + c->nr_in; i++) {
		if (pvi_range_from_len(c->seg[i].addr, c->seg[i].len, &r))
			abort();
		*(i < c->nr_out ? &out : &in) += c->seg[i].len;
	}
	if (out != c->out_len || in != c->in_len || !(out + in) || out + in > (uint64_t)1 << 32)
		abort();
}

static void use_chain(struct pvi_vq *vq, const struct pvi_vq_chain *c)
{
	uint8_t buf[64];
	size_t n = c->out_len < sizeof(buf) ? (size_t)c->out_len : sizeof(buf);

	memset(buf, 0, sizeof(buf));
	pvi_vq_copy_out(vq, c, c->out_len - n, buf, n);
	if (pvi_vq_copy_out(vq, c, c->out_len, buf, 1) != -EINVAL)
		abort();
	n = c->in_len < sizeof(buf) ? (size_t)c->in_len : sizeof(buf);
	pvi_vq_copy_in(vq, c, c->in_len - n, buf, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz_mem m;
	static struct pvi_vq_chain chain;
	const struct pvi_vq_mem mem = {.read = mem_read, .write = mem_write, .ctx = &m};
	struct pvi_vq_config cfg;
	struct pvi_vq vq;
	size_t n;
	bool notify;

	if (size < 8)
		return 0;
	cfg = (struct pvi_vq_config){
		.size = (uint16_t)(1u << (data[0] & 7)),
		.desc = (data[1] & 15u) * 256,
		.avail = (data[2] & 15u) * 256,
		.used = (data[3] & 15u) * 256,
		.event_idx = data[4] & 1,
		.indirect = data[4] & 2,
	};
	m.nr_changes = data[5];
	data += 6;
	size -= 6;
	if (m.nr_changes * 3 > size)
		m.nr_changes = size / 3;
	m.changes = data;
	data += m.nr_changes * 3;
	size -= m.nr_changes * 3;
	n = size < MEM_SIZE ? size : MEM_SIZE;
	memset(m.mem, 0, MEM_SIZE);
	memcpy(m.mem, data, n);

	if (pvi_vq_init(&vq, &mem, &cfg))
		return 0;
	for (int i = 0; i < 300; i++) {
		int r = pvi_vq_pop(&vq, &chain);

		if (r < 0) {
			if (!vq.broken || pvi_vq_pop(&vq, &chain) != -EIO)
				abort();
			return 0;
		}
		if (!r && pvi_vq_kicks(&vq, true) != 1)
			break;
		if (!r)
			continue;
		check_chain(&vq, &chain);
		use_chain(&vq, &chain);
		if (i % 3 == 2)
			continue; /* keep some in flight */
		pvi_vq_push(&vq, chain.head, (uint32_t)i);
		pvi_vq_publish(&vq, &notify);
	}
	return 0;
}
