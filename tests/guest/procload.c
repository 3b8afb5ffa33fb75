// SPDX-License-Identifier: BSD-2-Clause
/*
 * procload [-w WORKERS] [-s SEED] COUNT   COUNT processes, WORKERS (2) at once
 * procload -g MIB                         one that takes so much memory, and more, until the
 *                                         kernel kills it; with -g, that is success
 * Fails when a byte was wrong or a process ended otherwise than it should. The workers ask
 * the OOM killer to spare them: it is told to prefer those of -g.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "procload.h"

#define PROGRESS_S   10
#define MOST_WORKERS 16
#define MOST_KINDS   16

/* Shared by all workers: choices made; processes begun, all and by kind. */
static struct {
	atomic_ulong choices;
	atomic_long begun, bad;
	atomic_long of_kind[MOST_KINDS];
} * totals;

static void die(const char *what)
{
	fprintf(stderr, "procload: ");
	perror(what);
	exit(1);
}

uint64_t random_of(struct worker *w)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return w->random;
}

static void set_oom_score(const char *score)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, score, strlen(score)) < 0)
		die("oom_score_adj");
	close(fd);
}

static int expected(const struct kind *k)
{
	if (k->killed)
		return SIGKILL;
	return !strcmp(k->name, "exec") ? EXEC_STATUS << 8 : 0;
}

static void one(struct worker *w, const struct kind *k)
{
	int status, r = 0;
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	random_of(w);
	if (!pid)
		_exit(k->child(w));
	if (k->parent)
		r = k->parent(w, pid);
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	if (r || status != expected(k)) {
		totals->bad++;
		printf("not ok - procload: %s: status %#x, %d\n", k->name, status, r);
		fflush(stdout);
	}
}

/* Each kind once, so that a short load has all; then at random. */
static size_t choose(struct worker *w)
{
	size_t kind = totals->choices++;
	unsigned int all = 0, number;

	if (kind < number_of_kinds)
		return kind;
	for (kind = 0; kind < number_of_kinds; kind++)
		all += kinds[kind].share;
	number = (unsigned int)(random_of(w) % all);
	for (kind = 0; number >= kinds[kind].share; kind++)
		number -= kinds[kind].share;
	return kind;
}

static _Noreturn void work(long count, uint64_t seed)
{
	struct worker w = {.random = seed * 0x9e3779b97f4a7c15 + 1};

	memory_init(&w.memory, seed << 32);
	while (totals->begun < count) {
		size_t kind = choose(&w);

		totals->begun += kinds[kind].processes;
		totals->of_kind[kind] += kinds[kind].processes;
		one(&w, &kinds[kind]);
		if (!all_right(&w.memory)) {
			totals->bad++;
			printf("not ok - procload: a worker's memory after %s\n", kinds[kind].name);
			exit(1);
		}
	}
	exit(0);
}

/* Until a signal ends it. */
static _Noreturn void greedy(size_t mib)
{
	set_oom_score("1000");
	for (size_t n = 0;; n++) {
		struct area a = {.pages = 256};

		a.words = mmap(NULL, 256 * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (a.words == MAP_FAILED)
			pause();
		fill(&a, n);
		/* Two to kill, that share what they have. */
		if (n == mib && fork() < 0)
			pause();
	}
}

static int killed_for_memory(size_t mib)
{
	pid_t pid;
	int status;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		setpgid(0, 0);
		greedy(mib);
	}
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	kill(-pid, SIGKILL);
	/* Its child has become ours. */
	while (wait(NULL) > 0)
		;
	printf("procload: -g %zu: %s\n", mib, status == SIGKILL ? "killed" : "not killed");
	return status != SIGKILL;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void report(const char *what, long count, double seconds)
{
	printf("procload: %s: %ld of %ld processes, %.0f a second, bad %ld\n", what, totals->begun,
	       count, (double)totals->begun / seconds, totals->bad);
	fflush(stdout);
}

static int load(long count, long workers, uint64_t seed)
{
	double begin = now(), told = begin;
	long left = workers;
	int status;

	for (long i = 0; i < workers; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid)
			work(count, seed + (uint64_t)i);
	}
	while (left > 0) {
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid > 0) {
			left--;
			totals->bad += status != 0;
			continue;
		}
		usleep(50000);
		if (now() - told >= PROGRESS_S) {
			told = now();
			report("so far", count, told - begin);
		}
	}
	for (size_t k = 0; k < number_of_kinds; k++)
		printf("procload: %s: %ld\n", kinds[k].name, totals->of_kind[k]);
	report("all", count, now() - begin);
	return totals->bad > 0;
}

int main(int argc, char **argv)
{
	long workers = 2, count = 0, mib = 0;
	uint64_t seed = 1;
	int option;

	while ((option = getopt(argc, argv, "w:s:g:x")) != -1) {
		if (option == 'x')
			return executed();
		else if (option == 'w')
			workers = atol(optarg);
		else if (option == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (option == 'g')
			mib = atol(optarg);
		else
			return 2;
	}
	if (mib > 0)
		return killed_for_memory((size_t)mib);
	if (optind < argc)
		count = atol(argv[optind]);
	if (count <= 0 || workers <= 0 || workers > MOST_WORKERS) {
		fputs("usage: procload [-w WORKERS] [-s SEED] COUNT | -g MIB\n", stderr);
		return 2;
	}
	totals = mmap(NULL, sizeof(*totals), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (totals == MAP_FAILED)
		die("mmap");
	set_oom_score("-1000");
	return load(count, workers, seed);
}
