/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device process gives up all that it does not need, in steps that its main
 * calls in this order, before it reads the first byte from its client. Steps 2
 * to 4 take what the kernel and the user's rights allow and say the rest with
 * --verbose; steps 1 and 5 succeed or the process ends.
 */
#ifndef DEVICES_RUNTIME_SANDBOX_H
#define DEVICES_RUNTIME_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

/* 1: closes every fd but 2 and @keep (sorted here); 0 and 1 become /dev/null. 0 or -errno. */
int sandbox_fds(int *keep, size_t nr);

/* 2: namespaces of its own, an empty read-only root. */
void sandbox_namespaces(void);

/*
 * 3: no capabilities, root becomes nobody, no new privileges, resource limits,
 * no core dumps. @die_with_parent: killed when the parent ends. 0 or -errno.
 */
int sandbox_privileges(bool die_with_parent);

/* 4: Landlock denies every path and port. */
void sandbox_landlock(void);

/* A system call that the device needs beside the runtime's own. */
struct sandbox_call {
	int nr;
	bool has_arg1; /* only with this second argument */
	unsigned long arg1;
};

/* 5: the system calls of the runtime and of @calls; any other kills. 0 or -errno. */
int sandbox_syscalls(const struct sandbox_call *calls, size_t nr);

#endif
