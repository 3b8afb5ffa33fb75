// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "vmm/log.h"
#include "vmm/pm.h"
#include "vmm/signals.h"
#include "vmm/stats.h"
#include "vmm/vm.h"

static void ask_to_end(struct signals *sig)
{
	const struct itimerspec in = {.it_value.tv_sec = (time_t)sig->grace};

	if (sig->asked || !sig->grace) {
		vm_end(sig->vm, VM_END_KILLED);
		return;
	}
	sig->asked = true;
	pm_power_button(sig->pm);
	timerfd_settime(sig->timer_fd, 0, &in, NULL);
}

static void on_signal(void *ctx)
{
	struct signals *sig = ctx;
	struct signalfd_siginfo info;

	if (read(sig->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGUSR1)
		stats_write(sig->stats, VM_RUNNING);
	else
		ask_to_end(sig);
}

static void on_timeout(void *ctx)
{
	struct signals *sig = ctx;

	vm_end(sig->vm, VM_END_KILLED);
}

/* What nohup, or the shell of a background job, had us ignore stays ignored. */
static void add_unless_ignored(sigset_t *set, int signo)
{
	struct sigaction act;

	if (!sigaction(signo, NULL, &act) && act.sa_handler != SIG_IGN)
		sigaddset(set, signo);
}

int signals_init(struct signals *sig, struct vm *vm, struct pm *pm, struct stats *stats,
		 unsigned int grace)
{
	sigset_t set;
	int err;

	*sig = (struct signals){.vm = vm, .pm = pm, .stats = stats, .grace = grace};
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	add_unless_ignored(&set, SIGINT);
	add_unless_ignored(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	sig->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	sig->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	err = sig->signal_fd < 0 || sig->timer_fd < 0 ? -EMFILE : 0;
	err = err ?: vm_watch(vm, sig->signal_fd, on_signal, sig);
	err = err ?: vm_watch(vm, sig->timer_fd, on_timeout, sig);
	if (err) {
		log_error("cannot watch for signals: %s", strerror(-err));
		signals_done(sig);
	}
	return err;
}

void signals_done(struct signals *sig)
{
	if (sig->signal_fd >= 0)
		close(sig->signal_fd);
	if (sig->timer_fd >= 0)
		close(sig->timer_fd);
	sig->signal_fd = sig->timer_fd = -1;
}
