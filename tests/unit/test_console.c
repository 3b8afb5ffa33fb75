// SPDX-License-Identifier: BSD-2-Clause
/* The console in a child on a pseudo-terminal, a pipe or nothing. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>
#include <cmocka.h>

#include "fake_irq.h"
#include "vmm/console.h"
#include "vmm/vm.h"

static void out(struct vm *vm, uint8_t byte)
{
	bus_access(&vm->bus, BUS_PIO, SERIAL_BASE, &byte, 1, true);
}

/* A guest that echoes its input on vCPU 0's behalf, and ends at a 'q'. */
static void on_tick(void *ctx)
{
	struct vm *vm = ctx;
	uint8_t status, byte;

	for (;;) {
		bus_access(&vm->bus, BUS_PIO, SERIAL_BASE + 5, &status, 1, false);
		if (!(status & 1))
			return;
		bus_access(&vm->bus, BUS_PIO, SERIAL_BASE, &byte, 1, false);
		if (byte == 'q') {
			vm_end(vm, VM_END_POWEROFF);
			return;
		}
		if (byte == 'k')
			abort();
		out(vm, byte);
	}
}

/* In the child: runs the console on stdin and stdout; its exit status is the VM's end. */
static _Noreturn void child(void)
{
	static struct vm vm;
	static struct console con;
	enum vm_end how;
	int tick;

	alarm(60);
	vm.end = VM_RUNNING;
	vm.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	vm.end_fd = eventfd(0, EFD_CLOEXEC);
	/* Always readable: looks for input in every round of the loop. */
	tick = eventfd(1, EFD_CLOEXEC);
	if (bus_init(&vm.bus) || vm_watch(&vm, vm.end_fd, on_tick, &vm) ||
	    console_init(&con, &vm) || vm_watch(&vm, tick, on_tick, &vm))
		_exit(99);
	for (const char *p = "ready\n"; *p; p++)
		out(&vm, (uint8_t)*p);
	how = vm_loop(&vm);
	console_done(&con);
	exit((int)how);
}

/* Reads from @fd until @text was seen or 20 s have passed. */
static void expect(int fd, const char *text)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	char seen[4096] = "";
	size_t len = 0;

	while (!strstr(seen, text)) {
		ssize_t n;

		assert_int_equal(poll(&pfd, 1, 20000), 1);
		n = read(fd, seen + len, sizeof(seen) - 1 - len);
		if (n <= 0)
			fail_msg("'%s' is not in '%s'", text, seen);
		len += (size_t)n;
		seen[len] = '\0';
	}
}

static int end_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static bool is_raw(int fd)
{
	struct termios t;

	assert_int_equal(tcgetattr(fd, &t), 0);
	return !(t.c_lflag & (ICANON | ECHO | ISIG));
}

static pid_t on_terminal(int *ret_master, int *ret_slave)
{
	pid_t pid;

	assert_int_equal(openpty(ret_master, ret_slave, NULL, NULL, NULL), 0);
	assert_false(is_raw(*ret_slave));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(*ret_master);
		if (login_tty(*ret_slave))
			_exit(98);
		child();
	}
	expect(*ret_master, "ready");
	assert_true(is_raw(*ret_slave));
	return pid;
}

static void put(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void terminal(void **state)
{
	int master, slave;
	pid_t pid = on_terminal(&master, &slave);

	put(master, "hello");
	expect(master, "hello"); /* no newline: comes after a moment */
	put(master, "\003\032");
	expect(master, "\003\032"); /* the guest's, not ours */
	put(master, "\001h");
	expect(master, "Ctrl-A x: leave");
	put(master, "\001\001");
	expect(master, "\001");
	put(master, "\001zstill\n");
	expect(master, "still");
	put(master, "q");
	assert_int_equal(end_of(pid), VM_END_POWEROFF);
	assert_false(is_raw(slave));
	close(master);
	close(slave);
}

static void escape(void **state)
{
	int master, slave;
	pid_t pid = on_terminal(&master, &slave);

	put(master, "\001x");
	assert_int_equal(end_of(pid), VM_END_QUIT);
	assert_false(is_raw(slave));
	close(master);
	close(slave);
}

static void crash(void **state)
{
	int master, slave;
	pid_t pid = on_terminal(&master, &slave);

	put(master, "k");
	assert_int_equal(end_of(pid), -SIGABRT);
	assert_false(is_raw(slave));
	close(master);
	close(slave);
}

static pid_t on_fds(int in, int out_fd)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		dup2(in, STDIN_FILENO);
		if (out_fd >= 0)
			dup2(out_fd, STDOUT_FILENO);
		else
			close(STDOUT_FILENO);
		signal(SIGPIPE, SIG_IGN);
		child();
	}
	return pid;
}

static void pipes(void **state)
{
	static char text[20000];
	int to[2], from[2];
	pid_t pid;

	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	pid = on_fds(to[0], from[1]);
	expect(from[0], "ready");
	/* No terminal, no escape. */
	put(to[1], "\001x\n");
	expect(from[0], "\001x");
	/* Far more than the port holds at once; all of it arrives, in order. */
	memset(text, 'a', sizeof(text) - 2);
	strcpy(text + sizeof(text) - 3, "b\n");
	put(to[1], text);
	for (size_t n = 0; n < strlen(text);) {
		char buf[512];
		ssize_t got = read(from[0], buf, sizeof(buf));

		assert_true(got > 0);
		assert_memory_equal(buf, text + n, got);
		n += (size_t)got;
	}
	put(to[1], "q");
	assert_int_equal(end_of(pid), VM_END_POWEROFF);
	close(to[0]);
	close(to[1]);
	close(from[0]);
	close(from[1]);
}

static void file_as_stdin(void **state)
{
	char path[] = "/tmp/test_console.XXXXXX";
	int in = mkstemp(path), from[2];
	pid_t pid;

	unlink(path);
	for (int i = 0; i < 1000; i++)
		put(in, "line\n");
	put(in, "q");
	lseek(in, 0, SEEK_SET);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	pid = on_fds(in, from[1]);
	assert_int_equal(end_of(pid), VM_END_POWEROFF);
	close(in);
	close(from[0]);
	close(from[1]);
}

/* Nobody reads: the guest gets on, and the pipe's end finds whole lines in it. */
static void stuck_output(void **state)
{
	int to[2], from[2];
	pid_t pid;

	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	fcntl(from[1], F_SETPIPE_SZ, 4096);
	pid = on_fds(to[0], from[1]);
	for (int i = 0; i < 3000; i++)
		put(to[1], "a line of some length\n");
	put(to[1], "q");
	assert_int_equal(end_of(pid), VM_END_POWEROFF);
	close(to[0]);
	close(to[1]);
	close(from[0]);
	close(from[1]);
}

static void closed_output(void **state)
{
	int to[2];
	pid_t pid;

	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	pid = on_fds(to[0], -1);
	put(to[1], "text\nq");
	assert_int_equal(end_of(pid), VM_END_POWEROFF);
	close(to[0]);
	close(to[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(terminal),	 cmocka_unit_test(escape),
		cmocka_unit_test(crash),	 cmocka_unit_test(pipes),
		cmocka_unit_test(file_as_stdin), cmocka_unit_test(stuck_output),
		cmocka_unit_test(closed_output),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
