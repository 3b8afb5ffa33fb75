// SPDX-License-Identifier: GPL-2.0-only
/*
 * odrw DEV SIZE COUNT read|write|mix SEED [FOLDER]
 *
 * O_DIRECT transfers of SIZE bytes between the first MiB of DEV and one fixed 1 MiB
 * buffer: block n of the disk always meets block n of the buffer. What each block
 * must hold is known (from SEED and how often it was written), and every read is
 * verified. A first pass writes and reads every block; the second makes COUNT
 * transfers of random blocks and then reads every block once. With FOLDER, an
 * endpoint's pviommu folder in sysfs, its counters before and after the second pass
 * are printed: same buffer, same process, warm mappings. Runs in the guest.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BUFFER_SIZE (1u << 20)
#define UNIT	    512u

enum mode { MODE_READ, MODE_WRITE, MODE_MIX };

struct run {
	int fd;
	uint8_t *buf;
	uint32_t size;
	uint64_t seed;
	uint32_t *version; /* per block: how often written */
	uint64_t reads, writes;
};

/* xorshift64*; never 0 */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

static uint64_t word_at(const struct run *r, uint32_t block, uint32_t i)
{
	return (r->seed ^ (uint64_t)r->version[block] << 40 ^ (uint64_t)block << 20 ^ i) *
	       0x9e3779b97f4a7c15ull;
}

static int fail(const char *what, uint64_t off)
{
	fprintf(stderr, "odrw: %s at offset %llu: %s\n", what, (unsigned long long)off,
		strerror(errno));
	return -1;
}

static int transfer_write(struct run *r, uint32_t block)
{
	uint64_t off = (uint64_t)block * r->size;
	uint64_t *p = (uint64_t *)(r->buf + off);
	uint32_t i;

	r->version[block]++;
	for (i = 0; i < r->size / 8; i++)
		p[i] = word_at(r, block, i);
	if (pwrite(r->fd, p, r->size, (off_t)off) != (ssize_t)r->size)
		return fail("write", off);
	r->writes++;
	return 0;
}

static int transfer_read(struct run *r, uint32_t block)
{
	uint64_t off = (uint64_t)block * r->size;
	uint64_t *p = (uint64_t *)(r->buf + off);
	uint32_t i;

	memset(p, 0xee, r->size); /* so that a read that does nothing is seen */
	if (pread(r->fd, p, r->size, (off_t)off) != (ssize_t)r->size)
		return fail("read", off);
	for (i = 0; i < r->size / 8; i++) {
		if (p[i] != word_at(r, block, i)) {
			fprintf(stderr, "odrw: wrong data at offset %llu\n",
				(unsigned long long)off + i * 8);
			return -1;
		}
	}
	r->reads++;
	return 0;
}

static int first_pass(struct run *r, uint32_t nblocks)
{
	uint32_t b;

	for (b = 0; b < nblocks; b++) {
		if (transfer_write(r, b) || transfer_read(r, b))
			return -1;
	}
	return 0;
}

static int second_pass(struct run *r, uint32_t nblocks, uint64_t count, enum mode mode)
{
	uint64_t state = r->seed | 1;
	uint32_t block;
	int err;

	while (count--) {
		block = (uint32_t)(next_random(&state) >> 32) % nblocks;
		if (mode == MODE_WRITE || (mode == MODE_MIX && next_random(&state) >> 63))
			err = transfer_write(r, block);
		else
			err = transfer_read(r, block);
		if (err)
			return err;
	}
	for (block = 0; block < nblocks; block++) {
		if (transfer_read(r, block))
			return -1;
	}
	return 0;
}

static int print_counters(const char *when, const char *folder)
{
	static const char *const names[] = {"dmas",	    "requests",	      "kicks",
					    "maps",	    "unmaps",	      "reused",
					    "mapped_pages", "coherent_pages", "peak_mapped_pages",
					    "fixed_pages",  "faults"};
	char path[512];
	unsigned long long value;
	unsigned int i;
	FILE *f;

	printf("odrw: %s", when);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		f = fopen(path, "re");
		if (!f || fscanf(f, "%llu", &value) != 1) {
			fprintf(stderr, "odrw: %s: not a counter\n", path);
			return -1;
		}
		fclose(f);
		printf(" %s=%llu", names[i], value);
	}
	printf("\n");
	return 0;
}

static int run(struct run *r, uint64_t count, enum mode mode, const char *folder)
{
	uint32_t nblocks = BUFFER_SIZE / r->size;

	if (first_pass(r, nblocks) || (folder && print_counters("before", folder)))
		return -1;
	r->reads = 0;
	r->writes = 0;
	if (second_pass(r, nblocks, count, mode) || (folder && print_counters("after", folder)))
		return -1;
	return 0;
}

static int parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(text, &end, 0);
	if (errno || *end || end == text || v < min || v > max)
		return -1;
	*ret = v;
	return 0;
}

static int parse_mode(const char *text, enum mode *ret)
{
	static const char *const names[] = {"read", "write", "mix"};
	int i;

	for (i = 0; i < 3; i++) {
		if (!strcmp(text, names[i])) {
			*ret = (enum mode)i;
			return 0;
		}
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct run r = {0};
	uint64_t size, count;
	enum mode mode;

	if (argc < 6 || argc > 7 || parse(argv[2], UNIT, BUFFER_SIZE, &size) ||
	    BUFFER_SIZE % size || parse(argv[3], 1, UINT32_MAX, &count) ||
	    parse_mode(argv[4], &mode) || parse(argv[5], 0, UINT64_MAX, &r.seed)) {
		fprintf(stderr, "usage: odrw DEV SIZE COUNT read|write|mix SEED [FOLDER] "
				"(SIZE: 512 to 1048576, a power of two)\n");
		return 2;
	}
	r.size = (uint32_t)size;
	r.fd = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (r.fd < 0) {
		fprintf(stderr, "odrw: %s: %s\n", argv[1], strerror(errno));
		return 2;
	}
	r.buf = mmap(NULL, BUFFER_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	r.version = calloc(BUFFER_SIZE / size, sizeof(*r.version));
	if (r.buf == MAP_FAILED || !r.version) {
		fprintf(stderr, "odrw: out of memory\n");
		return 1;
	}
	if (run(&r, count, mode, argv[6]))
		return 1;
	printf("odrw: size %u reads %llu writes %llu bytes_verified %llu\n", r.size,
	       (unsigned long long)r.reads, (unsigned long long)r.writes,
	       (unsigned long long)r.reads * r.size);
	return 0;
}
