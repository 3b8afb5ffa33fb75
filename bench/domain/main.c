// SPDX-License-Identifier: BSD-2-Clause
/*
 * Runs every peer through the same work, a slice of each in turn, and prints a
 * line of JSON for every sample; bench/table makes results of them.
 *
 * usage: domain-bench ROUNDS [PART]...     parts: see main(); none: all
 */
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define NR_PEERS 5
#define K	 1024ull

static const struct peer *const peers[NR_PEERS] = {&peer_ours, &peer_flat, &peer_sorted,
						   &peer_gtree, &peer_vhost};
static unsigned int rounds;

static uint64_t clock_of(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t now_ns(void)
{
	return clock_of(CLOCK_MONOTONIC);
}

/* The machine has other work: what counts is this thread's own time. */
uint64_t thread_ns(void)
{
	return clock_of(CLOCK_THREAD_CPUTIME_ID);
}

void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fprintf(stderr, "cannot pin to CPU %d: goes on without\n", cpu);
}

void sample(const char *work, uint64_t n, const char *peer, unsigned int round, double ns)
{
	printf("{\"work\":\"%s\",\"n\":%llu,\"peer\":\"%s\",\"round\":%u,\"value\":%.4f}\n", work,
	       (unsigned long long)n, peer, round, ns);
	fflush(stdout);
}

static uint64_t heap_bytes(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static void *filled(const struct peer *p, uint64_t n, uint64_t step)
{
	void *t = p->make();

	for (uint64_t i = 0; i < n; i++)
		p->map(t, i * step, 1, target_of(i * step));
	return t;
}

enum loop { TRANSLATE, VECTOR, CHURN, RANGES, FIRST_PAGES };

static uint64_t run_loop(const struct peer *p, void *t, enum loop loop, uint64_t n, uint64_t from,
			 uint64_t count)
{
	switch (loop) {
	case TRANSLATE:
		return p->translate(t, n, from, count);
	case VECTOR:
		return p->vector(t, n, from, count);
	case CHURN:
		return p->churn(t, n, from, count);
	case RANGES:
		return p->ranges(t, n, from, count, true);
	case FIRST_PAGES:
		return p->ranges(t, n, from, count, false);
	}
	return 0;
}

/* All peers in turn, @count operations each; they must agree on what they found. */
static void one_round(const char *work, enum loop loop, uint64_t n, uint64_t count, void **t,
		      uint64_t *from, unsigned int r)
{
	for (unsigned int k = 0; k < NR_PEERS; k++) {
		/* Everybody follows everybody else in some round. */
		unsigned int i = (k + r) % NR_PEERS;
		const struct peer *p = peers[i];
		uint64_t c = loop == CHURN ? count / p->slow : count, sum, begin, end;

		c &= ~(uint64_t)(VEC - 1);
		begin = thread_ns();
		sum = run_loop(p, t[i], loop, n, from[i], c);
		end = thread_ns();
		if (loop == CHURN)
			for (uint64_t j = from[i]; j < from[i] + c; j++)
				sum -= target_of(churn_page(j, n));
		else if (loop < CHURN)
			for (uint64_t j = from[i]; j < from[i] + c; j++)
				sum -= target_of(pick(j, n));
		else
			for (uint64_t j = from[i]; j < from[i] + c; j++)
				sum -= target_of(pick(j, n) * 64);
		CHECK(!sum);
		from[i] += c;
		sample(work, n, p->name, r, (double)(end - begin) / (double)c);
	}
}

static void interleave(const char *work, enum loop loop, uint64_t n, uint64_t count, void **t)
{
	uint64_t from[NR_PEERS] = {0};

	for (unsigned int r = 0; r < rounds; r++)
		one_round(work, loop, n, count, t, from, r);
}

static void free_all(void **t)
{
	for (unsigned int i = 0; i < NR_PEERS; i++)
		peers[i]->free(t[i]);
	malloc_trim(0);
}

static void memory_of(const struct peer *p, void *t, uint64_t n, uint64_t before)
{
	uint64_t own = p->bytes(t), bytes = own ? own : heap_bytes() - before;

	if (p == &peer_flat)
		bytes = n * 8;
	sample("bytes_dense", n, p->name, 0, (double)bytes / (double)n);
}

static void random_pages(void)
{
	static const uint64_t sizes[] = {64, K, 16 * K, 128 * K, K * K};
	void *t[NR_PEERS];

	for (unsigned int s = 0; s < 5; s++) {
		uint64_t n = sizes[s];

		for (unsigned int i = 0; i < NR_PEERS; i++) {
			uint64_t before = heap_bytes();

			t[i] = filled(peers[i], n, 1);
			memory_of(peers[i], t[i], n, before);
		}
		interleave("translate", TRANSLATE, n, 64 * K, t);
		interleave("vector", VECTOR, n, 64 * K, t);
		free_all(t);
	}
}

static void churn(void)
{
	static const uint64_t sizes[] = {K, 16 * K, 128 * K, K * K};
	void *t[NR_PEERS];

	for (unsigned int s = 0; s < 4; s++) {
		for (unsigned int i = 0; i < NR_PEERS; i++)
			t[i] = filled(peers[i], sizes[s], 2);
		interleave("churn", CHURN, sizes[s], 32 * K, t);
		free_all(t);
	}
}

static void ranges(void)
{
	uint64_t first[NR_PEERS] = {0}, whole[NR_PEERS] = {0};
	const uint64_t n = 16 * K;
	void *t[NR_PEERS];

	for (unsigned int i = 0; i < NR_PEERS; i++) {
		t[i] = peers[i]->make();
		for (uint64_t k = 0; k < n; k++)
			peers[i]->map(t[i], k * 64, long_pages(k), target_of(k * 64));
	}
	for (unsigned int r = 0; r < rounds; r++) {
		/* In turn: their ratio is of one round's weather. */
		one_round("range_first_page", FIRST_PAGES, n, 64 * K, t, first, r);
		one_round("range_whole", RANGES, n, 64 * K, t, whole, r);
	}
	free_all(t);
}

static void large(void)
{
	static const uint64_t mib[] = {2, 64, 1024, 4096};
	void *t[NR_PEERS];

	for (unsigned int i = 0; i < NR_PEERS; i++)
		t[i] = peers[i]->make();
	for (unsigned int r = 0; r < rounds; r++) {
		for (unsigned int s = 0; s < 4; s++) {
			for (unsigned int off = 0; off < 2; off++) {
				for (unsigned int k = 0; k < NR_PEERS; k++) {
					const struct peer *p = peers[(k + r) % NR_PEERS];
					uint64_t count = p == &peer_flat ? 1 : 500, begin;

					begin = thread_ns();
					p->large(t[(k + r) % NR_PEERS], mib[s] << 8,
						 (1ull << 40) + off * 0x7000, count);
					sample(off ? "large_unaligned" : "large_aligned", mib[s],
					       p->name, r,
					       (double)(thread_ns() - begin) / (double)count);
				}
			}
		}
	}
	free_all(t);
}

/* ---- a reader beside a writer ---- */

struct beside {
	const struct peer *p;
	const char *name;
	bool completes; /* the writer waits until nobody uses what it removed */
	void *t;
	atomic_int run; /* 0: rest, 1: work, 2: end */
	atomic_bool resting;
	bool paced;
	uint64_t changes;
};

#define READ_PAGES  (16 * K)
#define WRITE_FIRST (64 * K)
#define WRITE_PAGES (16 * K)
#define WRITE_BATCH 256
#define SLICES	    2
#define SLICE_NS    10000000 /* of the reader's time */
#define PACE_NS	    50000    /* between the batches of a paced writer: 20,000 kicks a second */

static void *writer(void *arg)
{
	struct beside *b = arg;
	uint64_t at = 0;

	pin(1);
	for (int run; (run = atomic_load(&b->run)) != 2;) {
		uint64_t next = now_ns() + PACE_NS;

		if (!run) {
			atomic_store(&b->resting, true);
			usleep(2000);
			continue;
		}
		atomic_store(&b->resting, false);
		for (unsigned int i = 0; i < WRITE_BATCH / 2; i++)
			b->p->map(b->t, WRITE_FIRST + (at + i) % WRITE_PAGES, 1, PAGE);
		for (unsigned int i = 0; i < WRITE_BATCH / 2; i++)
			b->p->unmap(b->t, WRITE_FIRST + (at + i) % WRITE_PAGES, 1);
		if (b->completes)
			b->p->flush(b->t);
		at += WRITE_BATCH / 2;
		b->changes += WRITE_BATCH;
		while (b->paced && now_ns() < next)
			;
	}
	return NULL;
}

/* Translations, and this thread's time for them. */
struct reading {
	uint64_t count, ns;
};

static void read_some(struct beside *b, uint64_t *from, struct reading *r)
{
	uint64_t begin = thread_ns(), end;

	do {
		(void)b->p->translate(b->t, READ_PAGES, *from, 4 * K);
		*from += 4 * K;
		r->count += 4 * K;
		end = thread_ns();
	} while (end - begin < SLICE_NS);
	r->ns += end - begin;
}

static void beside_round(struct beside *b, unsigned int r, uint64_t *from, bool paced)
{
	struct reading alone = {0}, with = {0};

	/* In turns, and first the one, next time the other: one weather for both. */
	for (unsigned int k = 0; k < 2 * SLICES; k++) {
		bool write = (k ^ r) & 1;

		b->paced = paced;
		atomic_store(&b->run, write);
		while (atomic_load(&b->resting) == write)
			usleep(50);
		(void)b->p->translate(b->t, READ_PAGES, *from, 64 * K);
		read_some(b, from, write ? &with : &alone);
	}
	/* Not into the next peer's turn. */
	atomic_store(&b->run, 0);
	while (!atomic_load(&b->resting))
		usleep(50);
	sample(paced ? "beside_paced" : "beside", READ_PAGES, b->name, r,
	       (double)with.count / (double)with.ns * (double)alone.ns / (double)alone.count);
}

#define NR_BESIDE 4

static void beside(void)
{
	/* Only these may be read while they are written. Ours twice: what a completion costs. */
	struct beside b[NR_BESIDE] = {{&peer_ours, "ours", true},
				      {&peer_flat, "flat", true},
				      {&peer_gtree, "gtree", true},
				      {&peer_ours, "ours-incomplete", false}};
	pthread_t thread[NR_BESIDE];
	uint64_t from[NR_BESIDE] = {0};

	for (unsigned int i = 0; i < NR_BESIDE; i++) {
		b[i].t = filled(b[i].p, READ_PAGES, 1);
		/* So that tables of the writer's pages neither come nor go. */
		for (uint64_t k = 0; k < WRITE_PAGES; k += 512)
			b[i].p->map(b[i].t, WRITE_FIRST + WRITE_PAGES + k, 1, PAGE);
		CHECK(!pthread_create(&thread[i], NULL, writer, &b[i]));
	}
	for (unsigned int r = 0; r < rounds; r++) {
		for (unsigned int k = 0; k < 2 * NR_BESIDE; k++) {
			unsigned int i = (k + r) % NR_BESIDE;

			beside_round(&b[i], r, &from[i], k >= NR_BESIDE);
		}
	}
	for (unsigned int i = 0; i < NR_BESIDE; i++) {
		atomic_store(&b[i].run, 2);
		pthread_join(thread[i], NULL);
		b[i].p->free(b[i].t);
	}
}

static void *sleeper(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

static void requests(void)
{
	requests_run(rounds);
}

static const struct {
	const char *name;
	void (*run)(void);
} parts[] = {
	{"pages", random_pages}, {"churn", churn},   {"ranges", ranges},     {"large", large},
	{"sparse", ours_sparse}, {"beside", beside}, {"requests", requests},
};

#define NR_PARTS (sizeof(parts) / sizeof(parts[0]))

static bool is_chosen(const char *name, int argc, char **argv)
{
	for (int i = 2; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc <= 2;
}

int main(int argc, char **argv)
{
	unsigned int ran = 0;
	pthread_t thread;

	rounds = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 10) : 25;
	if (!rounds) {
		fprintf(stderr, "domain-bench: ROUNDS '%s': give a number from 1 on\n", argv[1]);
		return 2;
	}
	/* A VMM has threads, and some of what is measured costs less without any. */
	CHECK(!pthread_create(&thread, NULL, sleeper, NULL));
	pin(0);
	for (unsigned int i = 0; i < NR_PARTS; i++) {
		if (!is_chosen(parts[i].name, argc, argv))
			continue;
		fprintf(stderr, "%s\n", parts[i].name);
		parts[i].run();
		ran++;
	}
	if (!ran)
		fprintf(stderr, "domain-bench: no PART '%s': give", argv[2]);
	for (unsigned int i = 0; !ran && i < NR_PARTS; i++)
		fprintf(stderr, " %s%c", parts[i].name, i + 1 < NR_PARTS ? ',' : '\n');
	return ran ? 0 : 2;
}
