// SPDX-License-Identifier: BSD-2-Clause
/* What a process does. Each kind returns 0, or a number that says what was wrong. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "procload.h"

#define WRONG_BYTE    100
#define WRONG_CALL    101
#define WRONG_CHILD   102

#define BROOD_ROUNDS  8
#define BROOD_AT_ONCE 4

static const char itself[] = "/proc/self/exe";

static void *map_any(size_t pages)
{
	void *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);

	return p == MAP_FAILED ? NULL : p;
}

static int look(struct worker *w)
{
	return all_right(&w->memory) ? 0 : WRONG_BYTE;
}

/* Writes to what is its own of its parent's memory. */
static int cow(struct worker *w)
{
	for (int i = 0; i < AREAS; i++)
		if (i != SHARED)
			fill(&w->memory.area[i], random_of(w));
	return look(w);
}

static int exec(struct worker *w)
{
	char *argv[] = {"procload", "-x", NULL};

	(void)w;
	execv(itself, argv);
	return WRONG_CALL;
}

int executed(void)
{
	struct memory m;

	memory_init(&m, (uint64_t)getpid());
	return all_right(&m) ? EXEC_STATUS : WRONG_BYTE;
}

/* The child runs in its parent's memory until it has become another program. */
static int spawn(struct worker *w)
{
	char *argv[] = {"procload", "-x", NULL}, *none[] = {NULL};
	int status;
	pid_t pid;

	if (posix_spawn(&pid, itself, NULL, NULL, argv, none))
		return WRONG_CALL;
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
	    WEXITSTATUS(status) != EXEC_STATUS)
		return WRONG_CHILD;
	return look(w);
}

static int deep(struct worker *w)
{
	for (int depth = 0; depth < 3; depth++) {
		pid_t pid = fork();
		int status, r;

		if (pid < 0)
			return WRONG_CALL;
		if (!pid)
			continue;
		r = cow(w);
		if (waitpid(pid, &status, 0) != pid || status)
			return WRONG_CHILD;
		return r ?: look(w);
	}
	return cow(w);
}

/* Short lives, some at once, as a server or a shell makes them: most of all processes. */
static int brood(struct worker *w)
{
	struct area *far = &w->memory.area[FAR];
	int status;

	for (int round = 0; round < BROOD_ROUNDS; round++) {
		for (int i = 0; i < BROOD_AT_ONCE; i++) {
			uint64_t salt = random_of(w);
			pid_t pid = fork();

			if (pid < 0)
				return WRONG_CALL;
			if (!pid) {
				fill(&far[i], salt);
				_exit(is_right(&far[i]) ? 0 : WRONG_BYTE);
			}
		}
		for (int i = 0; i < BROOD_AT_ONCE; i++)
			if (wait(&status) < 0 || status)
				return WRONG_CHILD;
	}
	return look(w);
}

/* Areas that come, move, change rights and go, 2 MiB apart, so that tables do, too. */
static int maps(struct worker *w)
{
	enum { SLOTS = 16, PAGES = 2, STEP = 1 << 21, ROUNDS = 48 };
	char *base = (char *)(30ul << 39);
	struct area slot[SLOTS] = {{.pages = 0}};

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t number = random_of(w);
		struct area *a = &slot[number % SLOTS], *b = &slot[number / SLOTS % SLOTS];
		char *at = base + (a - slot) * STEP;

		if (!a->pages) {
			a->words = mmap(at, PAGES * PAGE, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
			if (a->words == MAP_FAILED)
				return WRONG_CALL;
			a->pages = PAGES;
			fill(a, number);
		} else if (number >> 32 & 1) {
			if (!is_right(a))
				return WRONG_BYTE;
			munmap(at, PAGES * PAGE);
			a->pages = 0;
		} else if (!b->pages) {
			*b = *a;
			a->pages = 0;
			b->words = mremap(at, PAGES * PAGE, PAGES * PAGE,
					  MREMAP_MAYMOVE | MREMAP_FIXED, base + (b - slot) * STEP);
			if (b->words == MAP_FAILED)
				return WRONG_CALL;
		} else if (mprotect(at, PAGE, PROT_NONE) || mprotect(at, PAGE, PROT_READ) ||
			   !is_right(a) || mprotect(at, PAGE, PROT_READ | PROT_WRITE)) {
			return WRONG_BYTE;
		}
	}
	for (int i = 0; i < SLOTS; i++)
		if (slot[i].pages && !is_right(&slot[i]))
			return WRONG_BYTE;
	return 0;
}

static void *write_for_ever(void *area)
{
	struct area *a = area;

	for (uint64_t salt = 0;; salt++) {
		fill(a, salt);
		madvise(a->words, a->pages * PAGE, MADV_DONTNEED);
	}
	return NULL;
}

/* Ends while its threads still make and free tables. */
static int threads(struct worker *w)
{
	pthread_t thread;

	for (int i = 0; i < 2; i++)
		if (pthread_create(&thread, NULL, write_for_ever, &w->memory.area[FAR + i]))
			return WRONG_CALL;
	if (!is_right(&w->memory.area[ANON]))
		return WRONG_BYTE;
	usleep(random_of(w) % 2000);
	return 0;
}

static int until_killed(struct worker *w)
{
	for (;;) {
		fill(&w->memory.area[ANON], random_of(w));
		if (!is_right(&w->memory.area[ANON]))
			return WRONG_BYTE;
	}
}

/* Reads the other's memory, kills it, and frees its memory in its place. */
static int read_kill_release(struct worker *w, pid_t pid)
{
	struct area *far = &w->memory.area[FAR], copy = *far;
	uint64_t buffer[2 * PAGE / sizeof(uint64_t)];
	struct iovec to = {buffer, sizeof(buffer)}, from = {far->words, sizeof(buffer)};
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), r = 0;

	copy.words = buffer;
	if (process_vm_readv(pid, &to, 1, &from, 1, 0) != (ssize_t)sizeof(buffer))
		r = WRONG_CALL;
	else if (!is_right(&copy))
		r = WRONG_BYTE;
	usleep(random_of(w) % 2000);
	kill(pid, SIGKILL);
	if (fd >= 0) {
		syscall(SYS_process_mrelease, fd, 0);
		close(fd);
	}
	return r;
}

/* Out to the swap, if there is one; what was not fetched again ends as swap entries. */
static int swap(struct worker *w)
{
	struct area *a = &w->memory.area[ANON], part;

	fill(a, random_of(w));
	madvise(a->words, a->pages * PAGE, MADV_PAGEOUT);
	part = *a;
	part.pages /= 2;
	return is_right(&part) ? 0 : WRONG_BYTE;
}

/* Pages as others have, for KSM to find. */
static int alike(struct worker *w)
{
	enum { PAGES = 32 };
	char *p = map_any(PAGES);

	if (!p)
		return WRONG_CALL;
	madvise(p, PAGES * PAGE, MADV_MERGEABLE);
	memset(p, 7, PAGES * PAGE);
	usleep(random_of(w) % 5000);
	memset(p, 8, PAGES * PAGE / 2);
	for (int i = 0; i < PAGES * PAGE; i++)
		if (p[i] != (i < PAGES * PAGE / 2 ? 8 : 7))
			return WRONG_BYTE;
	return 0;
}

/* Huge pages are asked for; part of them is dropped and must be zero then. */
static int huge(struct worker *w)
{
	enum { PAGES = 512 };
	char *p = map_any(PAGES);

	(void)w;
	if (!p)
		return WRONG_CALL;
	madvise(p, PAGES * PAGE, MADV_HUGEPAGE);
	for (int i = 0; i < PAGES; i += 16)
		p[i * PAGE] = (char)i;
	madvise(p, PAGES / 2 * PAGE, MADV_DONTNEED);
	for (int i = 0; i < PAGES; i += 16)
		if (p[i * PAGE] != (i < PAGES / 2 ? 0 : (char)i))
			return WRONG_BYTE;
	return 0;
}

struct served {
	int fd;
	const struct area *pages;
};

static void *serve(void *argument)
{
	const struct served *s = argument;
	struct uffd_msg message;

	while (read(s->fd, &message, sizeof(message)) == sizeof(message)) {
		size_t at = (message.arg.pagefault.address & ~(PAGE - 1ull)) -
			    (uintptr_t)s->pages->words;
		struct uffdio_copy copy = {
			.dst = (uintptr_t)s->pages->words + at,
			.src = s->pages->salt + at,
			.len = PAGE,
		};

		ioctl(s->fd, UFFDIO_COPY, &copy);
	}
	return NULL;
}

/* Pages come from a thread of its own; some are never asked for. salt is where they are. */
static int userfault(struct worker *w)
{
	const struct area *source = &w->memory.area[ANON];
	struct area pages = {.words = map_any(16), .pages = 16, .salt = (uintptr_t)source->words};
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {
		.range = {(uintptr_t)pages.words, 16 * PAGE},
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct served s = {(int)syscall(SYS_userfaultfd, O_CLOEXEC), &pages};
	pthread_t thread;

	if (s.fd < 0 || !pages.words || ioctl(s.fd, UFFDIO_API, &api) ||
	    ioctl(s.fd, UFFDIO_REGISTER, &range) || pthread_create(&thread, NULL, serve, &s))
		return WRONG_CALL;
	return memcmp(pages.words, source->words, (1 + random_of(w) % 15) * PAGE) ? WRONG_BYTE : 0;
}

enum { BELOW = 24, GAP = 8, ABOVE = 32 };

struct punched {
	int fd;
	atomic_int over;
};

/* The pages of the gap go, and come again. */
static void *punch(void *argument)
{
	static const char page[PAGE];
	struct punched *p = argument;

	while (!atomic_load(&p->over)) {
		if (fallocate(p->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, BELOW * PAGE,
			      GAP * PAGE))
			return p;
		for (int i = 0; i < GAP; i++)
			if (pwrite(p->fd, page, PAGE, (BELOW + i) * PAGE) != PAGE)
				return p;
	}
	return NULL;
}

/* A file's pages, each fault for one of which maps others, beside a gap that comes and goes. */
static int around(struct worker *w)
{
	struct punched p = {.fd = memfd_create("around", MFD_CLOEXEC)};
	size_t size = (BELOW + GAP + ABOVE) * PAGE;
	struct area below = {.pages = BELOW}, above = {.pages = ABOVE};
	pthread_t thread;
	void *failed;
	int r = 0;

	if (p.fd < 0 || ftruncate(p.fd, (off_t)size))
		return WRONG_CALL;
	below.words = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, p.fd, 0);
	if (below.words == MAP_FAILED)
		return WRONG_CALL;
	above.words = below.words + (BELOW + GAP) * PAGE / sizeof(uint64_t);
	fill(&below, random_of(w));
	fill(&above, random_of(w));
	if (pthread_create(&thread, NULL, punch, &p))
		return WRONG_CALL;
	for (int round = 0; !r && round < 48; round++) {
		if (madvise(below.words, size, MADV_DONTNEED))
			r = WRONG_CALL;
		else if (!is_right(round % 2 ? &below : &above) ||
			 !is_right(round % 2 ? &above : &below))
			r = WRONG_BYTE;
	}
	atomic_store(&p.over, 1);
	pthread_join(thread, &failed);
	return r ?: (failed ? WRONG_CALL : 0);
}

const struct kind kinds[] = {
	{"look", look, NULL, 0, 1, 6},
	{"cow", cow, NULL, 0, 1, 4},
	{"exec", exec, NULL, 0, 1, 4},
	{"spawn", spawn, NULL, 0, 2, 2},
	{"deep", deep, NULL, 0, 4, 4},
	{"maps", maps, NULL, 0, 1, 2},
	{"threads", threads, NULL, 0, 1, 1},
	{"killed", until_killed, read_kill_release, 1, 1, 2},
	{"swap", swap, NULL, 0, 1, 1},
	{"alike", alike, NULL, 0, 1, 1},
	{"huge", huge, NULL, 0, 1, 1},
	{"userfault", userfault, NULL, 0, 1, 1},
	{"around", around, NULL, 0, 1, 2},
	{"brood", brood, NULL, 0, 1 + BROOD_ROUNDS *BROOD_AT_ONCE, 5},
};
const size_t number_of_kinds = sizeof(kinds) / sizeof(kinds[0]);
