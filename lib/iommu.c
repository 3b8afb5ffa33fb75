// SPDX-License-Identifier: BSD-2-Clause
/* The IOMMU as a whole: its life, resets and counters. */
#include "lib/priv.h"

#define DEFAULT_DOMAINS	    4096u
#define DEFAULT_MAPPINGS    ((uint64_t)1 << 20)
#define DEFAULT_TABLE_BYTES ((uint64_t)64 << 20)

static int check_config(const struct pvi_iommu_config *c)
{
	/* The table's pages are 4 KiB; larger granules just align more. */
	if (!c->ops || !c->ops->ram || (c->page_size_mask & PVI_PAGE_MASK))
		return -EINVAL;
	if (c->input_first > c->input_last || c->domain_first > c->domain_last)
		return -EINVAL;
	/* A field that starts at 1 and that the guest may not set is a trap, not a policy. */
	if (c->start_bypass && !c->allow_bypass)
		return -EINVAL;
	if (!c->ops->mmio != !c->ops->mmio_allowed)
		return -EINVAL;
	return 0;
}

PVI_EXPORT int pvi_iommu_new(const struct pvi_iommu_config *config, struct pvi_iommu **ret_iommu)
{
	struct pvi_iommu *iommu;
	int err = check_config(config);

	if (err)
		return err;
	iommu = pvi_zalloc(sizeof(*iommu));
	if (!iommu)
		return -ENOMEM;
	iommu->cfg = *config;
	iommu->ops = *config->ops;
	if (!iommu->cfg.page_size_mask)
		iommu->cfg.page_size_mask = ~PVI_PAGE_MASK;
	if (!iommu->cfg.max_domains)
		iommu->cfg.max_domains = DEFAULT_DOMAINS;
	if (!iommu->cfg.max_mappings)
		iommu->cfg.max_mappings = DEFAULT_MAPPINGS;
	if (!iommu->cfg.max_table_bytes)
		iommu->cfg.max_table_bytes = DEFAULT_TABLE_BYTES;
	iommu->page_mask = (iommu->cfg.page_size_mask & -iommu->cfg.page_size_mask) - 1;
	atomic_init(&iommu->bypass, config->start_bypass);
	err = pthread_mutex_init(&iommu->lock, NULL);
	if (err)
		goto free_iommu;
	err = pthread_mutex_init(&iommu->fault_lock, NULL);
	if (err)
		goto destroy_lock;
	*ret_iommu = iommu;
	return 0;

destroy_lock:
	pthread_mutex_destroy(&iommu->lock);
free_iommu:
	pvi_free(iommu);
	return -err;
}

PVI_EXPORT void pvi_iommu_free(struct pvi_iommu *iommu)
{
	if (!iommu)
		return;
	pthread_mutex_destroy(&iommu->fault_lock);
	pthread_mutex_destroy(&iommu->lock);
	pvi_free(iommu);
}

int pvi_iommu_flush(struct pvi_iommu *iommu)
{
	int err;

	pthread_mutex_lock(&iommu->lock);
	pvi_domain_flush(iommu);
	err = iommu->stuck ? -ETIMEDOUT : 0;
	iommu->stuck = false;
	pthread_mutex_unlock(&iommu->lock);
	return err;
}

bool pvi_iommu_removed(struct pvi_iommu *iommu, uint32_t id, uint64_t serial)
{
	struct pvi_domain *d;
	bool removed;

	pthread_mutex_lock(&iommu->lock);
	d = pvi_domain_find(iommu, id);
	/*
	 * It may be gone because its last endpoint was detached while that was stuck; then the
	 * id may have been given to another one since.
	 */
	removed = d && d->serial == serial && !d->stuck;
	pthread_mutex_unlock(&iommu->lock);
	return removed;
}

void pvi_iommu_set_bypass(struct pvi_iommu *iommu, bool on)
{
	pthread_mutex_lock(&iommu->lock);
	atomic_store(&iommu->bypass, on);
	for (unsigned int i = 0; !on && i < PVI_ENDPOINT_BUCKETS; i++)
		for (struct pvi_endpoint *ep = iommu->endpoints[i]; ep; ep = ep->next)
			(void)pvi_endpoint_drain(ep);
	pvi_backend_refresh_all(iommu);
	pthread_mutex_unlock(&iommu->lock);
}

void pvi_iommu_device_reset(struct pvi_iommu *iommu)
{
	pthread_mutex_lock(&iommu->lock);
	pvi_domain_detach_all(iommu);
	pthread_mutex_unlock(&iommu->lock);
	pvi_fault_forget(iommu);
}

PVI_EXPORT void pvi_iommu_system_reset(struct pvi_iommu *iommu)
{
	pthread_mutex_lock(&iommu->lock);
	atomic_store(&iommu->bypass, iommu->cfg.start_bypass);
	pvi_domain_detach_all(iommu);
	pthread_mutex_unlock(&iommu->lock);
	pvi_fault_forget(iommu);
}

/*
 * BYPASS_CONFIG is offered only where bypass is allowed. Without it (and without
 * BYPASS, which is never offered) the specification knows no bypass at all: an
 * endpoint that is not attached is blocked, which is what strict promises, the
 * ATTACH flag is one that the device does not recognise, and the field does not
 * exist. Offering it and then ignoring what the driver writes would let a driver
 * believe that its devices bypass translation.
 */
uint64_t pvi_iommu_features(const struct pvi_iommu *iommu)
{
	uint64_t f = 1u << PVI_F_INPUT_RANGE | 1u << PVI_F_DOMAIN_RANGE | 1u << PVI_F_MAP_UNMAP |
		     1u << PVI_F_PROBE;

	if (iommu->ops.mmio)
		f |= 1u << PVI_F_MMIO;
	return iommu->cfg.allow_bypass ? f | 1u << PVI_F_BYPASS_CONFIG : f;
}

PVI_EXPORT void pvi_iommu_get_stats(struct pvi_iommu *iommu, struct pvi_iommu_stats *ret_stats)
{
	struct pvi_iommu_stats s = {0};
	struct pvi_table_stats t;

	for (size_t i = 0; i < sizeof(s.requests) / sizeof(s.requests[0]); i++)
		s.requests[i] = pvi_counted(&iommu->requests[i]);
	s.refused = pvi_counted(&iommu->refused);
	s.kicks = pvi_counted(&iommu->kicks);
	s.malformed = pvi_counted(&iommu->malformed);
	s.faults_reported = pvi_counted(&iommu->faults_reported);
	s.faults_dropped = pvi_counted(&iommu->faults_dropped);
	s.bad_accesses = pvi_counted(&iommu->bad_accesses);

	pthread_mutex_lock(&iommu->lock);
	s.domains = iommu->nr_domains;
	for (unsigned int i = 0; i < PVI_DOMAIN_BUCKETS; i++) {
		for (struct pvi_domain *d = iommu->domains[i]; d; d = d->next) {
			if (!d->table)
				continue;
			pvi_table_stats(d->table, &t);
			s.mappings += t.mappings;
			s.table_bytes += t.table_bytes;
		}
	}
	pthread_mutex_unlock(&iommu->lock);
	*ret_stats = s;
}
