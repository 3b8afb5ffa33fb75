// SPDX-License-Identifier: GPL-2.0-only
/* The event queue: what the virtio-iommu refused to an endpoint. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/rculist.h>

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

void pvi_events_interrupt(struct virtqueue *vq)
{
	struct pvi_viommu *v = vq->vdev->priv;
	struct pvi_wire_fault *f, copy;
	unsigned int budget = virtqueue_get_vring_size(vq);
	u32 len;

	/* One ring's worth: a device that faults for ever can't keep us here for ever. */
	while (budget-- && (f = virtqueue_get_buf(vq, &len))) {
		copy = *f;
		if (len >= sizeof(copy))
			report(v, &copy);
		if (post(v, f))
			break; /* broken queue: no more reports */
	}
	virtqueue_kick(vq);
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
