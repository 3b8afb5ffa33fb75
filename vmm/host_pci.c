// SPDX-License-Identifier: BSD-2-Clause
#include <ctype.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/host_pci.h"
#include "vmm/host_sysfs.h"

#define DEVICES	     "/sys/bus/pci/devices"
#define BASE_BRIDGE  0x06u
#define HEADER_BYTES (PCI_HEADER_TYPE + 1)

/* @min to @max hexadecimal digits at @*text, then @end. */
static int parse_part(const char **text, const char *limit, unsigned int min, unsigned int max,
		      char end, unsigned long *ret)
{
	const char *s = *text;
	unsigned long value = 0;
	unsigned int n = 0;

	for (; s < limit && isxdigit((unsigned char)*s) && n < max; s++, n++) {
		int c = tolower((unsigned char)*s);

		value = value << 4 | (unsigned long)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	if (n < min || (end ? s == limit || *s != end : s != limit))
		return -EINVAL;
	*text = end ? s + 1 : s;
	*ret = value;
	return 0;
}

int host_pci_parse(const char *text, size_t len, char ret_bdf[HOST_PCI_BDF_SIZE])
{
	const char *s = text, *limit = text + len;
	unsigned long domain = 0, bus, slot, function;
	bool has_domain = false;

	for (const char *c = text, *first = NULL; c < limit; c++) {
		if (*c != ':')
			continue;
		has_domain = first;
		first = c;
	}
	if (has_domain && parse_part(&s, limit, 4, 8, ':', &domain))
		return -EINVAL;
	if (parse_part(&s, limit, 2, 2, ':', &bus) || parse_part(&s, limit, 2, 2, '.', &slot) ||
	    parse_part(&s, limit, 1, 1, '\0', &function) || slot > 31 || function > 7)
		return -EINVAL;
	snprintf(ret_bdf, HOST_PCI_BDF_SIZE, "%04lx:%02lx:%02lx.%lx", domain, bus, slot, function);
	return 0;
}

/* By its header type; a bridge to the CPUs has the same as a device. */
static bool is_bridge(const char *root, const struct host_pci *dev)
{
	char header[HEADER_BYTES + 1] = {0};

	if (dev->class_code >> 16 == BASE_BRIDGE)
		return true;
	return !host_read(root, header, sizeof(header), DEVICES "/%s/config", dev->bdf) &&
	       (header[PCI_HEADER_TYPE] & 0x7f) != PCI_HEADER_TYPE_NORMAL;
}

int host_pci_read(const char *root, const char *bdf, struct host_pci *ret)
{
	struct host_pci dev = {.group = -1};
	uint64_t vendor, device, class_code, vfs;
	char group[16];

	if (strlen(bdf) >= sizeof(dev.bdf) ||
	    host_read_number(root, &vendor, DEVICES "/%s/vendor", bdf) ||
	    host_read_number(root, &device, DEVICES "/%s/device", bdf) ||
	    host_read_number(root, &class_code, DEVICES "/%s/class", bdf))
		return -ENODEV;
	strcpy(dev.bdf, bdf);
	dev.vendor = (uint16_t)vendor;
	dev.device = (uint16_t)device;
	dev.class_code = (uint32_t)class_code & 0xffffff;
	if (!host_read_link(root, group, sizeof(group), DEVICES "/%s/iommu_group", bdf) &&
	    isdigit((unsigned char)group[0]))
		dev.group = atoi(group);
	if (host_read_link(root, dev.driver, sizeof(dev.driver), DEVICES "/%s/driver", bdf))
		dev.driver[0] = '\0';
	if (host_read(root, dev.override, sizeof(dev.override), DEVICES "/%s/driver_override",
		      bdf) ||
	    !strcmp(dev.override, "(null)"))
		dev.override[0] = '\0';
	if (!host_read_number(root, &vfs, DEVICES "/%s/sriov_numvfs", bdf))
		dev.nr_vfs = (unsigned int)vfs;
	dev.bridge = is_bridge(root, &dev);
	*ret = dev;
	return 0;
}

struct list {
	const char *root;
	struct host_pci *dev;
	size_t nr;
};

static int add(void *ctx, const char *name)
{
	struct list *list = ctx;
	struct host_pci *dev = reallocarray(list->dev, list->nr + 1, sizeof(*dev));

	if (!dev)
		return -ENOMEM;
	list->dev = dev;
	/* One that has just gone is none. */
	if (!host_pci_read(list->root, name, &dev[list->nr]))
		list->nr++;
	return 0;
}

int host_pci_list(const char *root, struct host_pci **ret_devs, size_t *ret_nr)
{
	struct list list = {.root = root};
	int err = host_each(root, add, &list, DEVICES);

	if (err) {
		free(list.dev);
		return err;
	}
	*ret_devs = list.dev;
	*ret_nr = list.nr;
	return 0;
}

bool host_pci_is_vfio(const struct host_pci *dev)
{
	size_t len = strlen(dev->driver);

	/* Vendors' own are called so, too: mlx5_vfio_pci, nvgrace_gpu_vfio_pci. */
	return !strcmp(dev->driver, "vfio-pci") ||
	       (len > 9 && !strcmp(dev->driver + len - 9, "_vfio_pci"));
}

struct blocker {
	const char *root;
	const struct host_pci *dev;
	struct host_pci *ret;
};

static int blocks(void *ctx, const char *name)
{
	const struct blocker *b = ctx;
	struct host_pci other;

	if (!strcmp(name, b->dev->bdf) || host_pci_read(b->root, name, &other))
		return 0;
	if (other.bridge || !other.driver[0] || host_pci_is_vfio(&other) ||
	    !strcmp(other.driver, "pci-stub"))
		return 0;
	*b->ret = other;
	return 1;
}

int host_pci_group_blocker(const char *root, const struct host_pci *dev, struct host_pci *ret)
{
	struct blocker b = {root, dev, ret};

	return host_each(root, blocks, &b, "/sys/kernel/iommu_groups/%d/devices", dev->group);
}

int host_pci_assignable(const struct host_pci *dev, char *ret_why, size_t size)
{
	if (dev->bridge) {
		snprintf(ret_why, size, "is a bridge; assign the devices behind it");
		return -EINVAL;
	}
	if (dev->group < 0) {
		snprintf(ret_why, size,
			 "no IOMMU translates for it; turn it on in the firmware (VT-d, AMD-Vi) "
			 "and, on Intel, boot with intel_iommu=on");
		return -EINVAL;
	}
	/*
	 * They go with its driver, whoever uses them, and the kernel would wait for a VM that
	 * has one; with a guest for its driver, that guest would rule them.
	 */
	if (dev->nr_vfs) {
		snprintf(ret_why, size,
			 "has %u of its virtual functions on, which would go with it; assign "
			 "those, or turn them off: echo 0 >/sys/bus/pci/devices/%s/sriov_numvfs",
			 dev->nr_vfs, dev->bdf);
		return -EINVAL;
	}
	return 0;
}
