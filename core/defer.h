/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The queue of the deferred strategy: ranges of IOVA whose UNMAP waits for company.
 * A range is in the queue, or in a batch that was taken from it, until its node is
 * given back; only then may its IOVAs be used again. Logic only: no request, no
 * allocation, no lock. Callers serialise all calls on one queue.
 */
#ifndef PVI_CORE_DEFER_H
#define PVI_CORE_DEFER_H

#include "core/types.h"

struct pvi_late {
	uint64_t pfn; /* of the range, in pages */
	uint64_t npages;
	uint64_t mapped; /* of these, how many are mapped */
	uint64_t since;	 /* when it was queued, in ms */
	struct pvi_late *next;
};

struct pvi_defer {
	struct pvi_late *free;
	struct pvi_late *first; /* oldest */
	struct pvi_late **tail;
	unsigned int pending;
	unsigned int batch; /* so many make a batch */
	unsigned int ms;    /* so long may one wait */
};

/* @nodes: @n of them, alive as long as the queue. @batch: at least 1, at most @n. */
void pvi_defer_init(struct pvi_defer *q, struct pvi_late *nodes, unsigned int n, unsigned int batch,
		    unsigned int ms);

/*
 * Queues a range. -ENOSPC: no node is free, nothing is queued, and the range has to be
 * unmapped at once. Else how many wait now: 1 starts the clock, q->batch is due.
 */
int pvi_defer_add(struct pvi_defer *q, uint64_t pfn, uint64_t npages, uint64_t mapped,
		  uint64_t now);

/* Had they better go with a kick that is made anyway: half a batch, or half of the time? */
bool pvi_defer_due(const struct pvi_defer *q, uint64_t now);

/* In how many ms the oldest has to go: 0 now; UINT32_MAX: nothing waits. */
unsigned int pvi_defer_left(const struct pvi_defer *q, uint64_t now);

/* All that waits, oldest first, chained by next; NULL: nothing. */
struct pvi_late *pvi_defer_take(struct pvi_defer *q);

/* The nodes of a batch that is unmapped. */
void pvi_defer_give_back(struct pvi_defer *q, struct pvi_late *list);

#endif
