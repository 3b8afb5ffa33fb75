// SPDX-License-Identifier: GPL-2.0-only
/* What an endpoint's IOVA space excludes: PROBE's reserved regions and the MSI window. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/slab.h>

#include "core/probe.h"
#include "pviommu.h"

/* x86 devices write here to raise an MSI; such a write is never translated. */
#define MSI_FIRST 0xfee00000ull
#define MSI_LAST  0xfeefffffull

static int reserve(struct pvi_endpoint *ep, struct pvi_range r)
{
	struct iova *v =
		reserve_iova(&ep->space.iovad, r.first >> PAGE_SHIFT, r.last >> PAGE_SHIFT);

	return v ? 0 : -ENOMEM;
}

static int reserve_all(struct pvi_endpoint *ep, const u8 *buf, u32 size)
{
	struct pvi_probe_walk w = {.buf = buf, .size = size};
	struct pvi_range region;
	int r = pvi_probe_next(&w, &region);

	while (r > 0) {
		r = reserve(ep, region);
		if (!r)
			r = pvi_probe_next(&w, &region);
	}
	return r;
}

int pvi_endpoint_probe(struct pvi_endpoint *ep)
{
	u32 size = ep->viommu->probe_size;
	struct pvi_batch b;
	u8 *buf;
	int r = reserve(ep, (struct pvi_range){MSI_FIRST, MSI_LAST});

	if (r || !size)
		return r;
	buf = kzalloc(size + sizeof(struct pvi_wire_tail), GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	pvi_batch_init(&b, ep);
	pvi_batch_probe(&b, buf, size + sizeof(struct pvi_wire_tail));
	r = pvi_batch_wait(&b);
	if (READ_ONCE(ep->viommu->rq.broken))
		return -EIO; /* the device may still write to the buffer: it stays allocated */
	if (!r)
		r = reserve_all(ep, buf, size);
	kfree(buf);
	return r;
}
