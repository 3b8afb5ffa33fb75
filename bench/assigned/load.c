// SPDX-License-Identifier: BSD-2-Clause
/*
 * assign-load [OPTION]... NAME KIND SIZE ARG...
 *
 * Makes an assigned device work, in a guest or without one. KIND and its ARGs:
 *
 *     udp-send ADDRESS | udp-recv ADDRESS        COUNT datagrams of SIZE bytes
 *     tcp-send ADDRESS | tcp-recv ADDRESS        COUNT messages of SIZE bytes in a stream
 *     read DEV | write DEV                       COUNT O_DIRECT transfers of SIZE bytes
 *
 * Some passes go before that nothing is told of; with option -m up to so many, until one has
 * made neither MAP nor UNMAP. Then each is between two lines, for an answer to which it waits:
 *
 *     PVI mark=begin name=NAME pass=N work=0|1 kinds=0|1
 *     PVI mark=end
 *
 * The answer tells that the counts have been read. Before each pass comes one with work=0, in
 * which nothing is done: that is what the lines and the answers cost, and the clock's ticks
 * around them, in the state that the load leaves a guest in. Passes with kinds=1 come last, in
 * which the other side may look closer: the last of them counts, since looking closer makes them
 * slower, and what is slower takes other buffers. Then a line tells what the pass did; packets are
 * those of the card of option -i, both ways:
 *
 *     PVI messages=N bytes=N ns=N packets=N maps=N
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/assigned/proto.h"
#include "bench/busy.h"
#include "bench/datagrams.h"

#define DISK_BUFFER (1u << 20)
#define DISK_BYTES  (32u << 20)
/* After which nothing is under way any more: transmissions, timers of the pass before. */
#define SETTLE_US    40000
#define CLOSE_PASSES 2

struct load;

struct kind {
	const char *name;
	void (*open)(struct load *l, const char *arg);
	void (*pass)(struct load *l);
};

struct load {
	const char *name, *card;
	const struct kind *kind;
	uint32_t count, size;
	unsigned int warmups, most_warmups, passes;
	int fd;
	char *buf;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "assign-load: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- network ---- */

static void open_socket(struct load *l, int type, uint16_t port, const char *address)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	const struct timeval tv = {.tv_sec = SILENCE_MS / 1000};
	int size = RECEIVE_BUFFER;

	if (inet_pton(AF_INET, address, &to.sin_addr) != 1) {
		errno = EINVAL;
		die(address);
	}
	l->fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	if (l->fd < 0 || setsockopt(l->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) ||
	    (type == SOCK_DGRAM &&
	     setsockopt(l->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size))) ||
	    connect(l->fd, (struct sockaddr *)&to, sizeof(to)))
		die("socket");
	l->buf = calloc(1, DISK_BUFFER);
	if (!l->buf)
		die("buffer");
}

static void open_udp(struct load *l, const char *address)
{
	open_socket(l, SOCK_DGRAM, UDP_PORT, address);
}

static void open_udp_discard(struct load *l, const char *address)
{
	open_socket(l, SOCK_DGRAM, UDP_DISCARD_PORT, address);
}

static void open_tcp(struct load *l, const char *address)
{
	open_socket(l, SOCK_STREAM, TCP_PORT, address);
}

static void send_datagrams(struct load *l)
{
	errno = -bench_send_datagrams(l->fd, l->buf, l->size, l->count);
	if (errno)
		die("send");
}

static void ask(const struct load *l, enum direction direction)
{
	const struct request r = {direction, l->count, l->size};

	if (send(l->fd, &r, sizeof(r), 0) != sizeof(r))
		die("request");
}

static void receive_datagrams(struct load *l)
{
	const uint32_t every = window_of(l->size) / 2;
	uint32_t got = 0;

	ask(l, FROM_PEER);
	while (got < l->count) {
		if (recv(l->fd, l->buf, DISK_BUFFER, 0) != (ssize_t)l->size)
			die("recv");
		got++;
		if ((got % every == 0 || got == l->count) &&
		    send(l->fd, &got, sizeof(got), 0) != sizeof(got))
			die("acknowledgement");
	}
}

static void send_stream(struct load *l)
{
	ask(l, TO_PEER);
	for (uint32_t i = 0; i < l->count; i++)
		for (uint32_t at = 0; at < l->size;) {
			ssize_t n = send(l->fd, l->buf, l->size - at, 0);

			if (n <= 0)
				die("send");
			at += (uint32_t)n;
		}
	if (recv(l->fd, l->buf, 1, 0) != 1)
		die("the peer's word that it has all");
}

static void receive_stream(struct load *l)
{
	uint64_t left = (uint64_t)l->count * l->size;

	ask(l, FROM_PEER);
	while (left) {
		ssize_t n = recv(l->fd, l->buf, l->size < left ? l->size : left, 0);

		if (n <= 0)
			die("recv");
		left -= (uint64_t)n;
	}
}

/* ---- disk ---- */

/* Pages taken from the last to the first: few of them are their neighbours' neighbours. */
static void open_disk(struct load *l, const char *path)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	l->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (l->fd < 0)
		die(path);
	l->buf =
		mmap(NULL, DISK_BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (l->buf == MAP_FAILED || madvise(l->buf, DISK_BUFFER, MADV_NOHUGEPAGE))
		die("buffer");
	for (size_t at = DISK_BUFFER; at; at -= page)
		l->buf[at - page] = 1;
	if (mlock(l->buf, DISK_BUFFER))
		die("mlock");
}

static void read_disk(struct load *l)
{
	for (uint32_t i = 0; i < l->count; i++)
		if (pread(l->fd, l->buf + (uint64_t)i * l->size % DISK_BUFFER, l->size,
			  (off_t)((uint64_t)i * l->size % DISK_BYTES)) != (ssize_t)l->size)
			die("read");
}

static void write_disk(struct load *l)
{
	for (uint32_t i = 0; i < l->count; i++)
		if (pwrite(l->fd, l->buf + (uint64_t)i * l->size % DISK_BUFFER, l->size,
			   (off_t)((uint64_t)i * l->size % DISK_BYTES)) != (ssize_t)l->size)
			die("write");
}

static const struct kind kinds[] = {
	{"udp-send", open_udp_discard, send_datagrams},
	{"udp-recv", open_udp, receive_datagrams},
	{"tcp-send", open_tcp, send_stream},
	{"tcp-recv", open_tcp, receive_stream},
	{"read", open_disk, read_disk},
	{"write", open_disk, write_disk},
};

/* ---- passes ---- */

static unsigned long long packets(const struct load *l)
{
	static const char *const way[] = {"rx_packets", "tx_packets"};
	unsigned long long sum = 0, n;
	char path[128];
	FILE *f;

	for (unsigned int i = 0; l->card && i < 2; i++) {
		snprintf(path, sizeof(path), "/sys/class/net/%s/statistics/%s", l->card, way[i]);
		f = fopen(path, "re");
		if (!f || fscanf(f, "%llu", &n) != 1)
			die(path);
		fclose(f);
		sum += n;
	}
	return sum;
}

/* MAPs and UNMAPs that pviommu.ko has made for all devices; 0 where it has none. */
static unsigned long long maps(void)
{
	unsigned long long sum = 0, n;
	glob_t found;
	FILE *f;

	if (glob("/sys/bus/pci/devices/*/pviommu/{maps,unmaps}", GLOB_BRACE, NULL, &found))
		return 0;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		f = fopen(found.gl_pathv[i], "re");
		if (!f || fscanf(f, "%llu", &n) != 1)
			die(found.gl_pathv[i]);
		fclose(f);
		sum += n;
	}
	globfree(&found);
	return sum;
}

static void wait_answer(void)
{
	char answer[64];

	fflush(stdout);
	if (!fgets(answer, sizeof(answer), stdin))
		die("no answer to a mark");
}

static void measure(struct load *l, unsigned int pass, bool work, bool closely)
{
	unsigned long long n, m;
	uint64_t ns;

	usleep(SETTLE_US);
	n = packets(l);
	m = maps();
	printf("PVI mark=begin name=%s pass=%u work=%d kinds=%d\n", l->name, pass, work, closely);
	wait_answer();
	ns = bench_clock_ns(CLOCK_MONOTONIC);
	if (work)
		l->kind->pass(l);
	ns = bench_clock_ns(CLOCK_MONOTONIC) - ns;
	printf("PVI mark=end\n");
	wait_answer();
	usleep(SETTLE_US);
	if (!work)
		return;
	printf("PVI messages=%u bytes=%llu ns=%llu packets=%llu maps=%llu\n", l->count,
	       (unsigned long long)l->count * l->size, (unsigned long long)ns, packets(l) - n,
	       maps() - m);
	fflush(stdout);
}

static void measure_both(struct load *l, unsigned int pass, bool closely)
{
	measure(l, pass, false, closely);
	measure(l, pass, true, closely);
}

/* So many passes at least and, up to what option -m says, until one has made no MAP or UNMAP. */
static void until_warm(struct load *l, unsigned int least,
		       void (*pass)(struct load *l, unsigned int number))
{
	unsigned long long before = 0, now = maps();

	for (unsigned int i = 0; i < least || (i < l->most_warmups && now != before); i++) {
		before = now;
		pass(l, i);
		now = maps();
	}
}

static void pass_untold(struct load *l, unsigned int number)
{
	(void)number;
	l->kind->pass(l);
}

static void pass_closely(struct load *l, unsigned int number)
{
	measure_both(l, number, true);
}

static uint32_t number(const char *text, uint32_t max)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 0);
	if (errno || *end || end == text || v > max) {
		errno = EINVAL;
		die(text);
	}
	return (uint32_t)v;
}

static _Noreturn void usage(void)
{
	fprintf(stderr,
		"usage: assign-load [-c COUNT] [-w WARM-UPS] [-m MOST] [-p PASSES] [-i CARD] NAME "
		"KIND SIZE ARG\n");
	exit(2);
}

static void take_options(struct load *l, int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "c:w:m:p:i:")) != -1) {
		switch (opt) {
		case 'c':
			l->count = number(optarg, 1u << 20);
			break;
		case 'w':
			l->warmups = number(optarg, 1000);
			break;
		case 'p':
			l->passes = number(optarg, 1000);
			break;
		case 'm':
			l->most_warmups = number(optarg, 1000);
			break;
		case 'i':
			l->card = optarg;
			break;
		default:
			usage();
		}
	}
}

int main(int argc, char **argv)
{
	struct load l = {.count = 1000, .warmups = 1, .passes = 1, .fd = -1};

	take_options(&l, argc, argv);
	argv += optind;
	if (argc - optind != 4)
		usage();
	l.name = argv[0];
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(argv[1], kinds[i].name))
			l.kind = &kinds[i];
	l.size = number(argv[2], DISK_BUFFER);
	if (!l.kind || (l.size && DISK_BUFFER % l.size && argv[1][0] != 'u'))
		usage();
	l.kind->open(&l, argv[3]);
	until_warm(&l, l.warmups, pass_untold);
	for (unsigned int i = 0; i < l.passes; i++)
		measure_both(&l, i + 1, false);
	until_warm(&l, CLOSE_PASSES, pass_closely);
	return 0;
}
