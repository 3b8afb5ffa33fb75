// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that a test's machine has not: one that another IOMMU's driver has, which the kernel
 * tells by its IOMMU group, and a second virtio-iommu, by its ids.
 */
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/pci.h>
#include "mapper.h"

static char *group;
module_param(group, charp, 0444);
MODULE_PARM_DESC(group, "the PCI function (DDDD:BB:DD.F) to put into an IOMMU group of its own");

static char *viommu;
module_param(viommu, charp, 0444);
MODULE_PARM_DESC(viommu, "the PCI function that is to look like a virtio-iommu, to drivers");

static struct pci_dev *grouped;

static struct pci_dev *find(const char *name)
{
	struct pci_dev *pdev = NULL;

	for_each_pci_dev(pdev)
	{
		if (!strcmp(pci_name(pdev), name))
			break;
	}
	return pdev;
}

/* Until it is found anew. */
static int disguise(void)
{
	struct pci_dev *pdev = find(viommu);

	if (!pdev)
		return -ENODEV;
	pdev->vendor = PCI_VENDOR_ID_REDHAT_QUMRANET;
	pdev->device = 0x1057;
	pci_dev_put(pdev);
	return 0;
}

int mapper_group_begin(void)
{
	struct iommu_group *g;
	int r = viommu ? disguise() : 0;

	if (!group || r)
		return r;
	grouped = find(group);
	if (!grouped)
		return -ENODEV;
	g = iommu_group_alloc();
	r = PTR_ERR_OR_ZERO(g);
	if (!r) {
		r = iommu_group_add_device(g, &grouped->dev);
		iommu_group_put(g); /* the device holds it */
	}
	if (r)
		pci_dev_put(grouped);
	return r;
}

void mapper_group_end(void)
{
	if (!group)
		return;
	iommu_group_remove_device(&grouped->dev);
	pci_dev_put(grouped);
}
