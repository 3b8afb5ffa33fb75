// SPDX-License-Identifier: GPL-2.0-only
/* What an endpoint's IOVA space excludes: PROBE's reserved regions and the MSI window. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/slab.h>

#include "pviommu.h"

/* x86 devices write here to raise an MSI; such a write is never translated. */
#define MSI_FIRST 0xfee00000ull
#define MSI_LAST  0xfeefffffull

static int reserve(struct pvi_endpoint *ep, u64 first, u64 last)
{
	if (first > last)
		return -EINVAL;
	return reserve_iova(&ep->space.iovad, first >> PAGE_SHIFT, last >> PAGE_SHIFT) ? 0
										       : -ENOMEM;
}

/* Properties: type and length, then @length bytes; type 0 ends the list. */
static int parse(struct pvi_endpoint *ep, const u8 *buf, u32 size)
{
	u32 off = 0, len, type;
	int r = 0;

	while (!r && size - off >= 4) {
		type = pvi_get16(buf + off) & PVI_PROBE_T_MASK;
		len = pvi_get16(buf + off + 2);
		if (!type)
			break;
		if (len > size - off - 4)
			return -EINVAL;
		if (type == PVI_PROBE_T_RESV_MEM) {
			if (len < sizeof(struct pvi_wire_resv_mem) - 4)
				return -EINVAL;
			r = reserve(ep, pvi_get64(buf + off + 8), pvi_get64(buf + off + 16));
		}
		off += 4 + len;
	}
	return r;
}

int pvi_endpoint_probe(struct pvi_endpoint *ep)
{
	u32 size = ep->viommu->probe_size;
	struct pvi_batch b;
	u8 *buf;
	int r = reserve(ep, MSI_FIRST, MSI_LAST);

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
		r = parse(ep, buf, size);
	kfree(buf);
	return r;
}
