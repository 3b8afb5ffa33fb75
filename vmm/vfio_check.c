// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdlib.h>

#include "vmm/host_pci.h"
#include "vmm/log.h"
#include "vmm/memlock.h"
#include "vmm/vfio_check.h"
#include "vmm/vfio_container.h"
#include "vmm/vfio_group.h"
#include "vmm/vm.h"

#define WHY_SIZE 400

static int check_device(const struct vfio_device_config *config, int *ret_group)
{
	struct host_pci dev;
	char why[WHY_SIZE] = "no such PCI device; see pviommu devices";
	int err;

	err = host_pci_read(config->root, config->bdf, &dev);
	if (!err)
		err = vfio_group_check(config->root, &dev, config->unsafe_interrupts, why,
				       sizeof(why));
	if (err) {
		log_error("--assign %s: %s", config->name, why);
		return -EINVAL;
	}
	*ret_group = dev.group;
	return 0;
}

/*
 * The kernel counts what is locked for each container. Direct-map locks all of RAM, now; else
 * the guest's mappings are locked as they come.
 */
static int check_limit(const struct vm *vm, const struct vfio_device_config *first,
		       unsigned int nr_groups, uint64_t *ret_limit)
{
	unsigned int nr = vfio_container_shared(vm) ? 1 : nr_groups;
	uint64_t need = vm->mem.size * nr, limit = memlock_raise(need);
	unsigned long long need_kib = need >> 10, limit_kib = limit >> 10;

	if (limit >= need) {
		/*
		 * A guest can map its memory again and again, which costs the host page tables that
		 * are charged to nobody: as much as it has is enough.
		 */
		if (vm->iommu_mode != VM_IOMMU_OFF)
			memlock_lower(need);
		return 0;
	}
	if (vm->iommu_mode == VM_IOMMU_STRICT) {
		*ret_limit = limit;
		return 0;
	}
	log_error(
		"--assign %s: all of the guest's memory will be locked%s, %llu KiB, but the limit "
		"is %llu KiB; raise it: ulimit -l %llu (LimitMEMLOCK= of a service), or give "
		"less --mem",
		first->name, nr > 1 ? ", for each IOMMU group" : "", need_kib, limit_kib, need_kib);
	return -EINVAL;
}

int vfio_check(const struct vm *vm, const struct vfio_device_config *config, unsigned int nr,
	       uint64_t *ret_limit)
{
	int *group = calloc(nr, sizeof(*group));
	unsigned int nr_groups = 0;
	int err = 0;

	if (nr && !group) {
		log_error("--assign: out of memory; free some");
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < nr && !err; i++) {
		unsigned int at = 0;

		err = check_device(&config[i], &group[nr_groups]);
		while (!err && group[at] != group[nr_groups])
			at++;
		nr_groups += !err && at == nr_groups;
	}
	if (!err)
		*ret_limit = 0;
	if (!err && nr)
		err = check_limit(vm, &config[0], nr_groups, ret_limit);
	free(group);
	return err;
}
