// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "bench/datagrams.h"

static int wait_sent(int fd)
{
	int left = 1;

	while (left) {
		if (ioctl(fd, SIOCOUTQ, &left))
			return -errno;
		if (left)
			poll(NULL, 0, 1);
	}
	return 0;
}

int bench_send_datagrams(int fd, const void *buf, size_t size, uint64_t count)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	for (uint64_t i = 0; i < count; i++)
		while (send(fd, buf, size, 0) != (ssize_t)size) {
			if (errno != ENOBUFS && errno != EAGAIN && errno != ECONNREFUSED)
				return -errno;
			poll(&p, 1, 1);
		}
	return wait_sent(fd);
}
