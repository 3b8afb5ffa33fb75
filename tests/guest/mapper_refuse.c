// SPDX-License-Identifier: GPL-2.0-only
/*
 * A virtio-iommu that refuses requests, as pviommu.ko sees it: the request is made, and its answer,
 * whatever that is, becomes another one. No virtio-iommu at hand would refuse one that is right.
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/string.h>
#include "mapper.h"

static char *refuse;
module_param(refuse, charp, 0444);
MODULE_PARM_DESC(refuse, "as if the virtio-iommu refused every such request: attach, detach, map");

static const struct {
	const char *name, *adds;
} requests[] = {
	{"attach", "pvi_batch_attach"},
	{"detach", "pvi_batch_detach"},
	{"map", "pvi_batch_map"},
};

/* Who has just added one to a batch, and waits for that next. */
static struct task_struct *asking;

static int note_request(struct kprobe *p, struct pt_regs *regs)
{
	WRITE_ONCE(asking, current);
	return 0;
}

static int change_answer(struct kretprobe_instance *i, struct pt_regs *regs)
{
	if (cmpxchg(&asking, current, NULL) == current)
		regs_set_return_value(regs, -EINVAL);
	return 0;
}

static struct kprobe on_request = {.pre_handler = note_request};

static struct kretprobe on_wait = {
	.kp.symbol_name = "pvi_batch_wait",
	.handler = change_answer,
};

int mapper_refuse_begin(void)
{
	unsigned int i;
	int r;

	if (!refuse)
		return 0;
	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		if (!strcmp(refuse, requests[i].name))
			on_request.symbol_name = requests[i].adds;
	}
	if (!on_request.symbol_name)
		return -EINVAL;
	r = register_kretprobe(&on_wait);
	if (r)
		return r;
	r = register_kprobe(&on_request);
	if (r)
		unregister_kretprobe(&on_wait);
	return r;
}

void mapper_refuse_end(void)
{
	if (!refuse)
		return;
	unregister_kprobe(&on_request);
	unregister_kretprobe(&on_wait);
}
