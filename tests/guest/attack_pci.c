// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver of the hostile device. In debugfs, pvi_attack/:
 *   run     reading makes all attacks under the endpoint's strategy, and gives the
 *           strategy, then CONTROL, ATTACK and REUSE lines
 *   matrix  the same for what the strategy may let through: MATRIX and REUSE lines
 *   stream  writing 1 maps a page and has the device write to it without end, 0 ends
 *           that; reading gives the counts of writes done and refused
 *   aim     see attack_aim.c
 * There is no shutdown handler: a stream goes on into a reboot, for a test of that.
 */
#include <linux/debugfs.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "pvi_attack.h"

static int run_show(struct seq_file *out, void *unused)
{
	return attack_show(out, attack_cases_run);
}

static int matrix_show(struct seq_file *out, void *unused)
{
	return attack_show(out, attack_matrix);
}

static int run_open(struct inode *inode, struct file *file)
{
	return single_open_size(file, run_show, inode->i_private, ATTACK_SHOW_BUFFER);
}

static const struct file_operations run_ops = {
	.owner = THIS_MODULE,
	.open = run_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

static int matrix_open(struct inode *inode, struct file *file)
{
	return single_open_size(file, matrix_show, inode->i_private, ATTACK_SHOW_BUFFER);
}

static const struct file_operations matrix_ops = {
	.owner = THIS_MODULE,
	.open = matrix_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

static int stream_start(struct attacker *a)
{
	struct device *dev = &a->pdev->dev;
	void *page;

	if (a->stream)
		return -EBUSY;
	page = (void *)get_zeroed_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	a->stream_addr = dma_map_single(dev, page, PAGE_SIZE, DMA_FROM_DEVICE);
	if (dma_mapping_error(dev, a->stream_addr)) {
		free_page((unsigned long)page);
		return -EIO;
	}
	a->stream = page;
	attack_dma(a, ATTACK_C_STREAM, a->stream_addr, 8);
	return 0;
}

static void stream_stop(struct attacker *a)
{
	if (!a->stream)
		return;
	iowrite32(ATTACK_C_STOP, a->regs + ATTACK_CMD);
	dma_unmap_single(&a->pdev->dev, a->stream_addr, PAGE_SIZE, DMA_FROM_DEVICE);
	free_page((unsigned long)a->stream);
	a->stream = NULL;
}

static ssize_t stream_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	struct attacker *a = ((struct seq_file *)file->private_data)->private;
	bool on;
	int r = kstrtobool_from_user(buf, len, &on);

	if (r)
		return r;
	mutex_lock(&a->lock);
	if (on)
		r = stream_start(a);
	else
		stream_stop(a);
	mutex_unlock(&a->lock);
	return r ?: len;
}

static int stream_show(struct seq_file *out, void *unused)
{
	struct attacker *a = out->private;

	mutex_lock(&a->lock);
	seq_printf(out, "STREAM %s done=%u refused=%u last=%llu\n", a->stream ? "on" : "off",
		   attack_reg(a, ATTACK_COUNT), attack_reg(a, ATTACK_REFUSED),
		   a->stream ? READ_ONCE(*(u64 *)a->stream) : 0);
	mutex_unlock(&a->lock);
	return 0;
}

static int stream_file_open(struct inode *inode, struct file *file)
{
	return single_open(file, stream_show, inode->i_private);
}

static const struct file_operations stream_ops = {
	.owner = THIS_MODULE,
	.open = stream_file_open,
	.read = seq_read,
	.write = stream_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static irqreturn_t interrupt(int irq, void *data)
{
	struct attacker *a = data;

	complete(&a->irq);
	return IRQ_HANDLED;
}

static int set_up(struct attacker *a)
{
	struct pci_dev *pdev = a->pdev;
	int r = pcim_enable_device(pdev);

	if (r)
		return r;
	r = pcim_iomap_regions(pdev, BIT(0), KBUILD_MODNAME);
	if (r)
		return r;
	a->regs = pcim_iomap_table(pdev)[0];
	if (attack_reg(a, ATTACK_ID) != ATTACK_MAGIC)
		return -ENODEV;
	r = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (r)
		return r;
	pci_set_master(pdev);
	r = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSIX);
	if (r < 0)
		return r;
	r = request_irq(pci_irq_vector(pdev, 0), interrupt, 0, KBUILD_MODNAME, a);
	if (r)
		pci_free_irq_vectors(pdev);
	return r;
}

static int attack_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct attacker *a = devm_kzalloc(&pdev->dev, sizeof(*a), GFP_KERNEL);
	int r;

	if (!a)
		return -ENOMEM;
	a->engine = &attack_hostile_engine;
	a->pdev = pdev;
	mutex_init(&a->lock);
	init_completion(&a->irq);
	r = set_up(a);
	if (r)
		return r;
	pci_set_drvdata(pdev, a);
	a->dir = debugfs_create_dir(KBUILD_MODNAME, NULL);
	debugfs_create_file("run", 0400, a->dir, a, &run_ops);
	debugfs_create_file("matrix", 0400, a->dir, a, &matrix_ops);
	debugfs_create_file("stream", 0600, a->dir, a, &stream_ops);
	attack_aim_add(a);
	return 0;
}

static void attack_remove(struct pci_dev *pdev)
{
	struct attacker *a = pci_get_drvdata(pdev);

	debugfs_remove(a->dir);
	attack_aim_remove(a);
	stream_stop(a);
	free_irq(pci_irq_vector(pdev, 0), a);
	pci_free_irq_vectors(pdev);
	pci_clear_master(pdev);
}

static const struct pci_device_id attack_ids[] = {
	{PCI_DEVICE(ATTACK_VENDOR, ATTACK_DEVICE)},
	{0},
};
MODULE_DEVICE_TABLE(pci, attack_ids);

struct pci_driver attack_hostile_driver = {
	.name = KBUILD_MODNAME,
	.id_table = attack_ids,
	.probe = attack_probe,
	.remove = attack_remove,
};
