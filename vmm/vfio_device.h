/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A real device on the guest's PCI bus, by VFIO (--assign). Its DMA goes past the VMM, by the
 * host's IOMMU, which holds the mappings of the endpoint's domain and no others. Its BARs are
 * the guest's to reach; its config space is the VMM's.
 */
#ifndef VMM_VFIO_DEVICE_H
#define VMM_VFIO_DEVICE_H

#include <stdbool.h>
#include <stdio.h>

struct vm;
struct vfio_device;

struct vfio_device_config {
	const char *name; /* as the user gave it, for messages; outlives the device */
	const char *bdf;  /* on the host, as host_pci_parse() spells it */
	const char *root; /* of the host's /sys: "" (host_sysfs.h) */
	unsigned int slot;
	bool unsafe_interrupts;
};

/*
 * Opens the device, resets it, and adds it to vm->pci. Says in one line what is wrong:
 * -EINVAL is the user's to repair. On failure nothing is left open.
 */
int vfio_device_new(struct vm *vm, const struct vfio_device_config *config,
		    struct vfio_device **ret_dev);
/* The vCPUs have stopped. NULL is allowed. */
void vfio_device_free(struct vfio_device *dev);

/* Its endpoint has failed: takes its bus mastery. Any thread, the IOMMU's locks held. */
void vfio_device_stuck(struct vfio_device *dev);

/* Its counters, as a JSON object. */
void vfio_device_stats(struct vfio_device *dev, FILE *out);
/* The most telling of them in one line of the log. */
void vfio_device_summary(struct vfio_device *dev);

#endif
