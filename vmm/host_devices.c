// SPDX-License-Identifier: BSD-2-Clause
/* `pviommu devices`: what the host has, and what of it can be assigned. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/assign.h"
#include "vmm/host_holder.h"
#include "vmm/host_pci.h"
#include "vmm/host_remap.h"
#include "vmm/host_use.h"
#include "vmm/log.h"

static const char *class_name(uint32_t class_code)
{
	static const char *const base[] = {
		[0x01] = "storage",   [0x02] = "network",     [0x03] = "display",
		[0x04] = "media",     [0x05] = "memory",      [0x06] = "bridge",
		[0x07] = "serial",    [0x08] = "system",      [0x09] = "input",
		[0x0b] = "processor", [0x0c] = "serial bus",  [0x0d] = "wireless",
		[0x10] = "crypto",    [0x12] = "accelerator",
	};
	unsigned int i = class_code >> 16;

	return i < sizeof(base) / sizeof(base[0]) && base[i] ? base[i] : "other";
}

/* Why it cannot be assigned, 1; 0: it can; -errno: nobody can tell, and why. */
static int refusal(const char *root, const struct host_pci *dev, char *ret_why, size_t size)
{
	struct host_pci other;
	int taken;

	if (host_pci_assignable(dev, ret_why, size))
		return 1;
	taken = host_pci_is_vfio(dev) ? host_group_holder(root, dev, ret_why, size)
				      : host_in_use(root, dev->bdf, ret_why, size);
	if (taken == 1)
		return 1;
	if (host_pci_group_blocker(root, dev, &other) == 1) {
		snprintf(ret_why, size, "%s of its group is bound to %s; assign that, too",
			 other.bdf, other.driver);
		return 1;
	}
	if (host_allows_unsafe_interrupts(root, dev->bdf, ret_why, size))
		return 1;
	if (host_remaps_interrupts(root) == 0) {
		snprintf(ret_why, size, "%s", HOST_NO_REMAPPING);
		return 1;
	}
	return taken;
}

/* The last column. */
static void judge(const char *root, const struct host_pci *dev, char *ret, size_t size)
{
	char why[400];
	int no = refusal(root, dev, why, sizeof(why));

	if (no)
		snprintf(ret, size, "%s: %s", no == 1 ? "no" : "unknown", why);
	else
		snprintf(ret, size, "%s",
			 host_pci_is_vfio(dev) ? "yes" : "yes, after pviommu assign");
}

static void print_all(const char *root, const struct host_pci *dev, size_t nr)
{
	char verdict[512], group[16];

	printf("%-12s  %-11s  %-9s  %5s  %-12s  %s\n", "ADDRESS", "CLASS", "ID", "GROUP", "DRIVER",
	       "CAN BE ASSIGNED");
	for (size_t i = 0; i < nr; i++) {
		judge(root, &dev[i], verdict, sizeof(verdict));
		snprintf(group, sizeof(group), dev[i].group < 0 ? "-" : "%d", dev[i].group);
		printf("%-12s  %-11s  %04x:%04x  %5s  %-12s  %s\n", dev[i].bdf,
		       class_name(dev[i].class_code), dev[i].vendor, dev[i].device, group,
		       dev[i].driver[0] ? dev[i].driver : "-", verdict);
	}
}

int devices_command(const char *root, int argc, char **argv)
{
	struct host_pci *dev;
	size_t nr;
	int err;

	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		puts("usage: pviommu devices\n"
		     "\n"
		     "Lists the host's PCI devices, their IOMMU groups and drivers, and whether\n"
		     "pviommu run --assign can have them.");
		return 0;
	}
	if (argc > 1) {
		log_error("devices %s: takes nothing; see pviommu devices --help", argv[1]);
		return 2;
	}
	err = host_pci_list(root, &dev, &nr);
	if (err) {
		log_error("devices: cannot read /sys/bus/pci: %s", strerror(-err));
		return 1;
	}
	print_all(root, dev, nr);
	free(dev);
	return 0;
}
