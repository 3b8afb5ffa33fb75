// SPDX-License-Identifier: GPL-2.0-only
/*
 * pvi_mapper.ko: the driver of any PCI function that is told to it (driver_override), which maps
 * as what= says, and no more. For what drivers of real devices do seldom, or should not do.
 */
#include <linux/dma-mapping.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "mapper.h"

#define OLD 0x11
#define NEW 0x22

static char what[16];
module_param_string(what, what, sizeof(what), 0644);
MODULE_PARM_DESC(
	what,
	"of the next device: idle, mask, sync, hold, leak, split, fail, timed, irqs-off, pages");

struct mapper {
	unsigned int kind;
	void *memory; /* two pages */
	dma_addr_t addr;
	struct page *pages;
};

static int do_nothing(struct pci_dev *pdev, struct mapper *m)
{
	return 0;
}

/* As most drivers do; the others of these don't. */
static int set_mask(struct pci_dev *pdev, struct mapper *m)
{
	return dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(32));
}

/*
 * Where a mapping is of a copy, which was made of the memory when it was mapped, a sync for the
 * CPU brings back what was in the memory then.
 */
static int sync_copy(struct pci_dev *pdev, struct mapper *m)
{
	dma_addr_t addr;
	u8 got;

	memset(m->memory, OLD, PAGE_SIZE);
	addr = dma_map_single(&pdev->dev, m->memory, PAGE_SIZE, DMA_FROM_DEVICE);
	if (dma_mapping_error(&pdev->dev, addr))
		return -ENOMEM;
	memset(m->memory, NEW, PAGE_SIZE);
	dma_sync_single_for_cpu(&pdev->dev, addr, PAGE_SIZE, DMA_FROM_DEVICE);
	got = *(u8 *)m->memory;
	dma_unmap_single(&pdev->dev, addr, PAGE_SIZE, DMA_FROM_DEVICE);
	return got == OLD ? 0 : -EIO;
}

static int map(struct pci_dev *pdev, struct mapper *m, size_t size)
{
	m->addr = dma_map_single(&pdev->dev, m->memory, size, DMA_TO_DEVICE);
	return dma_mapping_error(&pdev->dev, m->addr);
}

static int hold(struct pci_dev *pdev, struct mapper *m)
{
	return map(pdev, m, PAGE_SIZE);
}

static void let_go(struct pci_dev *pdev, struct mapper *m)
{
	dma_unmap_single(&pdev->dev, m->addr, PAGE_SIZE, DMA_TO_DEVICE);
}

/* What no virtio-iommu does: to UNMAP a part of a mapping. */
static int split(struct pci_dev *pdev, struct mapper *m)
{
	int r = map(pdev, m, 2 * PAGE_SIZE);

	if (r)
		return r;
	let_go(pdev, m);
	m->addr += PAGE_SIZE;
	let_go(pdev, m);
	return 0;
}

/* As a driver whose device does not answer. */
static int fail(struct pci_dev *pdev, struct mapper *m)
{
	int r = hold(pdev, m);

	if (r)
		return r;
	let_go(pdev, m);
	return -EIO;
}

/* How long it takes until a page is mapped, or is not. */
static int timed(struct pci_dev *pdev, struct mapper *m)
{
	u64 begin = ktime_get_ns();
	int r = map(pdev, m, PAGE_SIZE);

	pci_info(pdev, "timed: %d after %llu ms\n", r, (ktime_get_ns() - begin) / NSEC_PER_MSEC);
	if (!r)
		let_go(pdev, m);
	return 0;
}

static int timed_irqs_off(struct pci_dev *pdev, struct mapper *m)
{
	unsigned long flags;

	local_irq_save(flags);
	timed(pdev, m);
	local_irq_restore(flags);
	return 0;
}

/* A page for the device to read. Where it is, is said, for the host sees what it may do there. */
static int alloc_pages_to_device(struct pci_dev *pdev, struct mapper *m)
{
	m->pages = dma_alloc_pages(&pdev->dev, PAGE_SIZE, &m->addr, DMA_TO_DEVICE, GFP_KERNEL);
	if (!m->pages)
		return -ENOMEM;
	pci_info(pdev, "pages at %#llx\n", (u64)m->addr);
	return 0;
}

static void free_pages_to_device(struct pci_dev *pdev, struct mapper *m)
{
	dma_free_pages(&pdev->dev, PAGE_SIZE, m->pages, m->addr, DMA_TO_DEVICE);
}

static const struct {
	const char *name;
	int (*begin)(struct pci_dev *pdev, struct mapper *m);
	void (*end)(struct pci_dev *pdev, struct mapper *m);
} kinds[] = {
	{.name = "idle", .begin = do_nothing},
	{.name = "mask", .begin = set_mask},
	{.name = "sync", .begin = sync_copy},
	{.name = "hold", .begin = hold, .end = let_go},
	{.name = "leak", .begin = hold},
	{.name = "split", .begin = split},
	{.name = "fail", .begin = fail},
	{.name = "timed", .begin = timed},
	{.name = "irqs-off", .begin = timed_irqs_off},
	{.name = "pages", .begin = alloc_pages_to_device, .end = free_pages_to_device},
};

/* The one that the device began with. */
static int kind_of(struct pci_dev *pdev)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (sysfs_streq(what, kinds[i].name))
			return i;
	}
	pci_err(pdev, "what=%s: unknown\n", what);
	return -EINVAL;
}

static int probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct mapper *m = devm_kzalloc(&pdev->dev, sizeof(*m), GFP_KERNEL);
	int r = kind_of(pdev);

	if (!m)
		return -ENOMEM;
	if (r < 0)
		return r;
	m->kind = r;
	m->memory = (void *)devm_get_free_pages(&pdev->dev, GFP_KERNEL, 1);
	if (!m->memory)
		return -ENOMEM;
	pci_set_drvdata(pdev, m);
	return kinds[m->kind].begin(pdev, m);
}

static void remove(struct pci_dev *pdev)
{
	struct mapper *m = pci_get_drvdata(pdev);

	if (kinds[m->kind].end)
		kinds[m->kind].end(pdev, m);
}

static const struct pci_device_id ids[] = {{}};

static struct pci_driver mapper_driver = {
	.name = KBUILD_MODNAME,
	.id_table = ids,
	.probe = probe,
	.remove = remove,
	.driver.pm = &mapper_pm,
};

/* What is other than on any machine at hand, by parameters; each does nothing without. */
static const struct {
	int (*begin)(void);
	void (*end)(void);
} odds[] = {
	{mapper_group_begin, mapper_group_end},
	{mapper_refuse_begin, mapper_refuse_end},
	{mapper_probe_begin, mapper_probe_end},
	{mapper_slow_begin, mapper_slow_end},
};

static void end_odds(unsigned int n)
{
	while (n--)
		odds[n].end();
}

static int __init mapper_init(void)
{
	unsigned int n;
	int r;

	for (n = 0; n < ARRAY_SIZE(odds); n++) {
		r = odds[n].begin();
		if (r)
			goto end;
	}
	r = pci_register_driver(&mapper_driver);
	if (!r)
		return 0;
end:
	end_odds(n);
	return r;
}

static void __exit mapper_exit(void)
{
	pci_unregister_driver(&mapper_driver);
	end_odds(ARRAY_SIZE(odds));
}

module_init(mapper_init);
module_exit(mapper_exit);
MODULE_DESCRIPTION("DMA mappings as a test wants them");
MODULE_AUTHOR("pviommu");
MODULE_LICENSE("GPL");
