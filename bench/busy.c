// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/busy.h"

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(1);
}

uint64_t bench_clock_ns(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts))
		die("clock_gettime");
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/*
 * /proc/uptime says it in hundredths of a second, this in nanoseconds. The file stays open: to
 * close it would leave work for later, when what is measured is under way.
 */
uint64_t bench_idle_ns(void)
{
	static FILE *f;
	uint64_t sum = 0;
	unsigned int found = 0;
	char line[256];

	if (!f)
		f = fopen("/proc/timer_list", "re");
	if (!f)
		die("/proc/timer_list");
	rewind(f);
	while (fgets(line, sizeof(line), f)) {
		char key[32];
		unsigned long long ns;

		/* The longer name meets its colon without a space. */
		if (sscanf(line, " .%31[a-z_] : %llu nsecs", key, &ns) != 2)
			continue;
		if (!strcmp(key, "idle_sleeptime") || !strcmp(key, "iowait_sleeptime")) {
			sum += ns;
			found++;
		}
	}
	if (!found) {
		errno = ENODATA;
		die("/proc/timer_list: idle_sleeptime");
	}
	return sum;
}
