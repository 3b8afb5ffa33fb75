// SPDX-License-Identifier: BSD-2-Clause
/*
 * The guest of bench/boot: says that it is there, what its own clock says, and
 * powers off. The pause gives the host time to read its counts.
 */
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
	static const char first[] = "PVI init\n";
	struct timespec ts;
	char line[128];
	int len;

	if (write(STDOUT_FILENO, first, sizeof(first) - 1) < 0)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	len = snprintf(line, sizeof(line), "PVI clock=%lld.%09ld\n", (long long)ts.tv_sec,
		       ts.tv_nsec);
	sleep(1);
	if (write(STDOUT_FILENO, line, (size_t)len) < 0)
		return 1;
	sleep(1); /* the serial port's bytes leave by interrupt */
	reboot(RB_POWER_OFF);
	return 1;
}
