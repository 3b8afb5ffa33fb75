// SPDX-License-Identifier: BSD-2-Clause
/* Backends: hardware that mirrors a domain, and what happens when it fails. */
#include "fake_alloc.h"
#include "fake_backend.h"
#include "fake_driver.h"

#define EP_A	0x10u
#define EP_B	0x18u
#define EP_SOFT 0x20u
#define RW	(PVI_MAP_F_READ | PVI_MAP_F_WRITE)
#define PAGE	0x1000ull
#define BYPASS	(PVI_VP_DEVICE + offsetof(struct pvi_wire_config, bypass))

static struct fake_host host;
static struct driver drv;
static struct pvi_iommu *iommu;
static struct fake_backend hw;
static struct pvi_endpoint *a, *b, *soft;

/* @a and @b behind one backend, @soft behind none. */
static void start(bool allow_bypass)
{
	struct pvi_iommu_config c;

	host_init(&host);
	c = host_config(&host);
	c.allow_bypass = allow_bypass;
	iommu = host_iommu(&c);
	fake_backend_init(&hw, iommu);
	a = host_endpoint_of(iommu, EP_A, hw.backend);
	b = host_endpoint_of(iommu, EP_B, hw.backend);
	soft = host_endpoint(iommu, EP_SOFT);
	drv = (struct driver){.h = &host, .v = host_viommu(&host, iommu)};
	assert_true(drv_start(&drv, allow_bypass ? DRV_F_COMMON | 1u << PVI_F_BYPASS_CONFIG
						 : DRV_F_COMMON));
}

static int set_up(void **state)
{
	start(false);
	return 0;
}

static int tear_down(void **state)
{
	hw.fail_in = -1;
	pvi_endpoint_remove(a);
	pvi_endpoint_remove(b);
	pvi_endpoint_remove(soft);
	pvi_viommu_free(drv.v);
	pvi_backend_free(hw.backend);
	pvi_iommu_free(iommu);
	host_done(&host);
	assert_int_equal(live, 0);
	return 0;
}

static uint32_t map(uint32_t domain, uint64_t iova, uint64_t pages, uint64_t gpa)
{
	return drv_map(&drv, domain, iova, iova + pages * PAGE - 1, gpa, RW);
}

static bool failed(struct pvi_endpoint *ep)
{
	struct pvi_endpoint_stats s;

	pvi_endpoint_get_stats(ep, &s);
	return s.failed;
}

static void test_config(void **state)
{
	const struct pvi_window crossed[] = {{0x1000, 0xfff}},
				mixed[] = {{0x5000, 0x5fff}, {0, 0xfff}};
	struct pvi_backend_config c = {.page_sizes = 0x1000};
	struct fake_backend other = {.fail_in = -1};
	struct pvi_backend *none = NULL;

	assert_int_equal(pvi_backend_new(iommu, &c, &none), -EINVAL);
	assert_int_equal(fake_backend_try(&other, iommu, crossed, 1), -EINVAL);
	assert_int_equal(fake_backend_try(&other, iommu, mixed, 2), -EINVAL);
	c.ops = &(struct pvi_backend_ops){0};
	assert_int_equal(pvi_backend_new(iommu, &c, &none), -EINVAL);
	/* Hardware with larger pages than the guest may map. */
	other.page_sizes = 0x40210000;
	assert_int_equal(fake_backend_try(&other, iommu, NULL, 0), -EINVAL);
	other.page_sizes = 1ull << 63;
	assert_int_equal(fake_backend_try(&other, iommu, NULL, 0), -EINVAL);
	assert_null(other.backend);
	assert_null(none);
	pvi_backend_free(NULL);
}

static void test_it_has_what_the_domain_has(void **state)
{
	assert_int_equal(drv_attach(&drv, 1, EP_A, 0), PVI_S_OK);
	assert_int_equal(map(1, 0x5000, 3, DRV_DATA), PVI_S_OK);
	assert_int_equal(drv_map(&drv, 1, 0x10000, 0x10fff, DRV_DATA, PVI_MAP_F_READ), PVI_S_OK);
	assert_int_equal(drv_map(&drv, 1, 0x20000, 0x20fff, DRV_DATA, 0), PVI_S_OK);
	assert_int_equal(hw.nr, 2);
	assert_true(fake_backend_has(&hw, 0x5000, DRV_DATA, 3 * PAGE, RW));
	assert_true(fake_backend_has(&hw, 0x10000, DRV_DATA, PAGE, PVI_PROT_READ));
	/* Refused by the domain: the backend is not asked. */
	hw.calls = 0;
	assert_int_equal(map(1, 0x6000, 1, DRV_DATA), PVI_S_INVAL);
	assert_int_equal(drv_unmap(&drv, 1, 0x5000, 0x5fff), PVI_S_RANGE);
	assert_int_equal(drv_unmap(&drv, 1, 0x90000, 0x90fff), PVI_S_OK);
	assert_int_equal(hw.calls, 0);
	assert_int_equal(drv_unmap(&drv, 1, 0, 0xffff), PVI_S_OK);
	assert_int_equal(hw.nr, 1);
	assert_int_equal(drv_detach(&drv, 1, EP_A), PVI_S_OK);
	assert_int_equal(hw.nr, 0);
}

static void test_attach_replays(void **state)
{
	assert_int_equal(drv_attach(&drv, 1, EP_SOFT, 0), PVI_S_OK);
	assert_int_equal(drv_attach(&drv, 2, EP_A, 0), PVI_S_OK);
	for (uint64_t i = 0; i < 10; i++)
		assert_int_equal(map(1, i * 2 * PAGE, 1, DRV_DATA + i * PAGE), PVI_S_OK);
	assert_int_equal(map(2, 0x2000, 4, DRV_DATA), PVI_S_OK);
	assert_int_equal(hw.nr, 1);
	assert_int_equal(drv_attach(&drv, 1, EP_A, 0), PVI_S_OK);
	assert_int_equal(hw.nr, 10);
	for (uint64_t i = 0; i < 10; i++)
		assert_true(fake_backend_has(&hw, i * 2 * PAGE, DRV_DATA + i * PAGE, PAGE, RW));
	/* The second endpoint of the container finds it all there. */
	hw.calls = 0;
	assert_int_equal(drv_attach(&drv, 1, EP_B, 0), PVI_S_OK);
	assert_int_equal(drv_detach(&drv, 1, EP_A), PVI_S_OK);
	assert_int_equal(hw.calls, 0);
	assert_int_equal(drv_detach(&drv, 1, EP_B), PVI_S_OK);
	assert_int_equal(hw.nr, 0);
}

static void test_failed_replay_rolls_back(void **state)
{
	assert_int_equal(drv_attach(&drv, 1, EP_SOFT, 0), PVI_S_OK);
	assert_int_equal(drv_attach(&drv, 2, EP_A, 0), PVI_S_OK);
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(map(1, i * PAGE, 1, DRV_DATA), PVI_S_OK);
	assert_int_equal(map(2, 0x2000, 4, DRV_DATA), PVI_S_OK);
	/* Call 0 empties, 1 to 5 replay. */
	for (int n = 1; n < 6; n++) {
		hw.fail_in = n;
		assert_int_equal(drv_attach(&drv, 1, EP_A, 0), PVI_S_NOMEM);
		assert_int_equal(hw.nr, 1);
		assert_true(fake_backend_has(&hw, 0x2000, DRV_DATA, 4 * PAGE, RW));
		assert_int_equal(drv_detach(&drv, 1, EP_A), PVI_S_INVAL);
		assert_false(failed(a));
	}
	assert_int_equal(map(2, 0x8000, 1, DRV_DATA), PVI_S_OK);
	assert_int_equal(hw.nr, 2);
	assert_int_equal(drv_attach(&drv, 1, EP_A, 0), PVI_S_OK);
	assert_int_equal(hw.nr, 5);
	/* A new domain that could not be entered is not there. */
	hw.fail_in = 0;
	assert_int_equal(drv_attach(&drv, 7, EP_A, 0), PVI_S_DEVERR);
	assert_int_equal(map(7, 0, 1, DRV_DATA), PVI_S_NOENT);
}

/* Devices of one container share one domain. */
static void test_one_domain_for_a_backend(void **state)
{
	assert_int_equal(drv_attach(&drv, 1, EP_A, 0), PVI_S_OK);
	assert_int_equal(drv_attach(&drv, 2, EP_B, 0), PVI_S_UNSUPP);
	assert_int_equal(map(2, 0, 1, DRV_DATA), PVI_S_NOENT);
	assert_int_equal(drv_attach(&drv, 1, EP_B, 0), PVI_S_OK);
	assert_int_equal(map(1, 0, 1, DRV_DATA), PVI_S_OK);
	/* Neither can be moved away while the other is there. */
	assert_int_equal(drv_attach(&drv, 2, EP_B, 0), PVI_S_UNSUPP);
	assert_int_equal(hw.nr, 1);
	assert_int_equal(drv_detach(&drv, 1, EP_A), PVI_S_OK);
	assert_int_equal(drv_attach(&drv, 2, EP_B, 0), PVI_S_OK);
	assert_int_equal(hw.nr, 0);
	assert_int_equal(map(1, 0, 1, DRV_DATA), PVI_S_NOENT);
}

/* Two backends in a domain: both or none have a mapping. */
static void test_failed_map_leaves_none(void **state)
{
	struct fake_backend second;
	struct pvi_endpoint *ep;
	uint8_t byte;

	fake_backend_init(&second, iommu);
	ep = host_endpoint_of(iommu, 0x30, second.backend);
	assert_int_equal(drv_attach(&drv, 1, EP_A, 0), PVI_S_OK);
	assert_int_equal(drv_attach(&drv, 1, 0x30, 0), PVI_S_OK);
	assert_int_equal(drv_attach(&drv, 1, EP_SOFT, 0), PVI_S_OK);
	for (int which = 0; which < 2; which++) {
		struct fake_backend *f = which ? &hw : &second;

		f->fail_in = 0;
		assert_int_equal(map(1, 0, 1, DRV_DATA), PVI_S_NOMEM);
		f->fail_in = 0;
		f->error = -EFAULT;
		assert_int_equal(map(1, 0, 1, DRV_DATA), PVI_S_FAULT);
		f->fail_in = 0;
		f->error = -EPERM;
		assert_int_equal(map(1, 0, 1, DRV_DATA), PVI_S_DEVERR);
		f->error = -ENOMEM;
		assert_int_equal(hw.nr + second.nr, 0);
		assert_int_equal(pvi_dma_read(soft, 0, &byte, 1), -EFAULT);
	}
	assert_int_equal(map(1, 0, 1, DRV_DATA), PVI_S_OK);
	assert_int_equal(hw.nr + second.nr, 2);
	pvi_endpoint_remove(ep);
	assert_int_equal(second.nr, 0);
	pvi_backend_free(second.backend);
}

/* cloud-hypervisor #7899: nothing is published before the backend has all of the batch. */
static void unpublished(void *arg)
{
	assert_int_equal(drv_used_idx(&drv, PVI_VQ_REQUEST), *(uint16_t *)arg);
}

static void test_batch_waits_for_the_backend(void **state)
{
	uint16_t used;

	assert_int_equal(drv_attach(&drv, 1, EP_A, 0), PVI_S_OK);
	used = drv_used_idx(&drv, PVI_VQ_REQUEST);
	for (unsigned int i = 0; i < 100; i++) {
		struct pvi_wire_map m = drv_map_req(1, i * PAGE, i * PAGE + 0xfff, DRV_DATA, RW);

		drv_add(&drv, i, &m, sizeof(m), 4);
	}
	hw.on_map = unpublished;
	hw.arg = &used;
	drv_kick(&drv, PVI_VQ_REQUEST);
	assert_int_equal(hw.nr, 100);
	assert_int_equal((uint16_t)(drv_used_idx(&drv, PVI_VQ_REQUEST) - used), 100);
}

static void test_bypass(void **state)
{
	tear_down(state);
	start(true);
	assert_false(hw.identity);
	drv_write(&drv, BYPASS, 1, 1);
	assert_true(hw.identity);
	assert_int_equal(drv_attach(&drv, 1, EP_A, 0), PVI_S_OK);
	assert_false(hw.identity);
	assert_int_equal(map(1, 0, 1, DRV_DATA), PVI_S_OK);
	/* The other one of the container is no exception: isolation comes first. */
	drv_write(&drv, BYPASS, 0, 1);
	drv_write(&drv, BYPASS, 1, 1);
	assert_int_equal(hw.nr, 1);
	assert_int_equal(drv_attach(&drv, 2, EP_A, PVI_ATTACH_F_BYPASS), PVI_S_OK);
	assert_true(hw.identity);
	drv_write(&drv, BYPASS, 0, 1);
	assert_true(hw.identity);
	assert_int_equal(drv_detach(&drv, 2, EP_A), PVI_S_OK);
	assert_false(hw.identity);
	drv_write(&drv, BYPASS, 1, 1);
	assert_true(hw.identity);
	/* Survives a device reset, not a system reset. */
	assert_true(drv_start(&drv, DRV_F_COMMON | 1u << PVI_F_BYPASS_CONFIG));
	assert_true(hw.identity);
	pvi_viommu_system_reset(drv.v);
	assert_false(hw.identity);
}

/* The bypass that the guest had chosen does not get to the hardware on the way. */
static void test_system_reset_in_bypass(void **state)
{
	unsigned int before;

	tear_down(state);
	start(true);
	assert_int_equal(drv_attach(&drv, 1, EP_A, 0), PVI_S_OK);
	assert_int_equal(map(1, 0, 1, DRV_DATA), PVI_S_OK);
	drv_write(&drv, BYPASS, 1, 1);
	assert_false(hw.identity);
	before = hw.calls;
	pvi_viommu_system_reset(drv.v);
	/* The one call that empties it. */
	assert_int_equal(hw.calls, before + 1);
	assert_int_equal(hw.nr, 0);
	assert_false(hw.identity);
}

static void test_bypass_needs_identity(void **state)
{
	struct pvi_backend_ops ops;
	struct pvi_backend_config c = {.ops = &ops, .page_sizes = 0x1000};
	struct pvi_backend *none;

	tear_down(state);
	start(true);
	ops = (struct pvi_backend_ops){.map = (void *)start, .unmap = (void *)start};
	assert_int_equal(pvi_backend_new(iommu, &c, &none), -EINVAL);
}

/* What the hardware cannot translate is reserved, the MSI window stays one. */
static void test_windows_become_reserved(void **state)
{
	const struct pvi_window windows[] = {{0x1000, 0xfedfffff}, {0xfef00000, (1ull << 39) - 1}};
	const struct pvi_reserved msi = {0xfee00000, 0xfeefffff, true};
	const struct pvi_window many[] = {{0x1000, 0x1fff}, {0x3000, 0x3fff}, {0x5000, 0x5fff},
					  {0x7000, 0x7fff}, {0x9000, 0x9fff}, {0xb000, 0xbfff},
					  {0xd000, 0xdfff}, {0xf000, 0xffff}, {0x11000, 0x11fff}};
	struct fake_backend narrow = {.fail_in = -1}, holes = {.fail_in = -1};
	struct pvi_endpoint_config c = {&msi, 1, true, NULL};
	struct pvi_wire_probe r = {.head.type = PVI_T_PROBE};
	const uint8_t *in = host_at(&host, drv_in(0));
	struct pvi_endpoint *ep;

	assert_int_equal(fake_backend_try(&narrow, iommu, windows, 2), 0);
	c.backend = narrow.backend;
	assert_int_equal(pvi_endpoint_add(iommu, 0x30, &c, &ep), 0);
	pvi_put32(&r.endpoint, 0x30);
	assert_int_equal(drv_submit(&drv, &r, sizeof(r), 516), 516);
	assert_int_equal(in[4], PVI_RESV_MEM_MSI);
	assert_int_equal(pvi_get64(in + 24 + 8), 0);
	assert_int_equal(pvi_get64(in + 24 + 16), 0xfff);
	assert_int_equal(pvi_get64(in + 48 + 8), 1ull << 39);
	assert_int_equal(pvi_get64(in + 48 + 16), (1ull << 48) - 1);
	assert_int_equal(pvi_get16(in + 72), 0);
	assert_int_equal(drv_attach(&drv, 1, 0x30, 0), PVI_S_OK);
	assert_int_equal(map(1, 0, 1, DRV_DATA), PVI_S_INVAL);
	assert_int_equal(map(1, 1ull << 39, 1, DRV_DATA), PVI_S_INVAL);
	assert_int_equal(map(1, 0x1000, 1, DRV_DATA), PVI_S_OK);
	pvi_endpoint_remove(ep);
	pvi_backend_free(narrow.backend);

	/* More holes than PROBE has room for. */
	assert_int_equal(fake_backend_try(&holes, iommu, many, 9), 0);
	c.backend = holes.backend;
	assert_int_equal(pvi_endpoint_add(iommu, 0x30, &c, &ep), -EINVAL);
	pvi_backend_free(holes.backend);
}

/* Hardware that keeps a mapping: its devices have failed, the guest goes on. */
static void test_hardware_that_gives_nothing_up(void **state)
{
	struct pvi_endpoint *late;
	const struct pvi_endpoint_config c = {.backend = hw.backend};
	uint8_t byte;

	assert_int_equal(drv_attach(&drv, 1, EP_A, 0), PVI_S_OK);
	assert_int_equal(drv_attach(&drv, 1, EP_SOFT, 0), PVI_S_OK);
	assert_int_equal(map(1, 0, 1, DRV_DATA), PVI_S_OK);
	hw.fail_in = 0;
	hw.error = -EIO;
	assert_int_equal(drv_unmap(&drv, 1, 0, 0xfff), PVI_S_DEVERR);
	/* Tried again: nothing is left in the table, but it is in the hardware. */
	assert_int_equal(drv_unmap(&drv, 1, 0, 0xfff), PVI_S_DEVERR);
	assert_true(failed(a) && failed(b) && !failed(soft));
	assert_int_equal(host.nr_failed, 2);
	assert_int_equal(pvi_endpoint_set_dma(a, true), -EBUSY);
	assert_int_equal(drv_attach(&drv, 2, EP_A, 0), PVI_S_DEVERR);
	assert_int_equal(pvi_endpoint_add(iommu, 0x30, &c, &late), -EIO);
	/* Once it is out of the domain, that is whole again. */
	assert_int_equal(map(1, 0x1000, 1, DRV_DATA), PVI_S_DEVERR);
	assert_int_equal(drv_detach(&drv, 1, EP_A), PVI_S_DEVERR);
	assert_int_equal(map(1, 0x1000, 1, DRV_DATA), PVI_S_OK);
	assert_int_equal(pvi_dma_read(soft, 0x1000, &byte, 1), 0);
}

/* ---- the n-th call fails, for every n ---- */

static struct fake_mapping model[3][8]; /* by domain, without those that are gone: len 0 */
static unsigned int at;			/* domain of @a; 0: none */

static void check_content(void)
{
	unsigned int n = 0;

	if (failed(a))
		return;
	for (unsigned int i = 0; i < 8; i++) {
		const struct fake_mapping *m = &model[at][i];

		if (!at || !m->len)
			continue;
		assert_true(fake_backend_has(&hw, m->iova, m->gpa, m->len, m->prot));
		n++;
	}
	assert_int_equal(hw.nr, n);
}

static void step_map(uint32_t domain, unsigned int i)
{
	if (map(domain, i * 4 * PAGE, 2, DRV_DATA) == PVI_S_OK)
		model[domain][i] = (struct fake_mapping){i * 4 * PAGE, DRV_DATA, 2 * PAGE, RW};
	check_content();
}

static void step_unmap(uint32_t domain, unsigned int i)
{
	uint32_t status = drv_unmap(&drv, domain, i * 4 * PAGE, (i + 1) * 4 * PAGE - 1);

	assert_true(status == PVI_S_OK || failed(a));
	model[domain][i].len = 0;
	check_content();
}

static void step_attach(uint32_t domain)
{
	if (drv_attach(&drv, domain, EP_A, 0) == PVI_S_OK)
		at = domain;
	check_content();
}

/* false: no call was left to fail. */
static bool life(int n, bool stay)
{
	bool hit;

	memset(model, 0, sizeof(model));
	at = 0;
	start(false);
	assert_int_equal(drv_attach(&drv, 1, EP_SOFT, 0), PVI_S_OK);
	assert_int_equal(drv_attach(&drv, 2, EP_B, 0), PVI_S_OK);
	assert_int_equal(drv_detach(&drv, 2, EP_B), PVI_S_OK);
	hw.fail_in = n;
	hw.stay = stay;
	hw.refused = false;
	step_map(1, 0);
	step_map(1, 1);
	step_attach(1);
	step_map(1, 2);
	step_unmap(1, 0);
	step_attach(2);
	if (at == 2)
		step_map(2, 3);
	step_attach(1);
	step_map(1, 4);
	if (at && drv_detach(&drv, at, EP_A) != PVI_S_OK)
		assert_true(failed(a));
	hit = hw.fail_in != n && (stay || hw.fail_in < 0);
	/* It fails for that alone, or where rolling back failed too. */
	if (failed(a))
		assert_true(hw.refused || stay);
	tear_down(NULL);
	return hit;
}

static void test_nth_call_fails(void **state)
{
	int n = 0;

	tear_down(state);
	while (life(n, false))
		n++;
	assert_in_range(n, 10, 60);
	for (n = 0; n < 30; n++)
		life(n, true);
	start(false);
}

/* A constructor gives all back, and leaves its caller's pointer alone. */
static void test_nth_allocation_fails(void **state)
{
	const struct pvi_window windows[] = {{0x1000, 0xfedfffff}, {0xfef00000, (1ull << 39) - 1}};
	const int before = live;
	int n;

	for (n = 0;; n++) {
		struct fake_backend other = {.fail_in = -1};
		int err;

		fail_in = n;
		err = fake_backend_try(&other, iommu, windows, 2);
		fail_in = -1;
		if (!err) {
			pvi_backend_free(other.backend);
			assert_int_equal(live, before);
			break;
		}
		assert_int_equal(err, -ENOMEM);
		assert_null(other.backend);
		assert_int_equal(other.calls, 0);
		assert_int_equal(live, before);
	}
	assert_int_equal(n, 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_config),
		T(test_it_has_what_the_domain_has),
		T(test_attach_replays),
		T(test_failed_replay_rolls_back),
		T(test_one_domain_for_a_backend),
		T(test_failed_map_leaves_none),
		T(test_batch_waits_for_the_backend),
		T(test_bypass),
		T(test_system_reset_in_bypass),
		T(test_bypass_needs_identity),
		T(test_windows_become_reserved),
		T(test_hardware_that_gives_nothing_up),
		T(test_nth_call_fails),
		T(test_nth_allocation_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
