// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/wire.h"
#include "vmm/vfu_config.h"

#define VIRTIO_VENDOR	    0x1af4
#define VIRTIO_IOMMU_DEVICE (0x1040 + PVI_VIRTIO_ID_IOMMU)
#define WINDOW_CAP_SIZE	    (sizeof(struct virtio_pci_cap) + 4)

/* One per 4 bytes of the space for capabilities: a longer list is a loop. */
#define MAX_CAPS ((PCI_CFG_LEGACY - PCI_CFG_CAPS) / 4)

/* Where complaints go. */
struct why {
	char *text;
	size_t room;
};

__attribute__((format(printf, 2, 3))) static int wrong(const struct why *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->text, why->room, fmt, ap);
	va_end(ap);
	return -EPROTO;
}

static int build_ids(const struct vfu_desc *desc, struct pci_fn *fn, const struct why *why)
{
	const uint8_t *cfg = desc->cfg;
	uint16_t vendor = pvi_get16(cfg + PCI_VENDOR_ID);
	uint16_t device = pvi_get16(cfg + PCI_DEVICE_ID);

	if (vendor == 0 || vendor == 0xffff)
		return wrong(why, "it has the PCI vendor id 0x%04x", vendor);
	if ((cfg[PCI_HEADER_TYPE] & PCI_HEADER_TYPE_MASK) != PCI_HEADER_TYPE_NORMAL)
		return wrong(why, "its config space has header type %u, not 0",
			     cfg[PCI_HEADER_TYPE]);
	/* The guest trusts the IOMMU with its mappings: there is one, ours. */
	if (vendor == VIRTIO_VENDOR && device == VIRTIO_IOMMU_DEVICE)
		return wrong(why, "it poses as a virtio-iommu");
	pci_fn_ids(fn, vendor, device, pvi_get32(cfg + PCI_CLASS_REVISION),
		   pvi_get16(cfg + PCI_SUBSYSTEM_VENDOR_ID), pvi_get16(cfg + PCI_SUBSYSTEM_ID));
	return 0;
}

static int build_bars(const struct vfu_desc *desc, struct pci_fn *fn, const struct why *why)
{
	for (unsigned int i = 0; i < PCI_MAX_BARS; i++) {
		uint64_t size = desc->bar_size[i];
		uint32_t reg = pvi_get32(desc->cfg + PCI_BASE_ADDRESS_0 + 4 * i);
		struct pci_bar *bar = &fn->bar[i];

		if (!size)
			continue;
		bar->size = size;
		bar->io = reg & PCI_BASE_ADDRESS_SPACE_IO;
		bar->is64 = !bar->io &&
			    (reg & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64;
		bar->prefetch = !bar->io && (reg & PCI_BASE_ADDRESS_MEM_PREFETCH);
		if (size & (size - 1))
			return wrong(why, "its BAR %u has %llu bytes, which is no power of two", i,
				     (unsigned long long)size);
		if (size > (bar->io ? 256 : VFU_MAX_BAR_SIZE) || size < (bar->io ? 4 : 16))
			return wrong(why, "its BAR %u has %llu bytes (allowed: %u to %u)", i,
				     (unsigned long long)size, bar->io ? 4 : 16,
				     bar->io ? 256 : VFU_MAX_BAR_SIZE);
		if (bar->is64 && (i + 1 == PCI_MAX_BARS || desc->bar_size[i + 1]))
			return wrong(why, "its 64-bit BAR %u leaves no room for the upper half", i);
	}
	return 0;
}

/* The capability list being built: what is taken, and where the next pointer goes. */
struct list {
	bool taken[PCI_CFG_LEGACY];
	unsigned int link;
};

static int take(struct list *list, struct pci_fn *fn, uint8_t at, unsigned int len,
		const struct why *why)
{
	if (at + len > PCI_CFG_LEGACY)
		return wrong(why, "its capability at 0x%02x goes over the end", at);
	for (unsigned int i = at; i < at + len; i++) {
		if (list->taken[i])
			return wrong(why, "its capability at 0x%02x overlaps another", at);
		list->taken[i] = true;
	}
	fn->cfg[list->link] = at;
	list->link = at + PCI_CAP_LIST_NEXT;
	return 0;
}

static int build_msix(const struct vfu_desc *desc, struct pci_fn *fn, uint8_t at, struct list *list,
		      const struct why *why)
{
	const uint8_t *cap = desc->cfg + at;
	struct pci_msix msix = {0};
	uint32_t table, pba;
	int err;

	if (fn->msix.nr)
		return wrong(why, "it has two MSI-X capabilities");
	err = take(list, fn, at, PCI_CAP_MSIX_SIZEOF, why);
	if (err)
		return err;
	table = pvi_get32(cap + PCI_MSIX_TABLE);
	pba = pvi_get32(cap + PCI_MSIX_PBA);
	msix.nr = (pvi_get16(cap + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_QSIZE) + 1;
	msix.table_bar = table & PCI_MSIX_TABLE_BIR;
	msix.table_off = table & PCI_MSIX_TABLE_OFFSET;
	msix.pba_bar = pba & PCI_MSIX_PBA_BIR;
	msix.pba_off = pba & PCI_MSIX_PBA_OFFSET;
	if (msix.nr > PCI_MAX_VECTORS)
		return wrong(why, "it has %u MSI-X vectors (allowed: %d)", msix.nr,
			     PCI_MAX_VECTORS);
	if (msix.nr > desc->nr_msix)
		return wrong(why, "it has %u MSI-X vectors, but only %u interrupts", msix.nr,
			     desc->nr_msix);
	pci_fn_msix(fn, at, 0, &msix);
	return 0;
}

/* Vendor-specific ones say their length; virtio's say where its registers are. */
static int build_vendor(const struct vfu_desc *desc, struct pci_fn *fn, uint8_t at,
			struct list *list, const struct why *why)
{
	unsigned int len = at + 2 < PCI_CFG_LEGACY ? desc->cfg[at + 2] : 0;
	int err;

	if (len < 3)
		return wrong(why, "its capability at 0x%02x has %u bytes", at, len);
	err = take(list, fn, at, len, why);
	if (err)
		return err;
	memcpy(fn->cfg + at, desc->cfg + at, len);
	fn->cfg[at + PCI_CAP_LIST_NEXT] = 0;
	/* A way to the BARs through config space, which the bus serves. */
	if (pvi_get16(desc->cfg + PCI_VENDOR_ID) == VIRTIO_VENDOR && len == WINDOW_CAP_SIZE &&
	    fn->cfg[at + VIRTIO_PCI_CAP_CFG_TYPE] == VIRTIO_PCI_CAP_PCI_CFG)
		pci_fn_window(fn, at);
	return 0;
}

static int build_caps(const struct vfu_desc *desc, struct pci_fn *fn, const struct why *why)
{
	struct list list = {.link = PCI_CAPABILITY_LIST};
	const uint8_t *cfg = desc->cfg;
	unsigned int nr = 0;
	uint8_t at;
	int err = 0;

	if (!(pvi_get16(cfg + PCI_STATUS) & PCI_STATUS_CAP_LIST))
		return 0;
	for (at = cfg[PCI_CAPABILITY_LIST] & ~3u; at; at = cfg[at + PCI_CAP_LIST_NEXT] & ~3u) {
		if (at < PCI_CFG_CAPS)
			return wrong(why, "its capability list leads to 0x%02x", at);
		if (++nr > MAX_CAPS)
			return wrong(why, "its capability list is a loop");
		if (cfg[at] == PCI_CAP_ID_MSIX)
			err = build_msix(desc, fn, at, &list, why);
		else if (cfg[at] == PCI_CAP_ID_VNDR)
			err = build_vendor(desc, fn, at, &list, why);
		if (err)
			return err;
	}
	return 0;
}

int vfu_config_build(const struct vfu_desc *desc, struct pci_fn *fn, char *ret_why, size_t room)
{
	const struct why why = {ret_why, room};
	int err;

	err = build_ids(desc, fn, &why);
	if (!err)
		err = build_bars(desc, fn, &why);
	if (!err)
		err = build_caps(desc, fn, &why);
	return err;
}
