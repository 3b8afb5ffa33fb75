// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <linux/kvm.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/host_remap.h"
#include "vmm/vfio_container.h"
#include "vmm/vfio_group.h"
#include "vmm/vfio_sys.h"
#include "vmm/vm.h"

static int __attribute__((format(printf, 3, 4)))
wrong(const struct vfio_why *why, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why->text, why->size, fmt, args);
	va_end(args);
	return err;
}

/* --- before anything is touched --- */

int vfio_group_check(const char *root, const struct host_pci *dev, bool unsafe, char *ret_why,
		     size_t size)
{
	const struct vfio_why why = {ret_why, size};
	struct host_pci other;

	if (host_pci_assignable(dev, ret_why, size))
		return -EINVAL;
	if (!host_pci_is_vfio(dev))
		return wrong(&why, -EINVAL, "is bound to %s; take it first: pviommu assign %s",
			     dev->driver[0] ? dev->driver : "no driver", dev->bdf);
	if (host_pci_group_blocker(root, dev, &other) == 1)
		return wrong(&why, -EINVAL,
			     "shares IOMMU group %d with %s, which is bound to %s; take that, "
			     "too: pviommu assign %s",
			     dev->group, other.bdf, other.driver, other.bdf);
	/* A host without interrupt remapping the kernel refuses by itself, but for this. */
	if (!unsafe && host_allows_unsafe_interrupts(root, dev->bdf, ret_why, size))
		return -EINVAL;
	return 0;
}

/* --- set-up --- */

static int open_group(struct vfio_group *g, const char *bdf, const struct vfio_why *why)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};
	char path[32];
	int err;

	snprintf(path, sizeof(path), "/dev/vfio/%d", g->id);
	g->fd = vfio_sys_open(path);
	if (g->fd == -EACCES || g->fd == -EPERM)
		return wrong(why, -EINVAL,
			     "no permission on %s; run as root, or have it given to you: chown "
			     "USER %s",
			     path, path);
	if (g->fd == -EBUSY)
		return wrong(why, -EINVAL,
			     "another VM has it, or has one of its IOMMU group %d; end that VM, or "
			     "choose another device",
			     g->id);
	if (g->fd < 0)
		return wrong(why, -EINVAL, "%s: %s; take it again: pviommu assign %s", path,
			     strerror(-g->fd), bdf);
	err = vfio_sys_ioctl(g->fd, VFIO_GROUP_GET_STATUS, &status);
	if (err >= 0 && !(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return wrong(why, -EINVAL,
			     "shares IOMMU group %d with a device that the host uses; see pviommu "
			     "devices",
			     g->id);
	return err < 0 ? wrong(why, err, "%s: %s", path, strerror(-err)) : 0;
}

/* KVM then knows whether the group's DMA is coherent, and keeps it while it may use it. */
static int tell_kvm(struct vm *vm, int group_fd, bool add)
{
	struct kvm_device_attr attr = {
		.group = KVM_DEV_VFIO_GROUP,
		.attr = add ? KVM_DEV_VFIO_GROUP_ADD : KVM_DEV_VFIO_GROUP_DEL,
		.addr = (uint64_t)(uintptr_t)&group_fd,
	};
	struct kvm_create_device create = {.type = KVM_DEV_TYPE_VFIO};
	int err;

	if (vm->vfio_kvm_fd < 0) {
		err = vfio_sys_ioctl(vm->vm_fd, KVM_CREATE_DEVICE, &create);
		if (err < 0)
			return err;
		vm->vfio_kvm_fd = (int)create.fd;
	}
	err = vfio_sys_ioctl(vm->vfio_kvm_fd, KVM_SET_DEVICE_ATTR, &attr);
	return err < 0 ? err : 0;
}

static int set_up(struct vfio_group *g, const char *bdf, const struct vfio_why *why)
{
	int err;

	err = open_group(g, bdf, why) ?: vfio_container_get(g->vm, g->fd, &g->container, why);
	if (err)
		return err;
	err = tell_kvm(g->vm, g->fd, true);
	if (err)
		return wrong(why, err, "KVM does not take its group: %s", strerror(-err));
	g->in_kvm = true;
	return 0;
}

static void destroy(struct vfio_group *g)
{
	if (g->in_kvm)
		tell_kvm(g->vm, g->fd, false);
	/* Which unmaps; the group leaves it as it closes itself. */
	vfio_container_put(g->container);
	vfio_sys_close(g->fd);
	free(g);
}

int vfio_group_get(struct vm *vm, const struct host_pci *dev, struct vfio_group **ret_group,
		   char *ret_why, size_t size)
{
	const struct vfio_why why = {ret_why, size};
	struct vfio_group *g;
	int err;

	for (g = vm->groups; g; g = g->next) {
		if (g->id == dev->group) {
			g->users++;
			*ret_group = g;
			return 0;
		}
	}
	g = calloc(1, sizeof(*g));
	if (!g)
		return wrong(&why, -ENOMEM, "out of memory");
	g->vm = vm;
	g->id = dev->group;
	g->fd = -1;
	err = set_up(g, dev->bdf, &why);
	if (err) {
		destroy(g);
		return err;
	}
	g->users = 1;
	g->next = vm->groups;
	vm->groups = g;
	*ret_group = g;
	return 0;
}

void vfio_group_put(struct vfio_group *group)
{
	struct vfio_group **at;

	if (!group || --group->users)
		return;
	for (at = &group->vm->groups; *at != group; at = &(*at)->next)
		;
	*at = group->next;
	destroy(group);
}

int vfio_group_open_device(struct vfio_group *group, const char *bdf)
{
	return vfio_sys_ioctl(group->fd, VFIO_GROUP_GET_DEVICE_FD, (void *)(uintptr_t)bdf);
}
