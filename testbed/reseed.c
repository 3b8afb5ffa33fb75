// SPDX-License-Identifier: BSD-2-Clause
/*
 * Makes the kernel take the seed that was written to /dev/urandom now, and not with its next
 * turn: two machines that go on from one snapshot in that time would share random numbers.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

int main(void)
{
	int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);

	/* ENODATA: it has no randomness to give yet, and will take all that it has then. */
	if (fd < 0 || (ioctl(fd, RNDRESEEDCRNG) && errno != ENODATA)) {
		fprintf(stderr, "reseed: /dev/urandom: %s\n", strerror(errno));
		return 1;
	}
	return 0;
}
