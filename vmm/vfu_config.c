// SPDX-License-Identifier: BSD-2-Clause
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>

#include "core/wire.h"
#include "vmm/pci_copy.h"
#include "vmm/vfu_config.h"

#define VIRTIO_VENDOR	    0x1af4
#define VIRTIO_IOMMU_DEVICE (0x1040 + PVI_VIRTIO_ID_IOMMU)
#define WINDOW_CAP_SIZE	    (sizeof(struct virtio_pci_cap) + 4)

static int build_ids(struct pci_copy *c)
{
	const uint8_t *cfg = c->cfg;
	uint16_t vendor = pvi_get16(cfg + PCI_VENDOR_ID);
	uint16_t device = pvi_get16(cfg + PCI_DEVICE_ID);

	if (vendor == 0 || vendor == 0xffff)
		return pci_copy_wrong(c, "it has the PCI vendor id 0x%04x", vendor);
	if ((cfg[PCI_HEADER_TYPE] & PCI_HEADER_TYPE_MASK) != PCI_HEADER_TYPE_NORMAL)
		return pci_copy_wrong(c, "its config space has header type %u, not 0",
				      cfg[PCI_HEADER_TYPE]);
	/* The guest trusts the IOMMU with its mappings: there is one, ours. */
	if (vendor == VIRTIO_VENDOR && device == VIRTIO_IOMMU_DEVICE)
		return pci_copy_wrong(c, "it poses as a virtio-iommu");
	pci_fn_ids(c->fn, vendor, device, pvi_get32(cfg + PCI_CLASS_REVISION),
		   pvi_get16(cfg + PCI_SUBSYSTEM_VENDOR_ID), pvi_get16(cfg + PCI_SUBSYSTEM_ID));
	return 0;
}

static int build_bars(struct pci_copy *c, const uint64_t *sizes)
{
	for (unsigned int i = 0; i < PCI_MAX_BARS; i++) {
		uint64_t size = sizes[i], upper = i + 1 < PCI_MAX_BARS ? sizes[i + 1] : 0;
		bool whole, io;

		if (!size)
			continue;
		whole = pci_copy_bar(c, i, size, upper);
		io = c->fn->bar[i].io;
		if (size & (size - 1))
			return pci_copy_wrong(c,
					      "its BAR %u has %llu bytes, which is no power of two",
					      i, (unsigned long long)size);
		if (size > (io ? 256 : VFU_MAX_BAR_SIZE) || size < (io ? 4 : 16))
			return pci_copy_wrong(c, "its BAR %u has %llu bytes (allowed: %u to %u)", i,
					      (unsigned long long)size, io ? 4 : 16,
					      io ? 256 : VFU_MAX_BAR_SIZE);
		if (!whole)
			return pci_copy_wrong(
				c, "its 64-bit BAR %u leaves no room for the upper half", i);
	}
	return 0;
}

static int build_msix(struct pci_copy *c, uint8_t at, unsigned int nr_irqs)
{
	struct pci_msix msix;
	int err;

	if (c->fn->msix.nr)
		return pci_copy_wrong(c, "it has two MSI-X capabilities");
	err = pci_copy_take(c, at, PCI_CAP_MSIX_SIZEOF);
	if (err)
		return err;
	msix = pci_copy_msix(c, at);
	if (msix.nr > PCI_MAX_VECTORS)
		return pci_copy_wrong(c, "it has %u MSI-X vectors (allowed: %d)", msix.nr,
				      PCI_MAX_VECTORS);
	if (msix.nr > nr_irqs)
		return pci_copy_wrong(c, "it has %u MSI-X vectors, but only %u interrupts", msix.nr,
				      nr_irqs);
	pci_fn_msix(c->fn, at, 0, &msix);
	return 0;
}

/* Vendor-specific ones say their length; virtio's say where its registers are. */
static int build_vendor(struct pci_copy *c, uint8_t at)
{
	unsigned int len = pci_copy_vendor_len(c, at);
	int err;

	if (len < 3)
		return pci_copy_wrong(c, "its capability at 0x%02x has %u bytes", at, len);
	err = pci_copy_take_whole(c, at, len);
	if (err)
		return err;
	/* A way to the BARs through config space, which the bus serves. */
	if (pvi_get16(c->cfg + PCI_VENDOR_ID) == VIRTIO_VENDOR && len == WINDOW_CAP_SIZE &&
	    c->fn->cfg[at + VIRTIO_PCI_CAP_CFG_TYPE] == VIRTIO_PCI_CAP_PCI_CFG)
		pci_fn_window(c->fn, at);
	return 0;
}

static int build_cap(struct pci_copy *c, uint8_t at, void *arg)
{
	const struct vfu_desc *desc = arg;

	switch (c->cfg[at]) {
	case PCI_CAP_ID_MSIX:
		return build_msix(c, at, desc->nr_msix);
	case PCI_CAP_ID_VNDR:
		return build_vendor(c, at);
	default:
		return 0;
	}
}

int vfu_config_build(const struct vfu_desc *desc, struct pci_fn *fn, char *ret_why, size_t room)
{
	struct pci_copy c;
	int err;

	pci_copy_init(&c, desc->cfg, fn, ret_why, room);
	err = build_ids(&c);
	if (!err)
		err = build_bars(&c, desc->bar_size);
	if (!err)
		err = pci_copy_caps(&c, build_cap, (void *)desc);
	return err;
}
