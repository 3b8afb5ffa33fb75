/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libpviommu: what translates for hardware. Endpoints whose DMA goes through
 * pvi_dma_read() and pvi_dma_write() need none, the library translates for them.
 *
 * A backend mirrors one domain: all of its endpoints (the devices of one VFIO
 * container, say) are attached to the same one. vfio.h has one for VFIO.
 */
#ifndef PVIOMMU_BACKEND_H
#define PVIOMMU_BACKEND_H

#include <pviommu/iommu.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PVI_PROT_READ  1u
#define PVI_PROT_WRITE 2u
#define PVI_PROT_MMIO  4u

/*
 * Called with locks held: none may call back. A request's used entry is published
 * only after its operation has returned, so what it returns with is in force.
 */
struct pvi_backend_ops {
	/*
	 * [@iova, @iova + @len) leads to guest-physical @gpa, all of it or (on failure)
	 * none. Nothing is mapped there yet. @prot: PVI_PROT_*, at least READ or WRITE.
	 * -ENOMEM: no room, the guest may make some; -EFAULT: no such memory. After any other
	 * failure the range is unmapped, in case some of it is there.
	 */
	int (*map)(void *ctx, uint64_t iova, uint64_t gpa, uint64_t len, unsigned int prot);
	/*
	 * Removes what map() made within [@first, @last]; no mapping lies across an end.
	 * On return no DMA uses it. A failure fails every endpoint of the backend.
	 */
	int (*unmap)(void *ctx, uint64_t first, uint64_t last);
	/*
	 * All guest RAM at its own address, or no more. Nothing else is mapped then. NULL:
	 * not possible; such a backend needs an IOMMU without allow_bypass.
	 */
	int (*identity)(void *ctx, bool on);
};

/* IOVAs that the hardware translates. */
struct pvi_window {
	uint64_t first;
	uint64_t last;
};

struct pvi_backend_config {
	const struct pvi_backend_ops *ops;
	void *ctx;
	uint64_t page_sizes;		  /* a bit each; the smallest is at most the IOMMU's */
	const struct pvi_window *windows; /* ascending, apart; copied */
	size_t nr_windows;		  /* 0: all addresses */
};

/*
 * A backend of @iommu, which must outlive it; *@ret_backend belongs to the caller. It starts
 * as what the unattached have: nothing, or all RAM where bypass starts at 1. Any thread.
 * 0, -EINVAL, -ENOMEM, or what identity() returns.
 */
int pvi_backend_new(struct pvi_iommu *iommu, const struct pvi_backend_config *config,
		    struct pvi_backend **ret_backend);

/* Its endpoints are gone (pvi_endpoint_remove()). Unmaps what is left. NULL is allowed. */
void pvi_backend_free(struct pvi_backend *backend);

#ifdef __cplusplus
}
#endif
#endif
