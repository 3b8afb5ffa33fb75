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
	d->id = id;
	d->bypass = bypass;
	d->next = *head;
	*head = d;
	iommu->nr_domains++;
	*ret = d;
	return 0;
}

void pvi_domain_free(struct pvi_iommu *iommu, struct pvi_domain *domain)
{
	struct pvi_domain **p = bucket(iommu, domain->id);

	/* No endpoint is attached and each was waited for: nobody reads the table. */
	while (*p != domain)
		p = &(*p)->next;
	*p = domain->next;
	iommu->nr_domains--;
	if (domain->dirty) {
		for (p = &iommu->dirty; *p != domain; p = &(*p)->next_dirty)
			;
		*p = domain->next_dirty;
	}
	pvi_table_free(domain->table);
	pvi_free(domain);
}

void pvi_domain_attach(struct pvi_domain *domain, struct pvi_endpoint *endpoint)
{
	endpoint->next_in_domain = domain->endpoints;
	domain->endpoints = endpoint;
	atomic_store_explicit(&endpoint->domain, domain, memory_order_release);
}

void pvi_domain_detach(struct pvi_endpoint *endpoint)
{
	struct pvi_domain *d = atomic_load_explicit(&endpoint->domain, memory_order_relaxed);
	struct pvi_endpoint **p;

	if (!d)
		return;
	for (p = &d->endpoints; *p != endpoint; p = &(*p)->next_in_domain)
		;
	*p = endpoint->next_in_domain;
	atomic_store_explicit(&endpoint->domain, NULL, memory_order_release);
	pvi_gate_synchronize(&endpoint->gate);
	if (!d->endpoints)
		pvi_domain_free(endpoint->iommu, d);
}

void pvi_domain_detach_all(struct pvi_iommu *iommu)
{
	for (unsigned int i = 0; i < PVI_ENDPOINT_BUCKETS; i++) {
		for (struct pvi_endpoint *ep = iommu->endpoints[i]; ep; ep = ep->next) {
			pvi_domain_detach(ep);
			/* Bypass of the unattached may have ended: wait for that too. */
			pvi_gate_synchronize(&ep->gate);
		}
	}
}

void pvi_domain_set_dirty(struct pvi_iommu *iommu, struct pvi_domain *domain)
{
	if (domain->dirty)
		return;
	domain->dirty = true;
	domain->next_dirty = iommu->dirty;
	iommu->dirty = domain;
}

void pvi_domain_flush(struct pvi_iommu *iommu)
{
	while (iommu->dirty) {
		struct pvi_domain *d = iommu->dirty;

		iommu->dirty = d->next_dirty;
		d->dirty = false;
		pvi_table_synchronize(d->table);
	}
}
