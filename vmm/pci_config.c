// SPDX-License-Identifier: BSD-2-Clause
/* Config space of one function: write masks, and what a write sets in motion. */
#include <linux/pci_regs.h>
#include <string.h>

#include "core/wire.h"
#include "vmm/pci_internal.h"

#define HEADER_BARS_END (PCI_BASE_ADDRESS_5 + 4)
#define HEADER_ROM_END	(PCI_ROM_ADDRESS + 4)

void pci_fn_ids(struct pci_fn *fn, uint16_t vendor, uint16_t device, uint32_t class_rev,
		uint16_t sub_vendor, uint16_t sub_device)
{
	pvi_put16(fn->cfg + PCI_VENDOR_ID, vendor);
	pvi_put16(fn->cfg + PCI_DEVICE_ID, device);
	pvi_put32(fn->cfg + PCI_CLASS_REVISION, class_rev);
	pvi_put16(fn->cfg + PCI_SUBSYSTEM_VENDOR_ID, sub_vendor);
	pvi_put16(fn->cfg + PCI_SUBSYSTEM_ID, sub_device);
}

void pci_config_read(struct pci_fn *fn, uint32_t off, void *buf, uint32_t len)
{
	memcpy(buf, fn->cfg + off, len);
}

static bool touches(uint32_t off, uint32_t len, uint32_t first, uint32_t end)
{
	return off < end && first < off + len;
}

static bool bus_master(const struct pci_fn *fn)
{
	return fn->cfg[PCI_COMMAND] & PCI_COMMAND_MASTER;
}

/* Tells the function's owner what changed; @was_master: before the write. */
static void act(struct pci_fn *fn, uint32_t off, uint32_t len, bool was_master)
{
	uint8_t msix = fn->msix.nr ? fn->msix.cap : 0;

	if (bus_master(fn) != was_master && fn->ops->bus_master)
		fn->ops->bus_master(fn, !was_master);
	if (touches(off, len, PCI_COMMAND, PCI_COMMAND + 2) ||
	    touches(off, len, PCI_BASE_ADDRESS_0, HEADER_BARS_END) ||
	    touches(off, len, PCI_ROM_ADDRESS, HEADER_ROM_END))
		pci_bar_update(fn);
	if (msix && touches(off, len, msix, msix + PCI_CAP_MSIX_SIZEOF))
		pci_msix_control(fn);
	if (fn->ops->config_written)
		fn->ops->config_written(fn);
}

void pci_config_write(struct pci_fn *fn, uint32_t off, const void *buf, uint32_t len)
{
	const uint8_t *bytes = buf;
	bool was_master = bus_master(fn);

	for (uint32_t i = 0; i < len; i++) {
		uint8_t mask = fn->wmask[off + i];
		uint8_t *reg = &fn->cfg[off + i];

		*reg = (uint8_t)((*reg & ~mask) | (bytes[i] & mask));
	}
	act(fn, off, len, was_master);
}

void pci_config_reset(struct pci_fn *fn)
{
	bool was_master = bus_master(fn);

	memcpy(fn->cfg, fn->cfg_reset, sizeof(fn->cfg_reset));
	if (was_master && fn->ops->bus_master)
		fn->ops->bus_master(fn, false);
	pci_bar_update(fn);
	pci_msix_reset(fn);
	if (fn->ops->config_written)
		fn->ops->config_written(fn);
}
