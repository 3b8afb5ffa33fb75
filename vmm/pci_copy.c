// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/wire.h"
#include "vmm/pci_copy.h"

/* One per 4 bytes of the space for capabilities: a longer list is a loop. */
#define MAX_CAPS ((PCI_CFG_LEGACY - PCI_CFG_CAPS) / 4)

void pci_copy_init(struct pci_copy *c, const uint8_t *cfg, struct pci_fn *fn, char *why,
		   size_t why_size)
{
	*c = (struct pci_copy){
		.cfg = cfg,
		.fn = fn,
		.why = why,
		.why_size = why_size,
		.link = PCI_CAPABILITY_LIST,
	};
}

int pci_copy_wrong(struct pci_copy *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->why, c->why_size, fmt, ap);
	va_end(ap);
	return -EPROTO;
}

bool pci_copy_bar(struct pci_copy *c, unsigned int i, uint64_t size, uint64_t upper_size)
{
	uint32_t reg = pvi_get32(c->cfg + PCI_BASE_ADDRESS_0 + 4 * i);
	struct pci_bar *bar = &c->fn->bar[i];

	bar->size = size;
	bar->io = reg & PCI_BASE_ADDRESS_SPACE_IO;
	bar->is64 =
		!bar->io && (reg & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64;
	bar->prefetch = !bar->io && (reg & PCI_BASE_ADDRESS_MEM_PREFETCH);
	return !bar->is64 || (i + 1 < PCI_MAX_BARS && !upper_size);
}

int pci_copy_take(struct pci_copy *c, uint8_t at, unsigned int len)
{
	if (at + len > PCI_CFG_LEGACY)
		return pci_copy_wrong(c, "its capability at 0x%02x goes over the end", at);
	for (unsigned int i = at; i < at + len; i++) {
		if (c->taken[i])
			return pci_copy_wrong(c, "its capability at 0x%02x overlaps another", at);
		c->taken[i] = true;
	}
	c->fn->cfg[c->link] = at;
	c->link = at + PCI_CAP_LIST_NEXT;
	return 0;
}

int pci_copy_take_whole(struct pci_copy *c, uint8_t at, unsigned int len)
{
	int err = pci_copy_take(c, at, len);

	if (err)
		return err;
	memcpy(c->fn->cfg + at, c->cfg + at, len);
	c->fn->cfg[at + PCI_CAP_LIST_NEXT] = 0;
	return 0;
}

struct pci_msix pci_copy_msix(const struct pci_copy *c, uint8_t at)
{
	const uint8_t *cap = c->cfg + at;
	uint32_t table = pvi_get32(cap + PCI_MSIX_TABLE), pba = pvi_get32(cap + PCI_MSIX_PBA);

	return (struct pci_msix){
		.nr = (pvi_get16(cap + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_QSIZE) + 1,
		.table_bar = table & PCI_MSIX_TABLE_BIR,
		.table_off = table & PCI_MSIX_TABLE_OFFSET,
		.pba_bar = pba & PCI_MSIX_PBA_BIR,
		.pba_off = pba & PCI_MSIX_PBA_OFFSET,
	};
}

unsigned int pci_copy_vendor_len(const struct pci_copy *c, uint8_t at)
{
	return at + 2 < PCI_CFG_LEGACY ? c->cfg[at + 2] : 0;
}

int pci_copy_caps(struct pci_copy *c, int (*one)(struct pci_copy *c, uint8_t at, void *arg),
		  void *arg)
{
	unsigned int nr = 0;
	uint8_t at;
	int err;

	if (!(pvi_get16(c->cfg + PCI_STATUS) & PCI_STATUS_CAP_LIST))
		return 0;
	for (at = c->cfg[PCI_CAPABILITY_LIST] & ~3u; at;
	     at = c->cfg[at + PCI_CAP_LIST_NEXT] & ~3u) {
		if (at < PCI_CFG_CAPS)
			return pci_copy_wrong(c, "its capability list leads to 0x%02x", at);
		if (++nr > MAX_CAPS)
			return pci_copy_wrong(c, "its capability list is a loop");
		err = one(c, at, arg);
		if (err)
			return err;
	}
	return 0;
}
