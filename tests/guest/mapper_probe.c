// SPDX-License-Identifier: GPL-2.0-only
/*
 * A virtio-iommu that says more of its endpoints than any at hand, as pviommu.ko sees it: to PROBE
 * it answers what is given here.
 */
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "mapper.h"

#define TAIL_BYTES 4u /* what the device writes behind the properties */

static char *properties;
module_param(properties, charp, 0444);
MODULE_PARM_DESC(properties, "of every endpoint, in hexadecimal, as PROBE's reply has them");

static struct {
	u8 *bytes;
	u32 size;
	/* Who waits for a reply next, to where, and how many bytes. */
	struct task_struct *asking;
	u8 *reply;
	u32 reply_size;
} probe;

/* pvi_batch_probe(batch, buffer, its size); probes come one after the other. */
static int note_probe(struct kprobe *p, struct pt_regs *regs)
{
	probe.reply = (u8 *)regs->si;
	probe.reply_size = (u32)regs->dx - TAIL_BYTES;
	WRITE_ONCE(probe.asking, current);
	return 0;
}

static int change_reply(struct kretprobe_instance *i, struct pt_regs *regs)
{
	if (cmpxchg(&probe.asking, current, NULL) != current)
		return 0;
	memset(probe.reply, 0, probe.reply_size);
	memcpy(probe.reply, probe.bytes, min(probe.size, probe.reply_size));
	return 0;
}

static struct kprobe on_probe = {
	.symbol_name = "pvi_batch_probe",
	.pre_handler = note_probe,
};

static struct kretprobe on_wait = {
	.kp.symbol_name = "pvi_batch_wait",
	.handler = change_reply,
};

static int take_properties(void)
{
	probe.size = strlen(properties) / 2;
	probe.bytes = kmalloc(probe.size, GFP_KERNEL);
	if (!probe.bytes)
		return -ENOMEM;
	return hex2bin(probe.bytes, properties, probe.size);
}

int mapper_probe_begin(void)
{
	int r;

	if (!properties)
		return 0;
	r = take_properties();
	if (r)
		goto free;
	r = register_kretprobe(&on_wait);
	if (r)
		goto free;
	r = register_kprobe(&on_probe);
	if (r)
		goto unregister;
	return 0;

unregister:
	unregister_kretprobe(&on_wait);
free:
	kfree(probe.bytes);
	return r;
}

void mapper_probe_end(void)
{
	if (!properties)
		return;
	unregister_kprobe(&on_probe);
	unregister_kretprobe(&on_wait);
	kfree(probe.bytes);
}
