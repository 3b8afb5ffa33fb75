// SPDX-License-Identifier: GPL-2.0-only
#include <linux/debugfs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "dma_api.h"

bool api_note(struct api *t, bool good, const char *what, const char *file, int line)
{
	if (!good && !t->why[0])
		snprintf(t->why, sizeof(t->why), "%s:%d: %s", kbasename(file), line, what);
	return good;
}

void api_bytes(struct api *t, void *to, size_t size)
{
	u32 x = ++t->seed * 0x9e3779b1u;
	u8 *byte = to;
	size_t i;

	for (i = 0; i < size; i++) {
		x = x * 1664525u + 1013904223u;
		byte[i] = x >> 24;
	}
}

void api_change(struct api *t, void *p, size_t size)
{
	api_bytes(t, p, size);
	memcpy(api_shadow(t, p), p, size);
}

void api_device_write(struct api *t, dma_addr_t addr, void *ret_data)
{
	u8 sector[ATTACK_SECTOR];

	api_bytes(t, sector, sizeof(sector));
	api_check(t, !attack_nvme_put(t->a, addr, sector));
	memcpy(ret_data, sector, sizeof(sector));
}

bool api_device_reads(struct api *t, dma_addr_t addr, const void *expect)
{
	u8 sector[ATTACK_SECTOR];

	return api_check(t, !attack_nvme_get(t->a, addr, sector)) &&
	       !memcmp(sector, expect, sizeof(sector));
}

/* ---- one case after the other ---- */

struct left {
	s64 mapped, coherent, faults;
};

static struct left look(struct api *t)
{
	attack_knob(t->a, "reclaim", "1");
	return (struct left){
		attack_counter(t->a, "mapped_pages") - attack_counter(t->a, "fixed_pages"),
		attack_counter(t->a, "coherent_pages"), attack_counter(t->a, "faults")};
}

static void run_case(struct api *t, const struct api_case *c)
{
	struct left before = look(t), after;

	t->why[0] = '\0';
	api_change(t, t->memory, API_BYTES);
	c->run(t);
	api_intact(t);
	after = look(t);
	api_check(t, after.mapped == before.mapped);
	api_check(t, after.coherent == before.coherent);
	api_check(t, after.faults == before.faults);
	if (t->why[0])
		seq_printf(t->out, "not ok - %s: %s: %s\n", t->strategy, c->name, t->why);
	else
		seq_printf(t->out, "ok - %s: %s\n", t->strategy, c->name);
}

void api_run(struct api *t, const struct api_case *cases, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		run_case(t, &cases[i]);
		cond_resched();
	}
}

static void api_all_run(struct api *t)
{
	api_stream_run(t);
	api_list_run(t);
	api_alloc_run(t);
	api_limits_run(t);
	api_cpus_run(t);
}

/* ---- the file ---- */

static int api_show(struct seq_file *out, void *unused)
{
	struct api *t = out->private;
	int r = -ENOMEM;

	mutex_lock(&t->a->lock);
	t->out = out;
	t->memory = alloc_pages_exact(API_BYTES, GFP_KERNEL);
	t->expect = vmalloc(API_BYTES);
	if (t->memory && t->expect) {
		attack_text(t->a, "strategy", t->strategy, sizeof(t->strategy));
		t->none = !strcmp(t->strategy, "none");
		t->copies = !strcmp(t->strategy, "bounce");
		t->run(t);
		r = 0;
	}
	vfree(t->expect);
	if (t->memory)
		free_pages_exact(t->memory, API_BYTES);
	mutex_unlock(&t->a->lock);
	return r;
}

static int open_to_run(struct attacker *a, struct file *file, void (*run)(struct api *t))
{
	struct api *t = kzalloc(sizeof(*t), GFP_KERNEL);
	int r;

	if (!t)
		return -ENOMEM;
	t->run = run;
	t->a = a;
	t->dev = &a->pdev->dev;
	r = single_open_size(file, api_show, t, ATTACK_SHOW_BUFFER);
	if (r)
		kfree(t);
	return r;
}

static int api_open(struct inode *inode, struct file *file)
{
	return open_to_run(inode->i_private, file, api_all_run);
}

static int nomem_open(struct inode *inode, struct file *file)
{
	return open_to_run(inode->i_private, file, api_nomem_run);
}

static int api_release(struct inode *inode, struct file *file)
{
	kfree(((struct seq_file *)file->private_data)->private);
	return single_release(inode, file);
}

static int api_do_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct api *t = ((struct seq_file *)file->private_data)->private;

	return t->mmap.map ? t->mmap.map(t->dev, vma, &t->mmap) : -ENODEV;
}

static const struct file_operations api_ops = {
	.owner = THIS_MODULE,
	.open = api_open,
	.read = seq_read,
	.mmap = api_do_mmap,
	.llseek = seq_lseek,
	.release = api_release,
};

static const struct file_operations nomem_ops = {
	.owner = THIS_MODULE,
	.open = nomem_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = api_release,
};

/* Unsafe, for those that debugfs makes safe have no mmap: not to be open when the driver goes. */
void attack_api_add(struct attacker *a)
{
	debugfs_create_file_unsafe("api", 0600, a->dir, a, &api_ops);
	debugfs_create_file("nomem", 0400, a->dir, a, &nomem_ops);
}
