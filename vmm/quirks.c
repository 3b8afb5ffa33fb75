// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/quirks.h"

/*
 * The emulator does not intercept XSETBV, so that a guest's XCR0 would be the
 * host's: everything that needs XSAVE goes.
 */
#define LEAF1_ECX_XSAVE_FAMILY (1u << 12 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 29)
#define LEAF7_EBX_AVX2	       (1u << 5)
#define LEAF7_ECX_PKU	       (1u << 3 | 1u << 4)
#define LEAF7_ECX_VECTOR       (1u << 9 | 1u << 10)

/* Its CPU is of family 15, where Linux searches each bus for a GART; a Zen has none. */
#define SIGNATURE_ZEN3 0x00a20f10u

void quirks_cpuid(struct cpuid *cpuid)
{
	for (uint32_t i = 0; i < cpuid->head.nent; i++) {
		struct kvm_cpuid_entry2 *e = &cpuid->entry[i];

		switch (e->function) {
		case 0x1:
			e->ecx &= ~LEAF1_ECX_XSAVE_FAMILY;
			e->eax = SIGNATURE_ZEN3;
			break;
		case 0x7:
			if (e->index)
				break;
			e->ebx &= ~LEAF7_EBX_AVX2;
			e->ecx &= ~(LEAF7_ECX_PKU | LEAF7_ECX_VECTOR);
			break;
		case 0xd:
			e->eax = e->ebx = e->ecx = e->edx = 0;
			break;
		case 0x80000001:
			e->eax = SIGNATURE_ZEN3;
			break;
		}
	}
}
