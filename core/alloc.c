// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Nothing else may be defined here: see alloc.h. */
#include <stdlib.h>

#include "core/alloc.h"

void *pvi_zalloc(size_t size)
{
	void *p;

	if (size > SIZE_MAX - PVI_CACHE_LINE)
		return NULL;
	size = (size + PVI_CACHE_LINE - 1) & ~(size_t)(PVI_CACHE_LINE - 1);
	p = aligned_alloc(PVI_CACHE_LINE, size);
	if (p)
		memset(p, 0, size);
	return p;
}

void pvi_free(void *p)
{
	free(p);
}
