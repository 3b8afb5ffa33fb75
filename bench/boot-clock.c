// SPDX-License-Identifier: BSD-2-Clause
/*
 * Starts a VMM and tells what it cost until a line came from its guest:
 *
 *     boot-clock LINE SECONDS LOG COMMAND [ARG]...
 *
 * prints one JSON object. The clock is the machine's, without the time that it
 * was idle; where that clock counts instructions, so does this. The exits are
 * KVM's own counts of the one VM that COMMAND makes.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/busy.h"
#include "bench/kvm_counts.h"

/* How long a guest that said its line may take to power off. */
#define END_MS 60000

struct run {
	const char *line;
	int log_fd, out_fd;
	pid_t pid;
	char buf[4096]; /* the last, unfinished line */
	size_t len;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "boot-clock: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void start(struct run *run, char **argv)
{
	int pipe_fd[2];

	if (pipe2(pipe_fd, O_CLOEXEC))
		die("pipe");
	run->pid = fork();
	if (run->pid < 0)
		die("fork");
	if (!run->pid) {
		dup2(pipe_fd[1], STDOUT_FILENO);
		dup2(pipe_fd[1], STDERR_FILENO);
		execv(argv[0], argv);
		die(argv[0]);
	}
	close(pipe_fd[1]);
	run->out_fd = pipe_fd[0];
}

/* Keeps the bytes after the last newline; true if a line was the one waited for. */
static bool take_lines(struct run *run)
{
	char *at = run->buf;
	bool seen = false;
	char *end;

	while ((end = memchr(at, '\n', run->len - (size_t)(at - run->buf)))) {
		*end = '\0';
		seen |= strstr(at, run->line) != NULL;
		at = end + 1;
	}
	run->len -= (size_t)(at - run->buf);
	memmove(run->buf, at, run->len);
	if (run->len == sizeof(run->buf))
		run->len = 0;
	return seen;
}

/* 1: the line came; 0: the output ended; -1: nothing within @ms. */
static int wait_line(struct run *run, int ms)
{
	struct pollfd pfd = {.fd = run->out_fd, .events = POLLIN};

	for (;;) {
		ssize_t n;

		if (poll(&pfd, 1, ms) <= 0)
			return -1;
		n = read(run->out_fd, run->buf + run->len, sizeof(run->buf) - run->len);
		if (n <= 0)
			return 0;
		if (write(run->log_fd, run->buf + run->len, (size_t)n) != n)
			die("log");
		run->len += (size_t)n;
		if (take_lines(run))
			return 1;
	}
}

static int end(struct run *run)
{
	int status;
	int got;

	do
		got = wait_line(run, END_MS);
	while (got > 0);
	if (got < 0)
		kill(run->pid, SIGKILL);
	if (waitpid(run->pid, &status, 0) != run->pid)
		die("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	struct run run = {.len = 0};
	uint64_t idle, begin, now, cpu;
	clockid_t cpu_clock;
	int got;

	if (argc < 5) {
		fputs("usage: boot-clock LINE SECONDS LOG COMMAND [ARG]...\n", stderr);
		return 2;
	}
	run.line = argv[1];
	run.log_fd = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (run.log_fd < 0)
		die(argv[3]);
	idle = bench_idle_ns();
	begin = bench_clock_ns(CLOCK_MONOTONIC);
	start(&run, argv + 4);
	got = wait_line(&run, atoi(argv[2]) * 1000);
	now = bench_clock_ns(CLOCK_MONOTONIC);
	if (got <= 0) {
		fprintf(stderr, "boot-clock: no line '%s'\n", run.line);
		kill(run.pid, SIGKILL);
		waitpid(run.pid, NULL, 0);
		return 1;
	}
	idle = bench_idle_ns() - idle;
	if (clock_getcpuclockid(run.pid, &cpu_clock))
		die("clock_getcpuclockid");
	cpu = bench_clock_ns(cpu_clock);
	printf("{\"busy\":%llu,\"clock\":%llu,\"idle\":%llu,\"process\":%llu",
	       (unsigned long long)(now - begin - idle), (unsigned long long)(now - begin),
	       (unsigned long long)idle, (unsigned long long)cpu);
	kvm_counts_print(run.pid, stdout);
	printf(",\"status\":%d}\n", end(&run));
	return 0;
}
