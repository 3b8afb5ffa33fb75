// SPDX-License-Identifier: BSD-2-Clause
/*
 * One request: checked in full, then applied (VIRTIO 1.3, 5.13.6). A request
 * that is refused has changed nothing.
 */
#include "lib/priv.h"

#define TAIL_SIZE	sizeof(struct pvi_wire_tail)
#define FIELD(type, fl) offsetof(struct pvi_wire_##type, fl)

/* A request being handled: the private copy, and where the reply goes. */
struct request {
	struct pvi_iommu *iommu;
	uint64_t features;
	const uint8_t *out;
	uint64_t in_len;
	struct pvi_reply *reply;
};

static bool has(const struct request *r, unsigned int feature)
{
	return r->features >> feature & 1;
}

static bool all_zero(const uint8_t *p, size_t len)
{
	while (len--)
		if (*p++)
			return false;
	return true;
}

/* 5.13.6.8.1: reserved regions are not for mappings. */
static bool touches_reserved(const struct pvi_endpoint *ep, struct pvi_range r)
{
	for (size_t i = 0; i < ep->nr_reserved; i++)
		if (pvi_range_overlaps(r, (struct pvi_range){ep->reserved[i].first,
							     ep->reserved[i].last}))
			return true;
	return false;
}

static int found(void *ctx, struct pvi_range iova, uint64_t target, unsigned int prot)
{
	return 1;
}

/* Has the domain mappings where @ep has reserved regions? Then they don't fit together. */
static bool incompatible(const struct pvi_domain *d, const struct pvi_endpoint *ep)
{
	for (size_t i = 0; d->table && i < ep->nr_reserved; i++)
		if (pvi_table_walk(d->table,
				   (struct pvi_range){ep->reserved[i].first, ep->reserved[i].last},
				   found, NULL))
			return true;
	return false;
}

static enum pvi_status status_of(int err)
{
	switch (err) {
	case 0:
		return PVI_S_OK;
	case -ENOMEM:
		return PVI_S_NOMEM;
	case -ERANGE:
		return PVI_S_RANGE;
	case -EEXIST:
	case -EINVAL:
		return PVI_S_INVAL;
	case -EFAULT:
		return PVI_S_FAULT;
	case -EBUSY:
		return PVI_S_UNSUPP;
	default:
		return PVI_S_DEVERR;
	}
}

/* Attaches, all checks passed. A failure leaves the endpoint where it was. */
static enum pvi_status attach_to(struct request *r, struct pvi_endpoint *ep, uint32_t id,
				 bool bypass)
{
	struct pvi_domain *old = atomic_load_explicit(&ep->domain, memory_order_relaxed);
	struct pvi_domain *d = pvi_domain_find(r->iommu, id);
	int err;

	if (d && d->bypass != bypass)
		return PVI_S_INVAL;
	if (ep->failed)
		return PVI_S_DEVERR;
	if (d && d == old)
		return PVI_S_OK;
	if (d && incompatible(d, ep))
		return PVI_S_UNSUPP;
	if (!d) {
		err = pvi_domain_new(r->iommu, id, bypass, &d);
		if (err)
			return status_of(err);
	}
	err = pvi_domain_attach(d, ep);
	/* It was made for this one, who could not come. */
	if (!d->endpoints)
		pvi_domain_free(r->iommu, d);
	return status_of(err);
}

static enum pvi_status attach(struct request *r)
{
	uint32_t id = pvi_get32(r->out + FIELD(attach, domain));
	uint32_t flags = pvi_get32(r->out + FIELD(attach, flags));
	uint32_t known = has(r, PVI_F_BYPASS_CONFIG) ? PVI_ATTACH_F_BYPASS : 0;
	struct pvi_endpoint *ep;

	if (!all_zero(r->out + FIELD(attach, reserved), 4) || (flags & ~known))
		return PVI_S_INVAL;
	ep = pvi_endpoint_find(r->iommu, pvi_get32(r->out + FIELD(attach, endpoint)));
	if (!ep)
		return PVI_S_NOENT;
	if (id < r->iommu->cfg.domain_first || id > r->iommu->cfg.domain_last)
		return PVI_S_RANGE;
	return attach_to(r, ep, id, flags & PVI_ATTACH_F_BYPASS);
}

static enum pvi_status detach(struct request *r)
{
	struct pvi_domain *d = pvi_domain_find(r->iommu, pvi_get32(r->out + FIELD(detach, domain)));
	struct pvi_endpoint *ep;

	ep = pvi_endpoint_find(r->iommu, pvi_get32(r->out + FIELD(detach, endpoint)));
	if (!ep)
		return PVI_S_NOENT;
	if (!d || atomic_load_explicit(&ep->domain, memory_order_relaxed) != d)
		return PVI_S_INVAL;
	return status_of(pvi_domain_detach(ep));
}

static bool reserved_in_domain(const struct pvi_domain *d, struct pvi_range r)
{
	for (const struct pvi_endpoint *ep = d->endpoints; ep; ep = ep->next_in_domain)
		if (touches_reserved(ep, r))
			return true;
	return false;
}

/* The fields of a MAP by themselves: the flags, then the granule, then the limits. */
static enum pvi_status check_map(const struct request *r, struct pvi_range virt, uint64_t phys,
				 uint32_t flags, struct pvi_range *ret_gpa)
{
	const struct pvi_iommu *iommu = r->iommu;
	const struct pvi_range input = {iommu->cfg.input_first, iommu->cfg.input_last};
	/* Without the feature, the MMIO flag is one we don't recognise. */
	const uint32_t known =
		PVI_MAP_F_READ | PVI_MAP_F_WRITE | (has(r, PVI_F_MMIO) ? PVI_MAP_F_MMIO : 0);

	if (flags & ~known)
		return PVI_S_INVAL;
	if (!pvi_range_valid(virt))
		return PVI_S_INVAL;
	if (((virt.first | phys | (virt.last + 1)) & iommu->page_mask))
		return PVI_S_RANGE;
	if (!pvi_range_contains(input, virt))
		return PVI_S_RANGE;
	if (virt.last - virt.first > UINT64_MAX - phys)
		return PVI_S_RANGE;
	*ret_gpa = (struct pvi_range){phys, phys + (virt.last - virt.first)};
	return PVI_S_OK;
}

static enum pvi_status map(struct request *r)
{
	struct pvi_range virt = {pvi_get64(r->out + FIELD(map, virt_start)),
				 pvi_get64(r->out + FIELD(map, virt_end))};
	uint64_t phys = pvi_get64(r->out + FIELD(map, phys_start));
	uint32_t flags = pvi_get32(r->out + FIELD(map, flags));
	enum pvi_status status;
	struct pvi_domain *d;
	struct pvi_range gpa;

	if (!has(r, PVI_F_MAP_UNMAP))
		return PVI_S_UNSUPP;
	status = check_map(r, virt, phys, flags, &gpa);
	if (status != PVI_S_OK)
		return status;
	d = pvi_domain_find(r->iommu, pvi_get32(r->out + FIELD(map, domain)));
	if (!d)
		return PVI_S_NOENT;
	if (d->bypass || reserved_in_domain(d, virt))
		return PVI_S_INVAL;
	/* Anything but RAM and allowed MMIO, an interrupt window say, is a bad address. */
	if (flags & PVI_MAP_F_MMIO ? !pvi_gpa_is_mmio(r->iommu, gpa)
				   : !pvi_gpa_is_ram(r->iommu, gpa))
		return PVI_S_FAULT;
	return status_of(pvi_domain_map(d, virt, phys, flags));
}

static enum pvi_status unmap(struct request *r)
{
	struct pvi_range virt = {pvi_get64(r->out + FIELD(unmap, virt_start)),
				 pvi_get64(r->out + FIELD(unmap, virt_end))};
	struct pvi_domain *d;

	if (!has(r, PVI_F_MAP_UNMAP))
		return PVI_S_UNSUPP;
	if (!all_zero(r->out + FIELD(unmap, reserved), 4))
		return PVI_S_INVAL;
	d = pvi_domain_find(r->iommu, pvi_get32(r->out + FIELD(unmap, domain)));
	if (!d)
		return PVI_S_NOENT;
	if (d->bypass)
		return PVI_S_INVAL;
	r->reply->removed = true;
	r->reply->domain = d->id;
	r->reply->serial = d->serial;
	return status_of(pvi_domain_unmap(d, virt));
}

static void put_property(uint8_t *p, const struct pvi_reserved *r)
{
	struct pvi_wire_resv_mem m = {
		.subtype = r->msi ? PVI_RESV_MEM_MSI : PVI_RESV_MEM_RESERVED,
	};

	pvi_put16(&m.type, PVI_PROBE_T_RESV_MEM);
	pvi_put16(&m.length, sizeof(m) - 4);
	pvi_put64(&m.start, r->first);
	pvi_put64(&m.end, r->last);
	memcpy(p, &m, sizeof(m));
}

static enum pvi_status probe(struct request *r)
{
	struct pvi_endpoint *ep =
		pvi_endpoint_find(r->iommu, pvi_get32(r->out + FIELD(probe, endpoint)));

	PVI_STATIC_ASSERT(PVI_MAX_RESERVED * sizeof(struct pvi_wire_resv_mem) <= PVI_PROBE_SIZE,
			  "all properties fit");
	if (r->in_len < PVI_REPLY_MAX)
		return PVI_S_INVAL;
	if (!ep)
		return PVI_S_NOENT;
	for (size_t i = 0; i < ep->nr_reserved; i++)
		put_property(r->reply->data + i * sizeof(struct pvi_wire_resv_mem),
			     &ep->reserved[i]);
	return PVI_S_OK;
}

/* Indexed by type. @size: of the device-readable part. */
static const struct {
	enum pvi_status (*handle)(struct request *r);
	size_t size;
} handlers[] = {
	[PVI_T_ATTACH] = {attach, sizeof(struct pvi_wire_attach)},
	[PVI_T_DETACH] = {detach, sizeof(struct pvi_wire_detach)},
	[PVI_T_MAP] = {map, sizeof(struct pvi_wire_map)},
	[PVI_T_UNMAP] = {unmap, sizeof(struct pvi_wire_unmap)},
	[PVI_T_PROBE] = {probe, sizeof(struct pvi_wire_probe)},
};

/* Where the tail stands: behind the properties of a PROBE, else first. */
static bool place_tail(uint8_t type, uint64_t in_len, struct pvi_reply *ret)
{
	if (in_len < TAIL_SIZE)
		return false;
	ret->off = 0;
	ret->len = TAIL_SIZE;
	if (type == PVI_T_PROBE && in_len >= PVI_REPLY_MAX)
		ret->len = PVI_REPLY_MAX;
	else if (type == PVI_T_PROBE)
		ret->off = (uint32_t)(in_len - TAIL_SIZE); /* no room: nothing but the status */
	return true;
}

void pvi_request_handle(struct pvi_iommu *iommu, uint64_t features, const void *out,
			uint64_t out_len, uint64_t in_len, struct pvi_reply *ret)
{
	struct request r = {iommu, features, out, in_len, ret};
	enum pvi_status status = PVI_S_INVAL;
	uint8_t type;

	ret->len = 0;
	ret->removed = false;
	if (out_len < sizeof(struct pvi_wire_head)) {
		pvi_count_one(&iommu->malformed);
		return;
	}
	type = r.out[offsetof(struct pvi_wire_head, type)];
	if (type < PVI_T_ATTACH || type > PVI_T_PROBE ||
	    (type == PVI_T_PROBE && !has(&r, PVI_F_PROBE))) {
		pvi_count_one(&iommu->requests[0]);
		return;
	}
	pvi_count_one(&iommu->requests[type]);
	if (!place_tail(type, in_len, ret)) {
		pvi_count_one(&iommu->malformed);
		return;
	}
	/* What a handler does not fill is 0; most replies are four bytes long. */
	memset(ret->data, 0, ret->len);
	if (out_len >= handlers[type].size) {
		pthread_mutex_lock(&iommu->lock);
		status = handlers[type].handle(&r);
		pthread_mutex_unlock(&iommu->lock);
	}
	if (status != PVI_S_OK)
		pvi_count_one(&iommu->refused);
	ret->data[ret->len - TAIL_SIZE] = (uint8_t)status;
}
