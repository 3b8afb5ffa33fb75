/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VFIO containers: an address space of the host's IOMMU each, with groups in it, and one backend
 * of the VM's IOMMU. Groups whose devices the guest may attach to different domains have one
 * each, since a group cannot leave its container while its devices are open. Without a virtio-iommu
 * all of memory is mapped for all devices, for good: one container then takes all groups, so that
 * the memory is locked, and counted against the limit, once. All of it is set-up and end, on the
 * main thread, but for the counters.
 */
#ifndef VMM_VFIO_CONTAINER_H
#define VMM_VFIO_CONTAINER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm;
struct pvi_vfio;

/* Takes the reason of a failure, in words to stand behind "BDF: ". */
struct vfio_why {
	char *text;
	size_t size;
};

/* Of the host's IOMMU: calls, the nanoseconds they took, and bytes locked by them. */
struct vfio_container_stats {
	atomic_uint_fast64_t map_calls, map_ns;
	atomic_uint_fast64_t unmap_calls, unmap_ns;
	atomic_uint_fast64_t pinned_bytes, peak_pinned_bytes;
};

struct vfio_container {
	struct vm *vm;
	int fd;
	unsigned int users; /* groups */
	struct pvi_vfio *vfio;
	struct vfio_container_stats stats;
};

/* Does one take all groups of @vm? */
bool vfio_container_shared(const struct vm *vm);

/*
 * Puts the group into a container. 0, -EINVAL (the user's to repair) or another -errno; nothing
 * is left open then, and @why says why.
 */
int vfio_container_get(struct vm *vm, int group_fd, struct vfio_container **ret_container,
		       const struct vfio_why *why);
/* Before the group's fd is closed, with which it leaves. NULL is allowed. */
void vfio_container_put(struct vfio_container *container);

#endif
