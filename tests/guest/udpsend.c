// SPDX-License-Identifier: GPL-2.0-only
/*
 * udpsend ADDRESS PORT SIZE COUNT: sends COUNT UDP datagrams of SIZE bytes of payload,
 * and waits until they have left the socket. Runs in the guest.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int send_all(int fd, size_t size, long count)
{
	static char payload[65536];
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	memset(payload, 0x5a, sizeof(payload));
	while (count--) {
		/* A full device queue is no reason to drop one. */
		while (send(fd, payload, size, 0) != (ssize_t)size) {
			if (errno != ENOBUFS && errno != EAGAIN && errno != ECONNREFUSED)
				return -1;
			poll(&p, 1, 1);
		}
	}
	return 0;
}

static int wait_sent(int fd)
{
	int i, left = 1;

	for (i = 0; i < 5000 && left; i++) {
		if (ioctl(fd, SIOCOUTQ, &left))
			return -1;
		poll(NULL, 0, left ? 1 : 0);
	}
	errno = ETIMEDOUT;
	return left ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (argc != 5 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
		fprintf(stderr, "usage: udpsend ADDRESS PORT SIZE COUNT\n");
		return 2;
	}
	to.sin_port = htons((unsigned short)atoi(argv[2]));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) ||
	    send_all(fd, (size_t)atoi(argv[3]) % 65536, atol(argv[4])) || wait_sent(fd)) {
		fprintf(stderr, "udpsend: %s\n", strerror(errno));
		return 1;
	}
	return 0;
}
