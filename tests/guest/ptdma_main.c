// SPDX-License-Identifier: GPL-2.0-only
/* pvi_ptdma.ko: QEMU's edu as a DMA engine for ptdma.c, by ioctls on a file in debugfs. */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <xen/xen.h>
#include "ptdma_module.h"

static int pfn_is_ram(u64 pfn)
{
	return pfn_valid(pfn) ? 0 : -EINVAL;
}

static int dma(struct ptdma *p, struct ptdma_dma *d)
{
	if (d->offset > PTDMA_PAGE - PTDMA_BYTES)
		return -EINVAL;
	return pfn_is_ram(d->pfn) ?: ptdma_dma(p, d);
}

static int look(struct ptdma_page *l)
{
	int r = pfn_is_ram(l->pfn);

	if (!r)
		ptdma_look(l);
	return r;
}

/* The argument of each command is copied in and out whole. */
static int execute(struct ptdma *p, unsigned int command, void *argument)
{
	switch (command) {
	case PTDMA_TABLES:
		return ptdma_tables(argument);
	case PTDMA_DESCRIPTORS:
		return ptdma_descriptors(argument);
	case PTDMA_LOOK:
		return look(argument);
	case PTDMA_DMA:
		return dma(p, argument);
	case PTDMA_ANY:
		return ptdma_any(p, argument);
	case PTDMA_THIS:
		return ptdma_this(p, *(u64 *)argument);
	default:
		return -ENOTTY;
	}
}

static long file_ioctl(struct file *file, unsigned int command, unsigned long where)
{
	struct ptdma *p = file->private_data;
	unsigned int size = _IOC_SIZE(command);
	void *argument;
	int r;

	if (size > sizeof(struct ptdma_page))
		return -ENOTTY;
	argument = memdup_user((void __user *)where, size);
	if (IS_ERR(argument))
		return PTR_ERR(argument);
	mutex_lock(&p->lock);
	r = execute(p, command, argument);
	mutex_unlock(&p->lock);
	if (!r && copy_to_user((void __user *)where, argument, size))
		r = -EFAULT;
	kfree(argument);
	return r;
}

static int file_release(struct inode *inode, struct file *file)
{
	struct ptdma *p = file->private_data;

	mutex_lock(&p->lock);
	ptdma_free_pages(p);
	mutex_unlock(&p->lock);
	return 0;
}

static const struct file_operations file_ops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.release = file_release,
	.unlocked_ioctl = file_ioctl,
};

static int probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct ptdma *p = devm_kzalloc(&pdev->dev, sizeof(*p), GFP_KERNEL);
	int r;

	if (!p)
		return -ENOMEM;
	mutex_init(&p->lock);
	INIT_LIST_HEAD(&p->pages);
	r = pcim_enable_device(pdev);
	if (!r)
		r = pcim_iomap_regions(pdev, BIT(0), KBUILD_MODNAME);
	if (r)
		return r;
	p->regs = pcim_iomap_table(pdev)[0];
	p->own = alloc_page(GFP_KERNEL);
	if (!p->own)
		return -ENOMEM;
	pci_set_master(pdev);
	pci_set_drvdata(pdev, p);
	p->file = debugfs_create_file_unsafe("pvi_ptdma", 0600, NULL, p, &file_ops);
	return 0;
}

static void remove(struct pci_dev *pdev)
{
	struct ptdma *p = pci_get_drvdata(pdev);

	debugfs_remove(p->file);
	pci_clear_master(pdev);
	__free_page(p->own);
}

static const struct pci_device_id ids[] = {{PCI_DEVICE(0x1234, 0x11e8)}, {}};

static struct pci_driver driver = {
	.name = KBUILD_MODNAME,
	.id_table = ids,
	.probe = probe,
	.remove = remove,
};

static int __init ptdma_init(void)
{
	/* Machine addresses are what it tells the device. */
	return xen_pv_domain() ? pci_register_driver(&driver) : -ENODEV;
}

static void __exit ptdma_exit(void)
{
	pci_unregister_driver(&driver);
}

module_init(ptdma_init);
module_exit(ptdma_exit);
MODULE_DESCRIPTION("DMA to pages of a test's choice");
MODULE_AUTHOR("pviommu");
MODULE_LICENSE("GPL");
