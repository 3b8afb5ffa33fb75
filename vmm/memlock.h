/* SPDX-License-Identifier: BSD-2-Clause */
/* How much memory the process may lock (RLIMIT_MEMLOCK). */
#ifndef VMM_MEMLOCK_H
#define VMM_MEMLOCK_H

#include <stdint.h>

/*
 * Raises the limit to @bytes, as far as the process may: to the hard limit, or that as well
 * where it has the right. Returns what it is then. Before the sandbox.
 */
uint64_t memlock_raise(uint64_t bytes);

/* Lowers it to @bytes where it is more; the hard limit stays. */
void memlock_lower(uint64_t bytes);

#endif
