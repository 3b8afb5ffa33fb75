/* SPDX-License-Identifier: BSD-2-Clause */
/* Which process has a device through VFIO, a VM as a rule? */
#ifndef VMM_HOST_HOLDER_H
#define VMM_HOST_HOLDER_H

#include "vmm/host_pci.h"

/*
 * Does a process have the IOMMU group of @dev open? Looks at what /proc says of the files of
 * each, and opens nothing: the kernel opens a group once at a time, so that to try would take
 * it from a VM that starts at that moment. 1: yes, and @ret_why says which and what to do, in
 * words to stand behind "BDF: "; 0: no; -errno: it cannot be told, for @ret_why. @root:
 * host_sysfs.h.
 */
int host_group_holder(const char *root, const struct host_pci *dev, char *ret_why, size_t size);

#endif
