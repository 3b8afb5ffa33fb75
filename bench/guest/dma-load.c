// SPDX-License-Identifier: BSD-2-Clause
/*
 * dma-load [OPTION]... NAME udp ADDRESS PORT SIZE
 * dma-load [OPTION]... NAME read DEV SIZE
 *
 * Makes a device do DMA and tells what that cost: COUNT datagrams, or O_DIRECT
 * reads into fixed pages, none of which lies behind its neighbour in memory; by JOBS threads,
 * each on a CPU of its own with a socket or pages of its own. Some passes go before that
 * nothing is told of. Each of the others gives a line
 *
 *     PHASE name=NAME pass=N transfers=COUNT busy=NS clock=NS [COUNTER=N]...
 *
 * where busy is the time in which the machine was not idle, and the counters are
 * the differences of those in an endpoint's pviommu folder; with "other_" before their names
 * the requests of other endpoints, which do something by themselves now and then. So that who
 * traces the machine can tell the passes, the beginning and the end of each are marked by a byte
 * written to a register of the host bridge that does nothing; or by a line on the
 * console, after which an answer is waited for.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/busy.h"
#include "bench/datagrams.h"

#define BRIDGE	    "/sys/bus/pci/devices/0000:00:00.0/config"
#define BRIDGE_MARK 0x3c /* the interrupt line, of a function without an interrupt */
#define MARK_BEGIN  0xb1
#define MARK_END    0xe1
/* After which nothing is under way any more: transmissions, invalidations put off. */
#define SETTLE_US 40000
/* Odd, so that a walk with it visits all of a power of two. */
#define FIRST_STRIDE 97u
#define LAST_STRIDE  199u
#define MAX_JOBS     8u

static const char *const counter_names[] = {
	"dmas",		"requests",	     "kicks", "maps", "unmaps", "reused",
	"mapped_pages", "peak_mapped_pages", "faults"};

#define NR_COUNTERS (sizeof(counter_names) / sizeof(counter_names[0]))
#define NR_FLOWS    6 /* of these are sums, of which differences make sense */
/* Those that a host counts as well. */
#define FIRST_TRACED 1
#define LAST_TRACED  4
#define MAX_OTHERS   4u

struct counters {
	unsigned long long value[NR_COUNTERS];
	unsigned long long other[LAST_TRACED + 1];
};

struct load {
	const char *name;
	const char *folder;
	const char *other[MAX_OTHERS];
	unsigned int nr_others;
	int bridge_fd; /* -1: marks go to the console */
	bool marks;
	uint64_t count; /* of all jobs */
	unsigned int warmups, passes, jobs;
	bool random;
	size_t size, buf_size;
	bool udp;
};

struct job {
	const struct load *load;
	unsigned int cpu;
	uint64_t state; /* of the random numbers */
	int fd;
	uint8_t *buf;
	pthread_t thread;
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

static void send_all(const struct job *j)
{
	const struct load *l = j->load;

	errno = -bench_send_datagrams(j->fd, j->buf, l->size, l->count / l->jobs);
	if (errno)
		die("send");
}

static void read_all(struct job *j)
{
	const struct load *l = j->load;
	uint64_t blocks = l->buf_size / l->size, block;

	for (uint64_t i = 0; i < l->count / l->jobs; i++) {
		block = (l->random ? next_random(&j->state) >> 32 : i) % blocks;
		if (pread(j->fd, j->buf + block * l->size, l->size, 0) != (ssize_t)l->size)
			die("read");
	}
}

static void *run_job(void *arg)
{
	struct job *j = arg;

	if (j->load->udp)
		send_all(j);
	else
		read_all(j);
	return NULL;
}

/* As a thread on a CPU of its own. */
static void *run_job_there(void *arg)
{
	struct job *j = arg;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(j->cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		die("CPU of a job");
	return run_job(j);
}

static void one_pass(const struct load *l, struct job *job)
{
	if (l->jobs == 1) {
		run_job(job);
		return;
	}
	for (unsigned int i = 0; i < l->jobs; i++) {
		errno = pthread_create(&job[i].thread, NULL, run_job_there, &job[i]);
		if (errno)
			die("thread");
	}
	for (unsigned int i = 0; i < l->jobs; i++)
		pthread_join(job[i].thread, NULL);
}

static void open_udp(struct job *j, const char *address, const char *port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((unsigned short)atoi(port))};

	if (inet_pton(AF_INET, address, &to.sin_addr) != 1) {
		errno = EINVAL;
		die(address);
	}
	j->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (j->fd < 0 || connect(j->fd, (struct sockaddr *)&to, sizeof(to)))
		die("socket");
	j->buf = calloc(1, j->load->size);
	if (!j->buf)
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
static bool take_pages(struct job *j, size_t stride)
{
	const struct load *l = j->load;
	size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = l->buf_size / page;

	j->buf =
		mmap(NULL, l->buf_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (j->buf == MAP_FAILED || madvise(j->buf, l->buf_size, MADV_NOHUGEPAGE))
		die("buffer");
	for (size_t i = 0; i < pages; i++)
		j->buf[i * stride % pages * page] = 1;
	if (mlock(j->buf, l->buf_size))
		die("mlock");
	/* It matters for transfers of more than a page. */
	if (l->size <= page || !has_runs(j->buf, pages))
		return true;
	munmap(j->buf, l->buf_size);
	return false;
}

static void open_disk(struct job *j, const char *path)
{
	size_t stride = FIRST_STRIDE;

	j->fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (j->fd < 0)
		die(path);
	while (!take_pages(j, stride)) {
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
	for (unsigned int k = 0; k < l->nr_others; k++) {
		for (size_t i = FIRST_TRACED; i <= LAST_TRACED; i++)
			c->other[i] += read_counter(l->other[k], counter_names[i]);
	}
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

static void measure(const struct load *l, struct job *job, unsigned int pass)
{
	struct counters begin, end;
	uint64_t idle, clock;

	usleep(SETTLE_US);
	mark_counted(l, MARK_BEGIN, &begin);
	idle = bench_idle_ns();
	clock = bench_clock_ns(CLOCK_MONOTONIC);
	one_pass(l, job);
	usleep(SETTLE_US);
	clock = bench_clock_ns(CLOCK_MONOTONIC) - clock;
	idle = bench_idle_ns() - idle;
	mark_counted(l, MARK_END, &end);

	printf("PHASE name=%s pass=%u transfers=%llu busy=%lld clock=%llu", l->name, pass,
	       (unsigned long long)l->count, (long long)(clock - idle), (unsigned long long)clock);
	for (size_t i = 0; l->folder && i < NR_COUNTERS; i++)
		printf(" %s=%llu", counter_names[i],
		       end.value[i] - (i < NR_FLOWS ? begin.value[i] : 0));
	for (size_t i = FIRST_TRACED; l->nr_others && i <= LAST_TRACED; i++)
		printf(" other_%s=%llu", counter_names[i], end.other[i] - begin.other[i]);
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
	case 'j':
		l->jobs = (unsigned int)number(optarg, MAX_JOBS);
		break;
	case 'b':
		l->buf_size = number(optarg, 1u << 30);
		break;
	case 'f':
		l->folder = optarg;
		break;
	case 'o':
		if (l->nr_others == MAX_OTHERS)
			take_option(l, '?');
		l->other[l->nr_others++] = optarg;
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
				"[-b BUFFER-BYTES] [-j JOBS] [-r] [-m bridge|console|none] "
				"[-f FOLDER] [-o FOLDER]... NAME udp ADDRESS PORT SIZE | NAME read "
				"DEV SIZE\n");
		exit(2);
	}
}

static void open_job(struct job *j, char **argv)
{
	if (j->load->udp)
		open_udp(j, argv[2], argv[3]);
	else
		open_disk(j, argv[2]);
}

int main(int argc, char **argv)
{
	struct load l = {.count = 1000,
			 .warmups = 1,
			 .passes = 1,
			 .jobs = 1,
			 .buf_size = 1u << 20,
			 .bridge_fd = -1};
	struct job job[MAX_JOBS];
	int opt;

	while ((opt = getopt(argc, argv, "c:w:p:b:j:f:o:m:r")) != -1)
		take_option(&l, opt);
	argc -= optind;
	argv += optind;
	l.udp = argc == 5 && !strcmp(argv[1], "udp");
	if (!l.udp && (argc != 4 || strcmp(argv[1], "read") != 0))
		take_option(&l, '?');
	l.name = argv[0];
	l.size = number(argv[argc - 1], 1u << 20);
	if (!l.jobs || l.count % l.jobs)
		take_option(&l, '?');
	if (!l.udp && (!l.size || l.buf_size % l.size || l.buf_size & (l.buf_size - 1)))
		take_option(&l, '?');
	for (unsigned int i = 0; i < l.jobs; i++) {
		job[i] = (struct job){.load = &l, .cpu = i, .state = i + 1};
		open_job(&job[i], argv);
	}
	for (unsigned int i = 0; i < l.warmups; i++)
		one_pass(&l, job);
	for (unsigned int i = 0; i < l.passes; i++)
		measure(&l, job, i);
	return 0;
}
