// SPDX-License-Identifier: GPL-2.0-only
/* What a device can address, how much of it at once; and the registers of another device. */
#include <linux/io.h>
#include <linux/pci.h>

#include "dma_api.h"

/* QEMU's ivshmem: a BAR that is memory. */
#define PEER_VENDOR 0x1af4
#define PEER_DEVICE 0x1110
#define PEER_BAR    2

static bool peer_has(const void __iomem *at, const void *expect)
{
	u8 sector[ATTACK_SECTOR];

	memcpy_fromio(sector, at, sizeof(sector));
	return !memcmp(sector, expect, sizeof(sector));
}

static void use_peer(struct api *t, phys_addr_t phys, u8 __iomem *regs)
{
	const size_t at = PAGE_SIZE + 1024;
	u8 bytes[ATTACK_SECTOR];
	dma_addr_t addr = dma_map_resource(t->dev, phys, 2 * PAGE_SIZE, DMA_BIDIRECTIONAL, 0);

	if (!api_check(t, !dma_mapping_error(t->dev, addr)))
		return;
	api_device_write(t, addr + at, bytes);
	api_check(t, peer_has(regs + at, bytes));
	api_bytes(t, bytes, sizeof(bytes));
	memcpy_toio(regs, bytes, sizeof(bytes));
	api_check(t, api_device_reads(t, addr, bytes));
	dma_unmap_resource(t->dev, addr, 2 * PAGE_SIZE, DMA_BIDIRECTIONAL, 0);
}

static void resource(struct api *t)
{
	struct pci_dev *peer = pci_get_device(PEER_VENDOR, PEER_DEVICE, NULL);
	phys_addr_t phys;
	u8 __iomem *regs;

	if (!api_check(t, peer))
		return;
	if (api_check(t, !pci_enable_device_mem(peer))) {
		phys = pci_resource_start(peer, PEER_BAR) + PAGE_SIZE;
		regs = ioremap(phys, 2 * PAGE_SIZE);
		if (api_check(t, regs)) {
			use_peer(t, phys, regs);
			iounmap(regs);
		}
		pci_disable_device(peer);
	}
	pci_dev_put(peer);
}

/* As much as there is of what the largest mapping needs; nothing is left of those refused. */
static unsigned int map_largest(struct api *t, size_t size)
{
	dma_addr_t addr[8];
	/* The kernel's own checks take one that is refused for one that is never undone. */
	const unsigned int most = IS_ENABLED(CONFIG_DMA_API_DEBUG) ? 1 : ARRAY_SIZE(addr);
	unsigned int i, n;

	for (n = 0; n < most; n++) {
		/* No memory is there, nor anything else: nobody does any DMA to it. */
		addr[n] = dma_map_resource(t->dev, 1ull << 40, size, DMA_TO_DEVICE, 0);
		if (dma_mapping_error(t->dev, addr[n]))
			break;
		api_check(t, addr[n] + size - 1 <= DMA_BIT_MASK(32));
	}
	for (i = 0; i < n; i++)
		dma_unmap_resource(t->dev, addr[i], size, DMA_TO_DEVICE, 0);
	return n;
}

static void largest(struct api *t)
{
	size_t max = dma_max_mapping_size(t->dev), opt = dma_opt_mapping_size(t->dev);
	u64 mask = dma_get_mask(t->dev);
	unsigned int n;

	api_check(t, opt && opt <= max);
	if (t->none)
		return;
	api_check(t, max == SZ_1G && opt == SZ_128K);
	if (!api_check(t, !dma_set_mask(t->dev, DMA_BIT_MASK(32))))
		return;
	n = map_largest(t, max);
	api_check(t, n > 0 && n < 4);
	/* All of it came back. */
	api_check(t, map_largest(t, max) == n);
	dma_set_mask(t->dev, mask);
}

static void addresses_within(struct api *t, u64 mask)
{
	u8 *p = t->memory + 512, *cpu;
	dma_addr_t addr = dma_map_single(t->dev, p, PAGE_SIZE, DMA_TO_DEVICE);

	if (!api_mapped(t, addr, p))
		return;
	api_check(t, addr + PAGE_SIZE - 1 <= mask);
	api_check(t, api_device_reads(t, addr, p));
	dma_unmap_single(t->dev, addr, PAGE_SIZE, DMA_TO_DEVICE);
	cpu = dma_alloc_coherent(t->dev, PAGE_SIZE, &addr, GFP_KERNEL);
	if (!api_check(t, cpu))
		return;
	api_check(t, addr + PAGE_SIZE - 1 <= mask);
	dma_free_coherent(t->dev, PAGE_SIZE, cpu, addr);
}

static void masks(struct api *t)
{
	u64 mask = dma_get_mask(t->dev), coherent = t->dev->coherent_dma_mask;

	if (!t->none) {
		api_check(t, dma_set_mask(t->dev, DMA_BIT_MASK(31)) == -EIO);
		api_check(t, dma_set_coherent_mask(t->dev, DMA_BIT_MASK(31)) == -EIO);
		api_check(t, dma_get_required_mask(t->dev) == DMA_BIT_MASK(32));
	}
	api_check(t, dma_get_mask(t->dev) == mask);
	api_check(t, !dma_set_mask_and_coherent(t->dev, DMA_BIT_MASK(64)));
	addresses_within(t, DMA_BIT_MASK(64));
	api_check(t, !dma_set_mask_and_coherent(t->dev, DMA_BIT_MASK(32)));
	addresses_within(t, DMA_BIT_MASK(32));
	dma_set_mask(t->dev, mask);
	dma_set_coherent_mask(t->dev, coherent);
}

void api_limits_run(struct api *t)
{
	static const struct api_case cases[] = {
		{"dma_map_resource", resource},
		{"dma_max_mapping_size and dma_opt_mapping_size", largest},
		{"masks of 31, 32 and 64 bits", masks},
	};

	api_run(t, cases, ARRAY_SIZE(cases));
}
