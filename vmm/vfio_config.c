// SPDX-License-Identifier: BSD-2-Clause
#include <linux/pci_regs.h>
#include <string.h>

#include "core/wire.h"
#include "vmm/pci_copy.h"
#include "vmm/vfio_config.h"

#define MAX_MSI	    32u
#define MSI_SIZE_32 10u
#define MSI_SIZE_64 14u
#define EXP_SIZE_V1 0x14u
#define EXP_SIZE_V2 0x3cu
#define ROM_LEAST   2048u
#define ROM_MOST    (16u << 20)

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

static int build_bars(const struct vfio_desc *d, struct pci_copy *c)
{
	for (unsigned int i = 0; i < PCI_MAX_BARS; i++) {
		uint64_t upper = i + 1 < PCI_MAX_BARS ? d->bar[i + 1].size : 0;

		if (d->bar[i].size && !pci_copy_bar(c, i, d->bar[i].size, upper))
			return pci_copy_wrong(
				c, "its 64-bit BAR %u leaves no room for the upper half", i);
	}
	/* One that the host knows a shadow of only may have any size: it is left out. */
	if (rom_fits(d->bar[PCI_ROM_BAR].size))
		c->fn->bar[PCI_ROM_BAR].size = d->bar[PCI_ROM_BAR].size;
	return 0;
}

/* --- capabilities --- */

static int build_msix(const struct vfio_desc *d, struct pci_copy *c, uint8_t at)
{
	struct pci_msix msix;
	int err;

	if (c->fn->msix.nr || !d->nr_msix)
		return 0;
	err = pci_copy_take(c, at, PCI_CAP_MSIX_SIZEOF);
	if (err)
		return err;
	msix = pci_copy_msix(c, at);
	if (msix.nr > d->nr_msix)
		msix.nr = d->nr_msix;
	if (msix.nr > PCI_MAX_VECTORS)
		msix.nr = PCI_MAX_VECTORS;
	pci_fn_msix(c->fn, at, 0, &msix);
	return 0;
}

/* Without masks of its vectors, which are optional: the guest masks at its APIC. */
static int build_msi(const struct vfio_desc *d, struct pci_copy *c, uint8_t at,
		     struct vfio_msi *msi)
{
	uint16_t flags = pvi_get16(c->cfg + at + PCI_MSI_FLAGS);
	bool is64 = flags & PCI_MSI_FLAGS_64BIT;
	uint8_t *cap = c->fn->cfg + at, *mask = c->fn->wmask + at;
	unsigned int capable = (flags & PCI_MSI_FLAGS_QMASK) >> 1, log2 = 0;
	int err;

	if (msi->cap || !d->nr_msi)
		return 0;
	err = pci_copy_take(c, at, is64 ? MSI_SIZE_64 : MSI_SIZE_32);
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
static int build_express(struct pci_copy *c, uint8_t at)
{
	uint16_t flags = pvi_get16(c->cfg + at + PCI_EXP_FLAGS);
	unsigned int version = flags & PCI_EXP_FLAGS_VERS;
	unsigned int len = version < 2 ? EXP_SIZE_V1 : EXP_SIZE_V2;
	uint8_t *cap = c->fn->cfg + at;
	uint32_t devcap;
	int err;

	err = pci_copy_take(c, at, len);
	if (err)
		return err;
	cap[0] = PCI_CAP_ID_EXP;
	pvi_put16(cap + PCI_EXP_FLAGS, (uint16_t)(version | PCI_EXP_TYPE_RC_END << 4));
	devcap = pvi_get32(c->cfg + at + PCI_EXP_DEVCAP);
	pvi_put32(cap + PCI_EXP_DEVCAP, devcap & (PCI_EXP_DEVCAP_PAYLOAD | PCI_EXP_DEVCAP_RBER));
	memcpy(cap + PCI_EXP_DEVCTL, c->cfg + at + PCI_EXP_DEVCTL, 2);
	return 0;
}

static int build_vendor(struct pci_copy *c, uint8_t at)
{
	unsigned int len = pci_copy_vendor_len(c, at);

	return len < 3 ? 0 : pci_copy_take_whole(c, at, len);
}

struct caps_arg {
	const struct vfio_desc *desc;
	struct vfio_msi msi;
};

static int build_cap(struct pci_copy *c, uint8_t at, void *data)
{
	struct caps_arg *arg = data;

	switch (c->cfg[at]) {
	case PCI_CAP_ID_MSIX:
		return build_msix(arg->desc, c, at);
	case PCI_CAP_ID_MSI:
		return build_msi(arg->desc, c, at, &arg->msi);
	case PCI_CAP_ID_EXP:
		return build_express(c, at);
	case PCI_CAP_ID_VNDR:
		return build_vendor(c, at);
	default:
		return 0;
	}
}

int vfio_config_build(const struct vfio_desc *desc, struct pci_fn *fn, struct vfio_msi *ret_msi,
		      char *ret_why, size_t size)
{
	struct caps_arg arg = {.desc = desc};
	struct pci_copy c;
	int err;

	pci_copy_init(&c, desc->cfg, fn, ret_why, size);
	build_header(desc, fn);
	err = build_bars(desc, &c);
	if (!err)
		err = pci_copy_caps(&c, build_cap, &arg);
	if (!err)
		*ret_msi = arg.msi;
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
