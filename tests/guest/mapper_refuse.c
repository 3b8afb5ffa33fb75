// SPDX-License-Identifier: GPL-2.0-only
/*
 * A virtio-iommu that refuses DETACH, as pviommu.ko sees it: the request is made, and its answer,
 * whatever that is, becomes another one. No virtio-iommu at hand would refuse one that is right.
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/sched.h>
#include "mapper.h"

static bool refuse_detach;
module_param(refuse_detach, bool, 0444);
MODULE_PARM_DESC(refuse_detach, "as if the virtio-iommu refused every DETACH");

/* Who has just added a DETACH to a batch, and waits for that next. */
static struct task_struct *detaching;

static int note_detach(struct kprobe *p, struct pt_regs *regs)
{
	WRITE_ONCE(detaching, current);
	return 0;
}

static int change_answer(struct kretprobe_instance *i, struct pt_regs *regs)
{
	if (cmpxchg(&detaching, current, NULL) == current)
		regs_set_return_value(regs, -EINVAL);
	return 0;
}

static struct kprobe on_detach = {
	.symbol_name = "pvi_batch_detach",
	.pre_handler = note_detach,
};

static struct kretprobe on_wait = {
	.kp.symbol_name = "pvi_batch_wait",
	.handler = change_answer,
};

int mapper_refuse_begin(void)
{
	int r = refuse_detach ? register_kretprobe(&on_wait) : 0;

	if (r || !refuse_detach)
		return r;
	r = register_kprobe(&on_detach);
	if (r)
		unregister_kretprobe(&on_wait);
	return r;
}

void mapper_refuse_end(void)
{
	if (!refuse_detach)
		return;
	unregister_kprobe(&on_detach);
	unregister_kretprobe(&on_wait);
}
