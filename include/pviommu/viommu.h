/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libpviommu: the virtio-iommu device (VIRTIO 1.3, 5.13) on the modern virtio
 * PCI transport (4.1), as the register block of one BAR. The embedder owns PCI
 * config space and the MSI-X table.
 */
#ifndef PVIOMMU_VIOMMU_H
#define PVIOMMU_VIOMMU_H

#include <pviommu/iommu.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pvi_viommu;

/* MSI-X vectors that the device can use: configuration, requests, events. */
#define PVI_VIOMMU_VECTORS  3
#define PVI_VIOMMU_BAR_SIZE 0x4000u
/* Size in bytes of what pvi_viommu_caps() writes. */
#define PVI_VIOMMU_CAPS_SIZE 88

struct pvi_viommu_ops {
	/* Deliver MSI-X vector @vector. Any thread; device lock held, don't call back. */
	void (*interrupt)(void *ctx, uint16_t vector);
};

struct pvi_viommu_config {
	const struct pvi_viommu_ops *ops;
	void *ctx;
};

/*
 * The device of @iommu, which must outlive it; *@ret_viommu belongs to the caller. Its
 * features (5.13.3) follow from the IOMMU's configuration. 0, -ENOMEM, or -EBUSY: the IOMMU
 * has a device.
 */
int pvi_viommu_new(struct pvi_iommu *iommu, const struct pvi_viommu_config *config,
		   struct pvi_viommu **ret_viommu);
/*
 * No endpoint may do DMA any more (pvi_endpoint_set_dma()), and no other call be under way.
 * Detaches them all. NULL is allowed.
 */
void pvi_viommu_free(struct pvi_viommu *viommu);

/*
 * A guest access to the BAR: @off in bytes, @len 1, 2, 4 or 8. A doorbell write
 * processes what the request queue holds before it returns: the guest's kick is
 * answered synchronously. Bad accesses read as 0, write nothing, are counted
 * (pvi_iommu_stats.bad_accesses). 4.1.4.3 to 4.1.4.6, 5.13.4.
 */
void pvi_viommu_bar_read(struct pvi_viommu *viommu, uint64_t off, void *buf, uint32_t len);
void pvi_viommu_bar_write(struct pvi_viommu *viommu, uint64_t off, const void *buf, uint32_t len);

/*
 * The virtio capabilities for config space at offset @at (then the list goes on
 * at @next), with the registers in BAR @bar. @buf: PVI_VIOMMU_CAPS_SIZE bytes,
 * the caller's. 4.1.4.
 */
void pvi_viommu_caps(struct pvi_viommu *viommu, uint8_t bar, uint8_t at, uint8_t next,
		     uint8_t *buf);

/*
 * The guest reads or writes the data window of the PCI access capability, which
 * is the last of the five. @cap: its 20 bytes as they are now; a read fills the
 * window, a write takes it. @bar: as for pvi_viommu_caps(); another is a bad access. 4.1.4.9.
 */
void pvi_viommu_window(struct pvi_viommu *viommu, uint8_t bar, uint8_t *cap, bool write);

/*
 * System reset of device and IOMMU; quiesce the endpoints' devices first. On return no DMA
 * is in flight, and bypass has its start value (5.13.4.2). Waits as a request does.
 */
void pvi_viommu_system_reset(struct pvi_viommu *viommu);

#ifdef __cplusplus
}
#endif
#endif
