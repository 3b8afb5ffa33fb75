// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/host_remap.h"
#include "vmm/host_sysfs.h"

struct chips {
	const char *root;
	unsigned int nr; /* that have a name */
};

static int is_remapped(void *ctx, const char *irq)
{
	struct chips *c = ctx;
	char name[64];

	if (host_read(c->root, name, sizeof(name), "/sys/kernel/irq/%s/chip_name", irq) || !name[0])
		return 0;
	c->nr++;
	return !strncmp(name, "IR-", 3);
}

int host_remaps_interrupts(const char *root)
{
	struct chips c = {.root = root};
	int found = host_each(root, is_remapped, &c, "/sys/kernel/irq");

	return !found && !c.nr ? -ENODATA : found;
}

bool host_allows_unsafe_interrupts(const char *root, const char *bdf, char *ret_why, size_t size)
{
	char allowed[8] = "";

	host_read(root, allowed, sizeof(allowed),
		  "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts");
	if (allowed[0] != 'Y')
		return false;
	snprintf(ret_why, size,
		 "vfio_iommu_type1 allows unsafe interrupts, by which a guest could send any to "
		 "the host; set allow_unsafe_interrupts to N in "
		 "/sys/module/vfio_iommu_type1/parameters, or say %s,unsafe-interrupts",
		 bdf);
	return true;
}
