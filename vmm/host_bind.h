/* SPDX-License-Identifier: BSD-2-Clause */
/* Hands a device of the host to vfio-pci, and back. @root: host_sysfs.h. */
#ifndef VMM_HOST_BIND_H
#define VMM_HOST_BIND_H

#include "vmm/host_pci.h"

/*
 * Takes @dev from its driver, if it has one, and gives it to vfio-pci. Whether it is in use
 * is the caller's to know (host_use.h). On failure it is as it was before, as far as the
 * kernel gives it back, and @ret_why says what was wrong.
 */
int host_bind_vfio(const char *root, const struct host_pci *dev, char *ret_why, size_t size);

/*
 * Undoes host_bind_vfio(): the driver of @was, or none, has the device again. -EBUSY as
 * host_unbind_vfio().
 */
int host_put_back(const char *root, const struct host_pci *was, char *ret_why, size_t size);

/*
 * Takes @dev from VFIO; the kernel then looks for its own driver. -EBUSY: a VM has it, and
 * nothing was done, for the kernel would wait for that VM's end.
 */
int host_unbind_vfio(const char *root, const struct host_pci *dev, char *ret_why, size_t size);

#endif
