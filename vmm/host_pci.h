/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's PCI functions, as its /sys shows them: what `pviommu devices`, `assign`,
 * `release` and `run --assign` know before they touch anything. @root: host_sysfs.h.
 */
#ifndef VMM_HOST_PCI_H
#define VMM_HOST_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOST_PCI_BDF_SIZE  24
#define HOST_PCI_NAME_SIZE 32

struct host_pci {
	char bdf[HOST_PCI_BDF_SIZE]; /* as /sys spells it: 0000:01:00.0 */
	uint16_t vendor, device;
	uint32_t class_code; /* base, sub and interface, 24 bits */
	bool bridge;
	unsigned int nr_vfs; /* virtual functions that are on; 0: none, or it has none */
	int group;	     /* IOMMU group; -1: none */
	char driver[HOST_PCI_NAME_SIZE]; /* "": none */
	/* The one driver that may have it (driver_override); "": any whose ids match. */
	char override[HOST_PCI_NAME_SIZE];
};

/* "0000:01:00.0", or "01:00.0" for domain 0, as /sys spells it. @len: bytes of @text. -EINVAL. */
int host_pci_parse(const char *text, size_t len, char ret_bdf[HOST_PCI_BDF_SIZE]);

/* @bdf as parsed. -ENODEV: there is none. */
int host_pci_read(const char *root, const char *bdf, struct host_pci *ret);

/* All of them, by address; free() it. */
int host_pci_list(const char *root, struct host_pci **ret_devs, size_t *ret_nr);

/* Is it bound to a driver that hands devices to user programs through VFIO? */
bool host_pci_is_vfio(const struct host_pci *dev);

/*
 * May the group of @dev belong to a user program as it is now? Each member must have a VFIO
 * driver or none, or be a bridge; @dev itself does not count. If not: which one is in the
 * way, 1. -errno.
 */
int host_pci_group_blocker(const char *root, const struct host_pci *dev, struct host_pci *ret);

/*
 * Can it be assigned at all, whatever its driver? If not: why and what to do, in words to
 * stand behind "BDF: ", and -EINVAL.
 */
int host_pci_assignable(const struct host_pci *dev, char *ret_why, size_t size);

#endif
