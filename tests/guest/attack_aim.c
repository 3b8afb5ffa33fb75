// SPDX-License-Identifier: GPL-2.0-only
/*
 * One access of the device's to an address of the test's choice. In debugfs, beside the files of
 * the driver that has the device:
 *   aim  writing "read ADDRESS" has the device read there, and reading the file then gives what
 *        it has got, as "AIM read STATUS HEX"; writing "write ADDRESS" has it write 0xee.
 *        "window" maps a page, has the device use it, unmaps it: "AIM window ADDRESS" is where
 *        it was. "hidden" gives the guest-physical address of a page that no device was given.
 *        "own" maps a page for good: "AIM own ADDRESS".
 *        "kept" says of the pages of "hidden" and "window", "whole" or "changed".
 */
#include <linux/debugfs.h>
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "pvi_attack.h"

#define BLANK 0xb1

static void aim_read(struct attacker *a, u64 addr)
{
	u8 data[ATTACK_BYTES];
	u32 status;

	memset(data, BLANK, sizeof(data));
	attack_put_data(a, data);
	status = attack_dma(a, ATTACK_C_READ, addr, ATTACK_BYTES);
	attack_get_data(a, data);
	snprintf(a->aimed, sizeof(a->aimed), "read %u %*phN", status, 32, data);
}

static void aim_write(struct attacker *a, u64 addr)
{
	u8 data[ATTACK_BYTES];

	memset(data, 0xee, sizeof(data));
	attack_put_data(a, data);
	snprintf(a->aimed, sizeof(a->aimed), "write %u",
		 attack_dma(a, ATTACK_C_WRITE, addr, ATTACK_BYTES));
}

static u8 *aim_page(u8 **page)
{
	if (!*page)
		*page = (u8 *)__get_free_page(GFP_KERNEL);
	if (*page)
		attack_fill_secret(*page, PAGE_SIZE);
	return *page;
}

static bool aim_whole(u8 *page)
{
	unsigned int i;

	for (i = 0; page && i < PAGE_SIZE; i++)
		if (page[i] != (u8)(0x53 ^ (i * 7)))
			return false;
	return true;
}

/* Under a strategy that keeps mappings, none is kept: withdrawn is what this is about. */
static int aim_window(struct attacker *a)
{
	struct device *dev = &a->pdev->dev;
	u8 *page = aim_page(&a->withdrawn);
	dma_addr_t addr;
	u32 status;

	if (!page)
		return -ENOMEM;
	addr = dma_map_single(dev, page, PAGE_SIZE, DMA_BIDIRECTIONAL);
	if (dma_mapping_error(dev, addr))
		return -EIO;
	status = attack_dma(a, ATTACK_C_READ, addr, ATTACK_BYTES);
	dma_unmap_single(dev, addr, PAGE_SIZE, DMA_BIDIRECTIONAL);
	attack_knob(a, "reclaim", "1");
	snprintf(a->aimed, sizeof(a->aimed), "window %u %#llx", status, (u64)addr);
	return 0;
}

static int aim_hidden(struct attacker *a)
{
	u8 *page = aim_page(&a->hidden);

	if (!page)
		return -ENOMEM;
	snprintf(a->aimed, sizeof(a->aimed), "hidden %#llx", (u64)virt_to_phys(page));
	return 0;
}

static int aim_own(struct attacker *a)
{
	if (!a->own) {
		if (!aim_page(&a->own))
			return -ENOMEM;
		a->own_addr = dma_map_single(&a->pdev->dev, a->own, PAGE_SIZE, DMA_BIDIRECTIONAL);
		if (dma_mapping_error(&a->pdev->dev, a->own_addr))
			return -EIO;
	}
	snprintf(a->aimed, sizeof(a->aimed), "own %#llx", (u64)a->own_addr);
	return 0;
}

static int aim(struct attacker *a, const char *what)
{
	u64 addr;

	if (sscanf(what, "read %llx", &addr) == 1)
		aim_read(a, addr);
	else if (sscanf(what, "write %llx", &addr) == 1)
		aim_write(a, addr);
	else if (!strncmp(what, "window", 6))
		return aim_window(a);
	else if (!strncmp(what, "hidden", 6))
		return aim_hidden(a);
	else if (!strncmp(what, "own", 3))
		return aim_own(a);
	else if (!strncmp(what, "kept", 4))
		snprintf(a->aimed, sizeof(a->aimed), "kept %s %s",
			 aim_whole(a->hidden) ? "whole" : "changed",
			 aim_whole(a->withdrawn) ? "whole" : "changed");
	else
		return -EINVAL;
	return 0;
}

static ssize_t aim_write_file(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	struct attacker *a = ((struct seq_file *)file->private_data)->private;
	char what[64] = "";
	int r;

	if (len >= sizeof(what) || copy_from_user(what, buf, len))
		return -EINVAL;
	mutex_lock(&a->lock);
	r = aim(a, what);
	mutex_unlock(&a->lock);
	return r ?: len;
}

static int aim_show(struct seq_file *out, void *unused)
{
	struct attacker *a = out->private;

	mutex_lock(&a->lock);
	seq_printf(out, "AIM %s\n", a->aimed);
	mutex_unlock(&a->lock);
	return 0;
}

static int aim_open(struct inode *inode, struct file *file)
{
	return single_open(file, aim_show, inode->i_private);
}

static const struct file_operations aim_ops = {
	.owner = THIS_MODULE,
	.open = aim_open,
	.read = seq_read,
	.write = aim_write_file,
	.llseek = seq_lseek,
	.release = single_release,
};

void attack_aim_add(struct attacker *a)
{
	debugfs_create_file("aim", 0600, a->dir, a, &aim_ops);
}

void attack_aim_remove(struct attacker *a)
{
	free_page((unsigned long)a->hidden);
	free_page((unsigned long)a->withdrawn);
	if (a->own)
		dma_unmap_single(&a->pdev->dev, a->own_addr, PAGE_SIZE, DMA_BIDIRECTIONAL);
	free_page((unsigned long)a->own);
}
