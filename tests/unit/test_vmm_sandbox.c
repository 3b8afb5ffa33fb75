// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the running VMM can still do to guest memory, which a real device may be writing to: each
 * test forks a child that locks itself in as the VMM does, and tries to give memory up.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "vmm/memory.h"
#include "vmm/sandbox.h"

#define RAM  (1u << 20)
#define PAGE 4096u

static struct memory mem;

/* Sanitizers hang work of their own on _exit(), which the sandbox does not know. */
static void leave(int status)
{
	syscall(SYS_exit_group, status);
}

static int run(void (*child)(void))
{
	int status;
	pid_t pid;

	assert_int_equal(memory_init(&mem, RAM), 0);
	memset(mem.slot[0].hva, 0x5a, RAM);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (sandbox_vmm(true))
			leave(101);
		child();
		leave(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* Shared with the child: what it has given up is gone here, too. */
static void whole_after(void (*child)(void), bool killed)
{
	int status = run(child);
	const uint8_t *ram = mem.slot[0].hva;

	for (unsigned int i = 0; i < RAM; i++)
		assert_int_equal(ram[i], 0x5a);
	if (killed)
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	else
		assert_int_equal(status, 0);
	memory_done(&mem);
}

static void do_punch(void)
{
	syscall(SYS_fallocate, mem.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE);
}

static void do_remove(void)
{
	syscall(SYS_madvise, mem.slot[0].hva, PAGE, MADV_REMOVE);
}

static void do_free(void)
{
	syscall(SYS_madvise, mem.slot[0].hva, PAGE, MADV_FREE);
}

static void do_map_anew(void)
{
	syscall(SYS_mmap, NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mem.fd, 0);
}

/* The C library's allocator needs these; of a file that others hold they take nothing away. */
static void do_forget(void)
{
	if (syscall(SYS_madvise, mem.slot[0].hva, PAGE, MADV_DONTNEED) ||
	    *(volatile uint8_t *)mem.slot[0].hva != 0x5a)
		leave(102);
	if (syscall(SYS_munmap, mem.slot[0].hva, PAGE))
		leave(103);
}

/* Its size is sealed. */
static void do_truncate(void)
{
	if (!syscall(SYS_ftruncate, mem.fd, 0) || errno != EPERM)
		leave(104);
}

static void guest_memory_stays(void **state)
{
	whole_after(do_punch, true);
	whole_after(do_remove, true);
	whole_after(do_free, true);
	whole_after(do_map_anew, true);
	whole_after(do_forget, false);
	whole_after(do_truncate, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guest_memory_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
