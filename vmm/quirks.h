/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest needs on a KVM that runs inside an emulator (QEMU 7.2 TCG with
 * nested SVM) and nowhere else. Off unless --testbed-quirks is given.
 */
#ifndef VMM_QUIRKS_H
#define VMM_QUIRKS_H

#include "vmm/cpuid.h"

void quirks_cpuid(struct cpuid *cpuid);

#endif
