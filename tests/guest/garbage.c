// SPDX-License-Identifier: BSD-2-Clause
/*
 * garbage bars|config|queue SEED COUNT BDF
 *
 * A guest's root process that does to a PCI function, whose driver is not loaded, what
 * no driver does. bars: reads and writes of its BARs, of any width, anywhere. config:
 * the same with its config space. queue: drives a virtio-iommu by hand, with requests,
 * descriptors and ring indices that are more or less wrong. The same SEED does the same.
 *
 * Only what would hurt this very guest is left out: rings outside of the memory of this
 * process, mappings of anything else, interrupts that are more than a vector.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/virtio_pci.h"
#include "core/wire.h"

#define MAX_BARS   6
#define PAGE	   4096u
#define PAGES	   4 /* ring, events, requests, a target of mappings */
#define QSIZE	   64u
#define OWN_DOMAIN 1

/* Common configuration, VIRTIO 1.3, 4.1.4.3. */
enum { FEATURE_SELECT = 8, FEATURE = 12, STATUS = 0x14, QUEUE_SELECT = 0x16, SIZE = 0x18 };
enum { VECTOR = 0x1a, ENABLE = 0x1c, DESC = 0x20, AVAIL = 0x28, USED = 0x30 };

/* Where the parts of a queue of QSIZE lie in its page. */
enum { AVAIL_AT = 0x800, USED_AT = 0xc00 };

struct bar {
	volatile uint8_t *at;
	size_t size;
};

struct garbage {
	char folder[64]; /* of the function in sysfs */
	uint64_t random;
	unsigned int count;
	struct bar bar[MAX_BARS];
	uint8_t *mem; /* PAGES pages that stay where they are */
	uint64_t gpa[PAGES];
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "garbage: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* xorshift64*; the state is never 0 */
static uint64_t next(struct garbage *g)
{
	g->random ^= g->random >> 12;
	g->random ^= g->random << 25;
	g->random ^= g->random >> 27;
	return g->random * 0x2545f4914f6cdd1dull;
}

static uint32_t below(struct garbage *g, uint32_t n)
{
	return (uint32_t)(next(g) >> 32) % n;
}

/* Values at the edges come up as often as all others. */
static uint64_t value(struct garbage *g)
{
	switch (below(g, 6)) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return below(g, 16);
	case 3:
		return 1ull << below(g, 64);
	default:
		return next(g);
	}
}

static int open_file(const struct garbage *g, const char *name, int flags)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", g->folder, name);
	return open(path, flags);
}

static void enable(const struct garbage *g)
{
	int fd = open_file(g, "enable", O_WRONLY);

	if (fd < 0 || write(fd, "1", 1) != 1)
		die("enable");
	close(fd);
}

static void map_bars(struct garbage *g)
{
	for (unsigned int i = 0; i < MAX_BARS; i++) {
		char name[16];
		struct stat st;
		int fd;

		snprintf(name, sizeof(name), "resource%u", i);
		fd = open_file(g, name, O_RDWR);
		if (fd < 0)
			continue;
		if (fstat(fd, &st))
			die(name);
		g->bar[i].size = (size_t)st.st_size;
		g->bar[i].at =
			mmap(NULL, g->bar[i].size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (g->bar[i].at == MAP_FAILED)
			die(name);
		close(fd);
	}
	if (!g->bar[0].at)
		die("no BAR");
}

/* Memory of this process, and where the machine has it. */
static void get_memory(struct garbage *g)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);

	g->mem = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
	if (fd < 0 || g->mem == MAP_FAILED)
		die("memory");
	for (unsigned int i = 0; i < PAGES; i++) {
		uint64_t entry, page = (uintptr_t)(g->mem + (size_t)i * PAGE) / PAGE;

		if (pread(fd, &entry, sizeof(entry), (off_t)(page * sizeof(entry))) !=
			    sizeof(entry) ||
		    !(entry << 9 >> 9))
			die("pagemap");
		g->gpa[i] = (entry << 9 >> 9) * PAGE;
	}
	close(fd);
}

static void put(const struct bar *bar, uint32_t off, uint64_t v, unsigned int width)
{
	volatile void *at = bar->at + off;

	switch (width) {
	case 1:
		*(volatile uint8_t *)at = (uint8_t)v;
		break;
	case 2:
		*(volatile uint16_t *)at = (uint16_t)v;
		break;
	case 4:
		*(volatile uint32_t *)at = (uint32_t)v;
		break;
	default:
		*(volatile uint64_t *)at = v;
	}
}

static uint64_t get(const struct bar *bar, uint32_t off, unsigned int width)
{
	volatile void *at = bar->at + off;

	switch (width) {
	case 1:
		return *(volatile uint8_t *)at;
	case 2:
		return *(volatile uint16_t *)at;
	case 4:
		return *(volatile uint32_t *)at;
	default:
		return *(volatile uint64_t *)at;
	}
}

/* --- registers --- */

/* An offset within a BAR: of registers and doorbells as often as of nothing. */
static uint32_t offset(struct garbage *g, size_t size)
{
	static const uint32_t known[] = {PVI_VP_COMMON, PVI_VP_ISR, PVI_VP_DEVICE, PVI_VP_NOTIFY};
	uint32_t off = below(g, 2) ? known[below(g, 4)] + below(g, 64) : below(g, (uint32_t)size);

	return off > size - 8 ? (uint32_t)size - 8 : off;
}

/* A ring that the device may well use must not lie in memory of others. */
static uint64_t harmless_ring(struct garbage *g, uint32_t off, unsigned int width, uint64_t v)
{
	if (off >= USED + 8 || off + width <= DESC)
		return v;
	if (width == 8)
		return below(g, 2) ? g->gpa[0] + below(g, PAGE) : v | 1ull << 52;
	return off & 4 ? v | 1u << 20 : g->gpa[0] + below(g, PAGE);
}

/* An MSI-X entry's message is a vector, fixed; not an INIT for this very CPU. */
static uint64_t harmless_message(uint32_t off, unsigned int width, uint64_t v)
{
	bool data = off % 16 < 12 && off % 16 + width > 8;

	return data ? 0x60 | (v & 0xf) : v;
}

static void bars(struct garbage *g)
{
	for (unsigned int i = 0; i < g->count; i++) {
		unsigned int width = 1u << below(g, 4), n = below(g, MAX_BARS);
		const struct bar *bar = &g->bar[g->bar[n].at ? n : 0];
		uint32_t off = offset(g, bar->size);
		uint64_t v = value(g);

		/* Mostly as the bus likes it: the rest is split by the CPU. */
		if (below(g, 8))
			off &= ~(width - 1);
		if (bar != &g->bar[0])
			v = harmless_message(off, width, v);
		else
			v = harmless_ring(g, off, width, v);
		if (below(g, 3))
			put(bar, off, v, width);
		else
			get(bar, off, width);
	}
}

static void config(struct garbage *g)
{
	int fd = open_file(g, "config", O_RDWR);
	uint8_t old[256];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || pread(fd, old, sizeof(old), 0) != sizeof(old))
		die("config");
	for (unsigned int i = 0; i < g->count; i++) {
		uint64_t v = value(g);
		size_t len = 1 + below(g, 8);
		off_t off = below(g, 4) ? below(g, 64) : below(g, (uint32_t)st.st_size);

		if (below(g, 3)) {
			if (pwrite(fd, &v, len, off) < 0)
				die("config");
		} else if (pread(fd, &v, len, off) < 0) {
			die("config");
		}
	}
	/* BARs and command as they were, so that the next one finds it. */
	for (off_t off = 0x10; off < 0x28; off += 4)
		if (pwrite(fd, old + off, 4, off) != 4)
			die("config");
	if (pwrite(fd, old + 4, 2, 4) != 2)
		die("config");
	close(fd);
}

/* --- queues --- */

static void start_queue(struct garbage *g, unsigned int q)
{
	const struct bar *bar = &g->bar[0];
	uint64_t gpa = g->gpa[q];

	memset(g->mem + (size_t)q * PAGE, 0, PAGE);
	put(bar, QUEUE_SELECT, q, 2);
	put(bar, SIZE, QSIZE, 2);
	put(bar, VECTOR, PVI_VP_NO_VECTOR, 2);
	put(bar, DESC, gpa, 8);
	put(bar, AVAIL, gpa + AVAIL_AT, 8);
	put(bar, USED, gpa + USED_AT, 8);
	put(bar, ENABLE, 1, 2);
}

static void start_device(struct garbage *g)
{
	const struct bar *bar = &g->bar[0];
	uint64_t offered = 0;

	put(bar, STATUS, 0, 1);
	put(bar, STATUS, PVI_VIRTIO_S_ACKNOWLEDGE | PVI_VIRTIO_S_DRIVER, 1);
	for (uint32_t half = 0; half < 2; half++) {
		put(bar, 0, half, 4);
		offered = get(bar, 4, 4);
		put(bar, FEATURE_SELECT, half, 4);
		put(bar, FEATURE, offered, 4);
	}
	put(bar, STATUS, PVI_VIRTIO_S_ACKNOWLEDGE | PVI_VIRTIO_S_DRIVER | PVI_VIRTIO_S_FEATURES_OK,
	    1);
	start_queue(g, 0);
	start_queue(g, 1);
	put(bar, STATUS,
	    PVI_VIRTIO_S_ACKNOWLEDGE | PVI_VIRTIO_S_DRIVER | PVI_VIRTIO_S_FEATURES_OK |
		    PVI_VIRTIO_S_DRIVER_OK,
	    1);
	/* Whether it runs now is not said: another process may write to its registers, too. */
}

static void put_desc(struct garbage *g, uint32_t i, uint64_t addr, uint32_t len, uint16_t flags,
		     uint16_t next_one)
{
	uint8_t *d = g->mem + (size_t)i * 16;

	pvi_put64(d, addr);
	pvi_put32(d + 8, len);
	pvi_put16(d + 12, flags);
	pvi_put16(d + 14, next_one);
}

/* A request: of a known type with fields at the edges, or noise. Its length. */
static uint32_t put_request(struct garbage *g)
{
	static const uint32_t size[] = {40, 16, 16, 32, 24, 68};
	uint8_t *r = g->mem + 2u * PAGE;
	uint32_t type = below(g, 6);

	for (uint32_t i = 0; i < 128; i += 8)
		pvi_put64(r + i, value(g));
	if (!below(g, 4))
		return below(g, 128);
	memset(r, 0, 4);
	r[0] = (uint8_t)type;
	pvi_put32(r + 4, below(g, 4) ? OWN_DOMAIN + below(g, 3) : (uint32_t)value(g));
	if (type == PVI_T_ATTACH || type == PVI_T_DETACH) {
		pvi_put32(r + 8, below(g, 4) ? below(g, 64) : (uint32_t)value(g));
		memset(r + 12, 0, 8);
	} else if (type == PVI_T_MAP || type == PVI_T_UNMAP) {
		uint64_t start = below(g, 4) ? (uint64_t)below(g, 4096) * PAGE : value(g);

		pvi_put64(r + 8, start);
		pvi_put64(r + 16, below(g, 4) ? start + PAGE - 1 : value(g));
	}
	if (type == PVI_T_MAP) {
		/* To the page for it, or beyond any memory. */
		pvi_put64(r + 24, below(g, 4) ? g->gpa[3] : value(g) | 1ull << 45);
		pvi_put32(r + 32, below(g, 4) ? 3 : (uint32_t)value(g));
		return 36;
	}
	return size[type];
}

/* Descriptors of one request; more or less as they should be. */
static void put_chain(struct garbage *g)
{
	uint32_t len = put_request(g);
	uint32_t reply = below(g, 4) ? 4 + 512 * below(g, 2) : below(g, 4096);

	put_desc(g, 0, g->gpa[2], len, 1, 1);
	put_desc(g, 1, g->gpa[2] + 1024, reply, 2, 0);
	if (below(g, 4))
		return;
	put_desc(g, below(g, 2), below(g, 2) ? value(g) | 1ull << 45 : g->gpa[2],
		 (uint32_t)value(g), (uint16_t)value(g), (uint16_t)value(g));
}

static void queue(struct garbage *g)
{
	const struct bar *bar = &g->bar[0];
	unsigned int restarts = 0, answered = 0;
	uint16_t avail = 0;

	start_device(g);
	for (unsigned int i = 0; i < g->count; i++) {
		uint8_t *ring = g->mem + AVAIL_AT, *used = g->mem + USED_AT;
		uint16_t before = pvi_get16(used + 2);

		put_chain(g);
		pvi_put16(ring + 4 + 2 * (avail % QSIZE), below(g, 16) ? 0 : (uint16_t)value(g));
		avail += below(g, 16) ? 1 : (uint16_t)value(g);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		pvi_put16(ring + 2, avail);
		put(bar, PVI_VP_NOTIFY + 4 * (below(g, 8) == 0), value(g), 2);
		answered += (uint16_t)(pvi_get16(used + 2) - before);
		if (!(get(bar, STATUS, 1) & PVI_VIRTIO_S_NEEDS_RESET))
			continue;
		restarts++;
		avail = 0;
		start_device(g);
	}
	put(bar, STATUS, 0, 1);
	printf("garbage: %u requests answered, %u restarts\n", answered, restarts);
}

int main(int argc, char **argv)
{
	struct garbage g = {.random = 0};

	if (argc != 5) {
		fprintf(stderr, "usage: garbage bars|config|queue SEED COUNT BDF\n");
		return 2;
	}
	g.random = strtoull(argv[2], NULL, 0) * 2 + 1;
	g.count = (unsigned int)strtoul(argv[3], NULL, 0);
	snprintf(g.folder, sizeof(g.folder), "/sys/bus/pci/devices/%s", argv[4]);
	printf("garbage: %s of %s, %u times, seed %s\n", argv[1], argv[4], g.count, argv[2]);
	fflush(stdout);
	enable(&g);
	get_memory(&g);
	if (!strcmp(argv[1], "config")) {
		config(&g);
		return 0;
	}
	map_bars(&g);
	if (!strcmp(argv[1], "queue"))
		queue(&g);
	else
		bars(&g);
	return 0;
}
