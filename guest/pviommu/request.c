// SPDX-License-Identifier: GPL-2.0-only
/*
 * The request queue. Requests of one batch are added, kicked once, and polled for:
 * the DMA API is called in any context, so the waiter cannot sleep. The device may
 * be asynchronous (its doorbell an eventfd): nothing assumes that a request is done
 * when the kick returns.
 *
 * What the device writes to lives in slots that belong to the queue, not to the
 * waiter. After a time-out the queue is broken for good and its slots are never
 * used again, so a late reply lands in memory that nobody reads.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "pviommu.h"

/* Without indirect descriptors a request takes two: what is read and what is written. */
#define DESCS_PER_REQUEST 2u

int pvi_rq_init(struct pvi_rq *rq, struct virtqueue *vq)
{
	unsigned int n = virtqueue_get_vring_size(vq) / DESCS_PER_REQUEST;
	unsigned int i;

	if (!n)
		return -EINVAL;
	rq->slots = kcalloc(n, sizeof(*rq->slots), GFP_KERNEL);
	if (!rq->slots)
		return -ENOMEM;
	spin_lock_init(&rq->lock);
	rq->vq = vq;
	rq->free = NULL;
	rq->broken = false;
	rq->asleep = false;
	rq->nr_slots = n;
	for (i = 0; i < n; i++) {
		rq->slots[i].next_free = rq->free;
		rq->free = &rq->slots[i];
	}
	virtqueue_disable_cb(vq);
	return 0;
}

/* The virtio device has been reset: it writes nothing any more. */
void pvi_rq_done(struct pvi_rq *rq)
{
	kfree(rq->slots);
	rq->slots = NULL;
	rq->free = NULL;
}

void pvi_rq_sleep(struct pvi_rq *rq)
{
	unsigned long flags;

	spin_lock_irqsave(&rq->lock, flags);
	rq->asleep = true;
	rq->vq = NULL;
	spin_unlock_irqrestore(&rq->lock, flags);
}

int pvi_rq_wake(struct pvi_rq *rq, struct virtqueue *vq)
{
	unsigned long flags;

	if (virtqueue_get_vring_size(vq) / DESCS_PER_REQUEST < rq->nr_slots)
		return -EINVAL;
	virtqueue_disable_cb(vq);
	spin_lock_irqsave(&rq->lock, flags);
	rq->vq = vq;
	rq->asleep = false;
	spin_unlock_irqrestore(&rq->lock, flags);
	return 0;
}

void pvi_rq_break(struct pvi_rq *rq, const char *why)
{
	unsigned long flags;
	bool first;

	spin_lock_irqsave(&rq->lock, flags);
	first = !rq->broken;
	rq->broken = true;
	spin_unlock_irqrestore(&rq->lock, flags);
	if (first)
		pr_err("%s: %s; every mapping fails from now on\n",
		       dev_name(&container_of(rq, struct pvi_viommu, rq)->vdev->dev), why);
}

static int status_to_errno(u8 status)
{
	switch (status) {
	case PVI_S_OK:
		return 0;
	case PVI_S_UNSUPP:
		return -EOPNOTSUPP;
	case PVI_S_INVAL:
		return -EINVAL;
	case PVI_S_RANGE:
		return -ERANGE;
	case PVI_S_NOENT:
		return -ENOENT;
	case PVI_S_FAULT:
		return -EFAULT;
	case PVI_S_NOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

/*
 * The first of its kind counts. Whoever adds to a batch and whoever drains the queue come here
 * at the same time, and not under one lock: so an error is never overwritten by what is none.
 */
static void note_error(struct pvi_batch *b, u8 type, int err)
{
	int *at = type == PVI_T_UNMAP ? &b->unmap_err : &b->err;

	if (err && !READ_ONCE(*at))
		WRITE_ONCE(*at, err);
}

static void complete_slot(struct pvi_rq *rq, struct pvi_slot *s, u32 len)
{
	struct pvi_batch *b = s->batch;
	const struct pvi_wire_tail *tail;
	int err = -EIO; /* a used length that misses the tail: the device knows no such request */

	lockdep_assert_held(&rq->lock);
	if (len >= s->reply_len) {
		tail = s->reply + s->reply_len - sizeof(*tail);
		err = status_to_errno(READ_ONCE(tail->status));
	}
	note_error(b, s->req[0], err);
	if (err && err != -ENOMEM)
		pr_warn_ratelimited("request %u for endpoint %#x failed: %d\n", s->req[0],
				    b->ep->id, err);
	s->batch = NULL;
	s->next_free = rq->free;
	rq->free = s;
	/* The waiter may return, and its batch be gone, once it sees 0. */
	smp_store_release(&b->pending, b->pending - 1);
}

static void drain(struct pvi_rq *rq)
{
	struct pvi_slot *s;
	u32 len;

	lockdep_assert_held(&rq->lock);
	if (rq->broken || rq->asleep)
		return;
	while ((s = virtqueue_get_buf(rq->vq, &len)))
		complete_slot(rq, s, len);
	if (virtqueue_is_broken(rq->vq))
		rq->broken = true;
}

void pvi_batch_init(struct pvi_batch *b, struct pvi_endpoint *ep)
{
	b->ep = ep;
	b->pending = 0;
	b->err = 0;
	b->unmap_err = 0;
}

/*
 * Tells the device, if it must be told; not under the lock, for that is an exit. With
 * interrupts off from the decision on: once it is taken, whoever adds requests later
 * relies on us to tell. Were that an interrupt's handler on this CPU, it would wait
 * for ever.
 */
static void kick(struct pvi_batch *b)
{
	struct pvi_rq *rq = &b->ep->viommu->rq;
	struct virtqueue *vq;
	unsigned long flags;
	bool tell;

	local_irq_save(flags);
	spin_lock(&rq->lock);
	vq = rq->vq;
	tell = !rq->broken && !rq->asleep && virtqueue_kick_prepare(vq);
	spin_unlock(&rq->lock);
	if (tell) {
		atomic64_inc(&b->ep->counts.kicks);
		virtqueue_notify(vq);
	}
	local_irq_restore(flags);
}

static u64 deadline_from_now(void)
{
	return ktime_get_mono_fast_ns() + (u64)pvi_request_timeout_ms * NSEC_PER_MSEC;
}

/* Asked before the queue is looked at: a CPU that stood still is not the device's fault. */
static bool is_over(u64 deadline)
{
	return ktime_get_mono_fast_ns() > deadline;
}

static void break_late(struct pvi_rq *rq)
{
	pvi_rq_break(rq, "no answer to a request in time");
}

/* What is to be sent, and where the reply goes: the slot's tail when NULL. */
struct message {
	const void *req;
	u32 len;
	void *reply;
	u32 reply_len;
};

static int send(struct pvi_batch *b, const struct message *m)
{
	struct pvi_rq *rq = &b->ep->viommu->rq;
	struct scatterlist out, in, *sgs[2] = {&out, &in};
	struct pvi_slot *s = rq->free;
	int r;

	lockdep_assert_held(&rq->lock);
	memcpy(s->req, m->req, m->len);
	s->reply = m->reply ?: &s->tail;
	s->reply_len = m->reply ? m->reply_len : sizeof(s->tail);
	s->batch = b;
	sg_init_one(&out, s->req, m->len);
	sg_init_one(&in, s->reply, s->reply_len);
	r = virtqueue_add_sgs(rq->vq, sgs, 1, 1, s, GFP_ATOMIC);
	if (r)
		return r;
	rq->free = s->next_free;
	b->pending++;
	atomic64_inc(&b->ep->counts.requests);
	return 0;
}

/* -EAGAIN: the queue is full. */
static int try_send(struct pvi_batch *b, const struct message *m)
{
	struct pvi_rq *rq = &b->ep->viommu->rq;
	unsigned long flags;
	int r;

	spin_lock_irqsave(&rq->lock, flags);
	if (!rq->free)
		drain(rq);
	if (rq->broken || rq->asleep)
		r = -EIO;
	else
		r = rq->free ? send(b, m) : -EAGAIN;
	spin_unlock_irqrestore(&rq->lock, flags);
	return r;
}

/* True: it is in the queue. Waits for room, as long as pvi_batch_wait() does. */
static bool batch_add(struct pvi_batch *b, const struct message *m)
{
	const struct pvi_wire_head *head = m->req;
	u64 deadline = 0;
	bool late = false;
	int r;

	if (READ_ONCE(b->err) || READ_ONCE(b->unmap_err)) {
		/* What MAPs there are is undone anyway; of an UNMAP it must be known. */
		note_error(b, head->type, -ECANCELED);
		return false;
	}
	while ((r = try_send(b, m)) == -EAGAIN) {
		if (late)
			break_late(&b->ep->viommu->rq);
		kick(b); /* our own batch may be what fills it */
		deadline = deadline ?: deadline_from_now();
		cpu_relax();
		late = is_over(deadline);
	}
	note_error(b, head->type, r);
	return !r;
}

void pvi_batch_map(struct pvi_batch *b, struct pvi_range iova, u64 phys, u32 flags)
{
	struct pvi_wire_map req = {.head.type = PVI_T_MAP};

	pvi_put32(&req.domain, b->ep->domain);
	pvi_put64(&req.virt_start, iova.first);
	pvi_put64(&req.virt_end, iova.last);
	pvi_put64(&req.phys_start, phys);
	pvi_put32(&req.flags, flags);
	if (batch_add(b, &(struct message){&req, sizeof(req)}))
		atomic64_inc(&b->ep->counts.maps);
}

void pvi_batch_unmap(struct pvi_batch *b, struct pvi_range iova)
{
	struct pvi_wire_unmap req = {.head.type = PVI_T_UNMAP};

	pvi_put32(&req.domain, b->ep->domain);
	pvi_put64(&req.virt_start, iova.first);
	pvi_put64(&req.virt_end, iova.last);
	if (batch_add(b, &(struct message){&req, sizeof(req)}))
		atomic64_inc(&b->ep->counts.unmaps);
}

void pvi_batch_attach(struct pvi_batch *b, u32 domain, u32 flags)
{
	struct pvi_wire_attach req = {.head.type = PVI_T_ATTACH};

	pvi_put32(&req.domain, domain);
	pvi_put32(&req.endpoint, b->ep->id);
	pvi_put32(&req.flags, flags);
	batch_add(b, &(struct message){&req, sizeof(req)});
}

void pvi_batch_detach(struct pvi_batch *b)
{
	struct pvi_wire_detach req = {.head.type = PVI_T_DETACH};
	bool bypass = b->ep->strategy && b->ep->strategy->bypass;

	pvi_put32(&req.domain, bypass ? b->ep->bypass_domain : b->ep->domain);
	pvi_put32(&req.endpoint, b->ep->id);
	batch_add(b, &(struct message){&req, sizeof(req)});
}

void pvi_batch_probe(struct pvi_batch *b, void *buf, u32 len)
{
	struct pvi_wire_probe req = {.head.type = PVI_T_PROBE};

	pvi_put32(&req.endpoint, b->ep->id);
	batch_add(b, &(struct message){&req, sizeof(req), buf, len});
}

/* The queue is of no use any more: forget @b's requests, whose slots stay with the device. */
static void abandon(struct pvi_rq *rq, struct pvi_batch *b)
{
	lockdep_assert_held(&rq->lock);
	b->pending = 0;
	note_error(b, PVI_T_MAP, -EIO);
	note_error(b, PVI_T_UNMAP, -EIO);
}

int pvi_batch_wait(struct pvi_batch *b)
{
	struct pvi_rq *rq = &b->ep->viommu->rq;
	unsigned long flags;
	u64 deadline;
	bool late;

	if (smp_load_acquire(&b->pending))
		kick(b);
	deadline = deadline_from_now();
	/* Pairs with the release in complete_slot(): another CPU may have drained ours. */
	while (smp_load_acquire(&b->pending)) {
		late = is_over(deadline);
		spin_lock_irqsave(&rq->lock, flags);
		drain(rq);
		if (rq->broken || rq->asleep)
			abandon(rq, b);
		spin_unlock_irqrestore(&rq->lock, flags);
		if (late && smp_load_acquire(&b->pending))
			break_late(rq);
		cpu_relax();
	}
	return b->err ?: b->unmap_err;
}

bool pvi_requests_broken(struct pvi_endpoint *ep)
{
	return READ_ONCE(ep->viommu->rq.broken);
}
