// SPDX-License-Identifier: BSD-2-Clause
/* The IOMMU and its endpoints as the embedder sees them, and memory that runs out. */
#include "fake_alloc.h"
#include "fake_driver.h"

#define RW (PVI_MAP_F_READ | PVI_MAP_F_WRITE)

static struct fake_host host;

static int set_up(void **state)
{
	fail_in = -1;
	host_init(&host);
	return 0;
}

static int tear_down(void **state)
{
	host_done(&host);
	assert_int_equal(live, 0);
	return 0;
}

static void refuse(const struct pvi_iommu_config *c)
{
	struct pvi_iommu *iommu = NULL;

	assert_int_equal(pvi_iommu_new(c, &iommu), -EINVAL);
	assert_null(iommu);
}

static void test_config(void **state)
{
	const struct pvi_iommu_config good = host_config(&host);
	const struct pvi_iommu_ops no_ram = {0};
	struct pvi_iommu_config c;

	c = good, c.ops = NULL, refuse(&c);
	c = good, c.ops = &no_ram, refuse(&c);
	c = good, c.page_size_mask = 0xfff, refuse(&c);
	c = good, c.page_size_mask = 0x1800, refuse(&c);
	c = good, c.input_first = 1, c.input_last = 0, refuse(&c);
	c = good, c.domain_first = 2, c.domain_last = 1, refuse(&c);
	/* A start value that nobody could change, under a name that promises none. */
	c = good, c.start_bypass = true, refuse(&c);
	c.allow_bypass = true;
	pvi_iommu_free(host_iommu(&c));
	c = good, c.page_size_mask = 1ull << 63, pvi_iommu_free(host_iommu(&c));
	c = good, c.input_first = c.input_last = 0, pvi_iommu_free(host_iommu(&c));
	pvi_iommu_free(NULL);
}

static void test_endpoint_arguments(void **state)
{
	struct pvi_iommu_config c = host_config(&host);
	struct pvi_iommu *iommu = host_iommu(&c);
	struct pvi_endpoint *first = host_endpoint(iommu, 5), *ep = NULL;
	struct pvi_reserved r[9] = {{0}};
	struct pvi_endpoint_config ec = {.reserved = r};

	assert_int_equal(pvi_endpoint_add(iommu, 5, &ec, &ep), -EEXIST);
	for (int i = 0; i < 9; i++)
		r[i] = (struct pvi_reserved){.first = i, .last = i};
	ec.nr_reserved = 9;
	assert_int_equal(pvi_endpoint_add(iommu, 6, &ec, &ep), -EINVAL);
	ec.nr_reserved = 2;
	r[1] = (struct pvi_reserved){.first = 1, .last = 0};
	assert_int_equal(pvi_endpoint_add(iommu, 6, &ec, &ep), -EINVAL);
	r[1] = (struct pvi_reserved){.first = 0, .last = UINT64_MAX};
	assert_int_equal(pvi_endpoint_add(iommu, 6, &ec, &ep), -EINVAL);
	r[0].msi = true;
	r[1] = (struct pvi_reserved){.first = 1, .last = UINT64_MAX, .msi = true};
	assert_int_equal(pvi_endpoint_add(iommu, 6, &ec, &ep), -EINVAL);
	assert_null(ep);
	r[1].msi = false;
	assert_int_equal(pvi_endpoint_add(iommu, 6, &ec, &ep), 0);
	pvi_endpoint_remove(ep);
	pvi_endpoint_remove(first);
	pvi_endpoint_remove(NULL);
	ep = host_endpoint(iommu, 5);
	pvi_endpoint_remove(ep);
	pvi_iommu_free(iommu);
}

/* Many that share a bucket, removed in an order of their own. */
static void test_many_endpoints(void **state)
{
	struct pvi_iommu_config c = host_config(&host);
	struct pvi_iommu *iommu = host_iommu(&c);
	struct pvi_endpoint *ep[200];
	struct driver drv = {.h = &host, .v = host_viommu(&host, iommu)};
	struct pvi_iommu_stats s;

	assert_true(drv_start(&drv, DRV_F_COMMON));
	for (uint32_t i = 0; i < 200; i++)
		ep[i] = host_endpoint(iommu, 64 * i);
	for (uint32_t i = 0; i < 200; i++)
		assert_int_equal(drv_attach(&drv, 1 + i % 100, 64 * i, 0), PVI_S_OK);
	pvi_iommu_get_stats(iommu, &s);
	assert_int_equal(s.domains, 100);
	for (uint32_t i = 0; i < 200; i += 3)
		pvi_endpoint_remove(ep[i]);
	for (uint32_t i = 0; i < 200; i++)
		assert_int_equal(drv_detach(&drv, 1 + i % 100, 64 * i),
				 i % 3 ? PVI_S_OK : PVI_S_NOENT);
	for (uint32_t i = 0; i < 200; i++)
		if (i % 3)
			pvi_endpoint_remove(ep[i]);
	pvi_iommu_get_stats(iommu, &s);
	assert_int_equal(s.domains, 0);
	pvi_viommu_free(drv.v);
	pvi_iommu_free(iommu);
}

/* Removing an endpoint that is the last of its domain takes the domain along. */
static void test_remove_detaches(void **state)
{
	struct pvi_iommu_config c = host_config(&host);
	struct pvi_iommu *iommu = host_iommu(&c);
	struct pvi_endpoint *ep = host_endpoint(iommu, 1);
	struct driver drv = {.h = &host, .v = host_viommu(&host, iommu)};
	struct pvi_iommu_stats s;

	assert_true(drv_start(&drv, DRV_F_COMMON));
	assert_int_equal(drv_attach(&drv, 7, 1, 0), PVI_S_OK);
	assert_int_equal(drv_map(&drv, 7, 0, 0xfff, DRV_DATA, RW), PVI_S_OK);
	pvi_iommu_get_stats(iommu, &s);
	assert_int_equal(s.domains, 1);
	assert_int_equal(s.mappings, 1);
	assert_true(s.table_bytes > 0);
	pvi_endpoint_remove(ep);
	pvi_iommu_get_stats(iommu, &s);
	assert_int_equal(s.domains, 0);
	pvi_viommu_free(drv.v);
	pvi_iommu_free(iommu);
}

/* The IOMMU alone, without a device: its reset detaches and nobody is told of faults. */
static void test_without_a_device(void **state)
{
	struct pvi_iommu_config c = host_config(&host);
	struct pvi_iommu *iommu;
	struct pvi_endpoint *ep;
	struct pvi_iommu_stats s;
	uint8_t byte;

	c.allow_bypass = c.start_bypass = true;
	iommu = host_iommu(&c);
	ep = host_endpoint(iommu, 1);
	assert_int_equal(pvi_dma_read(ep, DRV_DATA, &byte, 1), 0);
	assert_int_equal(pvi_dma_read(ep, HOST_HOLE, &byte, 1), -EFAULT);
	pvi_iommu_system_reset(iommu);
	assert_int_equal(pvi_dma_read(ep, DRV_DATA, &byte, 1), 0);
	pvi_iommu_get_stats(iommu, &s);
	assert_int_equal(s.faults_dropped, 1);
	assert_int_equal(host.faults, 1);
	pvi_endpoint_remove(ep);
	pvi_iommu_free(iommu);
}

/* Runs a guest's life with the n-th allocation failing; true: none was left to fail. */
static bool life(int n)
{
	struct pvi_iommu_config c = host_config(&host);
	const struct pvi_endpoint_config ec = {.dma_on = true};
	struct pvi_iommu *iommu = NULL;
	struct pvi_endpoint *ep = NULL;
	struct driver drv = {.h = &host};
	uint32_t status[3] = {PVI_S_OK};
	uint8_t byte;
	int err;

	fail_in = n;
	err = pvi_iommu_new(&c, &iommu);
	if (!err)
		err = pvi_endpoint_add(iommu, 1, &ec, &ep);
	if (!err)
		err = host_viommu_try(&host, iommu, &drv.v);
	if (!err) {
		assert_true(drv_start(&drv, DRV_F_COMMON));
		status[0] = drv_attach(&drv, 1, 1, 0);
		if (status[0] == PVI_S_OK)
			status[1] = drv_map(&drv, 1, 1 << 30, (1 << 30) + 0xfff, DRV_DATA, RW);
		if (status[0] == PVI_S_OK)
			status[2] = drv_map(&drv, 1, 0, 0xfff, DRV_DATA, RW);
		for (int i = 0; i < 3; i++)
			assert_true(status[i] == PVI_S_OK || status[i] == PVI_S_NOMEM);
		/* What was refused is not there, what was granted is. */
		assert_int_equal(pvi_dma_read(ep, 1 << 30, &byte, 1),
				 status[0] == PVI_S_OK && status[1] == PVI_S_OK ? 0 : -EFAULT);
	} else {
		assert_int_equal(err, -ENOMEM);
	}
	n = fail_in;
	fail_in = -1;
	pvi_viommu_free(drv.v);
	pvi_endpoint_remove(ep);
	pvi_iommu_free(iommu);
	assert_int_equal(live, 0);
	return n >= 0;
}

static void test_nth_allocation_fails(void **state)
{
	int n = 0;

	while (!life(n))
		n++;
	assert_in_range(n, 6, 30);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_config),		 T(test_endpoint_arguments), T(test_many_endpoints),
		T(test_remove_detaches), T(test_without_a_device),   T(test_nth_allocation_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
