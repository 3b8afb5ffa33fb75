// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/probe.h"
#include "core/wire.h"

/* Type and length, then so many bytes. */
#define HEAD_BYTES 4u

static int region(const uint8_t *p, uint32_t len, struct pvi_range *ret)
{
	struct pvi_range r;

	if (len < sizeof(struct pvi_wire_resv_mem) - HEAD_BYTES)
		return -EINVAL;
	r = (struct pvi_range){pvi_get64(p + offsetof(struct pvi_wire_resv_mem, start)),
			       pvi_get64(p + offsetof(struct pvi_wire_resv_mem, end))};
	if (!pvi_range_valid(r))
		return -EINVAL;
	*ret = r;
	return 1;
}

int pvi_probe_next(struct pvi_probe_walk *w, struct pvi_range *ret)
{
	const uint8_t *p;
	uint32_t type, len;

	while (w->size - w->off >= HEAD_BYTES) {
		p = w->buf + w->off;
		type = pvi_get16(p) & PVI_PROBE_T_MASK;
		len = pvi_get16(p + 2);
		if (!type)
			return 0; /* the end of the list */
		if (len > w->size - w->off - HEAD_BYTES)
			return -EINVAL;
		w->off += HEAD_BYTES + len;
		if (type == PVI_PROBE_T_RESV_MEM)
			return region(p, len, ret);
	}
	return 0;
}
