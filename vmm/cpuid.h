/* SPDX-License-Identifier: BSD-2-Clause */
/* The CPUID that the guest sees: what KVM supports, with this VM's topology. */
#ifndef VMM_CPUID_H
#define VMM_CPUID_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#define CPUID_MAX_ENTRIES 256

/* As KVM wants it: a header, then its entries. */
struct cpuid {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 entry[CPUID_MAX_ENTRIES];
};

/* *@ret is what KVM supports. Logs; a negative errno. */
int cpuid_supported(int kvm_fd, struct cpuid *ret);

/*
 * Fits @cpuid to vCPU @id of @nr: APIC ids, one socket of @nr cores with one
 * thread each, the hypervisor bit, the TSC deadline timer where KVM has it.
 */
void cpuid_fit(struct cpuid *cpuid, unsigned int id, unsigned int nr, bool tsc_deadline);

/* Guest-physical address width in bits. */
unsigned int cpuid_phys_bits(const struct cpuid *cpuid);

#endif
