// SPDX-License-Identifier: BSD-2-Clause
/*
 * iosup-load [-m MARK] [-d DISK] NAME COUNT fork
 * iosup-load [-m MARK] [-d DISK] NAME COUNT http PORT PATH
 * iosup-load [-m MARK] [-d DISK] NAME COUNT run PROGRAM [ARG]...
 * iosup-load [-m MARK] [-d DISK] NAME COUNT await FILE
 *
 * Forks COUNT processes, or has COUNT requests answered on a connection each, or runs PROGRAM
 * COUNT times, or waits until the number in FILE has grown by COUNT, and tells what that took:
 *
 *     PHASE mark=MARK name=NAME count=COUNT processes=N clock=NS busy=NS
 *
 * processes are those that the machine made meanwhile; busy is the clock without the time in
 * which the machine was idle. The phase lies between two marks, MARK and MARK + 1, in two traces:
 * in QEMU's it is a write of so many bytes to the testbed's port that nobody reads or, with -d, a
 * read of the disk at so many pages; in Xen's it is a page fault at MARK_BASE and so many pages.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/busy.h"

#define PAGE	  4096u
#define PORT	  "/dev/vport0p4"
#define MARK_BASE 0x710000000000u
#define MOST_MS	  100000

struct phase {
	const char *name;
	const char *disk;
	unsigned int mark;
	unsigned long count;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "iosup-load: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- marks ---- */

static sigjmp_buf after_fault;

static void on_fault(int number)
{
	(void)number;
	siglongjmp(after_fault, 1);
}

static void fault_at(unsigned int mark)
{
	struct sigaction ours = {.sa_handler = on_fault}, before;

	if (sigaction(SIGSEGV, &ours, &before))
		die("sigaction");
	if (!sigsetjmp(after_fault, 1))
		*(volatile char *)(MARK_BASE + (uintptr_t)mark * PAGE);
	sigaction(SIGSEGV, &before, NULL);
}

static void put_mark(const struct phase *p, int fd, unsigned int mark)
{
	static _Alignas(PAGE) char page[PAGE];

	if (!p->mark)
		return;
	fault_at(mark);
	if (p->disk && pread(fd, page, PAGE, (off_t)mark * PAGE) != (ssize_t)PAGE)
		die(p->disk);
	if (!p->disk && write(fd, page, mark) != (ssize_t)mark)
		die(PORT);
}

static int open_marks(const struct phase *p)
{
	int fd;

	if (!p->mark)
		return -1;
	fd = p->disk ? open(p->disk, O_RDONLY | O_DIRECT | O_CLOEXEC)
		     : open(PORT, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		die(p->disk ? p->disk : PORT);
	return fd;
}

/* ---- loads ---- */

static void one_process(char *const *program)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		if (program)
			execv(program[0], program);
		_exit(program ? 127 : 0);
	}
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	if (status) {
		fprintf(stderr, "iosup-load: %s ended with status %#x\n",
			program ? program[0] : "a child", (unsigned int)status);
		exit(1);
	}
}

static void one_request(const struct sockaddr_in *server, const char *path)
{
	char request[256], answer[4096] = "";
	ssize_t n, got = 0;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)server, sizeof(*server)))
		die("connect");
	n = snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", path);
	if (write(fd, request, (size_t)n) != n)
		die("request");
	while ((n = read(fd, answer + got, sizeof(answer) - 1 - (size_t)got)) > 0)
		got += n;
	close(fd);
	answer[got] = 0;
	/* The page's last line: a program that broke off is not an answer. */
	if (strncmp(answer, "HTTP/1.0 200", 12) != 0 || !strstr(answer, "</html>")) {
		fprintf(stderr, "iosup-load: %s answers: %s\n", path, answer);
		exit(1);
	}
}

static unsigned long number_in(const char *path)
{
	unsigned long n;
	FILE *f = fopen(path, "re");

	if (!f || fscanf(f, "%lu", &n) != 1)
		die(path);
	fclose(f);
	return n;
}

/* The kernel tells nobody that such a number has changed. */
static void await(const char *path, unsigned long growth)
{
	unsigned long begin = number_in(path);

	for (unsigned long ms = 0; number_in(path) - begin < growth; ms++) {
		if (ms == MOST_MS) {
			errno = ETIMEDOUT;
			die(path);
		}
		usleep(1000);
	}
}

static void do_load(const struct phase *p, char *const *load)
{
	struct sockaddr_in server = {.sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	if (!strcmp(load[0], "await")) {
		await(load[1], p->count);
		return;
	}
	if (!strcmp(load[0], "http"))
		server.sin_port = htons((uint16_t)atoi(load[1]));
	for (unsigned long i = 0; i < p->count; i++) {
		if (!strcmp(load[0], "http"))
			one_request(&server, load[2]);
		else
			one_process(!strcmp(load[0], "run") ? load + 1 : NULL);
	}
}

static unsigned long processes_so_far(void)
{
	unsigned long n = 0;
	char line[4096];
	FILE *f = fopen("/proc/stat", "re");

	if (!f)
		die("/proc/stat");
	while (fgets(line, sizeof(line), f) && sscanf(line, "processes %lu", &n) != 1)
		;
	fclose(f);
	return n;
}

static void measure(const struct phase *p, char *const *load)
{
	int fd = open_marks(p);
	unsigned long processes = processes_so_far();
	uint64_t idle, clock;

	put_mark(p, fd, p->mark);
	/* A mark waits for its disk: the time that is idle then is not the load's. */
	idle = bench_idle_ns();
	clock = bench_clock_ns(CLOCK_MONOTONIC);
	do_load(p, load);
	clock = bench_clock_ns(CLOCK_MONOTONIC) - clock;
	idle = bench_idle_ns() - idle;
	put_mark(p, fd, p->mark + 1);
	processes = processes_so_far() - processes;
	if (p->mark)
		printf("PHASE mark=%u name=%s count=%lu processes=%lu clock=%llu busy=%lld\n",
		       p->mark, p->name, p->count, processes, (unsigned long long)clock,
		       (long long)(clock - idle));
}

static _Noreturn void usage(void)
{
	fputs("usage: iosup-load [-m MARK] [-d DISK] NAME COUNT fork | http PORT PATH | "
	      "run PROGRAM [ARG]... | await FILE\n",
	      stderr);
	exit(2);
}

/*
 * Where the kernel lays our stack at random, it lies over one page or over two where we fork: the
 * second would be write-protected and copied by each child, in one run and not in the next. So we
 * begin again at a fixed place; what we run is laid out at random as ever.
 */
static void fix_layout(char **argv)
{
	int as_is = personality(0xffffffff);

	if (as_is & ADDR_NO_RANDOMIZE) {
		personality((unsigned long)(as_is & ~ADDR_NO_RANDOMIZE));
		return;
	}
	personality((unsigned long)(as_is | ADDR_NO_RANDOMIZE));
	execv("/proc/self/exe", argv);
	die("/proc/self/exe");
}

int main(int argc, char **argv)
{
	struct phase p = {0};
	int option;

	fix_layout(argv);
	while ((option = getopt(argc, argv, "+m:d:")) != -1) {
		if (option == 'm')
			p.mark = (unsigned int)atoi(optarg);
		else if (option == 'd')
			p.disk = optarg;
		else
			usage();
	}
	argv += optind;
	argc -= optind;
	if (argc < 3 || p.mark >= PAGE - 1)
		usage();
	p.name = argv[0];
	p.count = strtoul(argv[1], NULL, 10);
	if (!(argc == 3 && !strcmp(argv[2], "fork")) && !(argc == 4 && !strcmp(argv[2], "await")) &&
	    !(argc == 5 && !strcmp(argv[2], "http")) && !(argc > 3 && !strcmp(argv[2], "run")))
		usage();
	measure(&p, argv + 2);
	return 0;
}
