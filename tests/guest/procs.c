// SPDX-License-Identifier: BSD-2-Clause
/*
 * procs [-m MARK] [-d DEVICE] fork|exec|write COUNT [MIB [PROGRAM...]]: COUNT processes, one after
 * the other, between two marks in the testbed's trace. The parent first fills MIB of memory. fork
 * the child looks at all of that memory and leaves write  it writes to all of it, too exec   it
 * runs PROGRAM, or itself A mark is a write of MARK (then MARK + 1) bytes to /dev/vport0p4, where
 * nobody reads; with -d, a read of a block device at 4 KiB times MARK. Both are seen in QEMU's
 * trace. Fails when a child saw a wrong byte or ended in another way than it should.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void put_mark(const char *device, int mark)
{
	static char nothing[PAGE];
	static int fd = -1;
	static void *buffer;

	if (!mark)
		return;
	if (fd < 0)
		fd = device ? open(device, O_RDONLY | O_DIRECT | O_CLOEXEC)
			    : open("/dev/vport0p4", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		die(device ? device : "/dev/vport0p4");
	if (device) {
		if (!buffer && posix_memalign(&buffer, PAGE, PAGE))
			die("mark");
		if (pread(fd, buffer, PAGE, (off_t)mark * PAGE) != PAGE)
			die(device);
	} else if (write(fd, nothing, mark) != mark) {
		die("/dev/vport0p4");
	}
}

static uint64_t pattern(size_t at)
{
	return at * 0x9e3779b97f4a7c15 ^ 0x5a5a;
}

static void fill(char *memory, size_t size, uint64_t change)
{
	for (size_t at = 0; at < size; at += PAGE)
		*(uint64_t *)(memory + at) = pattern(at) ^ change;
}

static int as_filled(const char *memory, size_t size, uint64_t change)
{
	for (size_t at = 0; at < size; at += PAGE)
		if (*(const uint64_t *)(memory + at) != (pattern(at) ^ change))
			return 0;
	return 1;
}

static _Noreturn void child(const char *mode, char *memory, size_t size, char **program)
{
	if (!strcmp(mode, "exec")) {
		execv(program[0], program);
		_exit(126);
	}
	if (!as_filled(memory, size, 0))
		_exit(125);
	if (!strcmp(mode, "write")) {
		fill(memory, size, getpid());
		if (!as_filled(memory, size, getpid()))
			_exit(124);
	}
	_exit(0);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	char *itself[] = {"/proc/self/exe", "-x", NULL};
	const char *device = NULL;
	int mark = 0, bad = 0, status, option;
	char *memory;
	size_t size;
	long count;

	while ((option = getopt(argc, argv, "+m:d:x")) != -1) {
		if (option == 'x')
			return 0;
		else if (option == 'm')
			mark = atoi(optarg);
		else if (option == 'd')
			device = optarg;
		else
			return 2;
	}
	argv += optind;
	argc -= optind;
	if (argc < 2) {
		fputs("usage: procs [-m MARK] [-d DEVICE] fork|exec|write COUNT [MIB "
		      "[PROGRAM...]]\n",
		      stderr);
		return 2;
	}
	count = atol(argv[1]);
	size = argc > 2 ? (size_t)atol(argv[2]) << 20 : 0;
	memory =
		mmap(NULL, size + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		die("mmap");
	fill(memory, size, 0);
	put_mark(device, mark);
	double begin = now();
	for (long i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid)
			child(argv[0], memory, size, argc > 3 ? argv + 3 : itself);
		if (waitpid(pid, &status, 0) != pid || status) {
			bad++;
			fprintf(stderr, "procs: a child ended with status %#x\n", status);
		}
	}
	double seconds = now() - begin;
	put_mark(device, mark ? mark + 1 : 0);
	if (!as_filled(memory, size, 0))
		bad++;
	printf("procs: %s %ld: %.3f s, bad %d\n", argv[0], count, seconds, bad);
	return bad > 0;
}
