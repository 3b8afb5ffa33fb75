/* SPDX-License-Identifier: BSD-2-Clause */
/* The VM's PCI bus and what is on it: the virtio-iommu, simulated and assigned devices. */
#ifndef VMM_DEVICES_H
#define VMM_DEVICES_H

#include "vmm/options.h"
#include "vmm/vm.h"

/*
 * Fills vm->pci, iommu, viommu_fn and device[] from the options; a VM without
 * devices has no PCI at all. Starts the disks' processes. Logs; -EINVAL: the
 * user's to repair. On failure nothing is left.
 */
int devices_init(struct vm *vm, const struct options *opts);

/*
 * After vm_end(), in this order: ends all DMA and interrupts, and whatever a vCPU
 * waits for; then, the vCPUs have stopped, resets the virtio-iommu.
 */
void devices_quiesce(struct vm *vm);
void devices_reset(struct vm *vm);
/* After that: ends the devices' processes and frees it all. */
void devices_done(struct vm *vm);

/* Is there a PCI bus? */
static inline bool devices_any(const struct vm *vm)
{
	return vm->device;
}

#endif
