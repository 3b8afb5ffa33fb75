/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside pvi_mapper.ko. */
#ifndef MAPPER_H
#define MAPPER_H

#include <linux/kprobes.h>
#include <linux/pm.h>

/* mapper_rescan.c, of a device that the module drives. */
extern const struct dev_pm_ops mapper_pm;

/* mapper_request.c: a kind of pviommu.ko's requests, and what is done about each. */
struct mapper_request {
	const char *adds;			/* the function that adds it to a batch */
	void (*added)(struct pt_regs *regs);	/* called with that one's arguments, or NULL */
	void (*answered)(struct pt_regs *regs); /* with what the wait for the batch returns */
	/* Its own: who has added one and has not waited yet. */
	struct task_struct *asking;
	struct kprobe on_add;
	struct kretprobe on_wait;
};

int mapper_request_begin(struct mapper_request *m);
void mapper_request_end(struct mapper_request *m);

/* By the module's parameters, from its load to its end: 0 or -errno. */
int mapper_group_begin(void);
void mapper_group_end(void);
int mapper_probe_begin(void);
void mapper_probe_end(void);
int mapper_slow_begin(void);
void mapper_slow_end(void);
int mapper_refuse_begin(void);
void mapper_refuse_end(void);

#endif
