/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clock of the machine, and for how long of it the machine was idle. Where the
 * clock counts instructions, their difference is the instructions executed.
 */
#ifndef BENCH_BUSY_H
#define BENCH_BUSY_H

#include <stdint.h>
#include <time.h>

/* Both end the program where they cannot read. */
uint64_t bench_clock_ns(clockid_t clock);
uint64_t bench_idle_ns(void);

#endif
