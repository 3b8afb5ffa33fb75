// SPDX-License-Identifier: BSD-2-Clause
/* The virtio-iommu device: its registers, its queues, its resets, its reports. */
#include "fake_driver.h"

#define EP	  0x10u
#define RW	  (PVI_MAP_F_READ | PVI_MAP_F_WRITE)
#define PAGE	  0x1000ull
#define CONFIG	  PVI_VP_DEVICE
#define BYPASS	  (CONFIG + offsetof(struct pvi_wire_config, bypass))
#define STATUS	  0x14u
#define EVENT_LEN sizeof(struct pvi_wire_fault)

static struct fake_host host;
static struct driver drv;
static struct pvi_iommu *iommu;
static struct pvi_endpoint *ep;

static void start(bool allow_bypass, bool start_bypass)
{
	struct pvi_iommu_config c;

	host_init(&host);
	c = host_config(&host);
	c.allow_bypass = allow_bypass;
	c.start_bypass = start_bypass;
	iommu = host_iommu(&c);
	ep = host_endpoint(iommu, EP);
	drv = (struct driver){.h = &host, .v = host_viommu(&host, iommu)};
	assert_true(drv_start(&drv, allow_bypass ? DRV_F_COMMON | 1u << PVI_F_BYPASS_CONFIG
						 : DRV_F_COMMON));
}

static int set_up(void **state)
{
	start(false, false);
	return 0;
}

static int tear_down(void **state)
{
	pvi_endpoint_remove(ep);
	pvi_viommu_free(drv.v);
	pvi_iommu_free(iommu);
	host_done(&host);
	return 0;
}

static void restart(bool allow_bypass, bool start_bypass)
{
	tear_down(NULL);
	start(allow_bypass, start_bypass);
}

static struct pvi_iommu_stats stats(void)
{
	struct pvi_iommu_stats s;

	pvi_iommu_get_stats(iommu, &s);
	return s;
}

static bool reads(uint64_t iova)
{
	uint8_t byte;

	return !pvi_dma_read(ep, iova, &byte, 1);
}

/* ---- features and configuration ---- */

static void test_features(void **state)
{
	uint64_t f = drv_features(&drv);

	assert_int_equal(f, DRV_F_COMMON | 1ull << PVI_VIRTIO_F_INDIRECT_DESC);
	/* Superseded, not offered; nor may it be accepted. */
	assert_false(drv_start(&drv, DRV_F_COMMON | 1u << PVI_F_BYPASS));
	assert_false(drv_start(&drv, DRV_F_COMMON | 1u << PVI_F_BYPASS_CONFIG));
	assert_false(drv_start(&drv, DRV_F_COMMON | 1u << PVI_F_MMIO));
	restart(true, false);
	assert_int_equal(drv_features(&drv), f | 1u << PVI_F_BYPASS_CONFIG);
}

static void test_config(void **state)
{
	assert_int_equal(drv_read(&drv, CONFIG, 8), ~(PAGE - 1));
	assert_int_equal(drv_read(&drv, CONFIG + 8, 8), 0);
	assert_int_equal(drv_read(&drv, CONFIG + 16, 8), (1ull << 48) - 1);
	assert_int_equal(drv_read(&drv, CONFIG + 24, 4), 1);
	assert_int_equal(drv_read(&drv, CONFIG + 28, 4), 100);
	assert_int_equal(drv_read(&drv, CONFIG + 32, 4), 512);
	assert_int_equal(drv_read(&drv, CONFIG + 36, 4), 0);
	assert_int_equal(drv_read(&drv, CONFIG + 40, 1), 0);
}

/* Nothing but the bypass field can be written, and here not even that. */
static void test_config_is_read_only(void **state)
{
	uint64_t bad = stats().bad_accesses;

	for (uint64_t off = 0; off < sizeof(struct pvi_wire_config); off++)
		drv_write(&drv, CONFIG + off, 1, 1);
	assert_int_equal(stats().bad_accesses, bad + sizeof(struct pvi_wire_config));
	test_config(state);
	assert_false(reads(DRV_DATA));
}

static void test_strict_has_no_global_bypass(void **state)
{
	assert_false(reads(DRV_DATA));
	drv_write(&drv, STATUS, 0, 1);
	assert_false(reads(DRV_DATA));
	pvi_viommu_system_reset(drv.v);
	assert_false(reads(DRV_DATA));
}

static void test_bypass_field(void **state)
{
	restart(true, false);
	assert_int_equal(drv_read(&drv, BYPASS, 1), 0);
	assert_false(reads(DRV_DATA));
	drv_write(&drv, BYPASS, 2, 1);
	drv_write(&drv, BYPASS, 1, 2);
	drv_write(&drv, BYPASS, 1, 4);
	drv_write(&drv, BYPASS + 1, 1, 1);
	assert_int_equal(drv_read(&drv, BYPASS, 1), 0);
	assert_false(reads(DRV_DATA));
	drv_write(&drv, BYPASS, 1, 1);
	assert_int_equal(drv_read(&drv, BYPASS, 1), 1);
	assert_true(reads(DRV_DATA));
	/* It is for those who are not attached. */
	assert_int_equal(drv_attach(&drv, 1, EP, 0), PVI_S_OK);
	assert_false(reads(DRV_DATA));
	assert_int_equal(drv_detach(&drv, 1, EP), PVI_S_OK);
	assert_true(reads(DRV_DATA));
	/* Never another value than 0 or 1. */
	for (unsigned int v = 2; v < 256; v++)
		drv_write(&drv, BYPASS, v, 1);
	assert_int_equal(drv_read(&drv, BYPASS, 1), 1);
	drv_write(&drv, BYPASS, 0, 1);
	assert_int_equal(drv_read(&drv, BYPASS, 1), 0);
	assert_false(reads(DRV_DATA));
}

static void test_bypass_field_needs_the_feature(void **state)
{
	restart(true, false);
	assert_true(drv_start(&drv, DRV_F_COMMON));
	drv_write(&drv, BYPASS, 1, 1);
	assert_int_equal(drv_read(&drv, BYPASS, 1), 0);
	/* Before FEATURES_OK nothing is negotiated yet. */
	drv_write(&drv, STATUS, 0, 1);
	drv_write(&drv, BYPASS, 1, 1);
	assert_int_equal(drv_read(&drv, BYPASS, 1), 0);
	assert_false(reads(DRV_DATA));
}

static void test_bypass_over_resets(void **state)
{
	restart(true, true);
	assert_int_equal(drv_read(&drv, BYPASS, 1), 1);
	assert_true(reads(DRV_DATA));
	/* Starting with 1 holds for a driver that does not know the feature, too. */
	assert_true(drv_start(&drv, DRV_F_COMMON));
	assert_true(reads(DRV_DATA));

	assert_true(drv_start(&drv, DRV_F_COMMON | 1u << PVI_F_BYPASS_CONFIG));
	drv_write(&drv, BYPASS, 0, 1);
	drv_write(&drv, STATUS, 0, 1);
	assert_int_equal(drv_read(&drv, BYPASS, 1), 0);
	assert_false(reads(DRV_DATA));
	pvi_viommu_system_reset(drv.v);
	assert_int_equal(drv_read(&drv, BYPASS, 1), 1);
	assert_true(reads(DRV_DATA));
}

/* ---- resets ---- */

static void test_device_reset_detaches(void **state)
{
	assert_int_equal(drv_attach(&drv, 1, EP, 0), PVI_S_OK);
	assert_int_equal(drv_map(&drv, 1, 0, 0xfff, DRV_DATA, RW), PVI_S_OK);
	assert_true(reads(0));
	drv_write(&drv, STATUS, 0, 1);
	assert_false(reads(0));
	assert_int_equal(stats().domains, 0);
	assert_int_equal(stats().mappings, 0);
	assert_true(drv_start(&drv, DRV_F_COMMON));
	assert_int_equal(drv_map(&drv, 1, 0, 0xfff, DRV_DATA, RW), PVI_S_NOENT);
	assert_int_equal(drv_attach(&drv, 1, EP, 0), PVI_S_OK);
	assert_int_equal(drv_map(&drv, 1, 0, 0xfff, DRV_DATA, RW), PVI_S_OK);
	pvi_viommu_system_reset(drv.v);
	assert_false(reads(0));
	assert_int_equal(drv_read(&drv, STATUS, 1), 0);
	assert_int_equal(stats().domains, 0);
}

/* ---- the request queue ---- */

static void test_batch(void **state)
{
	struct pvi_wire_attach at = drv_attach_req(1, EP, 0);
	struct pvi_wire_map map = drv_map_req(1, 0, 0xfff, DRV_DATA, RW);
	struct pvi_wire_unmap unmap = drv_unmap_req(1, 0, 0xfff);
	struct pvi_wire_map map2 = drv_map_req(1, 0x1000, 0x1fff, DRV_DATA, RW);
	static const uint8_t expected[] = {PVI_S_OK, PVI_S_OK, PVI_S_INVAL, PVI_S_OK, PVI_S_OK};
	uint32_t head, len;

	drv_add(&drv, 0, &at, sizeof(at), 4);
	drv_add(&drv, 1, &map, sizeof(map), 4);
	drv_add(&drv, 2, &map, sizeof(map), 4);
	drv_add(&drv, 3, &unmap, sizeof(unmap), 4);
	drv_add(&drv, 4, &map2, sizeof(map2), 4);
	assert_int_equal(drv_used_idx(&drv, 0), 0);
	drv_kick(&drv, PVI_VQ_REQUEST);
	for (uint32_t i = 0; i < 5; i++) {
		assert_true(drv_take(&drv, PVI_VQ_REQUEST, &head, &len));
		assert_int_equal(head, 2 * i);
		assert_int_equal(len, 4);
		assert_int_equal(*host_at(&host, drv_in(i)), expected[i]);
	}
	assert_false(drv_take(&drv, PVI_VQ_REQUEST, &head, &len));
	assert_false(reads(0));
	assert_true(reads(0x1000));
	assert_int_equal(stats().kicks, 1);
	assert_int_equal(host.interrupts[1], 1);
	assert_int_equal(host.interrupts[0] + host.interrupts[2], 0);
}

/*
 * cloud-hypervisor #7899: no used entry may be published before the whole batch
 * is applied. The device asks for memory all the time; each time it does, the
 * index is either what it was, or all requests are in force.
 */
static uint16_t used_before;
static unsigned int looks;

static void look(void *arg)
{
	uint16_t used;

	host.in_ram = NULL; /* host_at() asks too */
	used = drv_used_idx(&drv, PVI_VQ_REQUEST);
	if (used != used_before && *host_at(&host, drv_in(99)) == 0xee)
		fail_msg("published in the middle of a batch");
	looks++;
	host.in_ram = look;
}

static void test_batch_is_published_once(void **state)
{
	assert_int_equal(drv_attach(&drv, 1, EP, 0), PVI_S_OK);
	for (unsigned int i = 0; i < 100; i++) {
		struct pvi_wire_map m = drv_map_req(1, i * PAGE, i * PAGE + 0xfff, DRV_DATA, RW);

		drv_add(&drv, i, &m, sizeof(m), 4);
	}
	used_before = drv_used_idx(&drv, PVI_VQ_REQUEST);
	looks = 0;
	host.in_ram = look;
	drv_kick(&drv, PVI_VQ_REQUEST);
	host.in_ram = NULL;
	assert_true(looks > 400);
	assert_int_equal(drv_used_idx(&drv, PVI_VQ_REQUEST), used_before + 100);
	assert_int_equal(stats().mappings, 100);
	assert_int_equal(host.interrupts[1], 2);
}

static void test_full_queue(void **state)
{
	uint32_t head, len;

	assert_int_equal(drv_attach(&drv, 1, EP, 0), PVI_S_OK);
	for (int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < 128; i++) {
			struct pvi_wire_map m =
				drv_map_req(1, i * PAGE, i * PAGE + 0xfff, DRV_DATA, RW);
			struct pvi_wire_unmap u = drv_unmap_req(1, i * PAGE, i * PAGE + 0xfff);

			if (round & 1)
				drv_add(&drv, i, &u, sizeof(u), 4);
			else
				drv_add(&drv, i, &m, sizeof(m), 4);
		}
		drv_kick(&drv, PVI_VQ_REQUEST);
		for (unsigned int i = 0; i < 128; i++) {
			assert_true(drv_take(&drv, PVI_VQ_REQUEST, &head, &len));
			assert_int_equal(*host_at(&host, drv_in(i)), PVI_S_OK);
		}
		assert_int_equal(stats().mappings, round & 1 ? 0 : 128);
	}
}

/* A request in pieces of every size, its tail in single bytes. */
static void test_scattered_request(void **state)
{
	struct pvi_wire_map r = drv_map_req(1, 0, 0xfff, DRV_DATA, RW);

	assert_int_equal(drv_attach(&drv, 1, EP, 0), PVI_S_OK);
	for (uint32_t piece = 1; piece < sizeof(r); piece++) {
		uint32_t head, len, off = 0;
		uint16_t i = 0;

		memcpy(host_at(&host, drv_out(0)), &r, sizeof(r));
		for (; off < sizeof(r); off += piece, i++)
			drv_desc(&drv, 0, i, drv_out(0) + off,
				 sizeof(r) - off < piece ? (uint32_t)sizeof(r) - off : piece,
				 DRV_NEXT, (uint16_t)(i + 1));
		for (unsigned int t = 0; t < 4; t++, i++)
			drv_desc(&drv, 0, i, drv_in(0) + 16 * t, 1,
				 t < 3 ? DRV_NEXT | DRV_WRITE : DRV_WRITE, (uint16_t)(i + 1));
		drv_offer(&drv, 0, 0);
		drv_kick(&drv, 0);
		assert_true(drv_take(&drv, 0, &head, &len));
		assert_int_equal(len, 4);
		assert_int_equal(*host_at(&host, drv_in(0)), PVI_S_OK);
		assert_int_equal(drv_unmap(&drv, 1, 0, 0xfff), PVI_S_OK);
	}
}

static void put(uint64_t gpa, const void *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		*host_at(&host, gpa + i) = ((const uint8_t *)data)[i];
}

/* Request and reply each lie across the border of two slots of RAM that touch, anywhere. */
static void test_request_over_two_slots(void **state)
{
	struct pvi_wire_map r = drv_map_req(1, 0, 0xfff, DRV_DATA, RW);
	uint32_t head, len;

	assert_int_equal(drv_attach(&drv, 1, EP, 0), PVI_S_OK);
	for (unsigned int k = 1; k < sizeof(r); k++) {
		put(HOST_SLOT_SIZE - k, &r, sizeof(r));
		drv_desc(&drv, 0, 0, HOST_SLOT_SIZE - k, sizeof(r), DRV_NEXT, 1);
		drv_desc(&drv, 0, 1, drv_in(0), 4, DRV_WRITE, 0);
		drv_offer(&drv, 0, 0);
		drv_kick(&drv, 0);
		assert_true(drv_take(&drv, 0, &head, &len));
		assert_int_equal(len, 4);
		assert_int_equal(*host_at(&host, drv_in(0)), PVI_S_OK);
		assert_int_equal(drv_unmap(&drv, 1, 0, 0xfff), PVI_S_OK);
	}
	for (unsigned int k = 1; k < 4; k++) {
		put(HOST_SLOT_SIZE - k, "\xee\xee\xee\xee", 4);
		put(drv_out(0), &r, sizeof(r));
		drv_desc(&drv, 0, 0, drv_out(0), sizeof(r), DRV_NEXT, 1);
		drv_desc(&drv, 0, 1, HOST_SLOT_SIZE - k, 4, DRV_WRITE, 0);
		drv_offer(&drv, 0, 0);
		drv_kick(&drv, 0);
		assert_true(drv_take(&drv, 0, &head, &len));
		assert_int_equal(len, 4);
		/* The first is done; then there is a mapping, and the same MAP is INVAL. */
		assert_int_equal(*host_at(&host, HOST_SLOT_SIZE - k),
				 k == 1 ? PVI_S_OK : PVI_S_INVAL);
		for (unsigned int i = 1; i < 4; i++)
			assert_int_equal(*host_at(&host, HOST_SLOT_SIZE - k + i), 0);
	}
}

/* A reply of which only the first bytes lie in RAM: not one of them is written. */
static void test_reply_half_in_ram(void **state)
{
	struct pvi_wire_map r = drv_map_req(1, 0, 0xfff, DRV_DATA, RW);
	uint32_t head, len;

	assert_int_equal(drv_attach(&drv, 1, EP, 0), PVI_S_OK);
	put(HOST_HOLE - 2, "\xee\xee", 2);
	put(drv_out(0), &r, sizeof(r));
	drv_desc(&drv, 0, 0, drv_out(0), sizeof(r), DRV_NEXT, 1);
	drv_desc(&drv, 0, 1, HOST_HOLE - 2, 4, DRV_WRITE, 0);
	drv_offer(&drv, 0, 0);
	drv_kick(&drv, 0);
	assert_true(drv_take(&drv, 0, &head, &len));
	assert_int_equal(len, 0);
	assert_memory_equal(host_at(&host, HOST_HOLE - 2), "\xee\xee", 2);
	assert_int_equal(stats().malformed, 1);
}

/* Buffers outside RAM: refused and counted, the queue goes on. */
static void test_buffers_outside_ram(void **state)
{
	struct pvi_wire_attach r = drv_attach_req(1, EP, 0);
	uint32_t head, len;

	drv_desc(&drv, 0, 0, HOST_HOLE, 20, DRV_NEXT, 1);
	drv_desc(&drv, 0, 1, drv_in(0), 4, DRV_WRITE, 0);
	drv_offer(&drv, 0, 0);
	drv_kick(&drv, 0);
	assert_true(drv_take(&drv, 0, &head, &len));
	assert_int_equal(len, 0);
	assert_int_equal(stats().domains, 0);

	memcpy(host_at(&host, drv_out(0)), &r, sizeof(r));
	drv_desc(&drv, 0, 0, drv_out(0), 20, DRV_NEXT, 1);
	drv_desc(&drv, 0, 1, HOST_HOLE - 3, 4, DRV_WRITE, 0);
	drv_offer(&drv, 0, 0);
	drv_kick(&drv, 0);
	assert_true(drv_take(&drv, 0, &head, &len));
	assert_int_equal(len, 0);
	assert_int_equal(stats().malformed, 2);
	assert_int_equal(drv_attach(&drv, 1, EP, 0), PVI_S_OK);
}

static void test_broken_ring_needs_reset(void **state)
{
	drv_offer(&drv, 0, DRV_SIZE); /* no such descriptor */
	drv_kick(&drv, 0);
	assert_true(drv_read(&drv, STATUS, 1) & PVI_VIRTIO_S_NEEDS_RESET);
	assert_int_equal(host.interrupts[0], 1);
	assert_int_equal(stats().malformed, 1);
	drv_kick(&drv, 0);
	assert_int_equal(host.interrupts[0], 1);
	assert_int_equal(stats().kicks, 1);
	assert_true(drv_start(&drv, DRV_F_COMMON));
	assert_int_equal(drv_attach(&drv, 1, EP, 0), PVI_S_OK);
}

static void test_bad_register_accesses(void **state)
{
	uint8_t raw[16];
	uint64_t bad = stats().bad_accesses;

	memset(raw, 0xff, sizeof(raw));
	pvi_viommu_bar_read(drv.v, UINT64_MAX, raw, 8);
	assert_memory_equal(raw, "\0\0\0\0\0\0\0\0", 8);
	pvi_viommu_bar_read(drv.v, PVI_VIOMMU_BAR_SIZE, raw, 4);
	pvi_viommu_bar_write(drv.v, UINT64_MAX - 3, raw, 4);
	pvi_viommu_bar_write(drv.v, PVI_VP_NOTIFY + 2 * PVI_VP_NOTIFY_MULT, raw, 2);
	pvi_viommu_bar_write(drv.v, 0, raw, 3);
	assert_int_equal(stats().bad_accesses, bad + 5);
}

/* ---- the event queue ---- */

static void assert_event(unsigned int i, uint8_t reason, uint32_t flags, uint64_t address)
{
	const uint8_t *e = host_at(&host, drv_event(i));
	uint32_t head, len;

	assert_true(drv_take(&drv, PVI_VQ_EVENT, &head, &len));
	assert_int_equal(head, i);
	assert_int_equal(len, EVENT_LEN);
	assert_int_equal(e[0], reason);
	assert_memory_equal(e + 1, "\0\0\0", 3);
	assert_int_equal(pvi_get32(e + 4), flags | PVI_FAULT_F_ADDRESS);
	assert_int_equal(pvi_get32(e + 8), EP);
	assert_int_equal(pvi_get32(e + 12), 0);
	assert_int_equal(pvi_get64(e + 16), address);
	assert_int_equal(e[EVENT_LEN], 0xee);
}

static void test_faults_are_reported(void **state)
{
	drv_give_event(&drv, 0, 64);
	drv_give_event(&drv, 1, EVENT_LEN);
	drv_kick(&drv, PVI_VQ_EVENT);
	assert_false(reads(0x5678));
	assert_event(0, PVI_FAULT_R_DOMAIN, PVI_FAULT_F_READ, 0x5678);
	assert_int_equal(host.interrupts[2], 1);
	assert_int_equal(drv_attach(&drv, 1, EP, 0), PVI_S_OK);
	assert_int_equal(drv_map(&drv, 1, 0, 0xfff, DRV_DATA, PVI_MAP_F_READ), PVI_S_OK);
	assert_int_equal(pvi_dma_write(ep, 0x123, "x", 1), -EFAULT);
	assert_event(1, PVI_FAULT_R_MAPPING, PVI_FAULT_F_WRITE, 0x123);
	assert_int_equal(host.interrupts[2], 2);
	assert_int_equal(stats().faults_reported, 2);
	assert_int_equal(stats().faults_dropped, 0);
	assert_int_equal(stats().kicks, 2); /* of the request queue alone */
}

/* What the VMM switched off is not an error of the guest's mappings. */
static void test_blocked_is_not_reported(void **state)
{
	drv_give_event(&drv, 0, 64);
	pvi_endpoint_set_dma(ep, false);
	assert_false(reads(0));
	assert_int_equal(host.faults, 1);
	assert_int_equal(drv_used_idx(&drv, PVI_VQ_EVENT), 0);
	assert_int_equal(stats().faults_dropped, 0);
}

static void test_faults_wait_for_buffers_but_not_without_bound(void **state)
{
	for (uint64_t i = 0; i < 100; i++)
		assert_false(reads(i * PAGE));
	assert_int_equal(host.faults, 100);
	assert_int_equal(stats().faults_dropped, 36);
	for (unsigned int i = 0; i < 10; i++)
		drv_give_event(&drv, i, 64);
	drv_kick(&drv, PVI_VQ_EVENT);
	for (unsigned int i = 0; i < 10; i++)
		assert_event(i, PVI_FAULT_R_DOMAIN, PVI_FAULT_F_READ, i * PAGE);
	assert_int_equal(host.interrupts[2], 1);
	/* In order, with a new one behind the old ones. */
	assert_false(reads(0xabc000));
	for (unsigned int i = 0; i < 60; i++)
		drv_give_event(&drv, i, 64);
	drv_kick(&drv, PVI_VQ_EVENT);
	for (unsigned int i = 0; i < 54; i++)
		assert_event(i, PVI_FAULT_R_DOMAIN, PVI_FAULT_F_READ, (i + 10) * PAGE);
	assert_event(54, PVI_FAULT_R_DOMAIN, PVI_FAULT_F_READ, 0xabc000);
	assert_int_equal(stats().faults_reported, 65);
	/* The rest of the buffers serves the next ones at once. */
	assert_false(reads(0xdef));
	assert_event(55, PVI_FAULT_R_DOMAIN, PVI_FAULT_F_READ, 0xdef);
}

static void test_event_buffer_too_small(void **state)
{
	uint32_t head, len;

	drv_give_event(&drv, 0, EVENT_LEN - 1);
	assert_false(reads(0));
	assert_true(drv_take(&drv, PVI_VQ_EVENT, &head, &len));
	assert_int_equal(len, 0);
	assert_int_equal(*host_at(&host, drv_event(0)), 0xee);
	assert_int_equal(stats().faults_reported, 0);
	assert_int_equal(stats().faults_dropped, 1);
}

static void test_broken_event_ring(void **state)
{
	drv_offer(&drv, PVI_VQ_EVENT, DRV_SIZE);
	assert_false(reads(0));
	assert_true(drv_read(&drv, STATUS, 1) & PVI_VIRTIO_S_NEEDS_RESET);
	assert_false(reads(0));
	assert_true(drv_start(&drv, DRV_F_COMMON));
	drv_give_event(&drv, 0, 64);
	assert_false(reads(0x77));
	assert_event(0, PVI_FAULT_R_DOMAIN, PVI_FAULT_F_READ, 0x77);
}

static void test_reset_forgets_faults(void **state)
{
	assert_false(reads(0));
	assert_true(drv_start(&drv, DRV_F_COMMON));
	drv_give_event(&drv, 0, 64);
	drv_kick(&drv, PVI_VQ_EVENT);
	assert_int_equal(drv_used_idx(&drv, PVI_VQ_EVENT), 0);
	assert_int_equal(stats().faults_dropped, 1);
}

/* ---- the embedder's side ---- */

static void test_caps(void **state)
{
	uint8_t caps[PVI_VIOMMU_CAPS_SIZE];
	uint8_t at = 0x40;

	pvi_viommu_caps(drv.v, 2, 0x40, 0xa0, caps);
	for (unsigned int type = 1; type <= 5; type++) {
		const uint8_t *c = caps + (at - 0x40);

		assert_int_equal(c[0], 0x09);
		assert_int_equal(c[3], type);
		assert_true(type == 5 || c[4] == 2);
		at = c[1];
	}
	assert_int_equal(at, 0xa0);
	/* The window of the last one reaches the registers: the number of queues. */
	caps[PVI_VP_ACCESS_CAP + 4] = 2;
	pvi_put32(caps + PVI_VP_ACCESS_CAP + 8, 0x12);
	pvi_put32(caps + PVI_VP_ACCESS_CAP + 12, 2);
	pvi_viommu_window(drv.v, 2, caps + PVI_VP_ACCESS_CAP, false);
	assert_int_equal(pvi_get16(caps + PVI_VP_ACCESS_DATA), PVI_NR_VQS);
}

static void no_interrupt(void *ctx, uint16_t vector)
{
	fail_msg("vector %u", vector);
}

static void test_one_device_per_iommu(void **state)
{
	const struct pvi_viommu_ops ops = {.interrupt = NULL};
	struct pvi_viommu_config c = {.ops = &ops};
	struct pvi_viommu *v = NULL;

	assert_int_equal(pvi_viommu_new(iommu, &c, &v), -EINVAL);
	c.ops = NULL;
	assert_int_equal(pvi_viommu_new(iommu, &c, &v), -EINVAL);
	assert_null(v);
	/* A second one is refused, and one after the first is not. */
	{
		const struct pvi_viommu_ops good = {.interrupt = no_interrupt};

		c.ops = &good;
		assert_int_equal(pvi_viommu_new(iommu, &c, &v), -EBUSY);
		assert_null(v);
	}
	pvi_viommu_free(drv.v);
	drv.v = host_viommu(&host, iommu);
	assert_true(drv_start(&drv, DRV_F_COMMON));
	pvi_viommu_free(NULL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_features),
		T(test_config),
		T(test_config_is_read_only),
		T(test_strict_has_no_global_bypass),
		T(test_bypass_field),
		T(test_bypass_field_needs_the_feature),
		T(test_bypass_over_resets),
		T(test_device_reset_detaches),
		T(test_batch),
		T(test_batch_is_published_once),
		T(test_full_queue),
		T(test_scattered_request),
		T(test_request_over_two_slots),
		T(test_reply_half_in_ram),
		T(test_buffers_outside_ram),
		T(test_broken_ring_needs_reset),
		T(test_bad_register_accesses),
		T(test_faults_are_reported),
		T(test_blocked_is_not_reported),
		T(test_faults_wait_for_buffers_but_not_without_bound),
		T(test_event_buffer_too_small),
		T(test_broken_event_ring),
		T(test_reset_forgets_faults),
		T(test_caps),
		T(test_one_device_per_iommu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
