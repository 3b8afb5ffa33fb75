// SPDX-License-Identifier: BSD-2-Clause
/* Endpoints: what does DMA, and whether it may. */
#include "lib/priv.h"

static struct pvi_endpoint **bucket(struct pvi_iommu *iommu, uint32_t id)
{
	return &iommu->endpoints[id % PVI_ENDPOINT_BUCKETS];
}

struct pvi_endpoint *pvi_endpoint_find(struct pvi_iommu *iommu, uint32_t id)
{
	struct pvi_endpoint *ep = *bucket(iommu, id);

	while (ep && ep->id != id)
		ep = ep->next;
	return ep;
}

static int copy_reserved(struct pvi_endpoint *ep, const struct pvi_endpoint_config *config)
{
	size_t msi = 0;

	if (config->nr_reserved > PVI_MAX_RESERVED)
		return -EINVAL;
	for (size_t i = 0; i < config->nr_reserved; i++) {
		struct pvi_range r = {config->reserved[i].first, config->reserved[i].last};

		if (!pvi_range_valid(r))
			return -EINVAL;
		msi += config->reserved[i].msi;
		/* 5.13.6.8.1: none overlap, and at most one is for MSIs. */
		for (size_t j = 0; j < i; j++)
			if (pvi_range_overlaps(r, (struct pvi_range){ep->reserved[j].first,
								     ep->reserved[j].last}))
				return -EINVAL;
		ep->reserved[i] = config->reserved[i];
	}
	ep->nr_reserved = config->nr_reserved;
	return msi > 1 ? -EINVAL : 0;
}

PVI_EXPORT int pvi_endpoint_add(struct pvi_iommu *iommu, uint32_t id,
				const struct pvi_endpoint_config *config,
				struct pvi_endpoint **ret_endpoint)
{
	struct pvi_endpoint *ep = pvi_zalloc(sizeof(*ep)), **head = bucket(iommu, id);
	int err;

	if (!ep)
		return -ENOMEM;
	ep->iommu = iommu;
	ep->id = id;
	atomic_init(&ep->dma_on, config->dma_on);
	ep->backend = config->backend;
	err = copy_reserved(ep, config);
	if (!err && ep->backend)
		err = pvi_backend_reserve(ep->backend, ep);
	if (err)
		goto free_ep;
	err = pvi_gate_init(&ep->gate);
	if (err)
		goto free_ep;

	pthread_mutex_lock(&iommu->lock);
	if (pvi_endpoint_find(iommu, id)) {
		err = -EEXIST;
	} else if (ep->backend && ep->backend->broken) {
		err = -EIO;
	} else {
		ep->next = *head;
		*head = ep;
	}
	pthread_mutex_unlock(&iommu->lock);
	if (err)
		goto done_gate;
	*ret_endpoint = ep;
	return 0;

done_gate:
	pvi_gate_done(&ep->gate);
free_ep:
	pvi_free(ep);
	return err;
}

PVI_EXPORT void pvi_endpoint_remove(struct pvi_endpoint *endpoint)
{
	struct pvi_iommu *iommu;
	struct pvi_endpoint **p;

	if (!endpoint)
		return;
	iommu = endpoint->iommu;
	atomic_store(&endpoint->dma_on, false);
	pthread_mutex_lock(&iommu->lock);
	(void)pvi_domain_detach(endpoint);
	pvi_domain_settle(endpoint);
	for (p = bucket(iommu, endpoint->id); *p != endpoint; p = &(*p)->next)
		;
	*p = endpoint->next;
	pthread_mutex_unlock(&iommu->lock);
	pvi_gate_done(&endpoint->gate);
	pvi_free(endpoint);
}

void pvi_endpoint_fail(struct pvi_endpoint *endpoint)
{
	struct pvi_iommu *iommu = endpoint->iommu;

	if (endpoint->failed)
		return;
	endpoint->failed = true;
	atomic_store(&endpoint->dma_on, false);
	if (iommu->ops.failed)
		iommu->ops.failed(iommu->cfg.ctx, endpoint->id);
}

int pvi_endpoint_drain(struct pvi_endpoint *endpoint)
{
	struct pvi_iommu *iommu = endpoint->iommu;
	/* One that is stuck was waited for once; from then on we only look. */
	unsigned int timeout_ms = endpoint->failed ? 1 : iommu->cfg.dma_timeout_ms;

	if (pvi_gate_synchronize_for(&endpoint->gate, timeout_ms)) {
		pvi_endpoint_fail(endpoint);
		iommu->stuck = true;
		return -ETIMEDOUT;
	}
	pvi_domain_settle(endpoint);
	return 0;
}

/* iommu->lock held. */
static int switch_on(struct pvi_endpoint *ep)
{
	if (ep->failed) {
		if ((ep->backend && ep->backend->broken) || pvi_endpoint_drain(ep))
			return -EBUSY;
		ep->failed = false;
	}
	atomic_store(&ep->dma_on, true);
	return 0;
}

PVI_EXPORT int pvi_endpoint_set_dma(struct pvi_endpoint *endpoint, bool on)
{
	struct pvi_iommu *iommu = endpoint->iommu;
	int err;

	pthread_mutex_lock(&iommu->lock);
	if (on) {
		err = switch_on(endpoint);
	} else {
		atomic_store(&endpoint->dma_on, false);
		err = pvi_endpoint_drain(endpoint);
	}
	pthread_mutex_unlock(&iommu->lock);
	return err;
}

PVI_EXPORT void pvi_endpoint_get_stats(struct pvi_endpoint *endpoint,
				       struct pvi_endpoint_stats *ret_stats)
{
	struct pvi_endpoint_stats s = {
		.dma_reads = pvi_counted(&endpoint->dma_reads),
		.dma_writes = pvi_counted(&endpoint->dma_writes),
		.dma_read_bytes = pvi_counted(&endpoint->dma_read_bytes),
		.dma_write_bytes = pvi_counted(&endpoint->dma_write_bytes),
		.faults = pvi_counted(&endpoint->faults),
		.blocked = pvi_counted(&endpoint->blocked),
	};
	struct pvi_table_stats t;
	struct pvi_domain *d;

	pthread_mutex_lock(&endpoint->iommu->lock);
	d = atomic_load_explicit(&endpoint->domain, memory_order_relaxed);
	s.attached = d;
	s.failed = endpoint->failed;
	s.bypass = d ? d->bypass : atomic_load(&endpoint->iommu->bypass);
	if (d && d->table) {
		pvi_table_stats(d->table, &t);
		s.mapped_pages = t.pages;
	}
	pthread_mutex_unlock(&endpoint->iommu->lock);
	*ret_stats = s;
}
