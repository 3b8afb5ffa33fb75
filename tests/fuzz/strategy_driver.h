/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver, what it has mapped, and what it may have: the fuzz target of the strategies
 * (fuzz_strategy.c) tells it what to do. The oracle compares everything that the device reaches
 * with that.
 */
#ifndef TESTS_FUZZ_STRATEGY_DRIVER_H
#define TESTS_FUZZ_STRATEGY_DRIVER_H

#include "core/strategy/bounce.h"
#include "core/strategy/cached.h"
#include "core/strategy/deferred.h"
#include "core/strategy/direct.h"
#include "strategy_host.h"

#define PHYS_PAGES 24u
#define DMAS	   160u
#define SEGS	   6u
#define BITS	   2u
#define BOUNDARY   (2u << PVI_PAGE_SHIFT)

enum strategy { SINGLE, DEFERRED, SHARED, PERSISTENT, BOUNCE, DIRECT, STRATEGIES };

struct dma {
	bool on, list;
	enum strategy strategy;
	struct pvi_how how;
	int nents;
	struct pvi_seg seg[SEGS];
};

/* Of an IOVA page whose DMA has ended: how long may it still be reached? */
struct ended {
	bool late, first, idle;
	uint64_t since;
};

struct world {
	enum strategy strategy;
	struct dma dma[DMAS];
	const struct dma *coming; /* is being mapped, or undone when that failed */
	struct ended ended[HOST_IOVAS];
	int users[HOST_IOVAS];
	int chunk_users[HOST_CHUNKS]; /* buffers in one of its slots */
	struct pvi_cache cache;
	struct pvi_mc_entry *index[2 << BITS];
	struct pvi_deferred deferred;
	struct pvi_bounce bounce;
	struct pvi_direct direct;
	bool direct_begins;
	int direct_users;
	bool armed;
	uint64_t timer;
	unsigned int failed;
};

extern struct world w;

/* It has a slot of bounce's. */
bool in_slots(const struct dma *d);
/* Maps what @d describes, by the strategy that is chosen; unmaps it. */
void driver_map(struct dma *d);
void driver_unmap(struct dma *d);
void driver_choose(enum strategy s);
void driver_pass_time(uint64_t ms);

/* Those that are mapped have a user, but while the pool is open. How many pages they are. */
long check_chunks(bool open);
/* After each step. */
void check_all(void);

#endif
