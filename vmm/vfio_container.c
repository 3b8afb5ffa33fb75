// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pviommu/vfio.h>

#include "vmm/host_remap.h"
#include "vmm/vfio_container.h"
#include "vmm/vfio_sys.h"
#include "vmm/vm.h"

static int wrong(const struct vfio_why *why, int err, const char *text)
{
	snprintf(why->text, why->size, "%s", text);
	return err;
}

static int failed(const struct vfio_why *why, int err, const char *what)
{
	snprintf(why->text, why->size, "%s: %s", what, strerror(-err));
	return err;
}

/* --- what it is asked, counted --- */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void pinned(struct vfio_container_stats *s, uint64_t more)
{
	uint64_t now = atomic_fetch_add(&s->pinned_bytes, more) + more;

	/* One writer: requests are serialised. */
	if (now > s->peak_pinned_bytes)
		s->peak_pinned_bytes = now;
}

/* As ioctl(2), for the library. */
static int counted_ioctl(void *ctx, int fd, unsigned long request, void *arg)
{
	struct vfio_container_stats *s = &((struct vfio_container *)ctx)->stats;
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

static int open_container(struct vfio_container *c, int group_fd, const struct vfio_why *why)
{
	int err;

	c->fd = vfio_sys_open("/dev/vfio/vfio");
	if (c->fd < 0) {
		snprintf(why->text, why->size, "/dev/vfio/vfio: %s; see that you may open it",
			 strerror(-c->fd));
		return -EINVAL;
	}
	if (vfio_sys_ioctl(c->fd, VFIO_GET_API_VERSION, NULL) != VFIO_API_VERSION ||
	    vfio_sys_ioctl(c->fd, VFIO_CHECK_EXTENSION, (void *)(uintptr_t)VFIO_TYPE1v2_IOMMU) <= 0)
		return wrong(why, -EINVAL,
			     "this kernel's VFIO has no type1 v2 IOMMU; load vfio_iommu_type1");
	err = vfio_sys_ioctl(group_fd, VFIO_GROUP_SET_CONTAINER, &c->fd);
	if (err < 0)
		return failed(why, err, "cannot join a VFIO container");
	err = vfio_sys_ioctl(c->fd, VFIO_SET_IOMMU, (void *)(uintptr_t)VFIO_TYPE1v2_IOMMU);
	if (err == -EPERM)
		return wrong(why, -EINVAL, HOST_NO_REMAPPING);
	return err < 0 ? failed(why, err, "cannot set its IOMMU up") : 0;
}

static int make_backend(struct vfio_container *c, const struct vfio_why *why)
{
	const struct memory *mem = &c->vm->mem;
	struct pvi_vfio_ram ram[2];
	struct pvi_vfio_config config = {
		.container = c->fd, .ram = ram, .ioctl = counted_ioctl, .ctx = c};
	int err;

	for (unsigned int i = 0; i < 2; i++)
		if (mem->slot[i].size)
			ram[config.nr_ram++] = (struct pvi_vfio_ram){
				mem->slot[i].gpa, mem->slot[i].size, mem->slot[i].hva};
	err = pvi_vfio_new(c->vm->iommu, &config, &c->vfio);
	/* Whether it is type1 v2 was asked before. */
	if (err == -ENOTSUP)
		return wrong(why, -EINVAL,
			     "the host's IOMMU has no pages of 4 KiB, which are what guests map; "
			     "this host cannot assign devices");
	if (err == -ENOMEM)
		return wrong(why, -EINVAL,
			     "the kernel does not lock guest memory for it; free some, raise the "
			     "limit of the process (ulimit -l), or give less --mem");
	return err ? failed(why, err, "the host's IOMMU does not take guest memory") : 0;
}

static void destroy(struct vfio_container *c)
{
	pvi_vfio_free(c->vfio);
	vfio_sys_close(c->fd);
	free(c);
}

static int new (struct vm *vm, int group_fd, struct vfio_container **ret,
		const struct vfio_why *why)
{
	struct vfio_container *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return wrong(why, -ENOMEM, "out of memory");
	c->vm = vm;
	c->users = 1;
	err = open_container(c, group_fd, why) ?: make_backend(c, why);
	if (err) {
		destroy(c);
		return err;
	}
	*ret = c;
	return 0;
}

int vfio_container_get(struct vm *vm, int group_fd, struct vfio_container **ret_container,
		       const struct vfio_why *why)
{
	int err;

	/* What the kernel does not put together has one of its own. */
	if (vm->container &&
	    vfio_sys_ioctl(group_fd, VFIO_GROUP_SET_CONTAINER, &vm->container->fd) >= 0) {
		vm->container->users++;
		*ret_container = vm->container;
		return 0;
	}
	err = new (vm, group_fd, ret_container, why);
	if (!err && !vm->container && vfio_container_shared(vm))
		vm->container = *ret_container;
	return err;
}

void vfio_container_put(struct vfio_container *container)
{
	if (!container || --container->users)
		return;
	if (container->vm->container == container)
		container->vm->container = NULL;
	destroy(container);
}

bool vfio_container_shared(const struct vm *vm)
{
	return vm->iommu_mode == VM_IOMMU_OFF;
}
