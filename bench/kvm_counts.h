/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM's own counts of the one VM that a process has, from debugfs.
 */
#ifndef BENCH_KVM_COUNTS_H
#define BENCH_KVM_COUNTS_H

#include <stdio.h>
#include <sys/types.h>

/* As further members of a JSON object: ,"NAME":N... Ends the program where it can't read. */
void kvm_counts_print(pid_t pid, FILE *out);

#endif
