/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whom the strategies serve (core/strategy/host.h), for the fuzz target: a device that
 * reaches what was MAPped, page by page, IOVAs that are used again at once, requests and
 * allocations that fail on demand. What never may happen, whatever fails, is checked here:
 * a MAP over a mapping or of what the driver did not name, an UNMAP that splits a mapping or
 * takes one in use, an IOVA that is given back while the device reaches through it.
 */
#ifndef TESTS_FUZZ_STRATEGY_HOST_H
#define TESTS_FUZZ_STRATEGY_HOST_H

#include "core/strategy/host.h"
#include "fuzz.h"

#define HOST_COMMON	     96u  /* pages of IOVA, from 1 on; */
#define HOST_OWN	     256u /* and in a space of deferred's own, behind them */
#define HOST_WINDOW	     256u /* and in one that bounce's pool takes, behind these */
#define HOST_DIRECT	     64u  /* and direct-map's, behind that */
#define HOST_IOVAS	     (1 + HOST_COMMON + HOST_OWN + HOST_WINDOW + HOST_DIRECT)
#define HOST_FIRST_OF_WINDOW (1 + HOST_COMMON + HOST_OWN)

#define HOST_DRIVER	     48u /* pages of memory that are a driver's; behind them are */
#define HOST_CHUNKS	     4u	 /* chunks that the pool may get */

struct pvi_space {
	uint64_t first, last;
};

struct host_page {
	uint64_t target; /* page + 1; 0: the device reaches nothing here */
	uint64_t first;	 /* of the mapping that this page belongs to */
	uint64_t last;
	uint32_t prot;
	bool taken; /* not to be allocated */
	bool lost;  /* its UNMAP failed, or its MAP did and came true */
};

struct host {
	struct host_page page[HOST_IOVAS];
	unsigned int mappings, max_mappings;
	/* The n-th from now fails; 0: none does. */
	unsigned int nomem_in, refuse_in, unmap_fails_in, alloc_fails_in;
	bool broken;	 /* no request is answered; */
	bool comes_true; /* a MAP happens nevertheless */
	uint64_t now;	 /* ms */
	/* What happened since the caller set them to 0. */
	unsigned int kicks, maps, unmaps, empty_unmaps, failed, no_iova, twice;
	long counted;		 /* of pvi_count_mapped() */
	uint64_t lost_pages;	 /* reported */
	unsigned int live;	 /* allocations */
	bool chunk[HOST_CHUNKS]; /* allocated */
};

extern struct host host;

/* The fuzz target's: may this page be mapped now, with these rights; is this IOVA in use? */
bool driver_named(uint64_t page, uint32_t prot);
bool driver_uses(uint64_t iova_pfn);

static inline bool host_in_window(uint64_t addr)
{
	return addr >> PVI_PAGE_SHIFT >= HOST_FIRST_OF_WINDOW &&
	       addr >> PVI_PAGE_SHIFT < HOST_FIRST_OF_WINDOW + HOST_WINDOW;
}

static inline bool host_in_direct(uint64_t addr)
{
	return addr >> PVI_PAGE_SHIFT >= HOST_FIRST_OF_WINDOW + HOST_WINDOW;
}

/* The memory at this address for the device, which reaches it. */
uint8_t *host_device_at(uint64_t addr);

void host_reset(unsigned int own);
/* What pvi_free_later() was given. */
void host_collect(void);

extern struct pvi_space host_common, host_own;

#endif
