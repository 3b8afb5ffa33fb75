// SPDX-License-Identifier: BSD-2-Clause
/* What holds for all requests (VIRTIO 1.3, 5.13.6.2): their form, their replies, their cost. */
#include <time.h>

#include "request_guest.h"

/* Others answer it; 5.13.6 says used length 0. */
static void test_unknown_type(void **state)
{
	struct pvi_wire_attach r = drv_attach_req(1, EP_A, 0);

	for (unsigned int type = 0; type < 256; type++) {
		if (type >= PVI_T_ATTACH && type <= PVI_T_PROBE)
			continue;
		r.head.type = (uint8_t)type;
		assert_int_equal(drv_status(&drv, &r, sizeof(r)), DRV_NOT_USED);
	}
	assert_int_equal(stats().requests[0], 251);
	assert_int_equal(stats().domains, 0);
}

static void test_map_unmap_not_negotiated(void **state)
{
	assert_true(drv_start(&drv, DRV_F_COMMON & ~(1ull << PVI_F_MAP_UNMAP)));
	attach_a();
	assert_int_equal(map1(0, 0xfff, DRV_DATA), PVI_S_UNSUPP);
	assert_int_equal(drv_unmap(&drv, 1, 0, 0xfff), PVI_S_UNSUPP);
}

/* Every length of every request that is too short, and one that is too long. */
static void test_short_requests(void **state)
{
	static const uint8_t size[] = {0, 20, 20, 36, 28, 72};

	attach_a();
	for (uint8_t type = PVI_T_ATTACH; type <= PVI_T_UNMAP; type++) {
		uint8_t bytes[128] = {type};

		for (uint32_t len = 1; len < size[type]; len++)
			assert_int_equal(drv_status(&drv, bytes, len),
					 len < 4 ? DRV_NOT_USED : PVI_S_INVAL);
	}
	for (uint32_t len = 4; len < size[PVI_T_PROBE]; len++) {
		uint8_t bytes[128] = {PVI_T_PROBE};

		assert_int_equal(drv_submit(&drv, bytes, len, PROBE_LEN), PROBE_LEN);
		assert_int_equal(*host_at(&host, drv_in(0) + PVI_PROBE_BYTES), PVI_S_INVAL);
	}
	assert_int_equal(stats().mappings, 0);
	{
		uint8_t longer[100] = {0};
		struct pvi_wire_map r = drv_map_req(1, 0, 0xfff, DRV_DATA, RW);

		memcpy(longer, &r, sizeof(r));
		assert_int_equal(drv_status(&drv, longer, sizeof(longer)), PVI_S_OK);
	}
}

static void test_no_room_for_the_tail(void **state)
{
	struct pvi_wire_attach r = drv_attach_req(1, EP_A, 0);

	for (uint32_t in_len = 0; in_len < 4; in_len++) {
		uint64_t malformed = stats().malformed;

		assert_int_equal(drv_submit(&drv, &r, sizeof(r), in_len), 0);
		assert_int_equal(*host_at(&host, drv_in(0)), 0xee);
		assert_int_equal(stats().malformed, malformed + 1);
	}
	/* Without an answer, nothing may have happened. */
	assert_int_equal(stats().domains, 0);
	/* A longer device-writable part has the tail first. */
	assert_int_equal(drv_submit(&drv, &r, sizeof(r), 100), 4);
	assert_int_equal(*host_at(&host, drv_in(0)), PVI_S_OK);
	/* Also where it would have room for properties. */
	assert_int_equal(drv_submit(&drv, &r, sizeof(r), PROBE_LEN + 4), 4);
	assert_int_equal(*host_at(&host, drv_in(0)), PVI_S_OK);
}

static void test_tail_reserved_is_zero(void **state)
{
	struct pvi_wire_attach good = drv_attach_req(1, EP_A, 0),
			       bad = drv_attach_req(1, NOBODY, 0);
	const uint8_t *tail = host_at(&host, drv_in(0));

	assert_int_equal(drv_submit(&drv, &good, sizeof(good), 4), 4);
	assert_memory_equal(tail, "\0\0\0\0", 4);
	assert_int_equal(drv_submit(&drv, &bad, sizeof(bad), 4), 4);
	assert_int_equal(tail[0], PVI_S_NOENT);
	assert_memory_equal(tail + 1, "\0\0\0", 3);
}

/*
 * A second vCPU rewrites the request while the device handles it: at the n-th
 * access to guest memory its target changes from RAM to a hole. What was checked
 * must be what is applied.
 */
static unsigned int rewrite_in;

static void rewrite(void *arg)
{
	uint8_t *phys;

	if (!rewrite_in || --rewrite_in)
		return;
	host.in_ram = NULL; /* host_at() asks too */
	phys = host_at(&host, drv_out(0) + offsetof(struct pvi_wire_map, phys_start));
	pvi_put64(phys, HOST_HOLE);
}

static void test_request_is_read_once(void **state)
{
	unsigned int ok = 0, refused = 0;

	attach_a();
	for (unsigned int n = 1; n < 40; n++) {
		uint64_t first = n * PAGE;
		struct pvi_wire_map r = drv_map_req(1, first, first + 0xfff, DRV_DATA, RW);
		uint32_t head, len;

		drv_add(&drv, 0, &r, sizeof(r), 4);
		rewrite_in = n;
		host.in_ram = rewrite;
		drv_kick(&drv, PVI_VQ_REQUEST);
		host.in_ram = NULL;
		assert_true(drv_take(&drv, PVI_VQ_REQUEST, &head, &len));
		if (*host_at(&host, drv_in(0)) == PVI_S_OK) {
			assert_true(reads(a, first));
			ok++;
		} else {
			assert_int_equal(*host_at(&host, drv_in(0)), PVI_S_FAULT);
			assert_false(reads(a, first));
			refused++;
		}
	}
	/* The request's own read lies between the two. */
	assert_true(ok && refused);
}

static void test_counters(void **state)
{
	attach_a();
	assert_int_equal(map1(0, 0xfff, DRV_DATA), PVI_S_OK);
	assert_int_equal(map1(0, 0xfff, DRV_DATA), PVI_S_INVAL);
	assert_int_equal(drv_unmap(&drv, 1, 0, 0xfff), PVI_S_OK);
	assert_int_equal(drv_detach(&drv, 1, EP_A), PVI_S_OK);
	assert_int_equal(probe(EP_A, PROBE_LEN), PROBE_LEN);
	assert_int_equal(stats().requests[PVI_T_ATTACH], 1);
	assert_int_equal(stats().requests[PVI_T_DETACH], 1);
	assert_int_equal(stats().requests[PVI_T_MAP], 2);
	assert_int_equal(stats().requests[PVI_T_UNMAP], 1);
	assert_int_equal(stats().requests[PVI_T_PROBE], 1);
	assert_int_equal(stats().refused, 1);
	assert_int_equal(stats().kicks, 6);
	assert_int_equal(stats().malformed, 0);
}

static double unmap_cost(uint64_t live)
{
	const unsigned int rounds = 2000;
	struct timespec begin, end;

	for (uint64_t i = 0; i < live; i++)
		if (!i || !reads(a, i * PAGE))
			assert_int_equal(map1(i * PAGE, i * PAGE + 0xfff, DRV_DATA), PVI_S_OK);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (unsigned int i = 0; i < rounds; i++) {
		uint64_t at = (i * 7919u % (unsigned int)live) * PAGE;

		assert_int_equal(drv_unmap(&drv, 1, at, at + 0xfff), PVI_S_OK);
		assert_int_equal(map1(at, at + 0xfff, DRV_DATA), PVI_S_OK);
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	return ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) /
	       rounds;
}

/* Cloud Hypervisor looks at all mappings: 500 times as many would be that much slower. */
static void test_unmap_does_not_scan(void **state)
{
	double few, many;

	attach_a();
	assert_int_equal(map1(0, 0xfff, DRV_DATA), PVI_S_OK);
	assert_int_equal(drv_unmap(&drv, 1, 0, 0xfff), PVI_S_OK);
	few = unmap_cost(128);
	assert_int_equal(drv_unmap(&drv, 1, 0, UINT64_MAX), PVI_S_OK);
	many = unmap_cost(64000);
	assert_true(many < few * 50);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_unknown_type),
		T(test_map_unmap_not_negotiated),
		T(test_short_requests),
		T(test_no_room_for_the_tail),
		T(test_tail_reserved_is_zero),
		T(test_request_is_read_once),
		T(test_counters),
		T(test_unmap_does_not_scan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
