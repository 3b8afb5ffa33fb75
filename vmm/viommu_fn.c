// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#include <pviommu/viommu.h>

#include "core/virtio_pci.h"
#include "core/wire.h"
#include "vmm/viommu_fn.h"

#define VENDOR	      0x1af4
#define DEVICE	      (0x1040 + PVI_VIRTIO_ID_IOMMU)
#define SUBSYSTEM     0x1100
#define CLASS	      0x080600u /* system peripheral, IOMMU */
#define REVISION      1

#define REG_BAR	      0
#define MSIX_BAR      1

#define MSIX_BAR_SIZE 0x1000u
#define MSIX_PBA_OFF  0x800u

#define MSIX_CAP      PCI_CFG_CAPS
#define VIRTIO_CAP    (MSIX_CAP + 16)

struct viommu_fn {
	struct pci_fn fn;
	struct pvi_viommu *viommu;
};

static void fn_read(struct pci_fn *fn, unsigned int bar, uint64_t off, void *buf, uint32_t len)
{
	struct viommu_fn *v = fn->ctx;

	if (bar == REG_BAR)
		pvi_viommu_bar_read(v->viommu, off, buf, len);
	else
		memset(buf, 0, len);
}

static void fn_write(struct pci_fn *fn, unsigned int bar, uint64_t off, const void *buf,
		     uint32_t len)
{
	struct viommu_fn *v = fn->ctx;

	if (bar == REG_BAR)
		pvi_viommu_bar_write(v->viommu, off, buf, len);
}

/*
 * Nothing to quiesce: it works within the guest's doorbell write, and its reset
 * comes after that of the devices (viommu_fn_system_reset()).
 */
static const struct pci_fn_ops fn_ops = {.bar_read = fn_read, .bar_write = fn_write};

/* Lock order: the virtio-iommu device, then the function. No operation of the latter calls back. */
static void interrupt(void *ctx, uint16_t vector)
{
	struct viommu_fn *v = ctx;

	pci_fn_interrupt(&v->fn, vector);
}

static const struct pvi_viommu_ops viommu_ops = {.interrupt = interrupt};

static void describe(struct viommu_fn *v)
{
	const struct pci_msix msix = {
		.nr = PVI_VIOMMU_VECTORS,
		.table_bar = MSIX_BAR,
		.pba_bar = MSIX_BAR,
		.pba_off = MSIX_PBA_OFF,
	};
	struct pci_fn *fn = &v->fn;

	fn->ops = &fn_ops;
	fn->name = "virtio-iommu";
	fn->ctx = v;
	pci_fn_ids(fn, VENDOR, DEVICE, CLASS << 8 | REVISION, VENDOR, SUBSYSTEM);
	fn->bar[REG_BAR].size = PVI_VIOMMU_BAR_SIZE;
	fn->bar[MSIX_BAR].size = MSIX_BAR_SIZE;
	fn->cfg[PCI_CAPABILITY_LIST] = MSIX_CAP;
	pci_fn_msix(fn, MSIX_CAP, VIRTIO_CAP, &msix);
	pvi_viommu_caps(v->viommu, REG_BAR, VIRTIO_CAP, 0, fn->cfg + VIRTIO_CAP);
	pci_fn_window(fn, VIRTIO_CAP + PVI_VP_ACCESS_CAP);
}

int viommu_fn_new(struct pci_bus *pci, struct pvi_iommu *iommu, struct viommu_fn **ret_fn)
{
	struct viommu_fn *v = calloc(1, sizeof(*v));
	const struct pvi_viommu_config config = {.ops = &viommu_ops, .ctx = v};
	int err;

	if (!v)
		return -ENOMEM;
	err = pvi_viommu_new(iommu, &config, &v->viommu);
	if (err)
		goto err_free;
	describe(v);
	err = pci_fn_add(pci, VIOMMU_SLOT, &v->fn);
	if (err)
		goto err_viommu;
	*ret_fn = v;
	return 0;

err_viommu:
	pvi_viommu_free(v->viommu);
err_free:
	free(v);
	return err;
}

void viommu_fn_free(struct viommu_fn *fn)
{
	if (!fn)
		return;
	pci_fn_remove(&fn->fn);
	pvi_viommu_free(fn->viommu);
	free(fn);
}

void viommu_fn_system_reset(struct viommu_fn *fn)
{
	pci_fn_reset(&fn->fn);
	pvi_viommu_system_reset(fn->viommu);
}
