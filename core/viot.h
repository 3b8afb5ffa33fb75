/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ACPI VIOT (ACPI 6.5, 5.2.31): which PCI functions are behind which virtio-iommu. The table
 * is firmware's: offsets and lengths are checked against its end, whatever it says.
 */
#ifndef PVI_CORE_VIOT_H
#define PVI_CORE_VIOT_H

#include "core/types.h"

/* How the table names a virtio-iommu: by its PCI function, or by where its registers are. */
struct pvi_viot_iommu {
	bool pci;
	uint32_t segment; /* one beyond the 16 bits that the table has is in no table */
	uint16_t bdf;
	uint64_t base; /* where not PCI */
};

/*
 * Is the function @bdf of @segment behind @iommu, by the table's first node that says so?
 * Then *@ret_id is its endpoint id.
 */
bool pvi_viot_find(const void *table, size_t size, const struct pvi_viot_iommu *iommu,
		   uint32_t segment, uint16_t bdf, uint32_t *ret_id);

/* The endpoint id of a PCI function where no table gives it another; false: there is no room. */
bool pvi_pci_endpoint_id(uint32_t segment, uint16_t bdf, uint32_t *ret_id);

#endif
