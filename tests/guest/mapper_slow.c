// SPDX-License-Identifier: GPL-2.0-only
/*
 * A virtio-iommu that takes its time, as pviommu.ko sees it: the request queue's doorbell is rung
 * some time later, by a timer's interrupt, or never. The timer is the CPU's that waits for the
 * answer: there is none as long as that one has its interrupts off.
 */
#include <linux/hrtimer.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/version.h>
#include <linux/virtio.h>
#include <linux/virtio_ids.h>
#include "mapper.h"

static int slow_ms;
module_param(slow_ms, int, 0444);
MODULE_PARM_DESC(slow_ms, "how much later the virtio-iommu hears of requests; -1: never");

static struct hrtimer timer;
static struct virtqueue *queue;

static enum hrtimer_restart ring(struct hrtimer *t)
{
	virtqueue_notify(queue);
	return HRTIMER_NORESTART;
}

/* virtqueue_kick_prepare(queue): is it to be told? */
static int note_queue(struct kretprobe_instance *i, struct pt_regs *regs)
{
	*(struct virtqueue **)i->data = (struct virtqueue *)regs->di;
	return 0;
}

static int tell_later(struct kretprobe_instance *i, struct pt_regs *regs)
{
	struct virtqueue *vq = *(struct virtqueue **)i->data;

	if (vq->vdev->id.device != VIRTIO_ID_IOMMU || vq->index || !(u8)regs_return_value(regs))
		return 0;
	regs_set_return_value(regs, false);
	queue = vq;
	if (slow_ms > 0)
		hrtimer_start(&timer, ms_to_ktime(slow_ms), HRTIMER_MODE_REL_PINNED_HARD);
	return 0;
}

static struct kretprobe on_kick = {
	.kp.symbol_name = "virtqueue_kick_prepare",
	.data_size = sizeof(struct virtqueue *),
	.entry_handler = note_queue,
	.handler = tell_later,
};

int mapper_slow_begin(void)
{
	if (!slow_ms)
		return 0;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(&timer, ring, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
#else
	hrtimer_init(&timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	timer.function = ring;
#endif
	return register_kretprobe(&on_kick);
}

void mapper_slow_end(void)
{
	if (!slow_ms)
		return;
	unregister_kretprobe(&on_kick);
	hrtimer_cancel(&timer);
}
