// SPDX-License-Identifier: BSD-2-Clause
/* Domains: made at the first ATTACH, gone at the last detach. */
#include "lib/priv.h"

static struct pvi_domain **bucket(struct pvi_iommu *iommu, uint32_t id)
{
	return &iommu->domains[id % PVI_DOMAIN_BUCKETS];
}

struct pvi_domain *pvi_domain_find(struct pvi_iommu *iommu, uint32_t id)
{
	struct pvi_domain *d = *bucket(iommu, id);

	while (d && d->id != id)
		d = d->next;
	return d;
}

int pvi_domain_new(struct pvi_iommu *iommu, uint32_t id, bool bypass, struct pvi_domain **ret)
{
	const struct pvi_table_caps caps = {
		.max_mappings = iommu->cfg.max_mappings,
		.max_table_bytes = iommu->cfg.max_table_bytes,
	};
	struct pvi_domain **head = bucket(iommu, id), *d;
	int err;

	if (iommu->nr_domains >= iommu->cfg.max_domains)
		return -ENOMEM;
	d = pvi_zalloc(sizeof(*d));
	if (!d)
		return -ENOMEM;
	if (!bypass) {
		err = pvi_table_new(&caps, &d->table);
		if (err) {
			pvi_free(d);
			return err;
		}
	}
	d->iommu = iommu;
	d->id = id;
	d->serial = iommu->next_serial++;
	d->bypass = bypass;
	d->next = *head;
	*head = d;
	iommu->nr_domains++;
	*ret = d;
	return 0;
}

static void destroy(struct pvi_domain *d)
{
	pvi_table_free(d->table);
	pvi_free(d);
}

void pvi_domain_free(struct pvi_iommu *iommu, struct pvi_domain *domain)
{
	struct pvi_domain **p = bucket(iommu, domain->id);

	while (*p != domain)
		p = &(*p)->next;
	*p = domain->next;
	iommu->nr_domains--;
	if (domain->dirty) {
		for (p = &iommu->dirty; *p != domain; p = &(*p)->next_dirty)
			;
		*p = domain->next_dirty;
	}
	domain->retired = true;
	/* No endpoint is attached and each was waited for: nobody reads the table. */
	if (!domain->in_limbo)
		destroy(domain);
}

/* From the list alone. */
static void unlink_endpoint(struct pvi_domain *d, struct pvi_endpoint *endpoint)
{
	struct pvi_endpoint **p;

	for (p = &d->endpoints; *p != endpoint; p = &(*p)->next_in_domain)
		;
	*p = endpoint->next_in_domain;
	atomic_store_explicit(&endpoint->domain, NULL, memory_order_release);
}

/* Software's half of a detach: DMA through the library. */
static int take_away(struct pvi_domain *d, struct pvi_endpoint *endpoint)
{
	int err;

	unlink_endpoint(d, endpoint);
	err = pvi_endpoint_drain(endpoint);
	if (err) {
		endpoint->limbo = d;
		d->in_limbo++;
	}
	return err;
}

int pvi_domain_attach(struct pvi_domain *domain, struct pvi_endpoint *endpoint)
{
	struct pvi_domain *old = atomic_load_explicit(&endpoint->domain, memory_order_relaxed);
	struct pvi_backend *b = endpoint->backend;
	int err;

	if (b && b->domain && b->domain != domain && b->attached > (old ? 1 : 0))
		return -EBUSY;
	err = b ? pvi_backend_join(b, domain) : 0;
	if (err)
		return err;
	if (old) {
		/* Waits for the endpoint's DMA: the old domain is out of reach. */
		err = take_away(old, endpoint);
		if (b)
			b->attached--;
		if (!old->endpoints)
			pvi_domain_free(endpoint->iommu, old);
	}
	if (err) {
		if (b)
			(void)pvi_backend_leave(b);
		return err;
	}
	endpoint->next_in_domain = domain->endpoints;
	domain->endpoints = endpoint;
	atomic_store_explicit(&endpoint->domain, domain, memory_order_release);
	return 0;
}

int pvi_domain_detach(struct pvi_endpoint *endpoint)
{
	struct pvi_domain *d = atomic_load_explicit(&endpoint->domain, memory_order_relaxed);
	int err, hw = 0;

	if (!d)
		return 0;
	err = take_away(d, endpoint);
	if (endpoint->backend)
		hw = pvi_backend_leave(endpoint->backend);
	if (!d->endpoints)
		pvi_domain_free(endpoint->iommu, d);
	return err ? err : hw;
}

void pvi_domain_detach_all(struct pvi_iommu *iommu)
{
	for (unsigned int i = 0; i < PVI_ENDPOINT_BUCKETS; i++) {
		for (struct pvi_endpoint *ep = iommu->endpoints[i]; ep; ep = ep->next) {
			(void)pvi_domain_detach(ep);
			/* Bypass of the unattached may have ended: wait for that too. */
			(void)pvi_endpoint_drain(ep);
		}
	}
	pvi_backend_refresh_all(iommu);
}

void pvi_domain_settle(struct pvi_endpoint *endpoint)
{
	struct pvi_domain *d = endpoint->limbo;

	if (!d)
		return;
	endpoint->limbo = NULL;
	if (!--d->in_limbo && d->retired)
		destroy(d);
}

static void set_dirty(struct pvi_iommu *iommu, struct pvi_domain *domain)
{
	if (domain->dirty)
		return;
	domain->dirty = true;
	domain->next_dirty = iommu->dirty;
	iommu->dirty = domain;
}

int pvi_domain_map(struct pvi_domain *domain, struct pvi_range virt, uint64_t phys,
		   unsigned int prot)
{
	uint64_t removed;
	int err = pvi_table_map(domain->table, virt, phys, prot);

	if (err)
		return err;
	err = pvi_backend_map(domain, virt, phys, prot);
	if (err) {
		(void)pvi_table_unmap(domain->table, virt, &removed);
		set_dirty(domain->iommu, domain);
	}
	return err;
}

int pvi_domain_unmap(struct pvi_domain *domain, struct pvi_range virt)
{
	uint64_t removed;
	int err = pvi_table_unmap(domain->table, virt, &removed);

	if (err)
		return err;
	/* An UNMAP that is tried again says OK only once what the first one removed is unused. */
	if (removed || domain->stuck || domain->in_limbo)
		set_dirty(domain->iommu, domain);
	return removed ? pvi_backend_unmap(domain, virt) : pvi_backend_check(domain);
}

/* Those who translate leave at once; those who still copy are the endpoints' transfers. */
static bool flush_one(struct pvi_domain *d)
{
	pvi_table_synchronize(d->table);
	d->stuck = d->in_limbo;
	for (struct pvi_endpoint *ep = d->endpoints; ep; ep = ep->next_in_domain)
		if (pvi_endpoint_drain(ep))
			d->stuck = true;
	return d->stuck;
}

void pvi_domain_flush(struct pvi_iommu *iommu)
{
	while (iommu->dirty) {
		struct pvi_domain *d = iommu->dirty;

		iommu->dirty = d->next_dirty;
		d->dirty = false;
		iommu->stuck |= flush_one(d);
	}
}
