/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the strategies ask of whom they serve: requests, addresses and counters. The
 * kernel module defines these functions; so does the model test, which watches.
 */
#ifndef PVI_CORE_STRATEGY_HOST_H
#define PVI_CORE_STRATEGY_HOST_H

#include "core/platform.h"
#include "core/range.h"

struct pvi_endpoint; /* the host's: whose mappings these are */
struct pvi_space;    /* the host's: IOVAs to allocate from */

/* DMA_MAPPING_ERROR */
#define PVI_NO_ADDR UINT64_MAX

/* ---- requests ---- */

/*
 * The requests that one caller waits for together: added one by one, kicked once.
 * Of MAPs and UNMAPs in one batch it is known which of the two failed.
 */
struct pvi_batch {
	struct pvi_endpoint *ep; /* whose counters they go to */
	unsigned int pending;	 /* the host's */
	int err;		 /* the first failure of any but UNMAPs */
	int unmap_err;
};

void pvi_batch_init(struct pvi_batch *b, struct pvi_endpoint *ep);
void pvi_batch_map(struct pvi_batch *b, struct pvi_range iova, uint64_t phys, uint32_t flags);
/* The device handles requests in their order: what is unmapped first leaves room. */
void pvi_batch_unmap(struct pvi_batch *b, struct pvi_range iova);

/*
 * Kicks once and waits for all requests of @b: 0, or a failure as -errno, of an UNMAP
 * only when no other request failed (-ENOMEM: NOMEM; -EIO: the device is broken). Any
 * context.
 */
int pvi_batch_wait(struct pvi_batch *b);

/* A request timed out: what was asked for may still come true, at any time. */
bool pvi_requests_broken(struct pvi_endpoint *ep);

/*
 * A MAP was refused for lack of memory. Gives back what is not in use, of all
 * strategies; true when mappings went and it may work now.
 */
bool pvi_strategy_nomem(struct pvi_endpoint *ep);

/* ---- addresses; in pages ---- */

/* @npages contiguous pages of IOVA whose last byte is at most @limit; 0: none. */
uint64_t pvi_iova_alloc(struct pvi_space *sp, uint64_t npages, uint64_t limit);
void pvi_iova_free(struct pvi_space *sp, uint64_t pfn, uint64_t npages);

/* A range as low as possible, for a strategy that keeps it. 0: none. May sleep, as the next. */
uint64_t pvi_window_alloc(struct pvi_endpoint *ep, uint64_t npages);
void pvi_window_free(struct pvi_endpoint *ep, uint64_t pfn);

static inline struct pvi_range pvi_pages(uint64_t pfn, uint64_t npages)
{
	return (struct pvi_range){pfn << PVI_PAGE_SHIFT, ((pfn + npages) << PVI_PAGE_SHIFT) - 1};
}

static inline uint64_t pvi_span_pages(uint64_t addr, size_t size)
{
	return ((addr & PVI_PAGE_MASK) + size + PVI_PAGE_MASK) >> PVI_PAGE_SHIFT;
}

/* ---- counters and complaints ---- */

/* What the device reaches, but for what is reported as lost. */
void pvi_count_mapped(struct pvi_endpoint *ep, long npages);
/* The same, of what a strategy maps once. */
void pvi_count_fixed(struct pvi_endpoint *ep, long npages);
void pvi_count_reuse(struct pvi_endpoint *ep, uint32_t prot, size_t size);
void pvi_count_fallback(struct pvi_endpoint *ep);

/*
 * UNMAP failed: the device may still reach @npages pages, whose IOVAs are lost. They are not
 * counted as mapped, or not any more: nobody will undo them.
 */
void pvi_report_lost(struct pvi_endpoint *ep, uint64_t npages, int err);
void pvi_report_unmapped_twice(struct pvi_endpoint *ep, uint64_t addr);

#endif
