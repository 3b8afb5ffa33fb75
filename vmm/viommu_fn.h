/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtio-iommu as a PCI function: config space and MSI-X around libpviommu. */
#ifndef VMM_VIOMMU_FN_H
#define VMM_VIOMMU_FN_H

#include "vmm/pci.h"

struct viommu_fn;
struct pvi_iommu;

/* The slot that VIOT names. */
#define VIOMMU_SLOT 1

int viommu_fn_new(struct pci_bus *pci, struct pvi_iommu *iommu, struct viommu_fn **ret_fn);
void viommu_fn_free(struct viommu_fn *fn);
/* Step 3 of a system reset. */
void viommu_fn_system_reset(struct viommu_fn *fn);

#endif
