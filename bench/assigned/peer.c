// SPDX-License-Identifier: BSD-2-Clause
/*
 * assign-peer: the other end of the cable of bench/assign's network card. Sends the datagrams
 * that are asked for, and takes or makes streams of bytes, one request at a time, for ever.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/assigned/proto.h"

static char payload[1u << 20];

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "assign-peer: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_socket(int type, uint16_t port)
{
	const struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	int one = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (const struct sockaddr *)&at, sizeof(at)))
		die("socket");
	return fd;
}

/* The count of those that have arrived, or what was known before when nothing comes. */
static uint32_t wait_ack(int fd, uint32_t acked)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	uint32_t got;

	if (poll(&pfd, 1, SILENCE_MS) != 1)
		return acked;
	if (recv(fd, &got, sizeof(got), 0) != sizeof(got))
		return acked;
	return got;
}

static void send_datagrams(int fd)
{
	struct sockaddr_in to;
	socklen_t len = sizeof(to);
	struct request r;
	uint32_t acked = 0, sent = 0, before;

	if (recvfrom(fd, &r, sizeof(r), 0, (struct sockaddr *)&to, &len) != sizeof(r) ||
	    r.direction != FROM_PEER || !r.size || r.size > 65507)
		return;
	while (acked < r.count) {
		for (; sent < r.count && sent - acked < window_of(r.size); sent++) {
			if (sendto(fd, payload, r.size, 0, (struct sockaddr *)&to, len) < 0)
				die("sendto");
		}
		before = acked;
		acked = wait_ack(fd, acked);
		if (acked <= before) {
			fprintf(stderr, "assign-peer: %u of %u datagrams arrived\n", acked,
				r.count);
			return;
		}
	}
}

/* Whole messages, as a program that has them would. */
static int send_stream(int fd, const struct request *r)
{
	for (uint32_t i = 0; i < r->count; i++)
		for (uint32_t at = 0; at < r->size;) {
			ssize_t n = send(fd, payload, r->size - at, MSG_NOSIGNAL);

			if (n <= 0)
				return -1;
			at += (uint32_t)n;
		}
	return 0;
}

static int take_stream(int fd, const struct request *r)
{
	uint64_t left = (uint64_t)r->count * r->size;

	while (left) {
		ssize_t n = recv(fd, payload, left < sizeof(payload) ? left : sizeof(payload), 0);

		if (n <= 0)
			return -1;
		left -= (uint64_t)n;
	}
	return send(fd, "k", 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

/* One connection, as many requests as it makes. */
static void serve_streams(int listener)
{
	int fd = accept(listener, NULL, NULL);
	struct request r;
	int err = 0;

	if (fd < 0)
		die("accept");
	while (!err && recv(fd, &r, sizeof(r), MSG_WAITALL) == sizeof(r)) {
		if (!r.size || r.size > sizeof(payload))
			break;
		err = r.direction == FROM_PEER ? send_stream(fd, &r) : take_stream(fd, &r);
	}
	close(fd);
}

int main(void)
{
	struct pollfd pfd[2] = {{.fd = open_socket(SOCK_DGRAM, UDP_PORT), .events = POLLIN},
				{.fd = open_socket(SOCK_STREAM, TCP_PORT), .events = POLLIN}};

	if (listen(pfd[1].fd, 1))
		die("listen");
	puts("ready");
	fflush(stdout);
	for (;;) {
		if (poll(pfd, 2, -1) < 0)
			die("poll");
		if (pfd[0].revents)
			send_datagrams(pfd[0].fd);
		if (pfd[1].revents)
			serve_streams(pfd[1].fd);
	}
}
