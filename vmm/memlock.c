// SPDX-License-Identifier: BSD-2-Clause
#include <sys/resource.h>

#include "vmm/memlock.h"

uint64_t memlock_raise(uint64_t bytes)
{
	struct rlimit now = {0}, want;

	if (getrlimit(RLIMIT_MEMLOCK, &now))
		return 0;
	if (now.rlim_cur >= bytes) /* RLIM_INFINITY is the greatest of all */
		return now.rlim_cur;
	want = (struct rlimit){bytes, now.rlim_max > bytes ? now.rlim_max : bytes};
	if (!setrlimit(RLIMIT_MEMLOCK, &want))
		return bytes;
	want = (struct rlimit){now.rlim_max, now.rlim_max};
	return setrlimit(RLIMIT_MEMLOCK, &want) ? now.rlim_cur : now.rlim_max;
}

void memlock_lower(uint64_t bytes)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) || limit.rlim_cur <= bytes)
		return;
	limit.rlim_cur = bytes;
	/* Downwards anybody may. */
	setrlimit(RLIMIT_MEMLOCK, &limit);
}
