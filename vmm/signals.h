/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SIGTERM (and SIGINT, SIGHUP): the power button, then after the time of grace,
 * or at once when a second one comes, the end. SIGUSR1: the statistics, now.
 */
#ifndef VMM_SIGNALS_H
#define VMM_SIGNALS_H

#include <stdbool.h>

struct vm;
struct pm;
struct stats;

struct signals {
	struct vm *vm;
	struct pm *pm;
	struct stats *stats;
	unsigned int grace; /* seconds */
	int signal_fd;
	int timer_fd;
	bool asked; /* the button was pressed */
};

/* Blocks the signals in the calling thread and those that it makes. Logs. */
int signals_init(struct signals *sig, struct vm *vm, struct pm *pm, struct stats *stats,
		 unsigned int grace);
void signals_done(struct signals *sig);

#endif
