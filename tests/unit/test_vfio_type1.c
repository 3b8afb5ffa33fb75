// SPDX-License-Identifier: BSD-2-Clause
/* The VFIO backend, on a container that keeps the kernel's rules. */
#include "fake_alloc.h"
#include "fake_driver.h"
#include "fake_vfio.h"

#include <linux/vfio.h>
#include <stdlib.h>

#define EP_A	0x10u
#define EP_SOFT 0x20u
#define RW	(PVI_MAP_F_READ | PVI_MAP_F_WRITE)
#define PAGE	0x1000ull
#define BYPASS	(PVI_VP_DEVICE + offsetof(struct pvi_wire_config, bypass))

static struct fake_host host;
static struct driver drv;
static struct pvi_iommu *iommu;
static struct fake_vfio vfio;
static struct pvi_endpoint *a, *soft;

/*
 * RAM as VFIO wants it, page-aligned. @joined: the first two slots touch in the host as
 * they do in the guest.
 */
static void place_ram(bool joined)
{
	host_done(&host);
	host.slot[0] = aligned_alloc(0x1000, 4 * HOST_SLOT_SIZE);
	assert_non_null(host.slot[0]);
	memset(host.slot[0], 0, 4 * HOST_SLOT_SIZE);
	host.slot[1] = host.slot[0] + (joined ? 1 : 2) * HOST_SLOT_SIZE;
	host.slot[2] = host.slot[0] + 3 * HOST_SLOT_SIZE;
}

static void start(bool allow_bypass, bool joined)
{
	struct pvi_iommu_config c;

	host_init(&host);
	place_ram(joined);
	c = host_config(&host);
	c.allow_bypass = allow_bypass;
	iommu = host_iommu(&c);
	fake_vfio_init(&vfio);
	assert_int_equal(fake_vfio_try(&vfio, &host, iommu), 0);
	a = host_endpoint_of(iommu, EP_A, pvi_vfio_backend(vfio.vfio));
	soft = host_endpoint(iommu, EP_SOFT);
	drv = (struct driver){.h = &host, .v = host_viommu(&host, iommu)};
	assert_true(drv_start(&drv, allow_bypass ? DRV_F_COMMON | 1u << PVI_F_BYPASS_CONFIG
						 : DRV_F_COMMON));
	assert_int_equal(drv_attach(&drv, 1, EP_A, 0), PVI_S_OK);
}

static int set_up(void **state)
{
	start(false, false);
	return 0;
}

static int tear_down(void **state)
{
	vfio.fail_in = -1;
	pvi_endpoint_remove(a);
	pvi_endpoint_remove(soft);
	pvi_viommu_free(drv.v);
	pvi_vfio_free(vfio.vfio);
	assert_int_equal(vfio.mappings, 0);
	pvi_iommu_free(iommu);
	fake_vfio_done(&vfio);
	free(host.slot[0]);
	assert_int_equal(live, 0);
	return 0;
}

static uint32_t map(uint64_t iova, uint64_t pages, uint64_t gpa)
{
	return drv_map(&drv, 1, iova, iova + pages * PAGE - 1, gpa, RW);
}

static void test_map_and_unmap(void **state)
{
	assert_int_equal(map(0x5000, 3, DRV_DATA), PVI_S_OK);
	assert_true(fake_vfio_has(&vfio, 0x5000, host_at(&host, DRV_DATA), 3 * PAGE, 3));
	assert_int_equal(drv_map(&drv, 1, 0x10000, 0x10fff, DRV_DATA, PVI_MAP_F_READ), PVI_S_OK);
	assert_true(fake_vfio_has(&vfio, 0x10000, host_at(&host, DRV_DATA), PAGE,
				  VFIO_DMA_MAP_FLAG_READ));
	assert_int_equal(drv_map(&drv, 1, 0x11000, 0x11fff, DRV_DATA, PVI_MAP_F_WRITE), PVI_S_OK);
	assert_true(fake_vfio_has(&vfio, 0x11000, host_at(&host, DRV_DATA), PAGE,
				  VFIO_DMA_MAP_FLAG_WRITE));
	/* Any ends that split nothing. */
	assert_int_equal(drv_unmap(&drv, 1, 0x4001, 0x8ffe), PVI_S_OK);
	assert_int_equal(vfio.mappings, 2);
	assert_int_equal(drv_unmap(&drv, 1, 0x10000, 0x10fff), PVI_S_OK);
	assert_int_equal(vfio.mappings, 1);
	assert_int_equal(drv_unmap(&drv, 1, 0, UINT64_MAX), PVI_S_OK);
	assert_int_equal(vfio.mappings, 0);
}

/* Neighbours in IOVA and memory, by two MAPs: each can be removed alone. */
static void test_two_maps_are_never_merged(void **state)
{
	assert_int_equal(map(0x5000, 1, DRV_DATA), PVI_S_OK);
	assert_int_equal(map(0x6000, 1, DRV_DATA + PAGE), PVI_S_OK);
	assert_int_equal(vfio.mappings, 2);
	assert_int_equal(drv_unmap(&drv, 1, 0x5000, 0x5fff), PVI_S_OK);
	assert_true(fake_vfio_has(&vfio, 0x6000, host_at(&host, DRV_DATA + PAGE), PAGE, 3));
}

/* One MAP over slots that touch in the guest but not in the host, and that touch in both. */
static void test_map_over_slots(void **state)
{
	assert_int_equal(map(0x5000, 4, HOST_SLOT_SIZE - 2 * PAGE), PVI_S_OK);
	assert_int_equal(vfio.mappings, 2);
	assert_true(fake_vfio_has(&vfio, 0x5000, host.slot[0] + HOST_SLOT_SIZE - 2 * PAGE, 2 * PAGE,
				  3));
	assert_true(fake_vfio_has(&vfio, 0x7000, host.slot[1], 2 * PAGE, 3));
	assert_int_equal(drv_unmap(&drv, 1, 0x5000, 0x8fff), PVI_S_OK);
	assert_int_equal(vfio.mappings, 0);
	tear_down(state);
	start(false, true);
	assert_int_equal(map(0x5000, 4, HOST_SLOT_SIZE - 2 * PAGE), PVI_S_OK);
	assert_int_equal(vfio.mappings, 1);
}

/* A MAP of two parts whose second does not fit leaves nothing. */
static void test_partial_map_rolls_back(void **state)
{
	uint8_t byte;

	assert_int_equal(drv_attach(&drv, 1, EP_SOFT, 0), PVI_S_OK);
	vfio.limit = 1;
	assert_int_equal(map(0x5000, 4, HOST_SLOT_SIZE - 2 * PAGE), PVI_S_NOMEM);
	assert_int_equal(vfio.map_calls, 2);
	assert_int_equal(vfio.mappings, 0);
	assert_int_equal(pvi_dma_read(soft, 0x5000, &byte, 1), -EFAULT);
	vfio.limit = 2;
	assert_int_equal(map(0x5000, 4, HOST_SLOT_SIZE - 2 * PAGE), PVI_S_OK);
	/* Out of locked memory. */
	vfio.fail_in = 0;
	vfio.error = ENOMEM;
	assert_int_equal(map(0x10000, 1, DRV_DATA), PVI_S_NOMEM);
	vfio.fail_in = 0;
	vfio.error = EPERM;
	assert_int_equal(map(0x10000, 1, DRV_DATA), PVI_S_DEVERR);
}

/* A MAP of two runs, of which the container takes the first and then fails so many times. */
static void map_half(unsigned int failures)
{
	vfio.fail_in = 1;
	vfio.fail_for = failures;
	vfio.error = EIO;
	assert_int_equal(map(0x5000, 4, HOST_SLOT_SIZE - 2 * PAGE), PVI_S_DEVERR);
}

/* Half of a MAP that the container neither completes nor gives up is no longer the device's. */
static void test_partial_map_that_stays(void **state)
{
	map_half(3);
	assert_int_equal(vfio.mappings, 1);
	assert_int_equal(host.nr_failed, 1);
	assert_int_equal(host.last_failed, EP_A);
	vfio.mappings = 0; /* what the kernel would not give up */
}

/* It may have been once only: what is in the way of the next MAP then goes. */
static void test_partial_map_goes_at_the_second_try(void **state)
{
	map_half(2);
	assert_int_equal(vfio.mappings, 0);
	assert_int_equal(host.nr_failed, 0);
	assert_int_equal(map(0x5000, 4, HOST_SLOT_SIZE - 2 * PAGE), PVI_S_OK);
}

static void test_limit_of_65535(void **state)
{
	struct pvi_vfio_info info;

	for (uint64_t i = 0; i < 65535; i++)
		assert_int_equal(map(i * PAGE, 1, DRV_DATA + i % 64 * PAGE), PVI_S_OK);
	assert_int_equal(pvi_vfio_get_info(vfio.vfio, &info), 0);
	assert_int_equal(info.available, 0);
	assert_int_equal(map(65535 * PAGE, 1, DRV_DATA), PVI_S_NOMEM);
	assert_int_equal(drv_unmap(&drv, 1, 0, 0xfff), PVI_S_OK);
	assert_int_equal(map(65535 * PAGE, 1, DRV_DATA), PVI_S_OK);
	assert_int_equal(vfio.mappings, 65535);
}

static void test_attach_replays(void **state)
{
	assert_int_equal(drv_attach(&drv, 2, EP_SOFT, 0), PVI_S_OK);
	for (uint64_t i = 0; i < 10; i++)
		assert_int_equal(drv_map(&drv, 2, i * PAGE, i * PAGE + 0xfff, DRV_DATA, RW),
				 PVI_S_OK);
	assert_int_equal(map(0x20000, 1, DRV_DATA), PVI_S_OK);
	vfio.limit = 9;
	assert_int_equal(drv_attach(&drv, 2, EP_A, 0), PVI_S_NOMEM);
	assert_int_equal(vfio.mappings, 1);
	assert_true(fake_vfio_has(&vfio, 0x20000, host_at(&host, DRV_DATA), PAGE, 3));
	vfio.limit = 10;
	assert_int_equal(drv_attach(&drv, 2, EP_A, 0), PVI_S_OK);
	assert_int_equal(vfio.mappings, 10);
	assert_int_equal(drv_detach(&drv, 2, EP_A), PVI_S_OK);
	assert_int_equal(vfio.mappings, 0);
}

static void test_bypass_maps_all_ram(void **state)
{
	tear_down(state);
	start(true, false);
	assert_int_equal(drv_detach(&drv, 1, EP_A), PVI_S_OK);
	assert_int_equal(vfio.mappings, 0);
	/* The fake's IOVAs end below the third slot: half a bypass is none. */
	drv_write(&drv, BYPASS, 1, 1);
	assert_int_equal(vfio.map_calls, 3);
	assert_int_equal(vfio.mappings, 0);
	assert_int_equal(drv_attach(&drv, 1, EP_A, PVI_ATTACH_F_BYPASS), PVI_S_DEVERR);
	assert_int_equal(vfio.mappings, 0);
	assert_int_equal(host.nr_failed, 0);
	assert_int_equal(drv_attach(&drv, 1, EP_A, 0), PVI_S_OK);
	assert_int_equal(map(0x5000, 1, DRV_DATA), PVI_S_OK);
}

static void test_unmap_that_fails(void **state)
{
	assert_int_equal(map(0x5000, 1, DRV_DATA), PVI_S_OK);
	vfio.fail_in = 0;
	vfio.error = EIO;
	assert_int_equal(drv_unmap(&drv, 1, 0x5000, 0x5fff), PVI_S_DEVERR);
	assert_int_equal(host.nr_failed, 1);
	assert_int_equal(host.last_failed, EP_A);
	vfio.mappings = 0; /* what the kernel would not give up */
}

/* ---- what the container says of itself ---- */

static void test_info(void **state)
{
	struct pvi_wire_probe r = {.head.type = PVI_T_PROBE};
	const uint8_t *in = host_at(&host, drv_in(0));
	struct pvi_vfio_info info;

	assert_int_equal(map(0, 1, DRV_DATA), PVI_S_OK);
	assert_int_equal(pvi_vfio_get_info(vfio.vfio, &info), 0);
	assert_int_equal(info.page_sizes, 0x40201000);
	assert_int_equal(info.available, 65534);
	/* Its two windows leave two reserved regions. */
	pvi_put32(&r.endpoint, EP_A);
	assert_int_equal(drv_submit(&drv, &r, sizeof(r), 516), 516);
	assert_int_equal(pvi_get64(in + 8), 0xfee00000);
	assert_int_equal(pvi_get64(in + 16), 0xfeefffff);
	assert_int_equal(pvi_get64(in + 24 + 8), 1ull << 39);
	assert_int_equal(pvi_get64(in + 24 + 16), (1ull << 48) - 1);
	vfio.no_caps = true;
	assert_int_equal(pvi_vfio_get_info(vfio.vfio, &info), 0);
	assert_int_equal(info.available, 65535);
	vfio.fail_in = 1;
	vfio.error = EIO;
	assert_int_equal(pvi_vfio_get_info(vfio.vfio, &info), -EIO);
}

static uint32_t damage_at;
static uint32_t damage_value;

static void damage(uint8_t *info, size_t len)
{
	pvi_put32(info + damage_at, damage_value);
}

/* Offsets and counts that lead nowhere: an error, and nothing read beyond the answer. */
static void test_damaged_info(void **state)
{
	static const struct {
		uint32_t at, value;
	} bad[] = {
		{offsetof(struct vfio_iommu_type1_info, cap_offset), 4},
		{offsetof(struct vfio_iommu_type1_info, cap_offset), 0xffffffff},
		{offsetof(struct vfio_iommu_type1_info, cap_offset), 136 - 4},
		{sizeof(struct vfio_iommu_type1_info) + 4, 20},
		{sizeof(struct vfio_iommu_type1_info) + 4, 0xfffffff0},
	};
	struct pvi_vfio_info info;

	vfio.damage = damage;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		damage_at = bad[i].at;
		damage_value = bad[i].value;
		assert_int_equal(pvi_vfio_get_info(vfio.vfio, &info), -EINVAL);
	}
	/* Every count and every next of the range's capability. */
	for (damage_at = 24; damage_at < 80; damage_at += 4) {
		damage_value = 0xfffffff0;
		(void)pvi_vfio_get_info(vfio.vfio, &info);
	}
}

static void test_config(void **state)
{
	struct pvi_vfio_ram ram[2] = {{0, 0x1000, host.slot[0]}, {0x1000, 0x1000, host.slot[1]}};
	struct pvi_vfio_config c = {.container = 1234, .ram = ram, .nr_ram = 2};
	struct fake_vfio old;
	struct pvi_vfio *none = NULL;

	ram[1].gpa = 0xfff;
	assert_int_equal(pvi_vfio_new(iommu, &c, &none), -EINVAL);
	ram[1].gpa = 0;
	assert_int_equal(pvi_vfio_new(iommu, &c, &none), -EINVAL);
	ram[1] = (struct pvi_vfio_ram){0x1000, 0, host.slot[1]};
	assert_int_equal(pvi_vfio_new(iommu, &c, &none), -EINVAL);
	ram[1] = (struct pvi_vfio_ram){0x1000, -0x1000ull, host.slot[1]};
	assert_int_equal(pvi_vfio_new(iommu, &c, &none), -EINVAL);
	c.nr_ram = 0;
	assert_int_equal(pvi_vfio_new(iommu, &c, &none), -EINVAL);
	/* The system's ioctl on what is no container. */
	c.nr_ram = 1;
	c.container = -1;
	assert_int_equal(pvi_vfio_new(iommu, &c, &none), -EBADF);
	assert_null(none);
	pvi_vfio_free(NULL);

	fake_vfio_init(&old);
	old.v1_only = true;
	assert_int_equal(fake_vfio_try(&old, &host, iommu), -ENOTSUP);
	old.v1_only = false;
	/* No page as small as the guest's. */
	old.page_sizes = 0x40210000;
	assert_int_equal(fake_vfio_try(&old, &host, iommu), -ENOTSUP);
	old.page_sizes = 0;
	assert_int_equal(fake_vfio_try(&old, &host, iommu), -ENOTSUP);
	old.page_sizes = 0x1000;
	for (int n = 0; n < 3; n++) {
		old.fail_in = n;
		old.error = ENODEV;
		assert_int_equal(fake_vfio_try(&old, &host, iommu), -ENODEV);
	}
	fake_vfio_done(&old);
}

/* ---- memory that runs out ---- */

static void test_nth_allocation_fails_in_calls(void **state)
{
	struct pvi_vfio_info info = {.available = 42};
	const int before = live;
	struct fake_vfio other;
	int n = 0, err;

	fake_vfio_init(&other);
	do {
		fail_in = n;
		err = fake_vfio_try(&other, &host, iommu);
		fail_in = -1;
		assert_true(!err || (err == -ENOMEM && !other.vfio && live == before));
	} while (err && n++ < 20);
	/* Itself, its RAM, what the kernel said and what we read of it, the backend twice. */
	assert_int_equal(n, 6);
	pvi_vfio_free(other.vfio);
	assert_int_equal(live, before);
	fake_vfio_done(&other);
	for (n = 0; n < 2; n++) {
		fail_in = n;
		assert_int_equal(pvi_vfio_get_info(vfio.vfio, &info), -ENOMEM);
		assert_int_equal(info.available, 42);
	}
	fail_in = -1;
	assert_int_equal(live, before);
}

/* What @status says of a MAP is true of the container. */
static void judge_map(uint32_t status, uint64_t iova, uint64_t gpa)
{
	assert_true(status == PVI_S_OK || status == PVI_S_NOMEM);
	assert_int_equal(fake_vfio_has(&vfio, iova, host_at(&host, gpa), PAGE, 3),
			 status == PVI_S_OK);
}

/* Requests with the n-th allocation from their first on failing; false: none was left to. */
static bool requests(int n)
{
	unsigned int before;
	uint32_t status;

	start(false, false);
	assert_int_equal(map(0x5000, 1, DRV_DATA), PVI_S_OK);
	fail_in = n;
	/* Apart, so that each takes memory of the table. */
	for (uint64_t i = 1; i < 4; i++)
		judge_map(map(i << 21, 1, DRV_DATA), i << 21, DRV_DATA);
	before = vfio.mappings;
	status = drv_attach(&drv, 2, EP_SOFT, 0);
	assert_true(status == PVI_S_OK || status == PVI_S_NOMEM);
	if (status == PVI_S_OK) {
		status = drv_map(&drv, 2, 0x7000, 0x7fff, DRV_DATA, RW);
		assert_int_equal(vfio.mappings, before);
		assert_int_equal(drv_attach(&drv, 2, EP_A, 0), PVI_S_OK);
		judge_map(status, 0x7000, DRV_DATA);
		assert_int_equal(vfio.mappings, status == PVI_S_OK);
	} else {
		/* The move failed before it began. */
		assert_int_equal(vfio.mappings, before);
		assert_true(fake_vfio_has(&vfio, 0x5000, host_at(&host, DRV_DATA), PAGE, 3));
	}
	n = fail_in;
	fail_in = -1;
	tear_down(NULL);
	return n < 0;
}

static void test_nth_allocation_fails_in_requests(void **state)
{
	int n = 0;

	tear_down(state);
	while (requests(n))
		n++;
	assert_in_range(n, 5, 30);
	start(false, false);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_map_and_unmap),
		T(test_two_maps_are_never_merged),
		T(test_map_over_slots),
		T(test_partial_map_rolls_back),
		T(test_partial_map_that_stays),
		T(test_partial_map_goes_at_the_second_try),
		T(test_limit_of_65535),
		T(test_attach_replays),
		T(test_bypass_maps_all_ram),
		T(test_unmap_that_fails),
		T(test_info),
		T(test_damaged_info),
		T(test_config),
		T(test_nth_allocation_fails_in_calls),
		T(test_nth_allocation_fails_in_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
