/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --stats FILE: counts as one JSON object, described in pviommu-run(1).
 *
 * Both files that an atomic replacement takes are open before the sandbox: a
 * write fills the spare one and exchanges their names.
 */
#ifndef VMM_STATS_H
#define VMM_STATS_H

#include <stdint.h>

#include "vmm/vm.h"

struct stats {
	struct vm *vm;
	const char *path;
	char *spare_path;
	int fd;	      /* the file now at @path */
	int spare_fd; /* the one at @spare_path */
	uint64_t start_ns;
};

/* Writes a first version, so that a path that cannot be written shows at once. Logs. */
int stats_init(struct stats *stats, struct vm *vm, const char *path);
/* @how: VM_RUNNING while the guest runs. Main thread only. */
void stats_write(struct stats *stats, int how);
void stats_done(struct stats *stats);

/* The run in some lines of the log, where it is told more (--verbose). */
void stats_summary(const struct stats *stats, int how);

#endif
