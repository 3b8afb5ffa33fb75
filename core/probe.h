/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a virtio-iommu answers to PROBE (VIRTIO 1.3, 5.13.6.7): properties of an endpoint, of which
 * the reserved regions matter. The device may write anything; what does not fit is refused.
 */
#ifndef PVI_CORE_PROBE_H
#define PVI_CORE_PROBE_H

#include "core/range.h"

struct pvi_probe_walk {
	const uint8_t *buf;
	uint32_t size;
	uint32_t off; /* where the next property begins */
};

/*
 * 1: *@ret is the next reserved region, inclusive, of any kind. 0: there is no more. -EINVAL: a
 * property that goes beyond the end, or a region that is none.
 */
int pvi_probe_next(struct pvi_probe_walk *w, struct pvi_range *ret);

#endif
