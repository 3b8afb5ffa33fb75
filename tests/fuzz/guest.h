/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest for the fuzz targets that are about more than its queues: requests go straight to
 * pvi_request_handle(), and a model says what their status must be. Domains are 1 to
 * GUEST_DOMAINS, endpoints 0 to GUEST_ENDPOINTS - 1.
 */
#ifndef TESTS_FUZZ_GUEST_H
#define TESTS_FUZZ_GUEST_H

#include "fuzz.h"
#include "lib/priv.h"
#include "oracle.h"

#define GUEST_DOMAINS	3u
#define GUEST_ENDPOINTS 4u
#define GUEST_MAPPINGS	48u /* a domain, at most */
#define GUEST_PAGE	0x1000ull

/* What a domain is, as far as the guest was told. */
struct guest_domain {
	bool live, bypass;
	struct oracle o;
};

struct guest {
	struct pvi_iommu *iommu;
	uint64_t features;
	struct pvi_endpoint *ep[GUEST_ENDPOINTS];
	struct guest_domain domain[GUEST_DOMAINS + 1]; /* [0] is none */
	unsigned int at[GUEST_ENDPOINTS];	       /* its domain; 0: detached */
	bool bypass;				       /* of the unattached */
	struct pvi_range input;
	/* Which targets a MAP with these flags may have, beside the rules of 5.13. */
	bool (*target)(struct pvi_range gpa, uint32_t flags);
};

/* A request of the guest's: what it was, in host order, and the answer. */
struct guest_map {
	unsigned int domain;
	struct pvi_range virt;
	uint64_t phys;
	uint32_t flags;
};

uint8_t guest_map(struct guest *g, const struct guest_map *m);
uint8_t guest_unmap(struct guest *g, unsigned int domain, struct pvi_range virt);
uint8_t guest_attach(struct guest *g, unsigned int domain, unsigned int ep, bool bypass);
uint8_t guest_detach(struct guest *g, unsigned int domain, unsigned int ep);

/* What the model says: the status that is due where nothing goes wrong in hardware. */
uint8_t model_map(const struct guest *g, const struct guest_map *m);
uint8_t model_unmap(const struct guest *g, unsigned int domain, struct pvi_range virt);
uint8_t model_attach(const struct guest *g, unsigned int domain, unsigned int ep, bool bypass);
uint8_t model_detach(const struct guest *g, unsigned int domain, unsigned int ep);

/* It happened: the model follows. */
void model_mapped(struct guest *g, const struct guest_map *m);
void model_unmapped(struct guest *g, unsigned int domain, struct pvi_range virt);
void model_attached(struct guest *g, unsigned int domain, unsigned int ep, bool bypass);
void model_detached(struct guest *g, unsigned int ep);

#endif
