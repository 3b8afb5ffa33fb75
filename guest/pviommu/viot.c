// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which PCI functions are behind which virtio-iommu: by the ACPI VIOT, which is read here because
 * stock kernels without CONFIG_ACPI_VIOT (Debian 6.1) don't; or, where there is no such table,
 * by the parameter endpoints=.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/acpi.h>
#include <linux/platform_device.h>

#include "core/viot.h"
#include "pviommu.h"

/* As the table names it. */
static bool name_of(struct pvi_viommu *v, struct pvi_viot_iommu *ret)
{
	struct device *parent = v->vdev->dev.parent;
	struct resource *res;

	if (dev_is_pci(parent)) {
		*ret = (struct pvi_viot_iommu){.pci = true,
					       .segment = pci_domain_nr(to_pci_dev(parent)->bus),
					       .bdf = pci_dev_id(to_pci_dev(parent))};
		return true;
	}
	if (parent->bus != &platform_bus_type)
		return false;
	res = platform_get_resource(to_platform_device(parent), IORESOURCE_MEM, 0);
	if (!res)
		return false;
	*ret = (struct pvi_viot_iommu){.base = res->start};
	return true;
}

/*
 * A list of functions, or "all": the ids of endpoints are then those that PCI has, as QEMU's are,
 * and all are behind the first virtio-iommu.
 */
static bool named(struct pvi_viommu *v, struct pci_dev *pdev, u32 *ret_id)
{
	const char *at = pvi_endpoints, *name = pci_name(pdev);
	size_t len = strlen(name), n;

	if (!list_is_first(&v->node, &pvi_viommus))
		return false;
	*ret_id = (u32)pci_domain_nr(pdev->bus) << 16 | pci_dev_id(pdev);
	if (!strcmp(at, "all"))
		return true;
	for (; *at; at += n + !!at[n]) {
		n = strcspn(at, ",");
		if (n == len && !strncmp(at, name, len))
			return true;
	}
	return false;
}

bool pvi_viot_lookup(struct pvi_viommu *v, struct pci_dev *pdev, u32 *ret_id)
{
	struct acpi_table_header *table;
	struct pvi_viot_iommu iommu;
	bool found = false;

	if (acpi_disabled || ACPI_FAILURE(acpi_get_table(ACPI_SIG_VIOT, 0, &table)))
		return pvi_endpoints && named(v, pdev, ret_id);
	if (name_of(v, &iommu))
		found = pvi_viot_find(table, table->length, &iommu, pci_domain_nr(pdev->bus),
				      pci_dev_id(pdev), ret_id);
	acpi_put_table(table);
	return found;
}
