// SPDX-License-Identifier: BSD-2-Clause
/*
 * netsoak send ADDRESS PORT MIB SEED | netsoak recv PORT MIB SEED
 *
 * One TCP stream of MIB mebibytes, every byte of which the receiver knows: it says which
 * is the first that is wrong. Both wait a minute at most for the other. Runs in the guest.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define CHUNK	 65536u
#define WORDS	 (CHUNK / 8)
#define WAIT_S	 60
#define TRIES	 300
#define PAUSE_US 100000

static void fill(uint64_t *words, uint64_t chunk, uint64_t seed)
{
	uint64_t i;

	for (i = 0; i < WORDS; i++)
		words[i] = (seed << 40 ^ (chunk * WORDS + i)) * 0x9e3779b97f4a7c15ull;
}

static int set_timeouts(int fd)
{
	struct timeval tv = {.tv_sec = WAIT_S};

	return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) ||
	       setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

/* The other side may not listen yet, or its link be down. */
static int open_connection(const struct sockaddr_in *to)
{
	int fd, i;

	for (i = 0; i < TRIES; i++) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || set_timeouts(fd))
			return -1;
		if (!connect(fd, (const struct sockaddr *)to, sizeof(*to)))
			return fd;
		close(fd);
		usleep(PAUSE_US);
	}
	return -1;
}

static int send_all(int fd, uint64_t chunks, uint64_t seed)
{
	static uint64_t words[WORDS];
	uint64_t c;
	size_t at;
	ssize_t n;

	for (c = 0; c < chunks; c++) {
		fill(words, c, seed);
		for (at = 0; at < CHUNK; at += (size_t)n) {
			n = send(fd, (char *)words + at, CHUNK - at, MSG_NOSIGNAL);
			if (n <= 0)
				return -1;
		}
	}
	if (shutdown(fd, SHUT_WR))
		return -1;
	/* Until the receiver has had and checked it all, and says so. */
	return recv(fd, words, 1, 0) == 1 ? 0 : -1;
}

static int receive_all(int fd, uint64_t chunks, uint64_t seed)
{
	static uint64_t want[WORDS], got[WORDS];
	uint64_t c, i;

	for (c = 0; c < chunks; c++) {
		memset(got, 0xee, sizeof(got));
		if (recv(fd, got, CHUNK, MSG_WAITALL) != CHUNK)
			return -1;
		fill(want, c, seed);
		for (i = 0; i < WORDS; i++) {
			if (got[i] == want[i])
				continue;
			fprintf(stderr, "netsoak: wrong data at byte %llu\n",
				(unsigned long long)(c * CHUNK + i * 8));
			errno = EILSEQ;
			return -1;
		}
	}
	return send(fd, "k", 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

static int accept_one(uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	int one = 1, fd, s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (s < 0 || set_timeouts(s) ||
	    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(s, (struct sockaddr *)&at, sizeof(at)) || listen(s, 1))
		return -1;
	fd = accept(s, NULL, NULL);
	close(s);
	return fd < 0 || set_timeouts(fd) ? -1 : fd;
}

int main(int argc, char **argv)
{
	bool sends = argc == 6 && !strcmp(argv[1], "send");
	struct sockaddr_in to = {.sin_family = AF_INET};
	uint64_t chunks, seed;
	int fd, at = sends ? 3 : 2;

	if ((!sends && (argc != 5 || strcmp(argv[1], "recv"))) ||
	    (sends && inet_pton(AF_INET, argv[2], &to.sin_addr) != 1)) {
		fprintf(stderr, "usage: netsoak send ADDRESS PORT MIB SEED | recv PORT MIB SEED\n");
		return 2;
	}
	to.sin_port = htons((uint16_t)atoi(argv[at]));
	chunks = strtoull(argv[at + 1], NULL, 0) * ((1u << 20) / CHUNK);
	seed = strtoull(argv[at + 2], NULL, 0);
	fd = sends ? open_connection(&to) : accept_one((uint16_t)atoi(argv[at]));
	if (fd < 0 || (sends ? send_all(fd, chunks, seed) : receive_all(fd, chunks, seed))) {
		fprintf(stderr, "netsoak: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	printf("netsoak: %s %llu bytes\n", argv[1], (unsigned long long)chunks * CHUNK);
	return 0;
}
