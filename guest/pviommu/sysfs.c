// SPDX-License-Identifier: GPL-2.0-only
/* /sys/bus/pci/devices/BDF/pviommu/: the endpoint's strategy, and what it has cost. */
#include <linux/sysfs.h>

#include "pviommu.h"

static u64 sum(const struct pvi_endpoint *ep, size_t off)
{
	u64 total = 0;
	int cpu;

	for_each_possible_cpu(cpu) total +=
		READ_ONCE(*(u64 *)((void *)per_cpu_ptr(ep->counts.pcpu, cpu) + off));
	return total;
}

#define PERCPU_ATTR(name)                                                                        \
	static ssize_t name##_show(struct device *dev, struct device_attribute *attr, char *buf) \
	{                                                                                        \
		return sysfs_emit(buf, "%llu\n",                                                 \
				  sum(pvi_endpoint_of(dev),                                      \
				      offsetof(struct pvi_percpu_counts, name)));                \
	}                                                                                        \
	static DEVICE_ATTR_RO(name)

#define ATOMIC_ATTR(name)                                                                        \
	static ssize_t name##_show(struct device *dev, struct device_attribute *attr, char *buf) \
	{                                                                                        \
		return sysfs_emit(buf, "%lld\n",                                                 \
				  atomic64_read(&pvi_endpoint_of(dev)->counts.name));            \
	}                                                                                        \
	static DEVICE_ATTR_RO(name)

PERCPU_ATTR(dmas);
PERCPU_ATTR(reused_tx_small);
PERCPU_ATTR(reused_tx_large);
PERCPU_ATTR(reused_rx);
ATOMIC_ATTR(kicks);
ATOMIC_ATTR(maps);
ATOMIC_ATTR(unmaps);
ATOMIC_ATTR(requests);
ATOMIC_ATTR(faults);
ATOMIC_ATTR(mapped_pages);
ATOMIC_ATTR(fixed_pages);
ATOMIC_ATTR(peak_mapped_pages);
ATOMIC_ATTR(coherent_pages);
ATOMIC_ATTR(lost_pages);
ATOMIC_ATTR(bounce_fallbacks);

static ssize_t reused_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct pvi_endpoint *ep = pvi_endpoint_of(dev);

	return sysfs_emit(buf, "%llu\n",
			  sum(ep, offsetof(struct pvi_percpu_counts, reused_tx_small)) +
				  sum(ep, offsetof(struct pvi_percpu_counts, reused_tx_large)) +
				  sum(ep, offsetof(struct pvi_percpu_counts, reused_rx)));
}
static DEVICE_ATTR_RO(reused);

static ssize_t strategy_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", READ_ONCE(pvi_endpoint_of(dev)->strategy)->name);
}

/*
 * The device's lock keeps drivers from coming and going meanwhile. Not waited for:
 * who removes this file holds it, and waits for us.
 */
static ssize_t strategy_store(struct device *dev, struct device_attribute *attr, const char *buf,
			      size_t len)
{
	const struct pvi_strategy *s = pvi_strategy_find(buf);
	int r;

	if (!s)
		return -EINVAL;
	if (!device_trylock(dev))
		return -EBUSY;
	r = pvi_strategy_set(pvi_endpoint_of(dev), s);
	device_unlock(dev);
	return r ?: len;
}
static DEVICE_ATTR_RW(strategy);

/* Gives all mappings back that no DMA uses, whatever is written. */
static ssize_t reclaim_store(struct device *dev, struct device_attribute *attr, const char *buf,
			     size_t len)
{
	pvi_strategy_trim(pvi_endpoint_of(dev));
	return len;
}
static DEVICE_ATTR_WO(reclaim);

static struct attribute *attrs[] = {
	&dev_attr_strategy.attr,
	&dev_attr_reclaim.attr,
	&dev_attr_dmas.attr,
	&dev_attr_kicks.attr,
	&dev_attr_maps.attr,
	&dev_attr_unmaps.attr,
	&dev_attr_requests.attr,
	&dev_attr_reused.attr,
	&dev_attr_reused_tx_small.attr,
	&dev_attr_reused_tx_large.attr,
	&dev_attr_reused_rx.attr,
	&dev_attr_mapped_pages.attr,
	&dev_attr_fixed_pages.attr,
	&dev_attr_peak_mapped_pages.attr,
	&dev_attr_coherent_pages.attr,
	&dev_attr_lost_pages.attr,
	&dev_attr_bounce_fallbacks.attr,
	&dev_attr_faults.attr,
	NULL,
};

static const struct attribute_group group = {
	.name = "pviommu",
	.attrs = attrs,
};

int pvi_sysfs_add(struct pvi_endpoint *ep)
{
	return sysfs_create_group(&ep->pdev->dev.kobj, &group);
}

void pvi_sysfs_remove(struct pvi_endpoint *ep)
{
	sysfs_remove_group(&ep->pdev->dev.kobj, &group);
}
