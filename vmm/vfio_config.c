// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/wire.h"
#include "vmm/vfio_config.h"

#define MAX_CAPS    48u
#define MAX_MSI	    32u
#define MSI_SIZE_32 10u
#define MSI_SIZE_64 14u
#define EXP_SIZE_V1 0x14u
#define EXP_SIZE_V2 0x3cu
#define ROM_LEAST   2048u
#define ROM_MOST    (16u << 20)

struct why {
	char *text;
	size_t size;
};

static int __attribute__((format(printf, 2, 3))) wrong(const struct why *why, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why->text, why->size, fmt, args);
	va_end(args);
	return -EPROTO;
}

/* --- header --- */

static void build_header(const struct vfio_desc *d, struct pci_fn *fn)
{
	const uint8_t *cfg = d->cfg;

	pci_fn_ids(fn, pvi_get16(cfg + PCI_VENDOR_ID), pvi_get16(cfg + PCI_DEVICE_ID),
		   pvi_get32(cfg + PCI_CLASS_REVISION), pvi_get16(cfg + PCI_SUBSYSTEM_VENDOR_ID),
		   pvi_get16(cfg + PCI_SUBSYSTEM_ID));
	/* Whatever pin it has: the slot's interrupt is the first. */
	fn->cfg[PCI_INTERRUPT_PIN] = d->intx ? 1 : 0;
}

static bool rom_fits(uint64_t size)
{
	return size >= ROM_LEAST && size <= ROM_MOST && !(size & (size - 1));
}

static int build_bars(const struct vfio_desc *d, struct pci_fn *fn, const struct why *why)
{
	for (unsigned int i = 0; i < PCI_MAX_BARS; i++) {
		uint32_t reg = pvi_get32(d->cfg + PCI_BASE_ADDRESS_0 + 4 * i);
		struct pci_bar *bar = &fn->bar[i];

		if (!d->bar[i].size)
			continue;
		bar->size = d->bar[i].size;
		bar->io = reg & PCI_BASE_ADDRESS_SPACE_IO;
		bar->is64 = !bar->io &&
			    (reg & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64;
		bar->prefetch = !bar->io && (reg & PCI_BASE_ADDRESS_MEM_PREFETCH);
		if (bar->is64 && (i + 1 == PCI_MAX_BARS || d->bar[i + 1].size))
			return wrong(why, "its 64-bit BAR %u leaves no room for the upper half", i);
	}
	/* One that the host knows a shadow of only may have any size: it is left out. */
	if (rom_fits(d->bar[PCI_ROM_BAR].size))
		fn->bar[PCI_ROM_BAR].size = d->bar[PCI_ROM_BAR].size;
	return 0;
}

/* --- capabilities --- */

/* The list being built: what is taken, and where the next pointer goes. */
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

static int build_msix(const struct vfio_desc *d, struct pci_fn *fn, uint8_t at, struct list *list,
		      const struct why *why)
{
	const uint8_t *cap = d->cfg + at;
	struct pci_msix msix = {0};
	uint32_t table, pba;
	int err;

	if (fn->msix.nr || !d->nr_msix)
		return 0;
	err = take(list, fn, at, PCI_CAP_MSIX_SIZEOF, why);
	if (err)
		return err;
	table = pvi_get32(cap + PCI_MSIX_TABLE);
	pba = pvi_get32(cap + PCI_MSIX_PBA);
	msix.nr = (pvi_get16(cap + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_QSIZE) + 1;
	if (msix.nr > d->nr_msix)
		msix.nr = d->nr_msix;
	if (msix.nr > PCI_MAX_VECTORS)
		msix.nr = PCI_MAX_VECTORS;
	msix.table_bar = table & PCI_MSIX_TABLE_BIR;
	msix.table_off = table & PCI_MSIX_TABLE_OFFSET;
	msix.pba_bar = pba & PCI_MSIX_PBA_BIR;
	msix.pba_off = pba & PCI_MSIX_PBA_OFFSET;
	pci_fn_msix(fn, at, 0, &msix);
	return 0;
}

/* Without masks of its vectors, which are optional: the guest masks at its APIC. */
static int build_msi(const struct vfio_desc *d, struct pci_fn *fn, uint8_t at, struct list *list,
		     struct vfio_msi *msi, const struct why *why)
{
	uint16_t flags = pvi_get16(d->cfg + at + PCI_MSI_FLAGS);
	bool is64 = flags & PCI_MSI_FLAGS_64BIT;
	uint8_t *cap = fn->cfg + at, *mask = fn->wmask + at;
	unsigned int capable = (flags & PCI_MSI_FLAGS_QMASK) >> 1, log2 = 0;
	int err;

	if (msi->cap || !d->nr_msi)
		return 0;
	err = take(list, fn, at, is64 ? MSI_SIZE_64 : MSI_SIZE_32, why);
	if (err)
		return err;
	while (log2 < capable && 2u << log2 <= d->nr_msi && 2u << log2 <= MAX_MSI)
		log2++;
	*msi = (struct vfio_msi){.cap = at, .is64 = is64, .nr = 1u << log2};
	cap[0] = PCI_CAP_ID_MSI;
	pvi_put16(cap + PCI_MSI_FLAGS, (uint16_t)(log2 << 1 | (is64 ? PCI_MSI_FLAGS_64BIT : 0)));
	mask[PCI_MSI_FLAGS] = PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE;
	pvi_put32(mask + PCI_MSI_ADDRESS_LO, 0xfffffffc);
	if (is64)
		pvi_put32(mask + PCI_MSI_ADDRESS_HI, UINT32_MAX);
	pvi_put16(mask + (is64 ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32), UINT16_MAX);
	return 0;
}

/*
 * Read-only. There is no link above it in the guest, nor may the guest reset it by its own
 * means: type and device capabilities say so.
 */
static int build_express(const struct vfio_desc *d, struct pci_fn *fn, uint8_t at,
			 struct list *list, const struct why *why)
{
	uint16_t flags = pvi_get16(d->cfg + at + PCI_EXP_FLAGS);
	unsigned int version = flags & PCI_EXP_FLAGS_VERS;
	unsigned int len = version < 2 ? EXP_SIZE_V1 : EXP_SIZE_V2;
	uint8_t *cap = fn->cfg + at;
	uint32_t devcap;
	int err;

	err = take(list, fn, at, len, why);
	if (err)
		return err;
	cap[0] = PCI_CAP_ID_EXP;
	pvi_put16(cap + PCI_EXP_FLAGS, (uint16_t)(version | PCI_EXP_TYPE_RC_END << 4));
	if (len < PCI_EXP_DEVCTL + 2 || at + PCI_EXP_DEVCTL + 2 > PCI_CFG_LEGACY)
		return 0;
	devcap = pvi_get32(d->cfg + at + PCI_EXP_DEVCAP);
	pvi_put32(cap + PCI_EXP_DEVCAP, devcap & (PCI_EXP_DEVCAP_PAYLOAD | PCI_EXP_DEVCAP_RBER));
	memcpy(cap + PCI_EXP_DEVCTL, d->cfg + at + PCI_EXP_DEVCTL, 2);
	return 0;
}

static int build_vendor(const struct vfio_desc *d, struct pci_fn *fn, uint8_t at, struct list *list,
			const struct why *why)
{
	unsigned int len = at + 2 < PCI_CFG_LEGACY ? d->cfg[at + 2] : 0;
	int err;

	if (len < 3)
		return 0;
	err = take(list, fn, at, len, why);
	if (err)
		return err;
	memcpy(fn->cfg + at, d->cfg + at, len);
	fn->cfg[at + PCI_CAP_LIST_NEXT] = 0;
	return 0;
}

static int build_caps(const struct vfio_desc *d, struct pci_fn *fn, struct vfio_msi *msi,
		      const struct why *why)
{
	struct list list = {.link = PCI_CAPABILITY_LIST};
	const uint8_t *cfg = d->cfg;
	unsigned int nr = 0;
	int err = 0;

	if (!(pvi_get16(cfg + PCI_STATUS) & PCI_STATUS_CAP_LIST))
		return 0;
	for (uint8_t at = cfg[PCI_CAPABILITY_LIST] & ~3u; at; at = cfg[at + 1] & ~3u) {
		if (at < PCI_CFG_CAPS)
			return wrong(why, "its capability list leads to 0x%02x", at);
		if (++nr > MAX_CAPS)
			return wrong(why, "its capability list is a loop");
		if (cfg[at] == PCI_CAP_ID_MSIX)
			err = build_msix(d, fn, at, &list, why);
		else if (cfg[at] == PCI_CAP_ID_MSI)
			err = build_msi(d, fn, at, &list, msi, why);
		else if (cfg[at] == PCI_CAP_ID_EXP)
			err = build_express(d, fn, at, &list, why);
		else if (cfg[at] == PCI_CAP_ID_VNDR)
			err = build_vendor(d, fn, at, &list, why);
		if (err)
			return err;
	}
	return 0;
}

int vfio_config_build(const struct vfio_desc *desc, struct pci_fn *fn, struct vfio_msi *ret_msi,
		      char *ret_why, size_t size)
{
	const struct why why = {ret_why, size};
	struct vfio_msi msi = {0};
	int err;

	build_header(desc, fn);
	err = build_bars(desc, fn, &why);
	if (!err)
		err = build_caps(desc, fn, &msi, &why);
	if (!err)
		*ret_msi = msi;
	return err;
}

unsigned int vfio_config_msi(const struct pci_fn *fn, const struct vfio_msi *msi,
			     struct irq_msi *ret_message)
{
	const uint8_t *cap = fn->cfg + msi->cap;
	unsigned int nr;
	uint16_t flags;

	if (!msi->cap)
		return 0;
	flags = pvi_get16(cap + PCI_MSI_FLAGS);
	if (!(flags & PCI_MSI_FLAGS_ENABLE))
		return 0;
	nr = 1u << ((flags & PCI_MSI_FLAGS_QSIZE) >> 4);
	ret_message->address = pvi_get32(cap + PCI_MSI_ADDRESS_LO);
	if (msi->is64)
		ret_message->address |= (uint64_t)pvi_get32(cap + PCI_MSI_ADDRESS_HI) << 32;
	ret_message->data = pvi_get16(cap + (msi->is64 ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32));
	return nr < msi->nr ? nr : msi->nr;
}
