/* SPDX-License-Identifier: BSD-2-Clause */
/* What the VMM's processes give up once they no longer need it. */
#ifndef VMM_SANDBOX_H
#define VMM_SANDBOX_H

/* For the child that unpacks a kernel: memory, and writing to @result_fd. */
int sandbox_loader(int result_fd);

/* For the VMM after set-up, all threads: no capabilities, a short list of system calls. */
int sandbox_vmm(void);

#endif
