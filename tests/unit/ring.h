/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver's side of a split ring in a flat piece of fake guest RAM, for tests
 * of devices: it writes what the test says, right or wrong.
 */
#ifndef TESTS_UNIT_RING_H
#define TESTS_UNIT_RING_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>

#include "core/virtqueue.h"
#include "core/wire.h"

#define RING_RAM_SIZE (1u << 20)
#define RING_DESC     0x1000u
#define RING_AVAIL    0x6000u
#define RING_USED     0x7000u

#define RING_NEXT     1u
#define RING_WRITE    2u
#define RING_INDIRECT 4u

struct ring_ram {
	uint64_t base; /* guest address of byte 0 */
	unsigned int reads, writes;
	int fail_after; /* accesses that still work; negative: all do */
	uint8_t mem[RING_RAM_SIZE];
};

static inline int ring_access(struct ring_ram *ram, uint64_t addr, size_t len)
{
	if (!ram->fail_after || addr < ram->base || addr - ram->base > RING_RAM_SIZE ||
	    len > RING_RAM_SIZE - (addr - ram->base))
		return -EFAULT;
	if (ram->fail_after > 0)
		ram->fail_after--;
	return 0;
}

static inline int ring_read(void *ctx, uint64_t addr, void *buf, size_t len)
{
	struct ring_ram *ram = ctx;

	ram->reads++;
	if (ring_access(ram, addr, len))
		return -EFAULT;
	memcpy(buf, ram->mem + (addr - ram->base), len);
	return 0;
}

static inline int ring_write(void *ctx, uint64_t addr, const void *buf, size_t len)
{
	struct ring_ram *ram = ctx;

	ram->writes++;
	if (ring_access(ram, addr, len))
		return -EFAULT;
	memcpy(ram->mem + (addr - ram->base), buf, len);
	return 0;
}

/* All ring offsets below are relative to the RAM's base. */
static inline void ring_desc_at(struct ring_ram *ram, uint32_t table, uint16_t i, uint64_t addr,
				uint32_t len, uint16_t flags, uint16_t next)
{
	uint8_t *d = ram->mem + table + 16u * i;

	pvi_put64(d, addr);
	pvi_put32(d + 8, len);
	pvi_put16(d + 12, flags);
	pvi_put16(d + 14, next);
}

static inline void ring_desc(struct ring_ram *ram, uint16_t i, uint64_t addr, uint32_t len,
			     uint16_t flags, uint16_t next)
{
	ring_desc_at(ram, RING_DESC, i, addr, len, flags, next);
}

static inline uint16_t ring_avail_idx(struct ring_ram *ram)
{
	return pvi_get16(ram->mem + RING_AVAIL + 2);
}

static inline void ring_set_avail_idx(struct ring_ram *ram, uint16_t idx)
{
	pvi_put16(ram->mem + RING_AVAIL + 2, idx);
}

static inline void ring_offer(struct ring_ram *ram, uint16_t size, uint16_t head)
{
	uint16_t idx = ring_avail_idx(ram);

	pvi_put16(ram->mem + RING_AVAIL + 4 + 2 * (idx % size), head);
	ring_set_avail_idx(ram, (uint16_t)(idx + 1));
}

static inline uint16_t ring_used_idx(struct ring_ram *ram)
{
	return pvi_get16(ram->mem + RING_USED + 2);
}

static inline uint32_t ring_used_id(struct ring_ram *ram, uint16_t slot)
{
	return pvi_get32(ram->mem + RING_USED + 4 + 8 * slot);
}

static inline uint32_t ring_used_len(struct ring_ram *ram, uint16_t slot)
{
	return pvi_get32(ram->mem + RING_USED + 8 + 8 * slot);
}

#endif
