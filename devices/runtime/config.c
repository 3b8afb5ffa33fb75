// SPDX-License-Identifier: BSD-2-Clause
/* PCI config space as the device describes it; the VMM shows its own to the guest. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "core/wire.h"
#include "devices/runtime/internal.h"

static void init_bar(struct dev *dev, unsigned int i)
{
	const struct dev_bar *bar = &dev->type->bar[i];
	uint32_t at = PCI_BASE_ADDRESS_0 + 4 * i;

	if (!bar->size)
		return;
	pvi_put32(dev->config + at, (bar->is64 ? PCI_BASE_ADDRESS_MEM_TYPE_64 : 0) |
					    (bar->prefetch ? PCI_BASE_ADDRESS_MEM_PREFETCH : 0));
	pvi_put32(dev->writable + at, (uint32_t) ~(bar->size - 1) & ~0xfu);
	if (bar->is64)
		pvi_put32(dev->writable + at + 4, (uint32_t)(~(bar->size - 1) >> 32));
}

static void init_msix(struct dev *dev)
{
	uint8_t *cap = dev->config + DEV_MSIX_CAP;

	dev->config[PCI_CAPABILITY_LIST] = DEV_MSIX_CAP;
	cap[0] = PCI_CAP_ID_MSIX;
	cap[1] = dev->type->ops->caps ? DEV_OWN_CAPS : 0;
	pvi_put16(cap + PCI_MSIX_FLAGS, (uint16_t)(dev->type->nr_vectors - 1));
	pvi_put32(cap + PCI_MSIX_TABLE, DEV_MSIX_TABLE | dev->type->msix_bar);
	pvi_put32(cap + PCI_MSIX_PBA, DEV_MSIX_PBA | dev->type->msix_bar);
	pvi_put16(dev->writable + DEV_MSIX_CAP + PCI_MSIX_FLAGS,
		  PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
}

void config_init(struct dev *dev)
{
	const struct dev_type *t = dev->type;
	uint8_t *c = dev->config;

	memset(c, 0, DEV_CONFIG_SIZE);
	memset(dev->writable, 0, DEV_CONFIG_SIZE);
	pvi_put16(c + PCI_VENDOR_ID, t->vendor);
	pvi_put16(c + PCI_DEVICE_ID, t->device);
	pvi_put32(c + PCI_CLASS_REVISION, t->class_rev);
	pvi_put16(c + PCI_SUBSYSTEM_VENDOR_ID, t->sub_vendor);
	pvi_put16(c + PCI_SUBSYSTEM_ID, t->sub_device);
	pvi_put16(dev->writable + PCI_COMMAND,
		  PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
	dev->writable[PCI_CACHE_LINE_SIZE] = 0xff;
	dev->writable[PCI_INTERRUPT_LINE] = 0xff;
	for (unsigned int i = 0; i < DEV_MAX_BARS; i++)
		init_bar(dev, i);
	if (t->nr_vectors || t->ops->caps) {
		pvi_put16(c + PCI_STATUS, PCI_STATUS_CAP_LIST);
		c[PCI_CAPABILITY_LIST] = DEV_OWN_CAPS;
	}
	if (t->nr_vectors)
		init_msix(dev);
	if (t->ops->caps)
		t->ops->caps(dev->ctx, c, dev->writable);
}

int config_access(struct dev *dev, uint64_t off, void *buf, uint32_t len, bool write)
{
	const struct dev_ops *ops = dev->type->ops;
	const uint8_t *in = buf;
	bool own = off >= PCI_STD_HEADER_SIZEOF && ops->config;

	if (off > DEV_CONFIG_SIZE || len > DEV_CONFIG_SIZE - off)
		return -EINVAL;
	if (!write) {
		if (own)
			ops->config(dev->ctx, dev->config, (uint32_t)off, len, false);
		memcpy(buf, dev->config + off, len);
		return 0;
	}
	for (uint32_t i = 0; i < len; i++) {
		uint8_t mask = dev->writable[off + i], *p = &dev->config[off + i];

		*p = (uint8_t)((*p & ~mask) | (in[i] & mask));
	}
	if (own)
		ops->config(dev->ctx, dev->config, (uint32_t)off, len, true);
	return 0;
}
