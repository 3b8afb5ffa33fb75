/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one range type: [first, last], both ends inclusive, as on the wire
 * (VIRTIO 1.3, 5.13.6.5). An inclusive range can cover all of the 64-bit space
 * and cannot be empty, so no end ever needs to be one past UINT64_MAX.
 */
#ifndef PVI_CORE_RANGE_H
#define PVI_CORE_RANGE_H

#include "core/types.h"

struct pvi_range {
	uint64_t first;
	uint64_t last;
};

static inline bool pvi_range_valid(struct pvi_range r)
{
	return r.first <= r.last;
}

/* Both arguments valid. */
static inline bool pvi_range_overlaps(struct pvi_range a, struct pvi_range b)
{
	return a.first <= b.last && b.first <= a.last;
}

/* Is all of @inner within @outer? Both valid. */
static inline bool pvi_range_contains(struct pvi_range outer, struct pvi_range inner)
{
	return outer.first <= inner.first && inner.last <= outer.last;
}

static inline bool pvi_range_has(struct pvi_range r, uint64_t addr)
{
	return r.first <= addr && addr <= r.last;
}

/* @len bytes from @first: -EINVAL when @len is 0, -ERANGE when the end wraps. */
static inline int pvi_range_from_len(uint64_t first, uint64_t len, struct pvi_range *ret)
{
	if (!len)
		return -EINVAL;
	if (len - 1 > UINT64_MAX - first)
		return -ERANGE;
	ret->first = first;
	ret->last = first + (len - 1);
	return 0;
}

/* Bytes from @addr to the end of @r, less one, so that it cannot overflow. */
static inline uint64_t pvi_range_left_minus_one(struct pvi_range r, uint64_t addr)
{
	return r.last - addr;
}

#endif
