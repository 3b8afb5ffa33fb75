/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guest sees of a real device's config space: its ids, BARs, MSI, MSI-X, a PCI
 * Express capability that says "integrated in the root complex", and what vendors put there,
 * read-only. All else is hidden, by default: power management, VPD, and every extended
 * capability, ATS, PRI, PASID and SR-IOV among them. Nothing that the guest writes to config
 * space reaches the device but what vfio_device.c passes on by intent.
 */
#ifndef VMM_VFIO_CONFIG_H
#define VMM_VFIO_CONFIG_H

#include <stddef.h>

#include "vmm/vfio_probe.h"

/* A device's MSI capability as the guest has it. */
struct vfio_msi {
	uint8_t cap;	 /* offset in config space; 0: none */
	bool is64;	 /* 64-bit addresses */
	unsigned int nr; /* vectors that the guest may enable: a power of two */
};

/*
 * Fills ids, BARs and capabilities of @fn, which the caller has zeroed. -EPROTO: makes no
 * sense, @ret_why says why.
 */
int vfio_config_build(const struct vfio_desc *desc, struct pci_fn *fn, struct vfio_msi *ret_msi,
		      char *ret_why, size_t size);

/*
 * What the guest has set MSI to: the number of vectors enabled, 0 when it is off, and the
 * message of the first (the others differ in the lowest bits of the data).
 */
unsigned int vfio_config_msi(const struct pci_fn *fn, const struct vfio_msi *msi,
			     struct irq_msi *ret_message);

#endif
