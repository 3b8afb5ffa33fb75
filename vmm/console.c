// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "vmm/console.h"
#include "vmm/log.h"
#include "vmm/terminal.h"
#include "vmm/vm.h"

#define ESCAPE		   0x01 /* Ctrl-A */
#define UNFINISHED_LINE_NS 20000000
#define STUCK_AFTER_MS	   1000

static void help(void)
{
	log_msg(LOG_ERROR, "Ctrl-A x: leave; Ctrl-A Ctrl-A: send Ctrl-A; Ctrl-A h: this help");
}

/* ---- output ---- */

static ssize_t write_some(const struct console *con, const uint8_t *bytes, size_t len)
{
	if (con->out_sock)
		return send(con->out_fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return write(con->out_fd, bytes, len);
}

static bool wait_writable(struct console *con, int timeout_ms)
{
	struct pollfd pfd = {.fd = con->out_fd, .events = POLLOUT};

	return poll(&pfd, 1, timeout_ms) > 0;
}

/* Lock held, also while it waits: a vCPU that prints waits with it, no longer than a second. */
static void flush_locked(struct console *con)
{
	size_t done = 0;

	while (done < con->len) {
		ssize_t n;

		/* A descriptor shared with others may block: ask first. */
		if (!con->out_own && !con->out_sock &&
		    !wait_writable(con, con->stuck ? 0 : STUCK_AFTER_MS))
			break;
		n = write_some(con, con->line + done, con->len - done);
		if (n > 0) {
			done += (size_t)n;
			con->stuck = false;
		} else if (n < 0 && errno == EINTR) {
			continue;
		} else if (n < 0 && errno == EAGAIN && !con->stuck &&
			   wait_writable(con, STUCK_AFTER_MS)) {
			continue;
		} else {
			break;
		}
	}
	if (done < con->len) {
		con->stuck = true;
		con->dropped += con->len - done;
	}
	con->len = 0;
}

void console_flush(struct console *con)
{
	pthread_mutex_lock(&con->lock);
	flush_locked(con);
	pthread_mutex_unlock(&con->lock);
}

static void arm_timer(struct console *con)
{
	const struct itimerspec in = {.it_value.tv_nsec = UNFINISHED_LINE_NS};

	if (con->timer_armed)
		return;
	con->timer_armed = true;
	timerfd_settime(con->timer_fd, 0, &in, NULL);
}

static void on_output(void *ctx, uint8_t byte)
{
	struct console *con = ctx;

	pthread_mutex_lock(&con->lock);
	con->line[con->len++] = byte;
	if (byte == '\n' || con->len == CONSOLE_LINE)
		flush_locked(con);
	else
		arm_timer(con);
	pthread_mutex_unlock(&con->lock);
}

static void on_timer(void *ctx)
{
	struct console *con = ctx;
	uint64_t ticks;

	if (read(con->timer_fd, &ticks, sizeof(ticks)) < 0)
		return;
	pthread_mutex_lock(&con->lock);
	con->timer_armed = false;
	flush_locked(con);
	pthread_mutex_unlock(&con->lock);
}

/*
 * Non-blocking writes need a file description of our own: O_NONBLOCK on the one
 * that stdout is would hit everybody who shares it, the shell included. A
 * regular file never blocks, and must keep its one offset.
 */
static void open_output(struct console *con)
{
	struct stat st;
	int fd;

	con->out_fd = STDOUT_FILENO;
	if (fstat(STDOUT_FILENO, &st))
		return; /* closed: every write fails and is dropped */
	con->out_sock = S_ISSOCK(st.st_mode);
	con->out_own = S_ISREG(st.st_mode);
	if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
		return;
	fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0) {
		con->out_fd = fd;
		con->out_own = true;
	}
}

/* ---- input ---- */

static void on_stdin(void *ctx);

static void watch_stdin(struct console *con, bool on)
{
	if (on == con->stdin_watched)
		return;
	if (!on) {
		vm_unwatch(con->vm, STDIN_FILENO);
	} else if (vm_watch(con->vm, STDIN_FILENO, on_stdin, con)) {
		/* A regular file or /dev/null cannot be waited for, and need not be. */
		con->stdin_is_file = true;
		return;
	}
	con->stdin_watched = on;
}

/* Returns whether @byte goes to the guest. */
static bool filter(struct console *con, uint8_t byte)
{
	if (!terminal_is_raw())
		return true;
	if (!con->escaped) {
		con->escaped = byte == ESCAPE;
		return !con->escaped;
	}
	con->escaped = false;
	switch (byte) {
	case ESCAPE:
		return true;
	case 'x':
		vm_end(con->vm, VM_END_QUIT);
		return false;
	case 'h':
		help();
		return false;
	}
	return false;
}

/* Hands on what is left; true when nothing is. */
static bool push(struct console *con)
{
	size_t n = serial_input(&con->serial, con->left, con->nr_left);

	con->nr_left -= n;
	memmove(con->left, con->left + n, con->nr_left);
	return !con->nr_left;
}

static void on_stdin(void *ctx)
{
	struct console *con = ctx;
	uint8_t buf[sizeof(con->left)];
	ssize_t n;

	n = read(STDIN_FILENO, buf, sizeof(buf));
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		/* Its end; the guest just gets no more. */
		watch_stdin(con, false);
		con->stdin_ended = true;
		return;
	}
	for (ssize_t i = 0; i < n; i++)
		if (filter(con, buf[i]))
			con->left[con->nr_left++] = buf[i];
	if (!push(con))
		watch_stdin(con, false);
}

static void on_room(void *ctx)
{
	struct console *con = ctx;
	uint64_t count;

	if (read(con->room_fd, &count, sizeof(count)) < 0)
		return;
	while (push(con) && con->stdin_is_file && !con->stdin_ended)
		on_stdin(con);
	if (!con->nr_left && !con->stdin_is_file && !con->stdin_ended)
		watch_stdin(con, true);
}

static void signal_room(void *ctx)
{
	struct console *con = ctx;

	eventfd_write(con->room_fd, 1);
}

static const struct serial_ops serial_ops = {.output = on_output, .room = signal_room};

int console_init(struct console *con, struct vm *vm)
{
	int err = -EMFILE;

	memset(con, 0, sizeof(*con));
	con->vm = vm;
	pthread_mutex_init(&con->lock, NULL);
	con->room_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	con->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	open_output(con);
	if (con->room_fd < 0 || con->timer_fd < 0)
		goto err_fds;
	err = serial_init(&con->serial, &vm->bus, &vm->irq, &serial_ops, con);
	if (err)
		goto err_fds;
	err = vm_watch(vm, con->room_fd, on_room, con)
		      ?: vm_watch(vm, con->timer_fd, on_timer, con);
	if (err)
		goto err_serial;
	err = terminal_raw();
	if (err)
		goto err_serial;
	/* In the background a read of the terminal would stop the VM. */
	if (terminal_is_raw() || !isatty(STDIN_FILENO))
		watch_stdin(con, true);
	if (con->stdin_is_file)
		signal_room(con);
	return 0;

err_serial:
	serial_done(&con->serial);
err_fds:
	if (con->timer_fd >= 0)
		close(con->timer_fd);
	if (con->room_fd >= 0)
		close(con->room_fd);
	log_error("cannot set up the console: %s", strerror(-err));
	return err;
}

void console_done(struct console *con)
{
	console_flush(con);
	terminal_restore();
	if (con->dropped)
		log_warn("console: stdout was stuck or closed, %llu bytes of output dropped",
			 (unsigned long long)con->dropped);
	serial_done(&con->serial);
	close(con->timer_fd);
	close(con->room_fd);
	if (con->out_fd != STDOUT_FILENO)
		close(con->out_fd);
	pthread_mutex_destroy(&con->lock);
}
