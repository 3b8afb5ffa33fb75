/* SPDX-License-Identifier: BSD-2-Clause */
/* What is looked at before the first of the host's devices is touched (--assign). */
#ifndef VMM_VFIO_CHECK_H
#define VMM_VFIO_CHECK_H

#include <stdint.h>

#include "vmm/vfio_device.h"

/*
 * Can the VM have all @nr of these devices? Each must be there and to be had, with its IOMMU
 * group, and as much memory as the VM may have locked for them, the process must be allowed to
 * lock: it raises its limit as far as it may; a higher one it lowers where the guest does the
 * mapping. With --iommu strict a lower limit will do, which *@ret_limit is then, in bytes; else 0.
 * Says in one line what is wrong, and what to do; -EINVAL. Before the sandbox.
 */
int vfio_check(const struct vm *vm, const struct vfio_device_config *config, unsigned int nr,
	       uint64_t *ret_limit);

#endif
