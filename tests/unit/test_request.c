// SPDX-License-Identifier: BSD-2-Clause
/*
 * Every request and every way to refuse it, by the words of VIRTIO 1.3, 5.13.6.
 * Tests named after what another device gets wrong say whose.
 */
#include "request_guest.h"

/* ---- ATTACH ---- */

/* QEMU and Cloud Hypervisor don't check them; 5.13.6.3 says MUST. */
static void test_attach_reserved_fields(void **state)
{
	for (size_t i = 0; i < 4; i++) {
		struct pvi_wire_attach r = drv_attach_req(1, EP_A, 0);

		r.reserved[i] = 1;
		assert_int_equal(drv_status(&drv, &r, sizeof(r)), PVI_S_INVAL);
	}
	assert_int_equal(stats().domains, 0);
	assert_int_equal(stats().refused, 4);
}

static void test_head_reserved_is_ignored(void **state)
{
	struct pvi_wire_attach r = drv_attach_req(1, EP_A, 0);

	memset(r.head.reserved, 0xff, 3);
	assert_int_equal(drv_status(&drv, &r, sizeof(r)), PVI_S_OK);
}

static void test_attach_unknown_flags(void **state)
{
	for (unsigned int bit = 0; bit < 32; bit++)
		assert_int_equal(drv_attach(&drv, 1, EP_A, 1u << bit), PVI_S_INVAL);
	assert_int_equal(stats().domains, 0);
}

/* Cloud Hypervisor does not check that the endpoint exists. */
static void test_attach_unknown_endpoint(void **state)
{
	assert_int_equal(drv_attach(&drv, 1, NOBODY, 0), PVI_S_NOENT);
	assert_int_equal(stats().domains, 0);
}

static void test_attach_domain_range(void **state)
{
	assert_int_equal(drv_attach(&drv, 0, EP_A, 0), PVI_S_RANGE);
	assert_int_equal(drv_attach(&drv, 101, EP_A, 0), PVI_S_RANGE);
	assert_int_equal(drv_attach(&drv, UINT32_MAX, EP_A, 0), PVI_S_RANGE);
	assert_int_equal(drv_attach(&drv, 100, EP_A, 0), PVI_S_OK);
	assert_int_equal(drv_attach(&drv, 1, EP_B, 0), PVI_S_OK);
	assert_int_equal(stats().domains, 2);
}

static void test_attach_again_changes_nothing(void **state)
{
	attach_a();
	assert_int_equal(map1(0, 0xfff, DRV_DATA), PVI_S_OK);
	attach_a();
	assert_true(reads(a, 0));
	assert_int_equal(stats().domains, 1);
}

static void test_attach_elsewhere_detaches_first(void **state)
{
	attach_a();
	assert_int_equal(map1(0, 0xfff, DRV_DATA), PVI_S_OK);
	assert_int_equal(drv_attach(&drv, 2, EP_A, 0), PVI_S_OK);
	assert_false(reads(a, 0));
	assert_int_equal(stats().domains, 1);
	/* The old domain is gone with its mappings. */
	assert_int_equal(map1(0, 0xfff, DRV_DATA), PVI_S_NOENT);
	attach_a();
	assert_false(reads(a, 0));
}

/* QEMU leaves the endpoint detached when an ATTACH fails. */
static void test_failed_attach_keeps_the_old_one(void **state)
{
	struct pvi_iommu_config c = host_config(&host);

	c.max_domains = 1;
	restart(c, DRV_F_COMMON);
	attach_a();
	assert_int_equal(map1(0, 0xfff, DRV_DATA), PVI_S_OK);
	assert_int_equal(drv_attach(&drv, 2, EP_A, 0), PVI_S_NOMEM);
	assert_int_equal(drv_attach(&drv, 0, EP_A, 0), PVI_S_RANGE);
	assert_int_equal(drv_attach(&drv, 1, EP_A, 2), PVI_S_INVAL);
	assert_true(reads(a, 0));
	assert_int_equal(stats().domains, 1);
}

static void test_two_endpoints_share_a_domain(void **state)
{
	attach_a();
	assert_int_equal(drv_attach(&drv, 1, EP_B, 0), PVI_S_OK);
	assert_int_equal(map1(0, 0xfff, DRV_DATA), PVI_S_OK);
	assert_true(reads(a, 0));
	assert_true(reads(b, 0));
	assert_int_equal(drv_detach(&drv, 1, EP_A), PVI_S_OK);
	assert_false(reads(a, 0));
	assert_true(reads(b, 0));
	assert_int_equal(drv_detach(&drv, 1, EP_B), PVI_S_OK);
	assert_int_equal(stats().domains, 0);
}

static void test_domains_are_isolated(void **state)
{
	attach_a();
	assert_int_equal(drv_attach(&drv, 2, EP_B, 0), PVI_S_OK);
	assert_int_equal(map1(0, 0xfff, DRV_DATA), PVI_S_OK);
	assert_int_equal(drv_map(&drv, 2, 0, 0xfff, DRV_DATA + PAGE, RW), PVI_S_OK);
	assert_int_equal(pvi_dma_write(a, 0, "a", 1), 0);
	assert_int_equal(pvi_dma_write(b, 0, "b", 1), 0);
	assert_int_equal(*host_at(&host, DRV_DATA), 'a');
	assert_int_equal(*host_at(&host, DRV_DATA + PAGE), 'b');
}

/* Its reserved regions are mapped there already: its properties don't fit. */
static void test_attach_incompatible(void **state)
{
	attach_a();
	assert_int_equal(map1(0x40000000, 0x40000fff, DRV_DATA), PVI_S_OK);
	assert_int_equal(drv_attach(&drv, 1, EP_B, 0), PVI_S_UNSUPP);
	assert_int_equal(drv_unmap(&drv, 1, 0x40000000, 0x40000fff), PVI_S_OK);
	assert_int_equal(drv_attach(&drv, 1, EP_B, 0), PVI_S_OK);
}

/* ---- bypass ---- */

static struct pvi_iommu_config bypass_config(void)
{
	struct pvi_iommu_config c = host_config(&host);

	c.allow_bypass = true;
	return c;
}

static void test_bypass_flag_in_strict(void **state)
{
	assert_false(drv_features(&drv) >> PVI_F_BYPASS_CONFIG & 1);
	assert_int_equal(drv_attach(&drv, 1, EP_A, PVI_ATTACH_F_BYPASS), PVI_S_INVAL);
	assert_false(reads(a, DRV_DATA));
}

static void test_bypass_flag_not_negotiated(void **state)
{
	restart(bypass_config(), DRV_F_COMMON);
	assert_true(drv_features(&drv) >> PVI_F_BYPASS_CONFIG & 1);
	assert_int_equal(drv_attach(&drv, 1, EP_A, PVI_ATTACH_F_BYPASS), PVI_S_INVAL);
	assert_false(reads(a, DRV_DATA));
}

static void test_bypass_domain(void **state)
{
	struct pvi_endpoint_stats s;

	restart(bypass_config(), DRV_F_COMMON | 1u << PVI_F_BYPASS_CONFIG);
	assert_int_equal(drv_attach(&drv, 1, EP_A, PVI_ATTACH_F_BYPASS), PVI_S_OK);
	assert_true(reads(a, DRV_DATA));
	assert_false(reads(b, DRV_DATA));
	pvi_endpoint_get_stats(a, &s);
	assert_true(s.bypass);
	/* The flag must agree with what the domain is. */
	assert_int_equal(drv_attach(&drv, 1, EP_B, 0), PVI_S_INVAL);
	assert_int_equal(drv_attach(&drv, 2, EP_B, 0), PVI_S_OK);
	assert_int_equal(drv_attach(&drv, 2, EP_A, PVI_ATTACH_F_BYPASS), PVI_S_INVAL);
	assert_true(reads(a, DRV_DATA));
	assert_int_equal(drv_map(&drv, 1, 0, 0xfff, DRV_DATA, RW), PVI_S_INVAL);
	assert_int_equal(drv_unmap(&drv, 1, 0, 0xfff), PVI_S_INVAL);
	assert_int_equal(drv_detach(&drv, 1, EP_A), PVI_S_OK);
	assert_false(reads(a, DRV_DATA));
}

/* ---- DETACH ---- */

static void test_detach(void **state)
{
	struct pvi_wire_detach r;

	assert_int_equal(drv_detach(&drv, 1, NOBODY), PVI_S_NOENT);
	assert_int_equal(drv_detach(&drv, 1, EP_A), PVI_S_INVAL);
	attach_a();
	assert_int_equal(drv_attach(&drv, 2, EP_B, 0), PVI_S_OK);
	assert_int_equal(drv_detach(&drv, 2, EP_A), PVI_S_INVAL);
	assert_int_equal(drv_detach(&drv, 3, EP_A), PVI_S_INVAL);
	assert_int_equal(map1(0, 0xfff, DRV_DATA), PVI_S_OK);
	assert_true(reads(a, 0));
	r = drv_detach_req(1, EP_A);
	memset(r.reserved, 0xff, sizeof(r.reserved)); /* MUST be ignored */
	assert_int_equal(drv_status(&drv, &r, sizeof(r)), PVI_S_OK);
	assert_false(reads(a, 0));
	assert_int_equal(stats().domains, 1);
}

/* ---- MAP ---- */

/* QEMU and Cloud Hypervisor don't check it. */
static void test_map_alignment(void **state)
{
	attach_a();
	assert_int_equal(map1(1, 0xfff, DRV_DATA), PVI_S_RANGE);
	assert_int_equal(map1(0x800, 0x17ff, DRV_DATA), PVI_S_RANGE);
	assert_int_equal(map1(0, 0xffe, DRV_DATA), PVI_S_RANGE);
	assert_int_equal(map1(0, 0x1000, DRV_DATA), PVI_S_RANGE);
	assert_int_equal(map1(0, 0xfff, DRV_DATA + 1), PVI_S_RANGE);
	assert_int_equal(map1(0, 0xfff, DRV_DATA + 0x800), PVI_S_RANGE);
	assert_int_equal(map1(PAGE, PAGE, DRV_DATA), PVI_S_RANGE);
	assert_int_equal(map1(PAGE, PAGE - 1, DRV_DATA), PVI_S_INVAL);
	assert_int_equal(stats().mappings, 0);
}

static void test_map_larger_granule(void **state)
{
	struct pvi_iommu_config c = host_config(&host);

	c.page_size_mask = 0x30000; /* 64 KiB and 128 KiB */
	restart(c, DRV_F_COMMON);
	attach_a();
	assert_int_equal(map1(0, 0xfff, DRV_DATA), PVI_S_RANGE);
	assert_int_equal(map1(PAGE, 0xffff + PAGE, DRV_DATA), PVI_S_RANGE);
	assert_int_equal(map1(0, 0xffff, DRV_DATA + PAGE), PVI_S_RANGE);
	assert_int_equal(map1(0, 0xffff, DRV_DATA), PVI_S_OK);
	assert_int_equal(drv_read(&drv, PVI_VP_DEVICE, 8), 0x30000);
}

static void test_map_input_range(void **state)
{
	struct pvi_iommu_config c = host_config(&host);

	c.input_first = 0x10000;
	c.input_last = 0x1ffff;
	restart(c, DRV_F_COMMON);
	attach_a();
	assert_int_equal(map1(0xf000, 0x10fff, DRV_DATA), PVI_S_RANGE);
	assert_int_equal(map1(0x1f000, 0x20fff, DRV_DATA), PVI_S_RANGE);
	assert_int_equal(map1(0, UINT64_MAX, DRV_DATA), PVI_S_RANGE);
	assert_int_equal(map1(0x10000, 0x1ffff, DRV_DATA), PVI_S_OK);
}

static void test_map_whole_input_space(void **state)
{
	struct pvi_iommu_config c = host_config(&host);

	c.input_last = UINT64_MAX;
	restart(c, DRV_F_COMMON);
	attach_a();
	assert_int_equal(map1(0, 0xfff, DRV_DATA), PVI_S_OK);
	assert_int_equal(map1(UINT64_MAX - 0xfff, UINT64_MAX, DRV_DATA), PVI_S_OK);
	assert_true(reads(a, UINT64_MAX));
	assert_int_equal(drv_unmap(&drv, 1, 0, UINT64_MAX), PVI_S_OK);
	assert_false(reads(a, UINT64_MAX));
	assert_int_equal(map1(0, UINT64_MAX, 0), PVI_S_FAULT);
}

static void test_map_unknown_flags(void **state)
{
	attach_a();
	/* MMIO is not offered, so it is unknown too. */
	for (unsigned int bit = 2; bit < 32; bit++)
		assert_int_equal(drv_map(&drv, 1, 0, 0xfff, DRV_DATA, RW | 1u << bit), PVI_S_INVAL);
	assert_int_equal(stats().mappings, 0);
}

static void test_map_unknown_domain(void **state)
{
	assert_int_equal(map1(0, 0xfff, DRV_DATA), PVI_S_NOENT);
	attach_a();
	assert_int_equal(drv_map(&drv, 2, 0, 0xfff, DRV_DATA, RW), PVI_S_NOENT);
}

static void test_map_overlap(void **state)
{
	attach_a();
	assert_int_equal(map1(0x2000, 0x3fff, DRV_DATA), PVI_S_OK);
	assert_int_equal(map1(0x2000, 0x3fff, DRV_DATA), PVI_S_INVAL);
	assert_int_equal(map1(0x1000, 0x2fff, DRV_DATA), PVI_S_INVAL);
	assert_int_equal(map1(0x3000, 0x4fff, DRV_DATA), PVI_S_INVAL);
	assert_int_equal(map1(0x1000, 0x1fff, DRV_DATA), PVI_S_OK);
	assert_int_equal(stats().mappings, 2);
}

/* Of any endpoint of the domain. QEMU and Cloud Hypervisor don't check it. */
static void test_map_reserved_regions(void **state)
{
	attach_a();
	assert_int_equal(drv_attach(&drv, 2, EP_B, 0), PVI_S_OK);
	assert_int_equal(drv_map(&drv, 2, 0xfee00000, 0xfee00fff, DRV_DATA, RW), PVI_S_INVAL);
	assert_int_equal(drv_map(&drv, 2, 0xfeeff000, 0xfef00fff, DRV_DATA, RW), PVI_S_INVAL);
	assert_int_equal(drv_map(&drv, 2, 0x3ffff000, 0x40000fff, DRV_DATA, RW), PVI_S_INVAL);
	assert_int_equal(drv_map(&drv, 2, 0x3ffff000, 0x3fffffff, DRV_DATA, RW), PVI_S_OK);
	assert_int_equal(map1(0xfee00000, 0xfee00fff, DRV_DATA), PVI_S_OK);
}

/* Guest RAM and nothing else, whole. */
static void test_map_targets_ram_only(void **state)
{
	attach_a();
	assert_int_equal(map1(0, 0xfff, HOST_HOLE), PVI_S_FAULT);
	assert_int_equal(map1(0, 0x1fff, HOST_HOLE - PAGE), PVI_S_FAULT);
	assert_int_equal(map1(0, 0xfff, 0xfee00000), PVI_S_FAULT);
	assert_int_equal(map1(0, 0x1fff, HOST_HIGH - PAGE), PVI_S_FAULT);
	assert_int_equal(map1(0, HOST_HIGH + PAGE - 1, 0), PVI_S_FAULT);
	assert_int_equal(map1(0, 0xfff, UINT64_MAX - 0xfff), PVI_S_FAULT);
	assert_int_equal(map1(0, 0x1fff, UINT64_MAX - 0xfff), PVI_S_RANGE);
	assert_int_equal(stats().mappings, 0);
	assert_int_equal(map1(0, HOST_HOLE - 1, 0), PVI_S_OK);
	assert_int_equal(map1(HOST_HIGH, HOST_HIGH + HOST_SLOT_SIZE - 1, HOST_HIGH), PVI_S_OK);
}

static void test_caps(void **state)
{
	struct pvi_iommu_config c = host_config(&host);

	c.max_mappings = 2;
	restart(c, DRV_F_COMMON);
	attach_a();
	assert_int_equal(map1(0, 0xfff, DRV_DATA), PVI_S_OK);
	assert_int_equal(map1(0x1000, 0x1fff, DRV_DATA), PVI_S_OK);
	assert_int_equal(map1(0x2000, 0x2fff, DRV_DATA), PVI_S_NOMEM);
	assert_false(reads(a, 0x2000));
	assert_int_equal(drv_unmap(&drv, 1, 0, 0xfff), PVI_S_OK);
	assert_int_equal(map1(0x2000, 0x2fff, DRV_DATA), PVI_S_OK);

	c = host_config(&host);
	c.max_table_bytes = 64 << 10;
	restart(c, DRV_F_COMMON);
	attach_a();
	for (uint64_t i = 0; i < 100; i++) {
		uint32_t status = map1(i << 30, (i << 30) + 0xfff, DRV_DATA);

		assert_int_equal(status, reads(a, i << 30) ? PVI_S_OK : PVI_S_NOMEM);
	}
	assert_true(stats().mappings > 3 && stats().mappings < 20);
	assert_true(stats().table_bytes <= 64 << 10);
}

/* ---- UNMAP ---- */

static void test_unmap_refusals(void **state)
{
	assert_int_equal(drv_unmap(&drv, 1, 0, 0xfff), PVI_S_NOENT);
	attach_a();
	assert_int_equal(map1(0, 0xfff, DRV_DATA), PVI_S_OK);
	assert_int_equal(drv_unmap(&drv, 1, 0xfff, 0), PVI_S_INVAL);
	for (size_t i = 0; i < 4; i++) {
		struct pvi_wire_unmap r = drv_unmap_req(1, 0, 0xfff);

		r.reserved[i] = 1;
		assert_int_equal(drv_status(&drv, &r, sizeof(r)), PVI_S_INVAL);
	}
	assert_true(reads(a, 0));
}

/* 5.13.6.6's seven examples, an address of theirs being one page. */
static void test_unmap_examples(void **state)
{
#define MAP(f, l)      assert_int_equal(map1((f)*PAGE, ((l) + 1) * PAGE - 1, DRV_DATA), PVI_S_OK)
#define UNMAP(f, l, s) assert_int_equal(drv_unmap(&drv, 1, (f)*PAGE, ((l) + 1) * PAGE - 1), s)
	attach_a();
	UNMAP(0, 4, PVI_S_OK);
	MAP(0, 9);
	UNMAP(0, 9, PVI_S_OK);
	assert_false(reads(a, 0));
	MAP(0, 4);
	MAP(5, 9);
	UNMAP(0, 9, PVI_S_OK);
	assert_int_equal(stats().mappings, 0);
	MAP(0, 9);
	UNMAP(0, 4, PVI_S_RANGE);
	assert_true(reads(a, 0));
	assert_true(reads(a, 9 * PAGE));
	UNMAP(0, 9, PVI_S_OK);
	MAP(0, 4);
	MAP(5, 9);
	UNMAP(0, 4, PVI_S_OK);
	assert_false(reads(a, 4 * PAGE));
	assert_true(reads(a, 5 * PAGE));
	UNMAP(0, 9, PVI_S_OK);
	MAP(0, 4);
	UNMAP(0, 9, PVI_S_OK);
	MAP(0, 4);
	MAP(10, 14);
	UNMAP(0, 14, PVI_S_OK);
	assert_int_equal(stats().mappings, 0);
}

/* QEMU: the split is noticed after other mappings are gone. */
static void test_refused_unmap_removes_nothing(void **state)
{
	attach_a();
	MAP(0, 1);
	MAP(2, 3);
	MAP(4, 7);
	UNMAP(0, 5, PVI_S_RANGE);
	UNMAP(1, 9, PVI_S_RANGE);
	assert_int_equal(stats().mappings, 3);
	for (uint64_t page = 0; page < 8; page++)
		assert_true(reads(a, page * PAGE));
}

/* ---- PROBE ---- */

static void assert_property(const uint8_t *p, uint8_t subtype, uint64_t first, uint64_t last)
{
	assert_int_equal(pvi_get16(p), PVI_PROBE_T_RESV_MEM);
	assert_int_equal(pvi_get16(p + 2), 20);
	assert_int_equal(p[4], subtype);
	assert_memory_equal(p + 5, "\0\0\0", 3);
	assert_int_equal(pvi_get64(p + 8), first);
	assert_int_equal(pvi_get64(p + 16), last);
}

static void test_probe(void **state)
{
	const uint8_t *in = host_at(&host, drv_in(0));

	assert_int_equal(drv_read(&drv, PVI_VP_DEVICE + 32, 4), PVI_PROBE_BYTES);
	assert_int_equal(probe(EP_B, PROBE_LEN), PROBE_LEN);
	assert_int_equal(in[PVI_PROBE_BYTES], PVI_S_OK);
	assert_property(in, PVI_RESV_MEM_MSI, window[0].first, window[0].last);
	assert_property(in + 24, PVI_RESV_MEM_RESERVED, window[1].first, window[1].last);
	for (size_t i = 48; i < PROBE_LEN; i++)
		assert_int_equal(in[i], 0);
	assert_int_equal(probe(EP_A, PROBE_LEN), PROBE_LEN);
	for (size_t i = 0; i < PROBE_LEN; i++)
		assert_int_equal(in[i], 0);
}

static void test_probe_refusals(void **state)
{
	const uint8_t *in = host_at(&host, drv_in(0));

	assert_int_equal(probe(NOBODY, PROBE_LEN), PROBE_LEN);
	assert_int_equal(in[PVI_PROBE_BYTES], PVI_S_NOENT);
	for (uint32_t i = 0; i < PVI_PROBE_BYTES; i++)
		assert_int_equal(in[i], 0);
	/* No room for the properties: none is written, and the tail is the last of it. */
	assert_int_equal(probe(EP_B, PROBE_LEN - 1), PROBE_LEN - 1);
	assert_int_equal(in[PROBE_LEN - 5], PVI_S_INVAL);
	for (uint32_t i = 0; i < PROBE_LEN - 5; i++)
		assert_int_equal(in[i], 0xee);
	assert_int_equal(probe(EP_B, 4), 4);
	assert_int_equal(in[0], PVI_S_INVAL);
}

static void test_probe_not_negotiated(void **state)
{
	assert_true(drv_start(&drv, DRV_F_COMMON & ~(1ull << PVI_F_PROBE)));
	assert_int_equal(probe(EP_B, PROBE_LEN), 0);
	assert_int_equal(*host_at(&host, drv_in(0)), 0xee);
	/* The other requests are there as always. */
	attach_a();
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_attach_reserved_fields),
		T(test_head_reserved_is_ignored),
		T(test_attach_unknown_flags),
		T(test_attach_unknown_endpoint),
		T(test_attach_domain_range),
		T(test_attach_again_changes_nothing),
		T(test_attach_elsewhere_detaches_first),
		T(test_failed_attach_keeps_the_old_one),
		T(test_two_endpoints_share_a_domain),
		T(test_domains_are_isolated),
		T(test_attach_incompatible),
		T(test_bypass_flag_in_strict),
		T(test_bypass_flag_not_negotiated),
		T(test_bypass_domain),
		T(test_detach),
		T(test_map_alignment),
		T(test_map_larger_granule),
		T(test_map_input_range),
		T(test_map_whole_input_space),
		T(test_map_unknown_flags),
		T(test_map_unknown_domain),
		T(test_map_overlap),
		T(test_map_reserved_regions),
		T(test_map_targets_ram_only),
		T(test_caps),
		T(test_unmap_refusals),
		T(test_unmap_examples),
		T(test_refused_unmap_removes_nothing),
		T(test_probe),
		T(test_probe_refusals),
		T(test_probe_not_negotiated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
