// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/vfio_reset.h"
#include "vmm/vfio_sys.h"

#define MAX_DEPENDENT 256u

/* Does a reset of its bus touch only devices of the group? */
static bool bus_is_ours(int device, int group_id)
{
	struct {
		struct vfio_pci_hot_reset_info head;
		struct vfio_pci_dependent_device dev[MAX_DEPENDENT];
	} *info = calloc(1, sizeof(*info));
	bool ours = false;

	if (!info)
		return false;
	info->head.argsz = sizeof(*info);
	if (!vfio_sys_ioctl(device, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, info) &&
	    info->head.count <= MAX_DEPENDENT) {
		ours = info->head.count;
		for (uint32_t i = 0; i < info->head.count; i++)
			ours = ours && info->dev[i].group_id == (uint32_t)group_id;
	}
	free(info);
	return ours;
}

void vfio_reset_init(struct vfio_reset *reset, const struct vfio_desc *desc, int group,
		     int group_id)
{
	*reset = (struct vfio_reset){.device = desc->fd, .group = group};
	if (desc->can_reset)
		reset->kind = VFIO_RESET_DEVICE;
	else if (bus_is_ours(desc->fd, group_id))
		reset->kind = VFIO_RESET_BUS;
}

int vfio_reset_do(const struct vfio_reset *reset)
{
	struct {
		struct vfio_pci_hot_reset head;
		int32_t group;
	} bus = {{.argsz = sizeof(bus), .count = 1}, reset->group};
	int err = 0;

	if (reset->kind == VFIO_RESET_DEVICE)
		err = vfio_sys_ioctl(reset->device, VFIO_DEVICE_RESET, NULL);
	else if (reset->kind == VFIO_RESET_BUS)
		err = vfio_sys_ioctl(reset->device, VFIO_DEVICE_PCI_HOT_RESET, &bus);
	return err < 0 ? err : 0;
}

const char *vfio_reset_name(enum vfio_reset_kind kind)
{
	static const char *const name[] = {[VFIO_RESET_NONE] = "none",
					   [VFIO_RESET_DEVICE] = "device",
					   [VFIO_RESET_BUS] = "bus"};

	return name[kind];
}
