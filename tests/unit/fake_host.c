// SPDX-License-Identifier: BSD-2-Clause
#include <stdlib.h>

#include "fake_host.h"

static const uint64_t slot_gpa[3] = {0, HOST_SLOT_SIZE, HOST_HIGH};

static void *ram(void *ctx, uint64_t gpa, uint64_t len, uint64_t *ret_len)
{
	struct fake_host *h = ctx;

	if (h->in_ram)
		h->in_ram(h->in_ram_arg);
	for (int i = 0; i < 3; i++) {
		uint64_t off = gpa - slot_gpa[i];

		if (gpa < slot_gpa[i] || off >= HOST_SLOT_SIZE)
			continue;
		*ret_len = len < HOST_SLOT_SIZE - off ? len : HOST_SLOT_SIZE - off;
		return h->slot[i] + off;
	}
	return NULL;
}

static void fault(void *ctx, const struct pvi_fault *f)
{
	struct fake_host *h = ctx;

	pthread_mutex_lock(&h->lock);
	h->last_fault = *f;
	pthread_mutex_unlock(&h->lock);
	h->faults++;
}

static void failed(void *ctx, uint32_t endpoint)
{
	struct fake_host *h = ctx;

	h->last_failed = endpoint;
	h->nr_failed++;
}

static void interrupt(void *ctx, uint16_t vector)
{
	struct fake_host *h = ctx;

	assert_in_range(vector, 0, PVI_VIOMMU_VECTORS - 1);
	h->interrupts[vector]++;
}

static const struct pvi_iommu_ops iommu_ops = {.ram = ram, .fault = fault, .failed = failed};
static const struct pvi_viommu_ops viommu_ops = {.interrupt = interrupt};

void host_init(struct fake_host *h)
{
	memset(h, 0, sizeof(*h));
	pthread_mutex_init(&h->lock, NULL);
	for (int i = 0; i < 3; i++) {
		h->slot[i] = calloc(1, HOST_SLOT_SIZE);
		assert_non_null(h->slot[i]);
	}
}

void host_done(struct fake_host *h)
{
	for (int i = 0; i < 3; i++)
		free(h->slot[i]);
}

uint8_t *host_at(struct fake_host *h, uint64_t gpa)
{
	uint64_t len;
	uint8_t *p;

	p = ram(h, gpa, 1, &len);
	assert_non_null(p);
	return p;
}

struct pvi_iommu_config host_config(struct fake_host *h)
{
	return (struct pvi_iommu_config){
		.ops = &iommu_ops,
		.ctx = h,
		.input_last = ((uint64_t)1 << 48) - 1,
		.domain_first = 1,
		.domain_last = 100,
	};
}

struct pvi_iommu *host_iommu(const struct pvi_iommu_config *config)
{
	struct pvi_iommu *iommu;

	assert_int_equal(pvi_iommu_new(config, &iommu), 0);
	return iommu;
}

struct pvi_endpoint *host_endpoint(struct pvi_iommu *iommu, uint32_t id)
{
	return host_endpoint_of(iommu, id, NULL);
}

struct pvi_endpoint *host_endpoint_of(struct pvi_iommu *iommu, uint32_t id,
				      struct pvi_backend *backend)
{
	const struct pvi_endpoint_config config = {.dma_on = true, .backend = backend};
	struct pvi_endpoint *ep;

	assert_int_equal(pvi_endpoint_add(iommu, id, &config, &ep), 0);
	return ep;
}

int host_viommu_try(struct fake_host *h, struct pvi_iommu *iommu, struct pvi_viommu **ret)
{
	const struct pvi_viommu_config config = {.ops = &viommu_ops, .ctx = h};

	return pvi_viommu_new(iommu, &config, ret);
}

struct pvi_viommu *host_viommu(struct fake_host *h, struct pvi_iommu *iommu)
{
	struct pvi_viommu *v;

	assert_int_equal(host_viommu_try(h, iommu, &v), 0);
	return v;
}
