/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The two calls through which the user-space parts of core/ and lib/ take and
 * give back memory. A test that wants the n-th allocation to fail defines both
 * itself; the linker then leaves alloc.c out.
 */
#ifndef PVI_CORE_ALLOC_H
#define PVI_CORE_ALLOC_H

#include "core/types.h"

#define PVI_CACHE_LINE 64

/* Zeroed and aligned to a cache line; NULL when there is no memory. */
void *pvi_zalloc(size_t size);
void pvi_free(void *p); /* NULL is allowed */

#endif
