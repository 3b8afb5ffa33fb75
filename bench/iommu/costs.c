// SPDX-License-Identifier: GPL-2.0-only
/*
 * What it costs to map and unmap a page for a device. A driver for any PCI function that is
 * given to it by driver_override; the function itself does nothing. A word written to
 *
 *     /sys/kernel/debug/iommu_costs/run
 *
 * makes BATCHES times BATCH_SIZE operations, and reading gives "NAME ops=N total=NS min=NS
 * median=NS max=NS", the times of one batch divided by its size. Where the clock counts
 * instructions, so do these. What a batch needs first and leaves behind is not in them.
 *
 *     none                     what reading the clock costs
 *     map, unmap               in the IOMMU API, a page each; unmap without the invalidation
 *     flush                    the invalidation of one page
 *     unmap-flush, both        unmap and its invalidation; all three
 *     dma-map, dma-unmap, dma  the same by the DMA API, as drivers do: what it does between
 *                              the two is up to its strategy
 */
#include <linux/debugfs.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/seq_file.h>
#include <linux/sort.h>
#include <linux/version.h>

#define BATCHES 64
/* Less than any queue of requests has room for. */
#define BATCH_SIZE 16
#define FIRST_IOVA 0x10000000ul

static struct costs {
	struct pci_dev *pdev;
	struct page *page;
	struct iommu_domain *domain; /* while an operation of the IOMMU API runs */
	dma_addr_t dma[BATCH_SIZE];
	struct dentry *dir;
	const char *name;
	u64 total, ns[BATCHES];
} costs;

static DEFINE_MUTEX(lock); /* costs: one run at a time, none while the device goes */

static unsigned long iova(unsigned int i)
{
	return FIRST_IOVA + i * PAGE_SIZE;
}

static int do_map(void)
{
	phys_addr_t at = page_to_phys(costs.page);
	int err = 0;

	for (unsigned int i = 0; i < BATCH_SIZE && !err; i++) {
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
		err = iommu_map(costs.domain, iova(i), at, PAGE_SIZE, IOMMU_READ | IOMMU_WRITE,
				GFP_KERNEL);
#else
		err = iommu_map(costs.domain, iova(i), at, PAGE_SIZE, IOMMU_READ | IOMMU_WRITE);
#endif
	}
	return err;
}

static struct iommu_iotlb_gather gather;

static int do_unmap(void)
{
	iommu_iotlb_gather_init(&gather);
	for (unsigned int i = 0; i < BATCH_SIZE; i++)
		if (iommu_unmap_fast(costs.domain, iova(i), PAGE_SIZE, &gather) != PAGE_SIZE)
			return -EIO;
	return 0;
}

static int do_sync(void)
{
	iommu_iotlb_sync(costs.domain, &gather);
	return 0;
}

static int do_flush(void)
{
	for (unsigned int i = 0; i < BATCH_SIZE; i++) {
		iommu_iotlb_gather_init(&gather);
		iommu_iotlb_gather_add_range(&gather, iova(i), PAGE_SIZE);
		gather.pgsize = PAGE_SIZE;
		iommu_iotlb_sync(costs.domain, &gather);
	}
	return 0;
}

static int do_unmap_flush(void)
{
	for (unsigned int i = 0; i < BATCH_SIZE; i++)
		if (iommu_unmap(costs.domain, iova(i), PAGE_SIZE) != PAGE_SIZE)
			return -EIO;
	return 0;
}

static int do_both(void)
{
	int err = do_map();

	return err ? err : do_unmap_flush();
}

static int do_dma_map(void)
{
	for (unsigned int i = 0; i < BATCH_SIZE; i++) {
		costs.dma[i] =
			dma_map_page(&costs.pdev->dev, costs.page, 0, PAGE_SIZE, DMA_BIDIRECTIONAL);
		if (dma_mapping_error(&costs.pdev->dev, costs.dma[i]))
			return -ENOMEM;
	}
	return 0;
}

static int do_dma_unmap(void)
{
	for (unsigned int i = 0; i < BATCH_SIZE; i++)
		dma_unmap_page(&costs.pdev->dev, costs.dma[i], PAGE_SIZE, DMA_BIDIRECTIONAL);
	return 0;
}

static int do_dma(void)
{
	int err = do_dma_map();

	return err ? err : do_dma_unmap();
}

static int do_none(void)
{
	return 0;
}

static const struct op {
	const char *name;
	bool api; /* needs a domain of its own */
	int (*before)(void), (*run)(void), (*after)(void);
} ops[] = {
	{"none", false, NULL, do_none, NULL},
	{"map", true, NULL, do_map, do_unmap_flush},
	{"unmap", true, do_map, do_unmap, do_sync},
	{"flush", true, NULL, do_flush, NULL},
	{"unmap-flush", true, do_map, do_unmap_flush, NULL},
	{"both", true, NULL, do_both, NULL},
	{"dma-map", false, NULL, do_dma_map, do_dma_unmap},
	{"dma-unmap", false, do_dma_map, do_dma_unmap, NULL},
	{"dma", false, NULL, do_dma, NULL},
};

static int run_batch(const struct op *op, u64 *ret_ns)
{
	u64 begin;
	int err = op->before ? op->before() : 0;

	if (err)
		return err;
	begin = ktime_get_ns();
	err = op->run();
	*ret_ns = ktime_get_ns() - begin;
	if (!err && op->after)
		err = op->after();
	return err;
}

static int compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/* The first batch, which allocates tables, is none of those that count. */
static int run_batches(const struct op *op)
{
	u64 first;
	int err = run_batch(op, &first);

	costs.total = 0;
	for (unsigned int i = 0; i < BATCHES && !err; i++) {
		err = run_batch(op, &costs.ns[i]);
		costs.total += costs.ns[i];
		cond_resched();
	}
	sort(costs.ns, BATCHES, sizeof(costs.ns[0]), compare, NULL);
	return err;
}

static int run_in_domain(const struct op *op)
{
	struct device *dev = &costs.pdev->dev;
	int err;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
	costs.domain = iommu_paging_domain_alloc(dev);
	if (IS_ERR(costs.domain))
		return PTR_ERR(costs.domain);
#else
	costs.domain = iommu_domain_alloc(dev->bus);
	if (!costs.domain)
		return -ENODEV;
#endif
	err = iommu_attach_device(costs.domain, dev);
	if (!err) {
		err = run_batches(op);
		iommu_detach_device(costs.domain, dev);
	}
	iommu_domain_free(costs.domain);
	return err;
}

static ssize_t run_write(struct file *file, const char __user *from, size_t len, loff_t *at)
{
	char word[32];
	int err = -EINVAL;

	if (len >= sizeof(word) || copy_from_user(word, from, len))
		return -EINVAL;
	word[len] = '\0';
	mutex_lock(&lock);
	for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++) {
		if (!sysfs_streq(word, ops[i].name))
			continue;
		costs.name = ops[i].name;
		err = !costs.pdev  ? -ENODEV
		      : ops[i].api ? run_in_domain(&ops[i])
				   : run_batches(&ops[i]);
	}
	mutex_unlock(&lock);
	return err ? err : len;
}

static int run_show(struct seq_file *out, void *unused)
{
	mutex_lock(&lock);
	if (costs.name)
		seq_printf(out, "%s ops=%u total=%llu min=%llu median=%llu max=%llu\n", costs.name,
			   BATCHES * BATCH_SIZE, costs.total, costs.ns[0] / BATCH_SIZE,
			   costs.ns[BATCHES / 2] / BATCH_SIZE, costs.ns[BATCHES - 1] / BATCH_SIZE);
	mutex_unlock(&lock);
	return 0;
}

static int run_open(struct inode *inode, struct file *file)
{
	return single_open(file, run_show, NULL);
}

static const struct file_operations run_ops = {
	.owner = THIS_MODULE,
	.open = run_open,
	.read = seq_read,
	.write = run_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static int costs_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	int err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));

	if (err)
		return err;
	mutex_lock(&lock);
	if (costs.pdev)
		err = -EBUSY;
	else
		costs.pdev = pdev;
	mutex_unlock(&lock);
	return err;
}

static void costs_remove(struct pci_dev *pdev)
{
	mutex_lock(&lock);
	costs.pdev = NULL;
	mutex_unlock(&lock);
}

static struct pci_driver costs_driver = {
	.name = "iommu_costs",
	.probe = costs_probe,
	.remove = costs_remove,
};

static int __init costs_init(void)
{
	int err = -ENOMEM;

	costs.page = alloc_page(GFP_KERNEL);
	if (!costs.page)
		return err;
	err = pci_register_driver(&costs_driver);
	if (err) {
		__free_page(costs.page);
		return err;
	}
	costs.dir = debugfs_create_dir("iommu_costs", NULL);
	debugfs_create_file("run", 0600, costs.dir, NULL, &run_ops);
	return 0;
}

static void __exit costs_exit(void)
{
	debugfs_remove_recursive(costs.dir);
	pci_unregister_driver(&costs_driver);
	__free_page(costs.page);
}

module_init(costs_init);
module_exit(costs_exit);
MODULE_DESCRIPTION("What it costs to map and unmap a page for a device");
MODULE_LICENSE("GPL");
