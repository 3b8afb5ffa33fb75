// SPDX-License-Identifier: BSD-2-Clause
/*
 * The virtio-iommu device (VIRTIO 1.3, 5.13): register block, request queue and
 * event queue.
 *
 * A doorbell handles what the queue holds, at most its size, as one batch: the
 * used entries are written one by one, then everything that the batch removed is
 * waited for, and only then are the entries published together. An UNMAP whose
 * wait timed out is answered anew, with DEVERR, before that. EVENT_IDX is not
 * offered and kicks are never suppressed, so whatever a driver adds while a batch
 * runs comes with a doorbell of its own: no driver can keep one vCPU in here for
 * ever, and a kick is counted for each batch.
 */
#include <pviommu/viommu.h>

#include "core/virtio_pci.h"
#include "lib/priv.h"

#define QUEUE_SIZE 256

PVI_STATIC_ASSERT(PVI_VIOMMU_BAR_SIZE == PVI_VP_BAR_SIZE, "viommu.h");
PVI_STATIC_ASSERT(PVI_VIOMMU_CAPS_SIZE == PVI_VP_CAPS_SIZE, "viommu.h");

struct pvi_viommu {
	struct pvi_iommu *iommu;
	struct pvi_viommu_ops ops;
	void *ctx;
	struct pvi_vq_mem mem;

	/* Registers and queues. Outermost lock; DMA only ever tries to take it. */
	pthread_mutex_t lock;
	struct pvi_vp vp;
	struct pvi_vq_chain chain; /* the one being handled */
	struct pvi_reply reply;
	/* UNMAPs of the batch that were answered OK, until the flush. */
	struct {
		uint64_t status; /* guest-physical address of the answer */
		uint32_t domain;
		uint64_t serial;
	} removed[QUEUE_SIZE];
	unsigned int nr_removed;
};

static void publish(struct pvi_viommu *v, unsigned int q)
{
	bool notify = false;

	if (pvi_vq_publish(&v->vp.vq[q], &notify))
		pvi_vp_needs_reset(&v->vp);
	else if (notify)
		pvi_vp_queue_interrupt(&v->vp, q);
}

/* Where the first byte of the device-writable part is. */
static uint64_t first_in(const struct pvi_vq_chain *c)
{
	return c->seg[c->nr_out].addr;
}

/* An OK that is to be taken back if the flush times out. */
static void note_removal(struct pvi_viommu *v)
{
	const struct pvi_reply *r = &v->reply;

	if (!r->removed || r->data[0] != PVI_S_OK)
		return;
	v->removed[v->nr_removed].status = first_in(&v->chain);
	v->removed[v->nr_removed].domain = r->domain;
	v->removed[v->nr_removed].serial = r->serial;
	v->nr_removed++;
}

static void take_back(struct pvi_viommu *v)
{
	const uint8_t status = PVI_S_DEVERR;

	for (unsigned int i = 0; i < v->nr_removed; i++) {
		if (pvi_iommu_removed(v->iommu, v->removed[i].domain, v->removed[i].serial))
			continue;
		pvi_count_one(&v->iommu->refused);
		/* It could be written a moment ago, and RAM stays. */
		(void)pvi_gpa_write(v->iommu, v->removed[i].status, &status, 1);
	}
}

/* Handles v->chain; returns the used length. */
static uint32_t handle_request(struct pvi_viommu *v)
{
	struct pvi_vq *vq = &v->vp.vq[PVI_VQ_REQUEST];
	uint64_t len = v->chain.out_len < PVI_REQUEST_MAX ? v->chain.out_len : PVI_REQUEST_MAX;
	uint64_t features = v->vp.driver_features;
	uint8_t request[PVI_REQUEST_MAX];

	/* The one read of the request: what is checked is what is applied. */
	if (pvi_vq_copy_out(vq, &v->chain, 0, request, len)) {
		pvi_count_one(&v->iommu->malformed);
		return 0;
	}
	pvi_request_handle(v->iommu, features, request, len, v->chain.in_len, &v->reply);
	if (!v->reply.len)
		return 0;
	if (pvi_vq_copy_in(vq, &v->chain, v->reply.off, v->reply.data, v->reply.len)) {
		pvi_count_one(&v->iommu->malformed);
		return 0;
	}
	note_removal(v);
	return v->reply.off + v->reply.len;
}

static void handle_requests(struct pvi_viommu *v)
{
	struct pvi_vq *vq = &v->vp.vq[PVI_VQ_REQUEST];
	int r = 0;

	pvi_count_one(&v->iommu->kicks);
	v->nr_removed = 0;
	for (unsigned int n = 0; n < vq->cfg.size; n++) {
		r = pvi_vq_pop(vq, &v->chain);
		if (r <= 0)
			break;
		r = pvi_vq_push(vq, v->chain.head, handle_request(v));
		if (r)
			break;
	}
	if (pvi_iommu_flush(v->iommu))
		take_back(v);
	if (r < 0) {
		pvi_count_one(&v->iommu->malformed);
		pvi_vp_needs_reset(&v->vp);
		return;
	}
	publish(v, PVI_VQ_REQUEST);
}

static void write_event(struct pvi_viommu *v, const struct pvi_fault *fault)
{
	struct pvi_vq *vq = &v->vp.vq[PVI_VQ_EVENT];
	struct pvi_wire_fault w = {.reason = (uint8_t)fault->reason};
	uint32_t len = sizeof(w);

	pvi_put32(&w.flags,
		  PVI_FAULT_F_ADDRESS | (fault->write ? PVI_FAULT_F_WRITE : PVI_FAULT_F_READ));
	pvi_put32(&w.endpoint, fault->endpoint);
	pvi_put64(&w.address, fault->address);
	/* A report that does not fit is not split (5.13.6.9). */
	if (pvi_vq_copy_in(vq, &v->chain, 0, &w, sizeof(w))) {
		pvi_count_one(&v->iommu->malformed);
		pvi_count(&v->iommu->faults_dropped, 1);
		len = 0;
	} else {
		pvi_count_one(&v->iommu->faults_reported);
	}
	/* A broken queue shows at publish(). */
	(void)pvi_vq_push(vq, v->chain.head, len);
}

/* Faults to event buffers, as long as there are both. */
static void flush_events(struct pvi_viommu *v)
{
	struct pvi_vq *vq = &v->vp.vq[PVI_VQ_EVENT];
	struct pvi_fault fault;
	int r;

	if (!pvi_vp_running(&v->vp, PVI_VQ_EVENT))
		return;
	for (unsigned int n = 0; n < vq->cfg.size && pvi_fault_take(v->iommu, &fault); n++) {
		r = pvi_vq_pop(vq, &v->chain);
		if (r <= 0) {
			pvi_fault_put_back(v->iommu, &fault);
			break;
		}
		write_event(v, &fault);
	}
	publish(v, PVI_VQ_EVENT);
}

/*
 * A thread whose DMA was refused delivers the report itself if it gets the lock,
 * and never waits for it: whoever holds the lock looks again after unlocking. It
 * cannot miss the report. Queueing and looking are both done under fault_lock;
 * had the looking come first, the lock would have been free when the other tried.
 */
static void deliver_faults(struct pvi_viommu *v)
{
	while (pvi_fault_fresh(v->iommu) && !pthread_mutex_trylock(&v->lock)) {
		pvi_fault_seen(v->iommu);
		flush_events(v);
		pthread_mutex_unlock(&v->lock);
	}
}

static void on_fault(void *ctx)
{
	deliver_faults(ctx);
}

static void lock(struct pvi_viommu *v)
{
	pthread_mutex_lock(&v->lock);
}

static void unlock(struct pvi_viommu *v)
{
	atomic_store_explicit(&v->iommu->bad_accesses, v->vp.bad_accesses, memory_order_relaxed);
	pthread_mutex_unlock(&v->lock);
	deliver_faults(v);
}

/* ---- the transport's callbacks: v->lock held ---- */

static int vp_start(void *ctx)
{
	flush_events(ctx);
	return 0;
}

static void vp_reset(void *ctx)
{
	struct pvi_viommu *v = ctx;

	pvi_iommu_device_reset(v->iommu);
}

static void vp_notify(void *ctx, unsigned int q)
{
	if (q == PVI_VQ_REQUEST)
		handle_requests(ctx);
	else
		flush_events(ctx);
}

static void vp_config_read(void *ctx, uint32_t off, void *buf, uint32_t len)
{
	struct pvi_viommu *v = ctx;
	const struct pvi_iommu_config *c = &v->iommu->cfg;
	struct pvi_wire_config w = {0};

	pvi_put64(&w.page_size_mask, c->page_size_mask);
	pvi_put64(&w.input_start, c->input_first);
	pvi_put64(&w.input_end, c->input_last);
	pvi_put32(&w.domain_start, c->domain_first);
	pvi_put32(&w.domain_end, c->domain_last);
	pvi_put32(&w.probe_size, PVI_PROBE_SIZE);
	w.bypass = atomic_load(&v->iommu->bypass);
	memcpy(buf, (const uint8_t *)&w + off, len);
}

/* Only the bypass field, only if it was negotiated, only 0 or 1 (5.13.4). */
static void vp_config_write(void *ctx, uint32_t off, const void *buf, uint32_t len)
{
	struct pvi_viommu *v = ctx;
	uint8_t value = *(const uint8_t *)buf;

	if (off != offsetof(struct pvi_wire_config, bypass) || len != 1 || value > 1 ||
	    !pvi_vp_has(&v->vp, PVI_F_BYPASS_CONFIG)) {
		v->vp.bad_accesses++;
		return;
	}
	pvi_iommu_set_bypass(v->iommu, value);
}

static void vp_interrupt(void *ctx, uint16_t vector)
{
	struct pvi_viommu *v = ctx;

	v->ops.interrupt(v->ctx, vector);
}

static const struct pvi_vp_ops vp_ops = {
	.start = vp_start,
	.reset = vp_reset,
	.notify = vp_notify,
	.config_read = vp_config_read,
	.config_write = vp_config_write,
	.interrupt = vp_interrupt,
};

/* ---- the public interface ---- */

static int claim(struct pvi_iommu *iommu)
{
	int err = 0;

	pthread_mutex_lock(&iommu->lock);
	if (iommu->has_device)
		err = -EBUSY;
	iommu->has_device = true;
	pthread_mutex_unlock(&iommu->lock);
	return err;
}

PVI_EXPORT int pvi_viommu_new(struct pvi_iommu *iommu, const struct pvi_viommu_config *config,
			      struct pvi_viommu **ret_viommu)
{
	struct pvi_vp_config vp = {
		.ops = &vp_ops,
		.features = pvi_iommu_features(iommu) | 1ull << PVI_VIRTIO_F_INDIRECT_DESC,
		.nr_queues = PVI_NR_VQS,
		.nr_vectors = PVI_VIOMMU_VECTORS,
		.queue_size = QUEUE_SIZE,
		.config_size = sizeof(struct pvi_wire_config),
	};
	struct pvi_viommu *v;
	int err;

	if (!config->ops || !config->ops->interrupt)
		return -EINVAL;
	v = pvi_zalloc(sizeof(*v));
	if (!v)
		return -ENOMEM;
	err = -pthread_mutex_init(&v->lock, NULL);
	if (err)
		goto free_v;
	err = claim(iommu);
	if (err)
		goto destroy_lock;
	v->iommu = iommu;
	v->ops = *config->ops;
	v->ctx = config->ctx;
	v->mem = (struct pvi_vq_mem){pvi_gpa_read, pvi_gpa_write, iommu};
	vp.ctx = v;
	vp.mem = &v->mem;
	pvi_vp_init(&v->vp, &vp);
	pvi_fault_set_sink(iommu, &(struct pvi_fault_sink){on_fault, v});
	*ret_viommu = v;
	return 0;

destroy_lock:
	pthread_mutex_destroy(&v->lock);
free_v:
	pvi_free(v);
	return err;
}

PVI_EXPORT void pvi_viommu_free(struct pvi_viommu *viommu)
{
	if (!viommu)
		return;
	pvi_fault_set_sink(viommu->iommu, &(struct pvi_fault_sink){0});
	pvi_iommu_device_reset(viommu->iommu);
	pthread_mutex_lock(&viommu->iommu->lock);
	viommu->iommu->has_device = false;
	pthread_mutex_unlock(&viommu->iommu->lock);
	pthread_mutex_destroy(&viommu->lock);
	pvi_free(viommu);
}

PVI_EXPORT void pvi_viommu_bar_read(struct pvi_viommu *viommu, uint64_t off, void *buf,
				    uint32_t len)
{
	lock(viommu);
	pvi_vp_read(&viommu->vp, off, buf, len);
	unlock(viommu);
}

PVI_EXPORT void pvi_viommu_bar_write(struct pvi_viommu *viommu, uint64_t off, const void *buf,
				     uint32_t len)
{
	lock(viommu);
	pvi_vp_write(&viommu->vp, off, buf, len);
	unlock(viommu);
}

PVI_EXPORT void pvi_viommu_caps(struct pvi_viommu *viommu, uint8_t bar, uint8_t at, uint8_t next,
				uint8_t *buf)
{
	pvi_vp_caps(&viommu->vp.cfg, bar, at, next, buf);
}

PVI_EXPORT void pvi_viommu_window(struct pvi_viommu *viommu, uint8_t bar, uint8_t *cap, bool write)
{
	lock(viommu);
	pvi_vp_window(&viommu->vp, bar, cap, write);
	unlock(viommu);
}

PVI_EXPORT void pvi_viommu_system_reset(struct pvi_viommu *viommu)
{
	lock(viommu);
	/* In this order: else what is detached has the guest's bypass for a moment. */
	pvi_iommu_system_reset(viommu->iommu);
	pvi_vp_reset(&viommu->vp);
	unlock(viommu);
}
