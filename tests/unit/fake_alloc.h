/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that runs out when told to, and is counted. For one file of a test program. */
#ifndef FAKE_ALLOC_H
#define FAKE_ALLOC_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/alloc.h"

/* In place of core/alloc.c: the n-th allocation from now fails; negative: none. */
static int fail_in = -1;
static int live;

void *pvi_zalloc(size_t size)
{
	void *p = NULL;

	if (fail_in >= 0 && !fail_in--)
		return NULL;
	assert_int_equal(posix_memalign(&p, PVI_CACHE_LINE, size), 0);
	live++;
	return memset(p, 0, size);
}

void pvi_free(void *p)
{
	live -= !!p;
	free(p);
}

#endif
