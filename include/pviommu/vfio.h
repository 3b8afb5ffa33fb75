/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libpviommu: a backend for endpoints behind a VFIO type1 container.
 *
 * Each MAP becomes as few DMA mappings of the container as the host's memory layout
 * allows, and never shares one with another MAP: type1 does not split a mapping, so
 * UNMAP must find the edges that MAP made. The kernel allows a container 65,535
 * mappings; beyond, and beyond the process's locked memory, MAP answers NOMEM. That limit
 * (RLIMIT_MEMLOCK) also bounds what the guest takes of the host by mapping its memory over and
 * over: page tables, which the kernel may charge to nobody. Give it one.
 *
 * Rights are the host IOMMU's: no device writes what was mapped without WRITE, but some
 * (Linux 6.1's VT-d driver) let it read what was mapped for writing only.
 */
#ifndef PVIOMMU_VFIO_H
#define PVIOMMU_VFIO_H

#include <pviommu/backend.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pvi_vfio;

/* Guest RAM. Page-aligned; it stays where it is until pvi_vfio_free(). */
struct pvi_vfio_ram {
	uint64_t gpa;
	uint64_t len;
	void *hva;
};

struct pvi_vfio_config {
	/* A container with a group in it, set to VFIO_TYPE1v2_IOMMU. It stays the caller's. */
	int container;
	const struct pvi_vfio_ram *ram; /* ascending, apart; copied */
	size_t nr_ram;
	/* As ioctl(2), with its errno; NULL: the system's. For tests and for sandboxes. */
	int (*ioctl)(void *ctx, int fd, unsigned long request, void *arg);
	void *ctx;
};

/*
 * A backend of @iommu, which must outlive it; *@ret_vfio belongs to the caller. Any thread.
 * 0, -EINVAL, -ENOMEM, -ENOTSUP (no type1 v2 container, or no pages as small as @iommu's), or the
 * negated errno of an ioctl.
 */
int pvi_vfio_new(struct pvi_iommu *iommu, const struct pvi_vfio_config *config,
		 struct pvi_vfio **ret_vfio);

/* Its endpoints are gone. Unmaps what is mapped. NULL is allowed. */
void pvi_vfio_free(struct pvi_vfio *vfio);

/* For struct pvi_endpoint_config; belongs to @vfio. */
struct pvi_backend *pvi_vfio_backend(struct pvi_vfio *vfio);

struct pvi_vfio_info {
	uint64_t page_sizes; /* a bit each, in bytes */
	uint32_t available;  /* mappings that the kernel still allows */
};

/* As the kernel says now. Any thread. 0, -ENOMEM, -EINVAL (it answers nonsense), or its errno. */
int pvi_vfio_get_info(struct pvi_vfio *vfio, struct pvi_vfio_info *ret_info);

#ifdef __cplusplus
}
#endif
#endif
