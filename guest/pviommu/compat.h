/* SPDX-License-Identifier: GPL-2.0-only */
/* Everything that differs between kernel versions. */
#ifndef PVIOMMU_COMPAT_H
#define PVIOMMU_COMPAT_H

#include <linux/version.h>
#include <linux/virtio_config.h>
#include <linux/dma-map-ops.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/shrinker.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#define pvi_compat_timer_sync timer_delete_sync
#else
#define pvi_compat_timer_sync del_timer_sync
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#define pvi_compat_from_timer timer_container_of
#else
#define pvi_compat_from_timer from_timer
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#define PVI_OP_ALLOC_PAGES alloc_pages_op
#else
#define PVI_OP_ALLOC_PAGES alloc_pages
#endif

/*
 * Since 6.10 a device remembers of a driver that set its mask under the kernel's own operations
 * that no mapping needs a sync. Those of ours may.
 */
static inline void pvi_compat_need_sync(struct device *dev)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
	dma_reset_need_sync(dev);
#endif
}

/* Of a virtio_driver. */
#ifdef CONFIG_PM
#define PVI_COMPAT_PM_OPS(on_freeze, on_restore) .freeze = on_freeze, .restore = on_restore
#else
#define PVI_COMPAT_PM_OPS(on_freeze, on_restore)
#endif

/*
 * The operations that map memory, and other devices' registers. PVI_COMPAT_MAPPING defines what
 * the kernel calls, from four functions of one form (the last two for registers); then
 * PVI_COMPAT_MAPPING_OPS stands in the dma_map_ops. Since 6.19 one operation does both.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
#define PVI_COMPAT_MAPPING(map, unmap, map_regs, unmap_regs)                                     \
	static dma_addr_t pvi_compat_map_phys(struct device *dev, phys_addr_t phys, size_t size, \
					      enum dma_data_direction dir, unsigned long attrs)  \
	{                                                                                        \
		if (attrs & DMA_ATTR_MMIO)                                                       \
			return map_regs(dev, phys, size, dir, attrs);                            \
		return map(dev, phys, size, dir, attrs);                                         \
	}                                                                                        \
	static void pvi_compat_unmap_phys(struct device *dev, dma_addr_t addr, size_t size,      \
					  enum dma_data_direction dir, unsigned long attrs)      \
	{                                                                                        \
		if (attrs & DMA_ATTR_MMIO)                                                       \
			unmap_regs(dev, addr, size, dir, attrs);                                 \
		else                                                                             \
			unmap(dev, addr, size, dir, attrs);                                      \
	}
#define PVI_COMPAT_MAPPING_OPS(unmap, map_regs, unmap_regs) \
	.map_phys = pvi_compat_map_phys, .unmap_phys = pvi_compat_unmap_phys
#else
#define PVI_COMPAT_MAPPING(map, unmap, map_regs, unmap_regs)                                    \
	static dma_addr_t pvi_compat_map_page(struct device *dev, struct page *page,            \
					      unsigned long offset, size_t size,                \
					      enum dma_data_direction dir, unsigned long attrs) \
	{                                                                                       \
		return map(dev, page_to_phys(page) + offset, size, dir, attrs);                 \
	}
#define PVI_COMPAT_MAPPING_OPS(unmap, map_regs, unmap_regs)                             \
	.map_page = pvi_compat_map_page, .unmap_page = unmap, .map_resource = map_regs, \
	.unmap_resource = unmap_regs
#endif

/* Gives memory back when the kernel asks. */
typedef unsigned long pvi_compat_shrink_fn(struct shrinker *s, struct shrink_control *sc);

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
struct pvi_compat_shrinker {
	struct shrinker *s;
};

/* The struct of @type that was given as @owner, of which the shrinker is @member. */
#define pvi_compat_shrinker_owner(ptr, type, member) ((type *)(ptr)->private_data)

static inline int pvi_compat_shrinker_add(struct pvi_compat_shrinker *cs,
					  pvi_compat_shrink_fn *count, pvi_compat_shrink_fn *scan,
					  void *owner, const char *name)
{
	cs->s = shrinker_alloc(0, "pviommu-%s", name);
	if (!cs->s)
		return -ENOMEM;
	cs->s->count_objects = count;
	cs->s->scan_objects = scan;
	cs->s->private_data = owner;
	shrinker_register(cs->s);
	return 0;
}

static inline void pvi_compat_shrinker_remove(struct pvi_compat_shrinker *cs)
{
	shrinker_free(cs->s);
}
#else
struct pvi_compat_shrinker {
	struct shrinker s;
};

#define pvi_compat_shrinker_owner(ptr, type, member) container_of(ptr, type, member.s)

static inline int pvi_compat_shrinker_add(struct pvi_compat_shrinker *cs,
					  pvi_compat_shrink_fn *count, pvi_compat_shrink_fn *scan,
					  void *owner, const char *name)
{
	cs->s.count_objects = count;
	cs->s.scan_objects = scan;
	cs->s.seeks = DEFAULT_SEEKS;
	return register_shrinker(&cs->s, "pviommu-%s", name);
}

static inline void pvi_compat_shrinker_remove(struct pvi_compat_shrinker *cs)
{
	unregister_shrinker(&cs->s);
}
#endif

/* Two queues: requests are polled for, events come with an interrupt. */
static inline int pvi_compat_find_vqs(struct virtio_device *vdev, struct virtqueue *vqs[2],
				      vq_callback_t *event_cb)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
	struct virtqueue_info info[2] = {{"request", NULL}, {"event", event_cb}};

	return virtio_find_vqs(vdev, 2, vqs, info, NULL);
#else
	vq_callback_t *callbacks[2] = {NULL, event_cb};
	const char *names[2] = {"request", "event"};

	return virtio_find_vqs(vdev, 2, vqs, callbacks, names, NULL);
#endif
}

/*
 * A kernel that reads the VIOT itself makes drivers of endpoints wait, without end, for
 * an IOMMU of that name. This one comes, and declines each of them: they go on to probe
 * with the DMA operations that they have, ours. Hence no IOMMU groups.
 */
#if IS_ENABLED(CONFIG_ACPI_VIOT)
static inline struct iommu_device *pvi_compat_decline(struct device *dev)
{
	return ERR_PTR(-ENODEV);
}

static const struct iommu_ops pvi_compat_iommu_ops = {
	.owner = THIS_MODULE,
	.probe_device = pvi_compat_decline,
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
	.pgsize_bitmap = PAGE_SIZE,
#endif
};

static inline int pvi_compat_iommu_add(struct iommu_device *d, struct virtio_device *vdev)
{
	int r = iommu_device_sysfs_add(d, &vdev->dev, NULL, "pviommu-%s", dev_name(&vdev->dev));

	if (r)
		return r;
	r = iommu_device_register(d, &pvi_compat_iommu_ops, vdev->dev.parent);
	if (r)
		iommu_device_sysfs_remove(d);
	return r;
}

static inline void pvi_compat_iommu_remove(struct iommu_device *d)
{
	iommu_device_unregister(d);
	iommu_device_sysfs_remove(d);
}
#else
static inline int pvi_compat_iommu_add(struct iommu_device *d, struct virtio_device *vdev)
{
	return 0;
}

static inline void pvi_compat_iommu_remove(struct iommu_device *d)
{
}
#endif

#endif
