/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who answers which guest-physical MMIO address and which I/O port.
 *
 * Lookups take a read lock and call the handler after dropping it: a handler
 * may add and remove regions. A region's owner must therefore live as long as
 * the VM, and must cope with one late access after bus_remove().
 */
#ifndef VMM_BUS_H
#define VMM_BUS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bus_space { BUS_MMIO, BUS_PIO };

struct bus_ops {
	/* @off: bytes from the region's base; @len: 1 to 8 bytes; any vCPU thread. */
	void (*read)(void *ctx, uint64_t off, void *buf, uint32_t len);
	void (*write)(void *ctx, uint64_t off, const void *buf, uint32_t len);
};

struct bus_region {
	uint64_t base;
	uint64_t size;
	const struct bus_ops *ops;
	void *ctx;
};

struct bus {
	pthread_rwlock_t lock; /* guards region[] and nr; innermost, held for no call */
	struct {
		struct bus_region *region; /* sorted by base */
		size_t nr;
		size_t room;
	} space[2];
};

int bus_init(struct bus *bus);
void bus_done(struct bus *bus);

/* -EEXIST: overlaps a region. */
int bus_add(struct bus *bus, enum bus_space space, const struct bus_region *region);
/* Removes the region that starts at @base; nothing happens when there is none. */
void bus_remove(struct bus *bus, enum bus_space space, uint64_t base);

/* An access from a vCPU. Where nobody answers, reads give ones and writes go nowhere. */
void bus_access(struct bus *bus, enum bus_space space, uint64_t addr, void *buf, uint32_t len,
		bool write);

#endif
