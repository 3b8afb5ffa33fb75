/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From what a simulated device says of itself to the function that the guest
 * sees. The guest gets nothing as it stands: the header is rebuilt, of the
 * capabilities MSI-X (the bus's own) and the vendor-specific ones remain.
 */
#ifndef VMM_VFU_CONFIG_H
#define VMM_VFU_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/pci.h"

/* A device simulated for one VM has no use for more, and address space is the guest's. */
#define VFU_MAX_BAR_SIZE (16u << 20)

struct vfu_desc {
	uint8_t cfg[PCI_CFG_LEGACY];	 /* as read from the device */
	uint64_t bar_size[PCI_MAX_BARS]; /* of its regions; 0: none */
	uint32_t nr_msix;		 /* of its IRQ info */
};

/*
 * Fills ids, BARs, capabilities and MSI-X of @fn. -EPROTO with what is wrong in
 * @ret_why (of @room bytes).
 */
int vfu_config_build(const struct vfu_desc *desc, struct pci_fn *fn, char *ret_why, size_t room);

#endif
