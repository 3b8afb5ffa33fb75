// SPDX-License-Identifier: GPL-2.0-only
/* A device that another IOMMU's driver has, as the kernel tells it: it is in an IOMMU group. */
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/pci.h>
#include "mapper.h"

static char *group;
module_param(group, charp, 0444);
MODULE_PARM_DESC(group, "the PCI function (DDDD:BB:DD.F) to put into an IOMMU group of its own");

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

int mapper_group_begin(void)
{
	struct iommu_group *g;
	int r;

	if (!group)
		return 0;
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
