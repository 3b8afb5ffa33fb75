// SPDX-License-Identifier: BSD-2-Clause
/* Where simulated devices come from: a program that is started, or a socket that listens. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/log.h"
#include "vmm/vfu_device.h"

/* Where the program finds its descriptors. */
#define CHILD_SOCK 3
#define CHILD_DISK 4

/* How long a device process may take to end by itself once its socket is closed. */
#define END_TIMEOUT_MS 2000

static const char *open_error(int err)
{
	switch (err) {
	case ENOENT:
		return "no such file: give the path of an existing image or block device";
	case EACCES:
	case EPERM:
		return "no permission: give this user access to it, or append ,ro";
	case EROFS:
		return "on a read-only file system: append ,ro";
	case EISDIR:
		return "is a directory: give an image file or a block device";
	default:
		return strerror(err);
	}
}

/* The VMM opens the file, so that what is wrong with it is said in terms of the option. */
static int open_disk(const char *path, bool read_only, int *ret_fd)
{
	struct stat st;
	int fd, err;

	/* O_NONBLOCK: opening a FIFO must not wait. */
	fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
	err = fd < 0 ? errno : 0;
	if (!err && fstat(fd, &st))
		err = errno;
	if (!err && S_ISDIR(st.st_mode))
		err = EISDIR;
	if (err) {
		log_error("--disk %s: %s", path, open_error(err));
	} else if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
		log_error("--disk %s: neither a file nor a block device: give one of them", path);
		err = EINVAL;
	}
	if (err) {
		if (fd >= 0)
			close(fd);
		return -err;
	}
	*ret_fd = fd;
	return 0;
}

/*
 * In the child, after fork: only calls that are safe there. It must not outlive
 * the VMM, and a ^C on the terminal is the VMM's to handle.
 */
__attribute__((noreturn)) static void run_child(const char *program, const char *path,
						bool read_only, pid_t parent, int sock, int disk)
{
	char *const argv[] = {
		(char *)(uintptr_t)program,
		"--fd",
		"3",
		"--disk-fd",
		"4",
		"--name",
		(char *)(uintptr_t)path,
		read_only ? "--read-only" : NULL,
		NULL,
	};
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	setpgid(0, 0);
	/* Out of the way of their new numbers first. */
	sock = fcntl(sock, F_DUPFD, CHILD_DISK + 1);
	disk = fcntl(disk, F_DUPFD, CHILD_DISK + 1);
	if (sock < 0 || disk < 0 || dup2(sock, CHILD_SOCK) < 0 || dup2(disk, CHILD_DISK) < 0)
		_exit(127);
	if (syscall(SYS_close_range, CHILD_DISK + 1, ~0u, 0))
		_exit(127);
	execv(program, argv);
	_exit(127);
}

int vfu_spawn_disk(const char *program, const char *path, bool read_only, int *ret_sock,
		   pid_t *ret_pid)
{
	pid_t parent = getpid();
	int sock[2], disk, err;
	pid_t pid;

	if (access(program, X_OK)) {
		err = -errno;
		log_error("--disk %s: can't start %s: %s: install it beside pviommu", path, program,
			  strerror(-err));
		return err;
	}
	err = open_disk(path, read_only, &disk);
	if (err)
		return err;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock)) {
		err = -errno;
		goto err_disk;
	}
	pid = fork();
	if (!pid)
		run_child(program, path, read_only, parent, sock[1], disk);
	if (pid < 0) {
		err = -errno;
		goto err_sock;
	}
	close(disk);
	close(sock[1]);
	*ret_sock = sock[0];
	*ret_pid = pid;
	return 0;

err_sock:
	close(sock[0]);
	close(sock[1]);
err_disk:
	close(disk);
	log_error("--disk %s: can't start %s: %s", path, program, strerror(-err));
	return err;
}

void vfu_spawn_end(pid_t pid)
{
	struct pollfd pfd = {.events = POLLIN};

	pfd.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	/* Not waited for yet: the pid is still this child's. */
	if (pfd.fd < 0 || poll(&pfd, 1, END_TIMEOUT_MS) != 1)
		kill(pid, SIGKILL);
	if (pfd.fd >= 0)
		close(pfd.fd);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static const char *connect_error(int err)
{
	switch (err) {
	case ENOENT:
		return "no such socket: start the device's program first";
	case ECONNREFUSED:
		return "nobody listens there: start the device's program first";
	case EACCES:
	case EPERM:
		return "no permission: give this user write access to the socket";
	case EAGAIN:
		return "the device's program is busy with another VM";
	case ENOTSOCK:
		return "not a socket: give the path that the device's program listens on";
	default:
		return strerror(err);
	}
}

int vfu_connect(const char *path, int *ret_sock)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	int sock, err = 0;

	if (!len || len >= sizeof(addr.sun_path)) {
		log_error("--device socket=%s: a socket's path has 1 to %zu characters", path,
			  sizeof(addr.sun_path) - 1);
		return -EINVAL;
	}
	memcpy(addr.sun_path, path, len);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Non-blocking: a full queue of connections is said, not waited for. */
	if (sock < 0 || connect(sock, (struct sockaddr *)&addr, sizeof(addr)) ||
	    fcntl(sock, F_SETFL, 0))
		err = errno;
	if (err) {
		log_error("--device socket=%s: %s", path, connect_error(err));
		if (sock >= 0)
			close(sock);
		return -err;
	}
	*ret_sock = sock;
	return 0;
}
