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

static bool names_all(void)
{
	return !strcmp(pvi_endpoints, "all");
}

/* One of a list, whose end is at a comma or at the text's. */
struct name {
	const char *text;
	size_t len;
};

/* The first one of @list, or the one after *@n; false: there is none. */
static bool next_name(const char *list, struct name *n)
{
	n->text = n->text ? n->text + n->len : list;
	if (!*n->text)
		return false;
	n->text += n->text != list;
	n->len = strcspn(n->text, ",");
	return true;
}

static bool is_name_of(const struct name *n, const struct pci_dev *pdev)
{
	return n->len == strlen(pci_name(pdev)) && !strncmp(n->text, pci_name(pdev), n->len);
}

static bool is_named(const struct pci_dev *pdev)
{
	struct name n = {0};

	if (names_all())
		return true;
	while (next_name(pvi_endpoints, &n)) {
		if (is_name_of(&n, pdev))
			return true;
	}
	return false;
}

/*
 * A list of functions, or "all": the ids of endpoints are then those that PCI has, as QEMU's are,
 * and all are behind the first virtio-iommu.
 */
static bool named(struct pvi_viommu *v, struct pci_dev *pdev, u32 *ret_id)
{
	if (!list_is_first(&v->node, &pvi_viommus) || !is_named(pdev))
		return false;
	if (pvi_pci_endpoint_id(pci_domain_nr(pdev->bus), pci_dev_id(pdev), ret_id))
		return true;
	pci_err(pdev, "pviommu: not claimed: an endpoint id has no room for segment %#x\n",
		pci_domain_nr(pdev->bus));
	return false;
}

static bool is_there(const struct name *n)
{
	struct pci_dev *pdev = NULL;

	for_each_pci_dev(pdev)
	{
		if (is_name_of(n, pdev))
			break;
	}
	pci_dev_put(pdev);
	return pdev;
}

static bool has_viot(void)
{
	struct acpi_table_header *table;

	if (acpi_disabled || ACPI_FAILURE(acpi_get_table(ACPI_SIG_VIOT, 0, &table)))
		return false;
	acpi_put_table(table);
	return true;
}

void pvi_viot_check_names(struct pvi_viommu *v)
{
	struct name n = {0};

	if (!pvi_endpoints || names_all())
		return;
	if (has_viot()) {
		dev_warn(&v->vdev->dev, "endpoints= counts for nothing beside an ACPI VIOT\n");
		return;
	}
	while (next_name(pvi_endpoints, &n)) {
		if (!is_there(&n))
			dev_warn(&v->vdev->dev,
				 "endpoints=%.*s: no PCI function has that name now; lspci -D "
				 "shows them\n",
				 (int)n.len, n.text);
	}
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
