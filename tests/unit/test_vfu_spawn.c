// SPDX-License-Identifier: BSD-2-Clause
/* Starting, ending and connecting to device programs; this test is one itself. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vmm/vfu_device.h"

static char self[4096];
static char dir[] = "/tmp/test_vfu_spawn.XXXXXX";

static const char *in_dir(const char *name)
{
	static char path[2][256];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static void make_file(const char *name, mode_t mode)
{
	int fd = open(in_dir(name), O_CREAT | O_WRONLY | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "disk", 4), 4);
	close(fd);
}

/* What the program that vfu_spawn_disk() started says of itself. */
struct report {
	char args[256];
	char disk[4];
	int disk_flags;
	int extra_fds;
	int death_signal;
	int own_group;
	int blocked;
};

/* The program: reports, then ends with its socket; or not at all. */
static int child(int argc, char **argv)
{
	struct report r = {.disk_flags = fcntl(4, F_GETFL)};
	sigset_t mask;
	char c;

	for (int i = 1; i < argc; i++) {
		strcat(r.args, argv[i]);
		strcat(r.args, " ");
	}
	if (pread(4, r.disk, 4, 0) != 4)
		r.disk[0] = 0;
	for (int fd = 5; fd < 1024; fd++)
		r.extra_fds += fcntl(fd, F_GETFD) >= 0;
	prctl(PR_GET_PDEATHSIG, &r.death_signal);
	r.own_group = getpgid(0) == getpid();
	sigprocmask(SIG_SETMASK, NULL, &mask);
	r.blocked = sigismember(&mask, SIGTERM);
	if (write(3, &r, sizeof(r)) != sizeof(r))
		return 1;
	if (strstr(r.args, "stubborn"))
		for (;;)
			pause();
	while (read(3, &c, 1) > 0)
		;
	return 0;
}

static pid_t spawn(const char *name, bool read_only, struct report *r, int *sock)
{
	pid_t pid;

	assert_int_equal(vfu_spawn_disk(self, in_dir(name), read_only, sock, &pid), 0);
	assert_int_equal(recv(*sock, r, sizeof(*r), MSG_WAITALL), sizeof(*r));
	return pid;
}

static void spawns(void **state)
{
	int leak = open("/dev/null", O_RDONLY); /* not close-on-exec, as a parent's may be */
	struct report r;
	sigset_t term;
	pid_t pid;
	int sock;

	make_file("disk", 0600);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	pid = spawn("disk", false, &r, &sock);
	sigprocmask(SIG_UNBLOCK, &term, NULL);
	assert_non_null(strstr(r.args, "--fd 3 --disk-fd 4 --name "));
	assert_null(strstr(r.args, "--read-only"));
	assert_memory_equal(r.disk, "disk", 4);
	assert_int_equal(r.disk_flags & O_ACCMODE, O_RDWR);
	assert_int_equal(r.extra_fds, 0);
	assert_int_equal(r.death_signal, SIGKILL);
	assert_true(r.own_group);
	assert_false(r.blocked);
	close(sock);
	vfu_spawn_end(pid);
	assert_int_equal(waitpid(pid, NULL, 0), -1); /* reaped */
	pid = spawn("disk", true, &r, &sock);
	assert_non_null(strstr(r.args, "--read-only"));
	assert_int_equal(r.disk_flags & O_ACCMODE, O_RDONLY);
	close(sock);
	vfu_spawn_end(pid);
	close(leak);
}

static void ends_the_stubborn(void **state)
{
	struct report r;
	pid_t pid;
	int sock;

	make_file("stubborn", 0600);
	pid = spawn("stubborn", false, &r, &sock);
	close(sock);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	vfu_spawn_end(pid);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
}

/* @fn(@path) must give @want and one line on stderr, with @part in it. */
static void complaint(int (*fn)(const char *path), const char *path, int want, const char *part)
{
	char text[1024] = "";
	int saved = dup(STDERR_FILENO);
	int pipefd[2];
	ssize_t n;
	int err;

	assert_int_equal(pipe(pipefd), 0);
	dup2(pipefd[1], STDERR_FILENO);
	err = fn(path);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(pipefd[1]);
	n = read(pipefd[0], text, sizeof(text) - 1);
	close(pipefd[0]);
	assert_true(n > 0);
	assert_ptr_equal(strchr(text, '\n'), text + n - 1);
	assert_int_equal(err, want);
	if (strstr(text, part))
		return;
	print_error("lacks \"%s\": %s", part, text);
	fail();
}

static int try_disk(const char *path)
{
	pid_t pid = -7;
	int sock = -7, err;

	err = vfu_spawn_disk(self, path, false, &sock, &pid);
	assert_int_equal(sock, -7);
	assert_int_equal(pid, -7);
	return err;
}

static int try_program(const char *path)
{
	pid_t pid;
	int sock;

	return vfu_spawn_disk(path, in_dir("disk"), false, &sock, &pid);
}

static void bad_disks(void **state)
{
	complaint(try_disk, in_dir("missing"), -ENOENT, "missing: no such file: give the path");
	complaint(try_disk, in_dir("missing"), -ENOENT, "--disk /tmp/test_vfu_spawn.");
	complaint(try_disk, dir, -EISDIR, "is a directory: give");
	assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
	complaint(try_disk, in_dir("fifo"), -EINVAL, "neither a file nor a block device");
	complaint(try_disk, "/dev/null", -EINVAL, "neither a file nor a block device");
	if (geteuid()) {
		make_file("locked", 0400);
		complaint(try_disk, in_dir("locked"), -EACCES, "no permission");
	}
	complaint(try_program, in_dir("no-program"), -ENOENT, "beside pviommu");
}

static int try_connect(const char *path)
{
	int sock = -7;
	int err = vfu_connect(path, &sock);

	assert_true(err == 0 || sock == -7);
	return err;
}

static void bad_sockets(void **state)
{
	char path[200];

	complaint(try_connect, in_dir("nowhere"), -ENOENT, "--device socket=/tmp/");
	make_file("file", 0600);
	complaint(try_connect, in_dir("file"), -ECONNREFUSED, "nobody listens");
	memset(path, 'a', sizeof(path));
	path[sizeof(path) - 1] = 0;
	complaint(try_connect, path, -EINVAL, "1 to 107 characters");
	complaint(try_connect, "", -EINVAL, "characters");
}

static int listener(const char *name, int backlog)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(addr.sun_path, in_dir(name), sizeof(addr.sun_path) - 1);
	assert_int_equal(bind(sock, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(sock, backlog), 0);
	return sock;
}

static void connects(void **state)
{
	int server = listener("socket", 0);
	int sock[8], peer, nr = 0;
	char c = 0;

	assert_int_equal(vfu_connect(in_dir("socket"), &sock[0]), 0);
	peer = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	assert_int_equal(write(peer, "x", 1), 1);
	assert_int_equal(read(sock[0], &c, 1), 1);
	assert_int_equal(c, 'x');
	assert_false(fcntl(sock[0], F_GETFL) & O_NONBLOCK);
	close(peer);
	close(sock[0]);
	/* Nobody accepts: a full queue is said at once. */
	while (nr < 8 && !vfu_connect(in_dir("socket"), &sock[nr]))
		nr++;
	assert_in_range(nr, 1, 7);
	while (nr)
		close(sock[--nr]);
	close(server);
}

static int make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	static const char *const names[] = {"disk", "stubborn", "fifo", "locked", "file", "socket"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		unlink(in_dir(names[i]));
	return rmdir(dir);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spawns),    cmocka_unit_test(ends_the_stubborn),
		cmocka_unit_test(bad_disks), cmocka_unit_test(bad_sockets),
		cmocka_unit_test(connects),
	};
	ssize_t n;

	if (argc > 1)
		return child(argc, argv);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		return 1;
	return cmocka_run_group_tests_name("vfu_spawn", tests, make_dir, remove_dir);
}
