/* SPDX-License-Identifier: BSD-2-Clause */
/* What the VMM's processes give up once they no longer need it. */
#ifndef VMM_SANDBOX_H
#define VMM_SANDBOX_H

#include <stdbool.h>

/* For the child that unpacks a kernel: memory, and writing to @result_fd. */
int sandbox_loader(int result_fd);

/*
 * For the VMM after set-up, all threads: no capabilities, a short list of system calls. A
 * little more with devices of the host @assigned.
 */
int sandbox_vmm(bool assigned);

#endif
