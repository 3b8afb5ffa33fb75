// SPDX-License-Identifier: GPL-2.0-only
/* The DMA operations of streaming mappings: arguments, counts, then the strategy. */
#include "compat.h"
#include "dma_alloc.h"

static const struct pvi_strategy *strategy_of(struct pvi_endpoint *ep)
{
	return smp_load_acquire(&ep->strategy);
}

static __always_inline struct pvi_how how_of(struct pvi_endpoint *ep, struct device *dev,
					     enum dma_data_direction dir, unsigned long attrs)
{
	return (struct pvi_how){.prot = pvi_prot_of(dir),
				.skip_sync = attrs & DMA_ATTR_SKIP_CPU_SYNC,
				.limit = pvi_stream_limit(ep, dev)};
}

static struct pvi_how undo_how(enum dma_data_direction dir, unsigned long attrs)
{
	return (struct pvi_how){.prot = pvi_prot_of(dir),
				.skip_sync = attrs & DMA_ATTR_SKIP_CPU_SYNC};
}

/*
 * What DMA costs under shared and persistent is a hit and its end. Both are here as a whole,
 * without a call, and without an argument in memory; what else there is to do is a call at the end.
 */
static noinline dma_addr_t map_by_strategy(struct device *dev, phys_addr_t phys, size_t size,
					   enum dma_data_direction dir, unsigned long attrs)
{
	struct pvi_endpoint *ep = pvi_ops_endpoint(dev);
	struct pvi_how how = how_of(ep, dev, dir, attrs);
	dma_addr_t addr;

	if (!size)
		return DMA_MAPPING_ERROR;
	addr = strategy_of(ep)->map(ep, phys, size, &how);
	if (addr != DMA_MAPPING_ERROR)
		pvi_count_dma(ep, 1);
	return addr;
}

static __always_inline dma_addr_t map_phys(struct device *dev, phys_addr_t phys, size_t size,
					   enum dma_data_direction dir, unsigned long attrs)
{
	struct pvi_endpoint *ep = pvi_ops_endpoint(dev);
	struct pvi_cache *c = smp_load_acquire(&ep->hits);
	u32 prot = pvi_prot_of(dir);
	dma_addr_t addr;

	if (!c || !size)
		return map_by_strategy(dev, phys, size, dir, attrs);
	/* The bus and the virtio-iommu have their limits for good, a driver may lower its own. */
	addr = pvi_cache_hit(c, phys, size, prot, dma_get_mask(dev));
	if (addr == PVI_NO_ADDR)
		return map_by_strategy(dev, phys, size, dir, attrs);
	pvi_count_hit(ep, prot, size);
	pvi_count_dma(ep, 1);
	return addr;
}

static noinline void unmap_by_strategy(struct device *dev, dma_addr_t addr, size_t size,
				       enum dma_data_direction dir, unsigned long attrs)
{
	struct pvi_how how = undo_how(dir, attrs);

	pvi_strategy_unmap(pvi_ops_endpoint(dev), addr, size, &how);
}

static void unmap_phys(struct device *dev, dma_addr_t addr, size_t size,
		       enum dma_data_direction dir, unsigned long attrs)
{
	struct pvi_cache *c = smp_load_acquire(&pvi_ops_endpoint(dev)->hits);

	if (!c || !pvi_cache_unmap(c, addr))
		unmap_by_strategy(dev, addr, size, dir, attrs);
}

static int map_sg(struct device *dev, struct scatterlist *sgl, int nents,
		  enum dma_data_direction dir, unsigned long attrs)
{
	struct pvi_endpoint *ep = pvi_ops_endpoint(dev);
	struct pvi_how how = how_of(ep, dev, dir, attrs);
	struct scatterlist *sg;
	int i, r;

	/* An entry of nothing has no page to map, nor an address to find it by. */
	for_each_sg (sgl, sg, nents, i) {
		if (!sg->length)
			return -EINVAL;
	}
	how.boundary = (u64)dma_get_seg_boundary(dev) + 1;
	r = strategy_of(ep)->map_sg(ep, sgl, nents, &how);
	if (r)
		return r;
	pvi_count_dma(ep, nents);
	return nents;
}

static void unmap_sg(struct device *dev, struct scatterlist *sgl, int nents,
		     enum dma_data_direction dir, unsigned long attrs)
{
	struct pvi_how how = undo_how(dir, attrs);

	pvi_strategy_unmap_sg(pvi_ops_endpoint(dev), sgl, nents, &how);
}

/* x86 is coherent: only what is a copy has to be brought up to date. */
static void sync_for_cpu(struct device *dev, dma_addr_t addr, size_t size,
			 enum dma_data_direction dir)
{
	if (dir != DMA_TO_DEVICE)
		pvi_bounce_sync(pvi_ops_endpoint(dev), addr, size, false);
}

static void sync_for_device(struct device *dev, dma_addr_t addr, size_t size,
			    enum dma_data_direction dir)
{
	if (dir != DMA_FROM_DEVICE)
		pvi_bounce_sync(pvi_ops_endpoint(dev), addr, size, true);
}

static void sync_sg_for_cpu(struct device *dev, struct scatterlist *sgl, int nents,
			    enum dma_data_direction dir)
{
	struct scatterlist *sg;
	int i;

	for_each_sg (sgl, sg, nents, i)
		sync_for_cpu(dev, sg_dma_address(sg), sg_dma_len(sg), dir);
}

static void sync_sg_for_device(struct device *dev, struct scatterlist *sgl, int nents,
			       enum dma_data_direction dir)
{
	struct scatterlist *sg;
	int i;

	for_each_sg (sgl, sg, nents, i)
		sync_for_device(dev, sg_dma_address(sg), sg_dma_len(sg), dir);
}

/* Another device's registers: never cached, and MAPped as MMIO where the device knows that. */
static dma_addr_t map_resource(struct device *dev, phys_addr_t phys, size_t size,
			       enum dma_data_direction dir, unsigned long attrs)
{
	struct pvi_endpoint *ep = pvi_ops_endpoint(dev);
	u32 flags = pvi_prot_of(dir);
	dma_addr_t addr;

	if (virtio_has_feature(ep->viommu->vdev, PVI_F_MMIO))
		flags |= PVI_MMIO;
	addr = pvi_iova_map(ep, &ep->space, phys, size, flags, pvi_stream_limit(ep, dev));
	if (addr != DMA_MAPPING_ERROR)
		pvi_count_mapped(ep, pvi_span_pages(phys, size));
	return addr;
}

static void unmap_resource(struct device *dev, dma_addr_t addr, size_t size,
			   enum dma_data_direction dir, unsigned long attrs)
{
	struct pvi_endpoint *ep = pvi_ops_endpoint(dev);

	pvi_iova_unmap(ep, addr, size);
	pvi_count_mapped(ep, -(long)pvi_span_pages(addr, size));
}

/* IOVAs are ours to choose, so a mask need not cover RAM; 32 bits are enough for any. */
static int dma_supported(struct device *dev, u64 mask)
{
	struct pvi_endpoint *ep = pvi_ops_endpoint(dev);

	return mask >= DMA_BIT_MASK(32) && mask > ep->viommu->input.first;
}

static u64 required_mask(struct device *dev)
{
	return DMA_BIT_MASK(32);
}

/* A range is aligned to its size; of 32 bits, the lowest page and the MSI window are taken. */
static size_t max_mapping_size(struct device *dev)
{
	return 1u << 30;
}

/* The largest range that the IOVA allocator keeps in its per-CPU caches. */
static size_t opt_mapping_size(void)
{
	return PAGE_SIZE << 5;
}

PVI_COMPAT_MAPPING(map_phys, unmap_phys, map_resource, unmap_resource)

const struct dma_map_ops pvi_dma_ops = {
	.alloc = pvi_dma_alloc,
	.free = pvi_dma_free,
	.PVI_OP_ALLOC_PAGES = pvi_dma_alloc_pages,
	.free_pages = pvi_dma_free_pages,
	.mmap = pvi_dma_mmap,
	.get_sgtable = pvi_dma_get_sgtable,
	PVI_COMPAT_MAPPING_OPS(unmap_phys, map_resource, unmap_resource),
	.map_sg = map_sg,
	.unmap_sg = unmap_sg,
	.sync_single_for_cpu = sync_for_cpu,
	.sync_single_for_device = sync_for_device,
	.sync_sg_for_cpu = sync_sg_for_cpu,
	.sync_sg_for_device = sync_sg_for_device,
	.dma_supported = dma_supported,
	.get_required_mask = required_mask,
	.max_mapping_size = max_mapping_size,
	.opt_mapping_size = opt_mapping_size,
};
