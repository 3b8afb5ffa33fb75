// SPDX-License-Identifier: GPL-2.0-only
/*
 * A virtio-iommu that says more of its endpoints than any at hand, as pviommu.ko sees it: to PROBE
 * it answers what is given here.
 */
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/module.h>
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
	/* Where the next reply is to go, and how many bytes. */
	u8 *reply;
	u32 reply_size;
} probe;

/* pvi_batch_probe(batch, buffer, its size); probes come one after the other. */
static void note_buffer(struct pt_regs *regs)
{
	probe.reply = (u8 *)regs->si;
	probe.reply_size = (u32)regs->dx - TAIL_BYTES;
}

static void change_reply(struct pt_regs *regs)
{
	memset(probe.reply, 0, probe.reply_size);
	memcpy(probe.reply, probe.bytes, min(probe.size, probe.reply_size));
}

static struct mapper_request probes = {
	.adds = "pvi_batch_probe",
	.added = note_buffer,
	.answered = change_reply,
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
	if (!r)
		r = mapper_request_begin(&probes);
	if (r)
		kfree(probe.bytes);
	return r;
}

void mapper_probe_end(void)
{
	if (!properties)
		return;
	mapper_request_end(&probes);
	kfree(probe.bytes);
}
