// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "core/wire.h"
#include "vmm/vfio_reset.h"
#include "vmm/vfio_sys.h"

#define MAX_DEPENDENT 256u
#define MAX_CAPS      48u

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

/* Does the function reset itself? */
static bool has_flr(const uint8_t *cfg)
{
	unsigned int at = cfg[PCI_CAPABILITY_LIST] & ~3u, n = 0;

	if (!(pvi_get16(cfg + PCI_STATUS) & PCI_STATUS_CAP_LIST))
		return false;
	for (; at >= PCI_STD_HEADER_SIZEOF && at <= PCI_CFG_LEGACY - 8 && n < MAX_CAPS; n++) {
		if (cfg[at] == PCI_CAP_ID_EXP &&
		    pvi_get32(cfg + at + PCI_EXP_DEVCAP) & PCI_EXP_DEVCAP_FLR)
			return true;
		if (cfg[at] == PCI_CAP_ID_AF && cfg[at + PCI_AF_CAP] & PCI_AF_CAP_FLR)
			return true;
		at = cfg[at + PCI_CAP_LIST_NEXT] & ~3u;
	}
	return false;
}

void vfio_reset_init(struct vfio_reset *reset, const struct vfio_desc *desc, int group,
		     int group_id)
{
	*reset = (struct vfio_reset){.device = desc->fd, .group = group};
	/*
	 * A reset of a device without FLR is most often that of a change of its power state, in
	 * which some devices, QEMU's network cards among them, keep all that they had.
	 */
	if (desc->can_reset && has_flr(desc->cfg))
		reset->kind = VFIO_RESET_DEVICE;
	else if (bus_is_ours(desc->fd, group_id))
		reset->kind = VFIO_RESET_BUS;
	else if (desc->can_reset)
		reset->kind = VFIO_RESET_DEVICE;
	reset->has_other = reset->kind == VFIO_RESET_BUS && desc->can_reset;
}

static int do_kind(const struct vfio_reset *reset)
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

int vfio_reset_do(struct vfio_reset *reset)
{
	int err = do_kind(reset);

	/* A port may not find its link again in time. */
	if (err && reset->has_other) {
		reset->has_other = false;
		reset->kind = VFIO_RESET_DEVICE;
		err = do_kind(reset);
	}
	return err;
}

const char *vfio_reset_name(enum vfio_reset_kind kind)
{
	static const char *const name[] = {[VFIO_RESET_NONE] = "none",
					   [VFIO_RESET_DEVICE] = "device",
					   [VFIO_RESET_BUS] = "bus"};

	return name[kind];
}
