/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual CPUs: one thread each, from its start to the VM's end. */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/cpuid.h"

struct vm;

/* Exits to the VMM, by kind. Written by the vCPU's thread only, read by any. */
struct vcpu_exits {
	_Atomic uint64_t pio;	 /* serial ones included */
	_Atomic uint64_t serial; /* COM1 */
	_Atomic uint64_t mmio;
	_Atomic uint64_t other;
};

struct vcpu {
	struct vm *vm;
	unsigned int id;
	int fd;
	struct kvm_run *run;
	size_t run_size;
	pthread_t thread;
	bool started;
	struct vcpu_exits exits;
};

struct vcpu_config {
	const struct cpuid *cpuid; /* what KVM supports, quirks applied */
	uint64_t entry;		   /* where vCPU 0 starts, in 64-bit mode */
};

/* Makes all vCPUs of @vm. Their threads wait until vcpus_run(). Logs. */
int vcpus_init(struct vm *vm, const struct vcpu_config *config);
/* Lets them go. The process's sandbox stands by now. */
void vcpus_run(struct vm *vm);
/* vm_end() was called: stops and joins the threads. */
void vcpus_stop(struct vm *vm);
void vcpus_done(struct vm *vm);

#endif
