/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The best reset that VFIO has for a device: its own FLR, else that of its bus, when all that it
 * touches is of its IOMMU group, else what else the kernel knows of (a change of its power state,
 * as a rule); else none.
 */
#ifndef VMM_VFIO_RESET_H
#define VMM_VFIO_RESET_H

#include "vmm/vfio_probe.h"

enum vfio_reset_kind { VFIO_RESET_NONE, VFIO_RESET_DEVICE, VFIO_RESET_BUS };

struct vfio_reset {
	int device; /* VFIO's fd */
	int group;  /* its group's fd */
	enum vfio_reset_kind kind;
	bool has_other; /* the device's, should the bus's fail */
};

/* Finds out which; @group_id as the kernel numbers groups. */
void vfio_reset_init(struct vfio_reset *reset, const struct vfio_desc *desc, int group,
		     int group_id);
/*
 * 0 where there is none; -errno of the kernel. Where the bus's fails it is the device's from then
 * on, and kind says so.
 */
int vfio_reset_do(struct vfio_reset *reset);
const char *vfio_reset_name(enum vfio_reset_kind kind);

#endif
