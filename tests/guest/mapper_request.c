// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests of pviommu.ko, between their being added to a batch and the answer: the one who has
 * just added one is the next to return from a wait, if it is that batch's.
 */
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/sched.h>
#include "mapper.h"

static int note_request(struct kprobe *p, struct pt_regs *regs)
{
	struct mapper_request *m = container_of(p, struct mapper_request, on_add);

	if (m->added)
		m->added(regs);
	WRITE_ONCE(m->asking, current);
	return 0;
}

static int change_answer(struct kretprobe_instance *i, struct pt_regs *regs)
{
	struct mapper_request *m = container_of(get_kretprobe(i), struct mapper_request, on_wait);

	if (cmpxchg(&m->asking, current, NULL) == current)
		m->answered(regs);
	return 0;
}

int mapper_request_begin(struct mapper_request *m)
{
	int r;

	m->on_add = (struct kprobe){.symbol_name = m->adds, .pre_handler = note_request};
	m->on_wait = (struct kretprobe){
		.kp.symbol_name = "pvi_batch_wait",
		.handler = change_answer,
	};
	r = register_kretprobe(&m->on_wait);
	if (r)
		return r;
	r = register_kprobe(&m->on_add);
	if (r)
		unregister_kretprobe(&m->on_wait);
	return r;
}

void mapper_request_end(struct mapper_request *m)
{
	unregister_kprobe(&m->on_add);
	unregister_kretprobe(&m->on_wait);
}
