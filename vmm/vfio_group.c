// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <linux/kvm.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pviommu/vfio.h>

#include "vmm/host_sysfs.h"
#include "vmm/vfio_group.h"
#include "vmm/vfio_sys.h"
#include "vmm/vm.h"

struct why {
	char *text;
	size_t size;
};

static int __attribute__((format(printf, 3, 4)))
wrong(const struct why *why, int err, const char *fmt, ...)
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
	const struct why why = {ret_why, size};
	struct host_pci other;
	char allowed[8] = "";

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
	/*
	 * The kernel refuses a host without interrupt remapping by itself, but for this
	 * parameter; whether there is remapping after all it does not tell.
	 */
	host_read(root, allowed, sizeof(allowed),
		  "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts");
	if (allowed[0] == 'Y' && !unsafe)
		return wrong(&why, -EINVAL,
			     "vfio_iommu_type1 allows unsafe interrupts, by which a guest could "
			     "send any to the host; set allow_unsafe_interrupts to N in "
			     "/sys/module/vfio_iommu_type1/parameters, or say %s,unsafe-interrupts",
			     dev->bdf);
	return 0;
}

/* --- what the container is asked, counted --- */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void pinned(struct vfio_group_stats *s, uint64_t more)
{
	uint64_t now = atomic_fetch_add(&s->pinned_bytes, more) + more;

	/* One writer: requests are serialised. */
	if (now > s->peak_pinned_bytes)
		s->peak_pinned_bytes = now;
}

/* As ioctl(2), for the library. */
static int counted_ioctl(void *ctx, int fd, unsigned long request, void *arg)
{
	struct vfio_group_stats *s = &((struct vfio_group *)ctx)->stats;
	uint64_t begin = now_ns();
	int r = vfio_sys_ioctl(fd, request, arg);
	uint64_t ns = now_ns() - begin;

	if (request == VFIO_IOMMU_MAP_DMA) {
		s->map_calls++;
		s->map_ns += ns;
		if (r >= 0)
			pinned(s, ((struct vfio_iommu_type1_dma_map *)arg)->size);
	} else if (request == VFIO_IOMMU_UNMAP_DMA) {
		s->unmap_calls++;
		s->unmap_ns += ns;
		/* The kernel says how much it was. */
		if (r >= 0)
			s->pinned_bytes -= ((struct vfio_iommu_type1_dma_unmap *)arg)->size;
	}
	if (r >= 0)
		return r;
	errno = -r;
	return -1;
}

/* --- set-up --- */

static int open_group(struct vfio_group *g, const char *bdf, const struct why *why)
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

static int open_container(struct vfio_group *g, const struct why *why)
{
	int err;

	g->container = vfio_sys_open("/dev/vfio/vfio");
	if (g->container < 0)
		return wrong(why, -EINVAL, "/dev/vfio/vfio: %s; see that you may open it",
			     strerror(-g->container));
	if (vfio_sys_ioctl(g->container, VFIO_GET_API_VERSION, NULL) != VFIO_API_VERSION ||
	    vfio_sys_ioctl(g->container, VFIO_CHECK_EXTENSION,
			   (void *)(uintptr_t)VFIO_TYPE1v2_IOMMU) <= 0)
		return wrong(why, -EINVAL,
			     "this kernel's VFIO has no type1 v2 IOMMU; load vfio_iommu_type1");
	err = vfio_sys_ioctl(g->fd, VFIO_GROUP_SET_CONTAINER, &g->container);
	if (err < 0)
		return wrong(why, err, "cannot join a VFIO container: %s", strerror(-err));
	err = vfio_sys_ioctl(g->container, VFIO_SET_IOMMU, (void *)(uintptr_t)VFIO_TYPE1v2_IOMMU);
	if (err == -EPERM)
		return wrong(why, -EINVAL,
			     "the host does not remap interrupts, so that a guest could send any "
			     "to the host; turn it on in the firmware, or load vfio_iommu_type1 "
			     "with allow_unsafe_interrupts=1 and say unsafe-interrupts here");
	return err < 0 ? wrong(why, err, "cannot set its IOMMU up: %s", strerror(-err)) : 0;
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

static int make_backend(struct vfio_group *g, const struct why *why)
{
	const struct memory *mem = &g->vm->mem;
	struct pvi_vfio_ram ram[2];
	struct pvi_vfio_config config = {
		.container = g->container, .ram = ram, .ioctl = counted_ioctl, .ctx = g};
	int err;

	for (unsigned int i = 0; i < 2; i++)
		if (mem->slot[i].size)
			ram[config.nr_ram++] = (struct pvi_vfio_ram){
				mem->slot[i].gpa, mem->slot[i].size, mem->slot[i].hva};
	err = pvi_vfio_new(g->vm->iommu, &config, &g->vfio);
	if (!err)
		return 0;
	return wrong(why, err, "the host's IOMMU does not take guest memory: %s", strerror(-err));
}

static int set_up(struct vfio_group *g, const char *bdf, const struct why *why)
{
	int err;

	err = open_group(g, bdf, why) ?: open_container(g, why);
	if (err)
		return err;
	err = tell_kvm(g->vm, g->fd, true);
	if (err)
		return wrong(why, err, "KVM does not take its group: %s", strerror(-err));
	g->in_kvm = true;
	return make_backend(g, why);
}

static void destroy(struct vfio_group *g)
{
	pvi_vfio_free(g->vfio);
	if (g->in_kvm)
		tell_kvm(g->vm, g->fd, false);
	/* The group leaves the container as the last of it closes. */
	vfio_sys_close(g->fd);
	vfio_sys_close(g->container);
	free(g);
}

int vfio_group_get(struct vm *vm, const struct host_pci *dev, struct vfio_group **ret_group,
		   char *ret_why, size_t size)
{
	const struct why why = {ret_why, size};
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
	g->fd = g->container = -1;
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
