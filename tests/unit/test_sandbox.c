// SPDX-License-Identifier: BSD-2-Clause
/* Each test forks a child that locks itself in, then does what it must not. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/runtime/sandbox.h"

static const struct sandbox_call extra[] = {
	{.nr = SYS_pread64},
	{.nr = SYS_ioctl, .has_arg1 = true, .arg1 = BLKDISCARD},
};

static int pair[2], event;

/*
 * Sanitizers hang work of their own, which the sandbox does not know, on _exit()
 * and on calls that are declared not to return.
 */
static void leave(int status)
{
	syscall(SYS_exit_group, status);
}

/* All steps, as a device's main takes them. */
static void lock_in(void)
{
	int keep[2] = {pair[1], event};

	if (sandbox_fds(keep, 2))
		leave(101);
	sandbox_namespaces();
	if (sandbox_privileges(true))
		leave(102);
	sandbox_landlock();
	if (sandbox_syscalls(extra, 2))
		leave(103);
}

static int run(void (*child)(void), void (*lock)(void))
{
	int status;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	event = eventfd(0, 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		lock();
		child();
		leave(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(pair[0]);
	close(pair[1]);
	close(event);
	return status;
}

static void assert_killed(const char *what, void (*child)(void))
{
	int status = run(child, lock_in);

	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
		fail_msg("%s: status 0x%x instead of a kill", what, (unsigned int)status);
}

static void do_open(void)
{
	open("/etc/passwd", O_RDONLY);
}

static void do_socket(void)
{
	socket(AF_INET, SOCK_STREAM, 0);
}

static void do_exec_memory(void)
{
	mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* What a guest-memory fd would be for. */
static void do_map_fd(void)
{
	mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, pair[1], 0);
}

static void do_mprotect(void)
{
	syscall(SYS_mprotect, 0x10000, 4096, PROT_EXEC);
}

static void do_ptrace(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void do_vm_read(void)
{
	syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

static void do_fork(void)
{
	fork();
}

static void do_exec(void)
{
	execl("/bin/true", "true", (char *)NULL);
}

static void do_signal(void)
{
	syscall(SYS_kill, 1, 0);
}

static void do_ioctl(void)
{
	syscall(SYS_ioctl, 0, 0x5401 /* TCGETS */, NULL);
}

static void do_pwrite(void)
{
	pwrite(0, "", 0, 0); /* not among this device's own */
}

static void do_x32(void)
{
	syscall(0x40000000 | 39); /* getpid of another ABI */
}

static void test_kills(void **state)
{
	assert_killed("open", do_open);
	assert_killed("socket", do_socket);
	assert_killed("executable memory", do_exec_memory);
	assert_killed("mapping an fd", do_map_fd);
	assert_killed("mprotect", do_mprotect);
	assert_killed("ptrace", do_ptrace);
	assert_killed("process_vm_readv", do_vm_read);
	assert_killed("fork", do_fork);
	assert_killed("execve", do_exec);
	assert_killed("kill", do_signal);
	assert_killed("ioctl", do_ioctl);
	assert_killed("pwrite", do_pwrite);
	assert_killed("the x32 ABI", do_x32);
}

static bool heap_works(void)
{
#ifdef __SANITIZE_ADDRESS__
	return true; /* ASan's own heap asks the kernel for more than ours may */
#endif
	void *mem = malloc(1 << 20);

	if (!mem)
		return false;
	memset(mem, 1, 1 << 20);
	free(mem);
	return true;
}

static void do_its_work(void)
{
	struct pollfd p = {.fd = event, .events = POLLOUT};
	uint64_t one = 1;
	char byte = 1;

	if (!heap_works() || poll(&p, 1, 0) != 1 || write(event, &one, 8) != 8 ||
	    write(pair[1], &byte, 1) != 1 || pread(0, &byte, 1, 0) != 0)
		leave(1);
	if (ioctl(event, BLKDISCARD, NULL) >= 0)
		leave(2);
}

static void test_work_goes_on(void **state)
{
	assert_int_equal(run(do_its_work, lock_in), 0);
}

static void steps_1_to_3(void)
{
	int keep[2] = {event, pair[1]};

	if (sandbox_fds(keep, 2))
		leave(101);
	sandbox_namespaces();
	if (sandbox_privileges(true))
		leave(102);
}

static void only_fds(void)
{
	int keep[2] = {event, pair[1]};

	if (sandbox_fds(keep, 2))
		leave(101);
}

static void look_at_fds(void)
{
	for (int fd = 0; fd < 256; fd++) {
		struct stat st, null;
		bool open = fcntl(fd, F_GETFD) >= 0;

		if (open != (fd <= 2 || fd == event || fd == pair[1]))
			leave(1 + fd);
		if (fd < 2 &&
		    (fstat(fd, &st) || stat("/dev/null", &null) || st.st_rdev != null.st_rdev))
			leave(1 + fd);
	}
}

static void test_only_expected_fds(void **state)
{
	/* Some that must go, below and above. */
	int a = dup(0), b = fcntl(0, F_DUPFD, 200);

	assert_int_equal(run(look_at_fds, only_fds), 0);
	close(a);
	close(b);
}

static unsigned long status_field(const char *name)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "r");
	unsigned long value = 99;

	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, name, strlen(name)))
			value = strtoul(line + strlen(name), NULL, 16);
	}
	if (f)
		fclose(f);
	return value;
}

static void privileges_only(void)
{
	if (sandbox_privileges(true))
		leave(102);
}

static void look_at_privileges(void)
{
	struct rlimit r;

	if (status_field("CapEff:") || status_field("CapPrm:") || status_field("CapInh:") ||
	    status_field("CapAmb:"))
		leave(1);
	if (!geteuid() || !getegid() || setuid(0) == 0)
		leave(2);
	if (status_field("NoNewPrivs:") != 1)
		leave(3);
	if (getrlimit(RLIMIT_CORE, &r) || r.rlim_max || getrlimit(RLIMIT_NPROC, &r) || r.rlim_max)
		leave(4);
	if (fork() >= 0)
		leave(5);
}

static void test_privileges(void **state)
{
	assert_int_equal(run(look_at_privileges, privileges_only), 0);
}

/* Where namespaces are to be had, the root is empty and can't be written. */
static void look_at_root(void)
{
	DIR *d = opendir("/");
	unsigned int nr = 0;

	if (!d)
		leave(1);
	while (readdir(d))
		nr++;
	if (nr != 2)
		leave(2);
	if (mkdir("/x", 0700) == 0 || open("/etc/passwd", O_RDONLY) >= 0)
		leave(3);
	/* Nothing of the host through the way back either. */
	if (open("../../../../etc/passwd", O_RDONLY) >= 0)
		leave(4);
}

static bool can_have_namespaces(void)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		leave(unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS));
	waitpid(pid, &status, 0);
	return !status;
}

static void test_empty_root(void **state)
{
	if (!can_have_namespaces())
		skip();
	assert_int_equal(run(look_at_root, steps_1_to_3), 0);
}

static void landlock_only(void)
{
	privileges_only();
	sandbox_landlock();
}

static void look_at_files(void)
{
	if (open("/", O_RDONLY | O_DIRECTORY) >= 0 || open("/etc/passwd", O_RDONLY) >= 0)
		leave(1);
	if (errno != EACCES)
		leave(2);
}

static void test_landlock(void **state)
{
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 1)
		skip();
	assert_int_equal(run(look_at_files, landlock_only), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kills),
		cmocka_unit_test(test_work_goes_on),
		cmocka_unit_test(test_only_expected_fds),
		cmocka_unit_test(test_privileges),
		cmocka_unit_test(test_empty_root),
		cmocka_unit_test(test_landlock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
