// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/cpuid.h"
#include "vmm/log.h"

#define LEAF1_ECX_TSC_DEADLINE (1u << 24)
#define LEAF1_ECX_HYPERVISOR   (1u << 31)
#define LEAF1_EDX_HTT	       (1u << 28)

#define LEVEL_THREAD	       (1u << 8)
#define LEVEL_CORE	       (2u << 8)

#define DEFAULT_PHYS_BITS      36

int cpuid_supported(int kvm_fd, struct cpuid *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->head.nent = CPUID_MAX_ENTRIES;
	if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, ret)) {
		int err = -errno;

		log_error("/dev/kvm: cannot get the CPUID that it supports: %s", strerror(-err));
		return err;
	}
	return 0;
}

static unsigned int bits_for(unsigned int nr)
{
	unsigned int bits = 0;

	while (1u << bits < nr)
		bits++;
	return bits;
}

static void fit_leaf1(struct kvm_cpuid_entry2 *e, unsigned int id, unsigned int nr,
		      bool tsc_deadline)
{
	/* EBX: initial APIC id, and how many ids the package takes. */
	e->ebx = (e->ebx & 0x0000ffff) | id << 24 | (1u << bits_for(nr)) << 16;
	e->ecx |= LEAF1_ECX_HYPERVISOR;
	e->ecx = tsc_deadline ? e->ecx | LEAF1_ECX_TSC_DEADLINE : e->ecx & ~LEAF1_ECX_TSC_DEADLINE;
	e->edx = nr > 1 ? e->edx | LEAF1_EDX_HTT : e->edx & ~LEAF1_EDX_HTT;
}

/* Leaf 4 (Intel) and 0x8000001d (AMD): each cache is one core's. */
static void fit_cache(struct kvm_cpuid_entry2 *e, unsigned int nr)
{
	if (!(e->eax & 0x1f))
		return; /* no such cache */
	e->eax &= ~(0xfffu << 14);
	if (e->function == 4)
		e->eax = (e->eax & ~(0x3fu << 26)) | ((1u << bits_for(nr)) - 1) << 26;
}

/* Leaves 0xb and 0x1f: the topology, level by level. */
static void fit_topology(struct kvm_cpuid_entry2 *e, unsigned int id, unsigned int nr)
{
	e->edx = id;
	e->eax = e->ebx = 0;
	e->ecx = e->index;
	if (e->index == 0) {
		e->ebx = 1;
		e->ecx |= LEVEL_THREAD;
	} else if (e->index == 1) {
		e->eax = bits_for(nr);
		e->ebx = nr;
		e->ecx |= LEVEL_CORE;
	}
}

void cpuid_fit(struct cpuid *cpuid, unsigned int id, unsigned int nr, bool tsc_deadline)
{
	for (uint32_t i = 0; i < cpuid->head.nent; i++) {
		struct kvm_cpuid_entry2 *e = &cpuid->entry[i];

		switch (e->function) {
		case 0x1:
			fit_leaf1(e, id, nr, tsc_deadline);
			break;
		case 0x4:
		case 0x8000001d:
			fit_cache(e, nr);
			break;
		case 0xa: /* no performance counters: KVM's are the host's to give out */
			e->eax = e->ebx = e->ecx = e->edx = 0;
			break;
		case 0xb:
		case 0x1f:
			fit_topology(e, id, nr);
			break;
		case 0x80000008:
			e->ecx = (e->ecx & ~0xf0ffu) | bits_for(nr) << 12 | (nr - 1);
			break;
		case 0x8000001e:
			e->eax = id;
			e->ebx = id; /* one thread a core */
			e->ecx = 0;  /* one node */
			break;
		}
	}
}

unsigned int cpuid_phys_bits(const struct cpuid *cpuid)
{
	for (uint32_t i = 0; i < cpuid->head.nent; i++)
		if (cpuid->entry[i].function == 0x80000008 && cpuid->entry[i].eax & 0xff)
			return cpuid->entry[i].eax & 0xff;
	return DEFAULT_PHYS_BITS;
}
