// SPDX-License-Identifier: GPL-2.0-only
/*
 * The event queue: what the virtio-iommu refused to an endpoint. The interrupt only starts the
 * work, which takes a ring's worth of reports at a time: a device that faults for ever can keep
 * a worker busy, and nobody else.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/rculist.h>
#include <linux/virtio_config.h>

#include "pviommu.h"

static const char *reason_name(u8 reason)
{
	switch (reason) {
	case PVI_FAULT_R_DOMAIN:
		return "not attached to a domain";
	case PVI_FAULT_R_MAPPING:
		return "not mapped, or not with that right";
	default:
		return "unknown reason";
	}
}

static void report(struct pvi_viommu *v, const struct pvi_wire_fault *f)
{
	u32 id = pvi_get32(&f->endpoint), flags = pvi_get32(&f->flags);
	const char *what = flags & PVI_FAULT_F_WRITE  ? "write"
			   : flags & PVI_FAULT_F_READ ? "read"
						      : "access";
	struct pvi_endpoint *ep;
	const char *name = "unknown device";

	rcu_read_lock();
	list_for_each_entry_rcu(ep, &v->endpoints, node)
	{
		if (ep->id == id) {
			atomic64_inc(&ep->counts.faults);
			name = pci_name(ep->pdev);
			break;
		}
	}
	if (flags & PVI_FAULT_F_ADDRESS)
		pr_err_ratelimited("fault: %s (endpoint %#x): %s at %#llx refused: %s\n", name, id,
				   what, pvi_get64(&f->address), reason_name(f->reason));
	else
		pr_err_ratelimited("fault: %s (endpoint %#x): %s refused: %s\n", name, id, what,
				   reason_name(f->reason));
	rcu_read_unlock();
}

static int post(struct pvi_viommu *v, struct pvi_wire_fault *f)
{
	struct scatterlist sg;

	sg_init_one(&sg, f, sizeof(*f));
	return virtqueue_add_inbuf(v->event_vq, &sg, 1, f, GFP_ATOMIC);
}

/*
 * The queue is the work's, but for this: more interrupts than work are no use, and an early or a
 * late one does no harm, for the work looks again after it has asked for them.
 */
void pvi_events_interrupt(struct virtqueue *vq)
{
	struct pvi_viommu *v = vq->vdev->priv;

	virtqueue_disable_cb(vq);
	queue_work(system_wq, &v->event_work);
}

/* True: there may be more. */
static bool take_reports(struct pvi_viommu *v)
{
	struct virtqueue *vq = v->event_vq;
	unsigned int budget = v->nr_events;
	struct pvi_wire_fault *f, copy;
	u32 len;

	while (budget && (f = virtqueue_get_buf(vq, &len))) {
		budget--;
		copy = *f;
		if (len >= sizeof(copy))
			report(v, &copy);
		if (post(v, f))
			return false; /* broken queue: no more reports */
	}
	virtqueue_kick(vq);
	return !budget;
}

/*
 * It ends only when interrupts are on and nothing waits that came before they were: the device
 * says of what came then that it said so already, and would not do so again.
 */
static void event_work(struct work_struct *work)
{
	struct pvi_viommu *v = container_of(work, struct pvi_viommu, event_work);

	if (take_reports(v) || !virtqueue_enable_cb(v->event_vq))
		queue_work(system_wq, work);
}

void pvi_events_init(struct pvi_viommu *v)
{
	INIT_WORK(&v->event_work, event_work);
}

bool pvi_events_fill(struct pvi_viommu *v)
{
	unsigned int i;

	for (i = 0; i < v->nr_events; i++) {
		if (post(v, &v->events[i]))
			break;
	}
	return virtqueue_kick_prepare(v->event_vq);
}

/* An interrupt that came before the reset may still be about to start the work. */
void pvi_events_stop(struct pvi_viommu *v)
{
	virtio_synchronize_cbs(v->vdev);
	cancel_work_sync(&v->event_work);
}
