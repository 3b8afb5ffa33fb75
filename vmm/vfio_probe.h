/* SPDX-License-Identifier: BSD-2-Clause */
/* What VFIO says of a device: regions, interrupts, how it can be reset. */
#ifndef VMM_VFIO_PROBE_H
#define VMM_VFIO_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/pci.h"

#define VFIO_MAX_AREAS 4

struct vfio_area {
	uint64_t off, size; /* bytes, within the region; whole pages */
};

struct vfio_region {
	uint64_t size; /* bytes; 0: absent */
	uint64_t at;   /* offset in the device's file */
	/* What of it can be mapped; the kernel says of most that all can. */
	struct vfio_area area[VFIO_MAX_AREAS];
	unsigned int nr_areas;
};

struct vfio_desc {
	int fd;				     /* of the device, the owner's */
	uint8_t cfg[PCI_CFG_LEGACY];	     /* config space at the start */
	struct vfio_region bar[PCI_NR_BARS]; /* the ROM's is read-only */
	uint64_t config_at;		     /* of config space in the device's file */
	bool intx;
	unsigned int nr_msi, nr_msix;
	bool can_reset; /* by VFIO_DEVICE_RESET */
};

/* 0, or -errno with *@ret_what the thing that could not be asked. */
int vfio_probe(int fd, struct vfio_desc *ret, const char **ret_what);

#endif
