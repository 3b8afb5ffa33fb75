// SPDX-License-Identifier: BSD-2-Clause
#include "guest.h"

/* ---- requests ---- */

static uint8_t submit(struct guest *g, const void *request, size_t len)
{
	struct pvi_reply reply;

	pvi_request_handle(g->iommu, g->features, request, len, sizeof(struct pvi_wire_tail),
			   &reply);
	CHECK(reply.off == 0 && reply.len == sizeof(struct pvi_wire_tail));
	CHECK(!reply.data[1] && !reply.data[2] && !reply.data[3]);
	/* With no DMA in flight nothing can be stuck. */
	CHECK(!pvi_iommu_flush(g->iommu));
	return reply.data[0];
}

uint8_t guest_map(struct guest *g, const struct guest_map *m)
{
	struct pvi_wire_map r = {.head.type = PVI_T_MAP};

	pvi_put32(&r.domain, m->domain);
	pvi_put64(&r.virt_start, m->virt.first);
	pvi_put64(&r.virt_end, m->virt.last);
	pvi_put64(&r.phys_start, m->phys);
	pvi_put32(&r.flags, m->flags);
	return submit(g, &r, sizeof(r));
}

uint8_t guest_unmap(struct guest *g, unsigned int domain, struct pvi_range virt)
{
	struct pvi_wire_unmap r = {.head.type = PVI_T_UNMAP};

	pvi_put32(&r.domain, domain);
	pvi_put64(&r.virt_start, virt.first);
	pvi_put64(&r.virt_end, virt.last);
	return submit(g, &r, sizeof(r));
}

uint8_t guest_attach(struct guest *g, unsigned int domain, unsigned int ep, bool bypass)
{
	struct pvi_wire_attach r = {.head.type = PVI_T_ATTACH};

	pvi_put32(&r.domain, domain);
	pvi_put32(&r.endpoint, ep);
	pvi_put32(&r.flags, bypass ? PVI_ATTACH_F_BYPASS : 0);
	return submit(g, &r, sizeof(r));
}

uint8_t guest_detach(struct guest *g, unsigned int domain, unsigned int ep)
{
	struct pvi_wire_detach r = {.head.type = PVI_T_DETACH};

	pvi_put32(&r.domain, domain);
	pvi_put32(&r.endpoint, ep);
	return submit(g, &r, sizeof(r));
}

/* ---- the model ---- */

static const struct guest_domain *find(const struct guest *g, unsigned int id)
{
	return id >= 1 && id <= GUEST_DOMAINS && g->domain[id].live ? &g->domain[id] : NULL;
}

static bool reserved_for(const struct pvi_endpoint *ep, struct pvi_range r)
{
	for (size_t i = 0; i < ep->nr_reserved; i++)
		if (ep->reserved[i].first <= r.last && r.first <= ep->reserved[i].last)
			return true;
	return false;
}

static bool reserved_in(const struct guest *g, unsigned int domain, struct pvi_range r)
{
	for (unsigned int i = 0; i < GUEST_ENDPOINTS; i++)
		if (g->at[i] == domain && reserved_for(g->ep[i], r))
			return true;
	return false;
}

uint8_t model_map(const struct guest *g, const struct guest_map *m)
{
	const struct guest_domain *d = find(g, m->domain);
	struct pvi_range gpa = {m->phys, m->phys + (m->virt.last - m->virt.first)};
	struct oracle copy;

	if (m->flags & ~7u || m->virt.first > m->virt.last)
		return PVI_S_INVAL;
	if (m->virt.first % GUEST_PAGE || (m->virt.last + 1) % GUEST_PAGE || m->phys % GUEST_PAGE)
		return PVI_S_RANGE;
	if (m->virt.first < g->input.first || m->virt.last > g->input.last || gpa.last < gpa.first)
		return PVI_S_RANGE;
	if (!d)
		return PVI_S_NOENT;
	if (d->bypass || reserved_in(g, m->domain, m->virt))
		return PVI_S_INVAL;
	if (!g->target(gpa, m->flags))
		return PVI_S_FAULT;
	copy = d->o;
	switch (oracle_map(&copy, m->virt, m->phys, m->flags)) {
	case 0:
		return PVI_S_OK;
	case -ENOMEM:
		return PVI_S_NOMEM;
	default:
		return PVI_S_INVAL;
	}
}

void model_mapped(struct guest *g, const struct guest_map *m)
{
	CHECK(!oracle_map(&g->domain[m->domain].o, m->virt, m->phys, m->flags));
}

uint8_t model_unmap(const struct guest *g, unsigned int domain, struct pvi_range virt)
{
	const struct guest_domain *d = find(g, domain);
	struct oracle copy;
	uint64_t removed;

	if (!d)
		return PVI_S_NOENT;
	if (d->bypass)
		return PVI_S_INVAL;
	copy = d->o;
	switch (oracle_unmap(&copy, virt, &removed)) {
	case 0:
		return PVI_S_OK;
	case -ERANGE:
		return PVI_S_RANGE;
	default:
		return PVI_S_INVAL;
	}
}

void model_unmapped(struct guest *g, unsigned int domain, struct pvi_range virt)
{
	uint64_t removed;

	CHECK(!oracle_unmap(&g->domain[domain].o, virt, &removed));
}

uint8_t model_attach(const struct guest *g, unsigned int domain, unsigned int ep, bool bypass)
{
	const struct guest_domain *d = find(g, domain);

	if (bypass && !(g->features >> PVI_F_BYPASS_CONFIG & 1))
		return PVI_S_INVAL;
	if (ep >= GUEST_ENDPOINTS)
		return PVI_S_NOENT;
	if (domain < 1 || domain > GUEST_DOMAINS)
		return PVI_S_RANGE;
	if (d && d->bypass != bypass)
		return PVI_S_INVAL;
	if (d && g->at[ep] != domain)
		for (size_t i = 0; i < d->o.nr; i++)
			if (reserved_for(g->ep[ep], d->o.mapping[i].iova))
				return PVI_S_UNSUPP;
	return PVI_S_OK;
}

static void leave(struct guest *g, unsigned int ep)
{
	unsigned int old = g->at[ep], left = 0;

	g->at[ep] = 0;
	for (unsigned int i = 0; i < GUEST_ENDPOINTS; i++)
		left += g->at[i] == old;
	if (!left)
		g->domain[old].live = false;
}

void model_attached(struct guest *g, unsigned int domain, unsigned int ep, bool bypass)
{
	struct guest_domain *d = &g->domain[domain];

	if (g->at[ep] == domain)
		return;
	leave(g, ep);
	g->at[ep] = domain;
	if (d->live)
		return;
	d->live = true;
	d->bypass = bypass;
	d->o.nr = 0;
	d->o.max_mappings = GUEST_MAPPINGS;
}

uint8_t model_detach(const struct guest *g, unsigned int domain, unsigned int ep)
{
	if (ep >= GUEST_ENDPOINTS)
		return PVI_S_NOENT;
	return find(g, domain) && g->at[ep] == domain ? PVI_S_OK : PVI_S_INVAL;
}

void model_detached(struct guest *g, unsigned int ep)
{
	leave(g, ep);
}
