// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices whose claim failed: their DMA is refused. The kernel's own operations would give their
 * drivers physical addresses, which the virtio-iommu refuses at best, and by the VM's bypass, where
 * there is one, lets through to all memory. These give none, so that a driver finds out before its
 * device does anything: no mask that it asks for is one that it can have.
 *
 * There is no record of such devices but the operations that they have: refusing takes no memory,
 * for the lack of which a claim may have failed.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "compat.h"
#include "pviommu.h"

static dma_addr_t map_nothing(struct device *dev, phys_addr_t phys, size_t size,
			      enum dma_data_direction dir, unsigned long attrs)
{
	return DMA_MAPPING_ERROR;
}

static void unmap_nothing(struct device *dev, dma_addr_t addr, size_t size,
			  enum dma_data_direction dir, unsigned long attrs)
{
}

static int map_no_list(struct device *dev, struct scatterlist *sgl, int nents,
		       enum dma_data_direction dir, unsigned long attrs)
{
	return -EIO;
}

static int support_no_mask(struct device *dev, u64 mask)
{
	return 0;
}

PVI_COMPAT_MAPPING(map_nothing, unmap_nothing, map_nothing, unmap_nothing)

/* What is not here, to allocate for one, the DMA API refuses by itself. */
static const struct dma_map_ops refuse_ops = {
	PVI_COMPAT_MAPPING_OPS(unmap_nothing, map_nothing, unmap_nothing),
	.map_sg = map_no_list,
	.dma_supported = support_no_mask,
};

void pvi_refuse(struct pci_dev *pdev)
{
	set_dma_ops(&pdev->dev, &refuse_ops);
}

bool pvi_is_refused(struct pci_dev *pdev)
{
	return pdev->dev.dma_ops == &refuse_ops;
}

static bool is_behind_any(struct pci_dev *pdev)
{
	struct pvi_viommu *v;
	u32 id;

	lockdep_assert_held(&pvi_lock);
	list_for_each_entry (v, &pvi_viommus, node) {
		if (pvi_may_be_endpoint(v, pdev, &id))
			return true;
	}
	return false;
}

/* False: a driver was bound meanwhile. */
static bool try_to_end(struct pci_dev *pdev)
{
	bool done = true;

	device_lock(&pdev->dev);
	mutex_lock(&pvi_lock);
	if (pvi_is_refused(pdev) && !is_behind_any(pdev)) {
		done = !pdev->dev.driver;
		if (done)
			set_dma_ops(&pdev->dev, NULL);
	}
	mutex_unlock(&pvi_lock);
	device_unlock(&pdev->dev);
	return done;
}

void pvi_refuse_no_more(void)
{
	struct pci_dev *pdev = NULL;

	for_each_pci_dev(pdev)
	{
		/* Others' locks may be held: that of the virtio-iommu's own function, if it goes.
		 */
		if (!pvi_is_refused(pdev))
			continue;
		/* A driver that does without DMA, so far, may be bound. */
		while (!try_to_end(pdev))
			device_release_driver(&pdev->dev);
	}
}
