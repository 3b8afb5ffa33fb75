/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IOMMU groups of the host that belong to the VM, each in a VFIO container, which is a backend
 * of the VM's IOMMU: the devices of a group share a domain. All of it is set-up and end, on the
 * main thread.
 */
#ifndef VMM_VFIO_GROUP_H
#define VMM_VFIO_GROUP_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/host_pci.h"

struct vm;
struct vfio_container;

struct vfio_group {
	struct vfio_group *next;
	struct vm *vm;
	int id; /* as the kernel numbers it */
	int fd;
	struct vfio_container *container;
	bool in_kvm;
	unsigned int users; /* devices */
};

/*
 * Is all in order for @dev to be opened? Looks only. @unsafe: take it even where the kernel
 * was told to live without interrupt remapping. -EINVAL: no, and @ret_why says why and what to
 * do, in words to stand behind "BDF: ". @root: host_sysfs.h.
 */
int vfio_group_check(const char *root, const struct host_pci *dev, bool unsafe, char *ret_why,
		     size_t size);

/*
 * The group of @dev, opened and set up when this is its first device in the VM. As
 * vfio_group_check() on failure, nothing is left open then.
 */
int vfio_group_get(struct vm *vm, const struct host_pci *dev, struct vfio_group **ret_group,
		   char *ret_why, size_t size);
void vfio_group_put(struct vfio_group *group);

/* VFIO's fd of @bdf, or -errno. */
int vfio_group_open_device(struct vfio_group *group, const char *bdf);

#endif
