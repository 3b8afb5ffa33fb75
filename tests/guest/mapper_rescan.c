// SPDX-License-Identifier: GPL-2.0-only
/* A device that is taken out and put in again while the machine sleeps, its virtio-iommu, too. */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm.h>
#include <linux/string.h>
#include "mapper.h"

static char rescan[16];
module_param_string(rescan, rescan, sizeof(rescan), 0644);
MODULE_PARM_DESC(rescan, "the PCI function (DDDD:BB:DD.F) to be found anew in each sleep");

/* By then all devices have gone through their suspend, of which the virtio-iommu's consists. */
static int suspend_late(struct device *dev)
{
	struct pci_dev *pdev = NULL;
	struct pci_bus *bus;

	for_each_pci_dev(pdev)
	{
		if (sysfs_streq(pci_name(pdev), rescan))
			break;
	}
	if (!pdev)
		return 0;
	bus = pdev->bus;
	pci_lock_rescan_remove();
	pci_stop_and_remove_bus_device(pdev);
	pci_dev_put(pdev);
	pci_rescan_bus(bus);
	pci_unlock_rescan_remove();
	return 0;
}

const struct dev_pm_ops mapper_pm = {.suspend_late = suspend_late};
