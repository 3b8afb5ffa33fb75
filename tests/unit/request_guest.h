/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fake host with two endpoints and a started driver, for tests of requests:
 * set_up() and tear_down() are cmocka's. EP_B has reserved regions, EP_A has none.
 */
#ifndef TESTS_UNIT_REQUEST_GUEST_H
#define TESTS_UNIT_REQUEST_GUEST_H

#include "fake_driver.h"

#define EP_A		0x10u
#define EP_B		0x18u
#define NOBODY		0x99u
#define RW		(PVI_MAP_F_READ | PVI_MAP_F_WRITE)
#define PAGE		0x1000ull
#define PROBE_LEN	(PVI_PROBE_BYTES + 4u)
#define PVI_PROBE_BYTES 512u

static const struct pvi_reserved window[] = {
	{.first = 0xfee00000, .last = 0xfeefffff, .msi = true},
	{.first = 0x40000000, .last = 0x40000fff},
};

static struct fake_host host;
static struct driver drv;
static struct pvi_iommu *iommu;
static struct pvi_endpoint *a, *b;

static inline void start(const struct pvi_iommu_config *c, uint64_t features)
{
	struct pvi_endpoint_config plain = {.dma_on = true};
	struct pvi_endpoint_config reserving = {window, 2, true};

	iommu = host_iommu(c);
	assert_int_equal(pvi_endpoint_add(iommu, EP_A, &plain, &a), 0);
	assert_int_equal(pvi_endpoint_add(iommu, EP_B, &reserving, &b), 0);
	drv = (struct driver){.h = &host, .v = host_viommu(&host, iommu)};
	assert_true(drv_start(&drv, features));
}

static inline void stop(void)
{
	pvi_endpoint_remove(a);
	pvi_endpoint_remove(b);
	pvi_viommu_free(drv.v);
	pvi_iommu_free(iommu);
}

static inline int set_up(void **state)
{
	struct pvi_iommu_config c;

	host_init(&host);
	c = host_config(&host);
	start(&c, DRV_F_COMMON);
	return 0;
}

static inline int tear_down(void **state)
{
	stop();
	host_done(&host);
	return 0;
}

/* Starts anew with other settings. */
static inline void restart(struct pvi_iommu_config c, uint64_t features)
{
	stop();
	start(&c, features);
}

static inline struct pvi_iommu_stats stats(void)
{
	struct pvi_iommu_stats s;

	pvi_iommu_get_stats(iommu, &s);
	return s;
}

static inline bool reads(struct pvi_endpoint *ep, uint64_t iova)
{
	uint8_t byte;

	return !pvi_dma_read(ep, iova, &byte, 1);
}

static inline void attach_a(void)
{
	assert_int_equal(drv_attach(&drv, 1, EP_A, 0), PVI_S_OK);
}

static inline uint32_t map1(uint64_t first, uint64_t last, uint64_t phys)
{
	return drv_map(&drv, 1, first, last, phys, RW);
}

static inline uint32_t probe(uint32_t endpoint, uint32_t in_len)
{
	struct pvi_wire_probe r = {.head.type = PVI_T_PROBE};

	pvi_put32(&r.endpoint, endpoint);
	memset(r.reserved, 0xff, sizeof(r.reserved)); /* MUST be ignored */
	return drv_submit(&drv, &r, sizeof(r), in_len);
}

#endif
