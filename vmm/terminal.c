// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "vmm/log.h"
#include "vmm/terminal.h"

/* Set before the handlers that read them are, and by the main thread only. */
static struct termios saved;
static volatile sig_atomic_t is_raw;

void terminal_restore(void)
{
	if (!is_raw)
		return;
	/* Async-signal-safe, all of it. */
	tcsetattr(STDIN_FILENO, TCSANOW, &saved);
	is_raw = 0;
	log_raw = false;
}

bool terminal_is_raw(void)
{
	return is_raw;
}

static void on_crash(int sig)
{
	terminal_restore();
	/* SA_RESETHAND has put the default action back. */
	raise(sig);
}

static int catch_crashes(void)
{
	static const int crash[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGSYS};
	struct sigaction act = {.sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND};

	for (unsigned int i = 0; i < sizeof(crash) / sizeof(crash[0]); i++)
		if (sigaction(crash[i], &act, NULL))
			return -errno;
	return 0;
}

int terminal_raw(void)
{
	struct termios raw;
	int err;

	if (!isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp())
		return 0;
	if (tcgetattr(STDIN_FILENO, &saved))
		return -errno;
	raw = saved;
	cfmakeraw(&raw);
	err = catch_crashes();
	if (err)
		return err;
	if (atexit(terminal_restore))
		return -ENOMEM;
	is_raw = 1;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw)) {
		is_raw = 0;
		return -errno;
	}
	log_raw = true;
	return 0;
}
