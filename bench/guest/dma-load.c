// SPDX-License-Identifier: BSD-2-Clause
/*
 * dma-load [OPTION]... NAME udp ADDRESS PORT SIZE
 * dma-load [OPTION]... NAME read DEV SIZE
 *
 * Makes a device do DMA and tells what that cost: COUNT datagrams, or O_DIRECT
 * reads into fixed pages, none of which lies behind its neighbour in memory. Some passes go
 * before that nothing is told of. Each of the others gives a line
 *
 *     PHASE name=NAME pass=N transfers=COUNT busy=NS clock=NS [COUNTER=N]...
 *
 * where busy is the time in which the machine was not idle, and the counters are
 * the differences of those in an endpoint's pviommu folder. So that who traces the
 * machine can tell the passes, the beginning and the end of each are marked by a byte
 * written to a register of the host bridge that does nothing; or by a line on the
 * console, after which an answer is waited for.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/busy.h"

#define BRIDGE	    "/sys/bus/pci/devices/0000:00:00.0/config"
#define BRIDGE_MARK 0x3c /* the interrupt line, of a function without an interrupt */
#define MARK_BEGIN  0xb1
#define MARK_END    0xe1
/* After which nothing is under way any more: transmissions, invalidations put off. */
#define SETTLE_US 40000
/* Odd, so that a walk with it visits all of a power of two. */
#define FIRST_STRIDE 97u
#define LAST_STRIDE  199u

static const char *const counter_names[] = {
	"dmas",		"requests",	     "kicks", "maps", "unmaps", "reused",
	"mapped_pages", "peak_mapped_pages", "faults"};

#define NR_COUNTERS (sizeof(counter_names) / sizeof(counter_names[0]))
#define NR_FLOWS    6 /* of these are sums, of which differences make sense */

struct counters {
	unsigned long long value[NR_COUNTERS];
};

struct load {
	const char *name;
	const char *folder;
	int bridge_fd; /* -1: marks go to the console */
	bool marks;
	uint64_t count;
	unsigned int warmups, passes;
	bool random;
	uint64_t state; /* of the random numbers */
	int fd;
	uint8_t *buf;
	size_t size, buf_size;
	bool udp;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "dma-load: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* xorshift64*; never 0 */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

/* ---- the loads ---- */

static void wait_sent(int fd)
{
	int left = 1;

	while (left) {
		if (ioctl(fd, SIOCOUTQ, &left))
			die("SIOCOUTQ");
		if (left)
			poll(NULL, 0, 1);
	}
}

static void send_all(const struct load *l)
{
	struct pollfd p = {.fd = l->fd, .events = POLLOUT};

	for (uint64_t i = 0; i < l->count; i++) {
		while (send(l->fd, l->buf, l->size, 0) != (ssize_t)l->size) {
			if (errno != ENOBUFS && errno != EAGAIN && errno != ECONNREFUSED)
				die("send");
			poll(&p, 1, 1);
		}
	}
	wait_sent(l->fd);
}

static void read_all(struct load *l)
{
	uint64_t blocks = l->buf_size / l->size, block;

	for (uint64_t i = 0; i < l->count; i++) {
		block = (l->random ? next_random(&l->state) >> 32 : i) % blocks;
		if (pread(l->fd, l->buf + block * l->size, l->size, 0) != (ssize_t)l->size)
			die("read");
	}
}

static void one_pass(struct load *l)
{
	if (l->udp)
		send_all(l);
	else
		read_all(l);
}

static void open_udp(struct load *l, const char *address, const char *port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((unsigned short)atoi(port))};

	if (inet_pton(AF_INET, address, &to.sin_addr) != 1) {
		errno = EINVAL;
		die(address);
	}
	l->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&to, sizeof(to)))
		die("socket");
	l->buf = calloc(1, l->size);
	if (!l->buf)
		die("buffer");
}

static uint64_t frame_of(int pagemap, const uint8_t *at)
{
	uint64_t entry;
	off_t off = (off_t)((uintptr_t)at / (uintptr_t)sysconf(_SC_PAGESIZE) * sizeof(entry));

	if (pread(pagemap, &entry, sizeof(entry), off) != sizeof(entry))
		die("/proc/self/pagemap");
	return entry & ((1ull << 55) - 1);
}

/* Does a neighbour lie behind its neighbour? Then the kernel makes one segment of them. */
static bool has_runs(const uint8_t *buf, size_t pages)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t frame, last = 0;
	bool found = false;

	for (size_t i = 0; i < pages; i++, last = frame) {
		frame = frame_of(pagemap, buf + i * page);
		found |= i && frame == last + 1;
	}
	close(pagemap);
	return found;
}

/* Pages come in the order of the walk, so neighbours mostly get none that are neighbours. */
static bool take_pages(struct load *l, size_t stride)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = l->buf_size / page;

	l->buf =
		mmap(NULL, l->buf_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (l->buf == MAP_FAILED || madvise(l->buf, l->buf_size, MADV_NOHUGEPAGE))
		die("buffer");
	for (size_t i = 0; i < pages; i++)
		l->buf[i * stride % pages * page] = 1;
	if (mlock(l->buf, l->buf_size))
		die("mlock");
	/* It matters for transfers of more than a page. */
	if (l->size <= page || !has_runs(l->buf, pages))
		return true;
	munmap(l->buf, l->buf_size);
	return false;
}

static void open_disk(struct load *l, const char *path)
{
	size_t stride = FIRST_STRIDE;

	l->fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (l->fd < 0)
		die(path);
	while (!take_pages(l, stride)) {
		stride += 2;
		if (stride > LAST_STRIDE) {
			errno = ENOMEM;
			die("pages that are no neighbours");
		}
	}
}

/* ---- what they cost ---- */

static unsigned long long read_counter(const char *folder, const char *name)
{
	unsigned long long value;
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%llu", &value) != 1)
		die(path);
	fclose(f);
	return value;
}

static void read_counters(const struct load *l, struct counters *c)
{
	memset(c, 0, sizeof(*c));
	for (size_t i = 0; l->folder && i < NR_COUNTERS; i++)
		c->value[i] = read_counter(l->folder, counter_names[i]);
}

static void mark(const struct load *l, uint8_t byte)
{
	char answer[64];

	if (!l->marks)
		return;
	if (l->bridge_fd >= 0) {
		if (pwrite(l->bridge_fd, &byte, 1, BRIDGE_MARK) != 1)
			die(BRIDGE);
		return;
	}
	printf("PVI mark=%s\n", byte == MARK_BEGIN ? "begin" : "end");
	fflush(stdout);
	if (!fgets(answer, sizeof(answer), stdin))
		die("no answer to a mark");
}

/* What happens by itself meanwhile would be on one side of only one of them: once more. */
static void mark_counted(const struct load *l, uint8_t byte, struct counters *ret)
{
	struct counters before;

	do {
		read_counters(l, &before);
		mark(l, byte);
		read_counters(l, ret);
	} while (memcmp(&before, ret, sizeof(before)));
}

static void measure(struct load *l, unsigned int pass)
{
	struct counters begin, end;
	uint64_t idle, clock;

	usleep(SETTLE_US);
	mark_counted(l, MARK_BEGIN, &begin);
	idle = bench_idle_ns();
	clock = bench_clock_ns(CLOCK_MONOTONIC);
	one_pass(l);
	usleep(SETTLE_US);
	clock = bench_clock_ns(CLOCK_MONOTONIC) - clock;
	idle = bench_idle_ns() - idle;
	mark_counted(l, MARK_END, &end);

	printf("PHASE name=%s pass=%u transfers=%llu busy=%lld clock=%llu", l->name, pass,
	       (unsigned long long)l->count, (long long)(clock - idle), (unsigned long long)clock);
	for (size_t i = 0; l->folder && i < NR_COUNTERS; i++)
		printf(" %s=%llu", counter_names[i],
		       end.value[i] - (i < NR_FLOWS ? begin.value[i] : 0));
	printf("\n");
	fflush(stdout);
}

static uint64_t number(const char *text, uint64_t max)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(text, &end, 0);
	if (errno || *end || end == text || v > max) {
		errno = EINVAL;
		die(text);
	}
	return v;
}

static void take_option(struct load *l, int opt)
{
	switch (opt) {
	case 'c':
		l->count = number(optarg, UINT32_MAX);
		break;
	case 'w':
		l->warmups = (unsigned int)number(optarg, 1000);
		break;
	case 'p':
		l->passes = (unsigned int)number(optarg, 1000);
		break;
	case 'b':
		l->buf_size = number(optarg, 1u << 30);
		break;
	case 'f':
		l->folder = optarg;
		break;
	case 'r':
		l->random = true;
		break;
	case 'm':
		l->marks = strcmp(optarg, "none") != 0;
		l->bridge_fd = -1;
		if (!strcmp(optarg, "bridge"))
			l->bridge_fd = open(BRIDGE, O_WRONLY | O_CLOEXEC);
		if (!strcmp(optarg, "bridge") && l->bridge_fd < 0)
			die(BRIDGE);
		break;
	default:
		fprintf(stderr, "usage: dma-load [-c COUNT] [-w WARM-UPS] [-p PASSES] "
				"[-b BUFFER-BYTES] [-r] [-m bridge|console|none] [-f FOLDER] "
				"NAME udp ADDRESS PORT SIZE | NAME read DEV SIZE\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct load l = {.count = 1000,
			 .warmups = 1,
			 .passes = 1,
			 .buf_size = 1u << 20,
			 .state = 1,
			 .bridge_fd = -1};
	int opt;

	while ((opt = getopt(argc, argv, "c:w:p:b:f:m:r")) != -1)
		take_option(&l, opt);
	argc -= optind;
	argv += optind;
	l.udp = argc == 5 && !strcmp(argv[1], "udp");
	if (!l.udp && (argc != 4 || strcmp(argv[1], "read") != 0))
		take_option(&l, '?');
	l.name = argv[0];
	l.size = number(argv[argc - 1], 1u << 20);
	if (l.udp)
		open_udp(&l, argv[2], argv[3]);
	else if (!l.size || l.buf_size % l.size || l.buf_size & (l.buf_size - 1))
		take_option(&l, '?');
	else
		open_disk(&l, argv[2]);
	for (unsigned int i = 0; i < l.warmups; i++)
		one_pass(&l);
	for (unsigned int i = 0; i < l.passes; i++)
		measure(&l, i);
	return 0;
}
