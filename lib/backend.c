// SPDX-License-Identifier: BSD-2-Clause
/*
 * Backends: hardware that holds a copy of a domain's mappings. Whatever fails on
 * the way is undone; hardware that does not even give up what it has is broken,
 * and its endpoints have failed.
 */
#include "lib/priv.h"

static void fail_endpoints(struct pvi_backend *b)
{
	b->broken = true;
	for (unsigned int i = 0; i < PVI_ENDPOINT_BUCKETS; i++)
		for (struct pvi_endpoint *ep = b->iommu->endpoints[i]; ep; ep = ep->next)
			if (ep->backend == b)
				pvi_endpoint_fail(ep);
}

static int unmap(struct pvi_backend *b, struct pvi_range r)
{
	if (!b->cfg.ops->unmap(b->cfg.ctx, r.first, r.last))
		return 0;
	fail_endpoints(b);
	return -EIO;
}

/* The guest can do something about these two; all else is the device's own trouble. */
static int for_guest(int err)
{
	return !err || err == -ENOMEM || err == -EFAULT ? err : -EIO;
}

static int map(struct pvi_backend *b, struct pvi_range virt, uint64_t phys, unsigned int prot)
{
	/* What grants nothing is nothing to hardware. */
	if (!(prot & (PVI_READ | PVI_WRITE)))
		return 0;
	return for_guest(
		b->cfg.ops->map(b->cfg.ctx, virt.first, phys, virt.last - virt.first + 1, prot));
}

static int replay(void *ctx, struct pvi_range virt, uint64_t target, unsigned int prot)
{
	return map(ctx, virt, target, prot);
}

static int set_identity(struct pvi_backend *b, bool on)
{
	int err;

	if (b->identity == on)
		return 0;
	err = b->cfg.ops->identity(b->cfg.ctx, on);
	if (err && !on) {
		fail_endpoints(b);
		return -EIO;
	}
	if (!err)
		b->identity = on;
	return for_guest(err);
}

/* Takes out what is there. */
static int empty(struct pvi_backend *b)
{
	if (b->identity)
		return set_identity(b, false);
	return unmap(b, (struct pvi_range){0, UINT64_MAX});
}

/* Into empty hardware; on failure it is empty again, or broken. */
static int fill(struct pvi_backend *b, struct pvi_domain *d)
{
	const struct pvi_range all = {0, UINT64_MAX};
	int err;

	if (d ? d->bypass : atomic_load(&b->iommu->bypass))
		return set_identity(b, true);
	if (!d)
		return 0;
	err = pvi_table_walk(d->table, all, replay, b);
	if (err && unmap(b, all))
		return -EIO;
	return err;
}

static void link_domain(struct pvi_backend *b, struct pvi_domain *d)
{
	struct pvi_backend **p;

	if (b->domain) {
		for (p = &b->domain->backends; *p != b; p = &(*p)->next_in_domain)
			;
		*p = b->next_in_domain;
	}
	b->domain = d;
	if (d) {
		b->next_in_domain = d->backends;
		d->backends = b;
	}
}

int pvi_backend_join(struct pvi_backend *b, struct pvi_domain *d)
{
	int err;

	if (b->broken)
		return -EIO;
	if (b->domain == d) {
		b->attached++;
		return 0;
	}
	err = empty(b);
	if (err)
		return err;
	err = fill(b, d);
	if (err) {
		/* Where it was, it fitted; if not any more, it has lost what it needs. */
		if (!b->broken && fill(b, b->domain) && b->domain)
			fail_endpoints(b);
		return b->broken ? -EIO : err;
	}
	/* The caller has its old attachment, if any, counted still. */
	link_domain(b, d);
	b->attached++;
	return 0;
}

int pvi_backend_leave(struct pvi_backend *b)
{
	int err;

	if (--b->attached)
		return 0;
	link_domain(b, NULL);
	if (b->broken)
		return -EIO;
	err = empty(b);
	/* Bypass for the unattached is a right, not a duty: without it they are blocked. */
	if (!err)
		(void)fill(b, NULL);
	return err;
}

int pvi_backend_map(struct pvi_domain *d, struct pvi_range virt, uint64_t phys, unsigned int prot)
{
	for (struct pvi_backend *b = d->backends; b; b = b->next_in_domain) {
		int err = b->broken ? -EIO : map(b, virt, phys, prot);

		if (!err)
			continue;
		/* It failed by itself: nobody knows how much it has of this one. */
		if (err == -EIO && !b->broken)
			(void)unmap(b, virt);
		for (struct pvi_backend *done = d->backends; done != b; done = done->next_in_domain)
			(void)unmap(done, virt);
		return err;
	}
	return 0;
}

int pvi_backend_unmap(struct pvi_domain *d, struct pvi_range virt)
{
	int err = 0;

	for (struct pvi_backend *b = d->backends; b; b = b->next_in_domain)
		if (b->broken || unmap(b, virt))
			err = -EIO;
	return err;
}

int pvi_backend_check(const struct pvi_domain *d)
{
	for (const struct pvi_backend *b = d->backends; b; b = b->next_in_domain)
		if (b->broken)
			return -EIO;
	return 0;
}

void pvi_backend_refresh_all(struct pvi_iommu *iommu)
{
	bool bypass = atomic_load(&iommu->bypass);

	for (struct pvi_backend *b = iommu->backends; b; b = b->next)
		if (!b->attached && !b->broken)
			(void)set_identity(b, bypass);
}

static int reserve(struct pvi_endpoint *ep, struct pvi_range r)
{
	const struct pvi_iommu_config *c = &ep->iommu->cfg;
	const struct pvi_range input = {c->input_first, c->input_last};

	/* Nobody can map outside the input range anyway. */
	if (!pvi_range_overlaps(r, input))
		return 0;
	r.first = r.first < input.first ? input.first : r.first;
	r.last = r.last > input.last ? input.last : r.last;
	/* What is reserved already stays what it is: the hole around an MSI window is cut. */
	for (size_t i = 0; i < ep->nr_reserved; i++) {
		struct pvi_range old = {ep->reserved[i].first, ep->reserved[i].last};
		int err = 0;

		if (!pvi_range_overlaps(r, old))
			continue;
		if (r.first < old.first)
			err = reserve(ep, (struct pvi_range){r.first, old.first - 1});
		if (!err && r.last > old.last)
			err = reserve(ep, (struct pvi_range){old.last + 1, r.last});
		return err;
	}
	if (ep->nr_reserved == PVI_MAX_RESERVED)
		return -EINVAL;
	ep->reserved[ep->nr_reserved++] = (struct pvi_reserved){r.first, r.last, false};
	return 0;
}

int pvi_backend_reserve(const struct pvi_backend *b, struct pvi_endpoint *ep)
{
	uint64_t next = 0;
	int err;

	for (size_t i = 0; i < b->cfg.nr_windows; i++) {
		const struct pvi_range *w = &b->windows[i];

		if (w->first > next) {
			err = reserve(ep, (struct pvi_range){next, w->first - 1});
			if (err)
				return err;
		}
		if (w->last == UINT64_MAX)
			return 0;
		next = w->last + 1;
	}
	return b->cfg.nr_windows ? reserve(ep, (struct pvi_range){next, UINT64_MAX}) : 0;
}

bool pvi_backend_pages_fit(const struct pvi_iommu *iommu, uint64_t page_sizes)
{
	return page_sizes && (page_sizes & -page_sizes) - 1 <= iommu->page_mask;
}

static bool config_valid(const struct pvi_iommu *iommu, const struct pvi_backend_config *c)
{
	if (!c->ops || !c->ops->map || !c->ops->unmap)
		return false;
	if (iommu->cfg.allow_bypass && !c->ops->identity)
		return false;
	for (size_t i = 0; i < c->nr_windows; i++)
		if (c->windows[i].first > c->windows[i].last ||
		    (i && c->windows[i].first <= c->windows[i - 1].last))
			return false;
	return pvi_backend_pages_fit(iommu, c->page_sizes);
}

PVI_EXPORT int pvi_backend_new(struct pvi_iommu *iommu, const struct pvi_backend_config *config,
			       struct pvi_backend **ret_backend)
{
	struct pvi_backend *b;
	int err = 0;

	if (!config_valid(iommu, config))
		return -EINVAL;
	b = pvi_zalloc(sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->iommu = iommu;
	b->cfg = *config;
	b->cfg.windows = NULL;
	if (config->nr_windows) {
		b->windows = pvi_zalloc(config->nr_windows * sizeof(*b->windows));
		if (!b->windows) {
			pvi_free(b);
			return -ENOMEM;
		}
	}
	for (size_t i = 0; i < config->nr_windows; i++)
		b->windows[i] =
			(struct pvi_range){config->windows[i].first, config->windows[i].last};
	pthread_mutex_lock(&iommu->lock);
	err = fill(b, NULL);
	if (!err) {
		b->next = iommu->backends;
		iommu->backends = b;
	}
	pthread_mutex_unlock(&iommu->lock);
	if (err) {
		pvi_free(b->windows);
		pvi_free(b);
		return err;
	}
	*ret_backend = b;
	return 0;
}

PVI_EXPORT void pvi_backend_free(struct pvi_backend *backend)
{
	struct pvi_backend **p;

	if (!backend)
		return;
	pthread_mutex_lock(&backend->iommu->lock);
	if (!backend->broken)
		(void)empty(backend);
	for (p = &backend->iommu->backends; *p != backend; p = &(*p)->next)
		;
	*p = backend->next;
	pthread_mutex_unlock(&backend->iommu->lock);
	pvi_free(backend->windows);
	pvi_free(backend);
}
