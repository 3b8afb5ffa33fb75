// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/ring.h"

#include "core/virtio_pci.h"

#define F_DEVICE    ((uint64_t)1 << 5)
#define F_VERSION_1 ((uint64_t)1 << PVI_VIRTIO_F_VERSION_1)
#define F_PLATFORM  ((uint64_t)1 << PVI_VIRTIO_F_ACCESS_PLATFORM)
#define F_EVENT_IDX ((uint64_t)1 << PVI_VIRTIO_F_EVENT_IDX)
#define CONFIG_SIZE 24

static struct ring_ram ram;
static const struct pvi_vq_mem mem = {.read = ring_read, .write = ring_write, .ctx = &ram};
static struct pvi_vp vp;
static uint8_t config[CONFIG_SIZE];
static int starts, resets, notifies[2], start_result;
static int last_vector;

static int on_start(void *ctx)
{
	starts++;
	return start_result;
}

static void on_reset(void *ctx)
{
	resets++;
}

static void on_notify(void *ctx, unsigned int q)
{
	notifies[q]++;
}

static void on_config_read(void *ctx, uint32_t off, void *buf, uint32_t len)
{
	assert_true(off + len <= CONFIG_SIZE);
	memcpy(buf, config + off, len);
}

static void on_config_write(void *ctx, uint32_t off, const void *buf, uint32_t len)
{
	assert_true(off + len <= CONFIG_SIZE);
	memcpy(config + off, buf, len);
}

static void on_interrupt(void *ctx, uint16_t vector)
{
	last_vector = vector;
}

static const struct pvi_vp_ops ops = {
	.start = on_start,
	.reset = on_reset,
	.notify = on_notify,
	.config_read = on_config_read,
	.config_write = on_config_write,
	.interrupt = on_interrupt,
};

static uint64_t get(uint64_t off, uint32_t len)
{
	uint8_t raw[8] = {0};

	pvi_vp_read(&vp, off, raw, len);
	return pvi_get64(raw);
}

static void put(uint64_t off, uint64_t value, uint32_t len)
{
	uint8_t raw[8];

	pvi_put64(raw, value);
	pvi_vp_write(&vp, off, raw, len);
}

static void fresh(uint64_t features)
{
	const struct pvi_vp_config cfg = {
		.ops = &ops,
		.mem = &mem,
		.features = features,
		.nr_queues = 2,
		.nr_vectors = 3,
		.queue_size = 64,
		.config_size = CONFIG_SIZE,
	};

	memset(&ram, 0, sizeof(ram));
	ram.fail_after = -1;
	memset(notifies, 0, sizeof(notifies));
	starts = resets = start_result = 0;
	last_vector = -1;
	pvi_vp_init(&vp, &cfg);
	resets = 0;
}

static void accept(uint64_t features)
{
	put(0x14, 1, 1);
	put(0x14, 3, 1);
	put(0x08, 0, 4);
	put(0x0c, (uint32_t)features, 4);
	put(0x08, 1, 4);
	put(0x0c, features >> 32, 4);
	put(0x14, 11, 1);
}

static void set_up_queue(uint16_t q)
{
	put(0x16, q, 2);
	put(0x18, 8, 2);
	put(0x1a, q + 1u, 2);
	put(0x20, RING_DESC, 4);
	put(0x24, 0, 4);
	put(0x28, RING_AVAIL, 8);
	put(0x30, RING_USED, 8);
	put(0x1c, 1, 2);
}

static void test_negotiation(void **state)
{
	fresh(F_DEVICE | F_EVENT_IDX);
	put(0x00, 0, 4);
	assert_int_equal(get(0x04, 4), F_DEVICE | F_EVENT_IDX);
	put(0x00, 1, 4);
	assert_int_equal(get(0x04, 4), F_VERSION_1 >> 32);
	put(0x00, 2, 4);
	assert_int_equal(get(0x04, 4), 0);
	put(0x00, UINT32_MAX, 4);
	assert_int_equal(get(0x04, 4), 0);

	assert_false(pvi_vp_has(&vp, 5));
	accept(F_DEVICE | F_VERSION_1);
	assert_int_equal(get(0x14, 1), 11);
	assert_true(pvi_vp_has(&vp, 5));
	assert_false(pvi_vp_has(&vp, PVI_VIRTIO_F_EVENT_IDX));

	/* Too late to change them. */
	put(0x0c, 0, 4);
	assert_int_equal(get(0x0c, 4), F_VERSION_1 >> 32);
}

static void test_features_refused(void **state)
{
	fresh(F_DEVICE);
	accept(F_DEVICE); /* a legacy driver */
	assert_int_equal(get(0x14, 1), 3);
	fresh(F_DEVICE);
	accept(F_VERSION_1 | F_EVENT_IDX); /* not offered */
	assert_int_equal(get(0x14, 1), 3);
	fresh(F_PLATFORM);
	accept(F_VERSION_1); /* would bypass the IOMMU */
	assert_int_equal(get(0x14, 1), 3);
	put(0x14, 15, 1);
	assert_int_equal(get(0x14, 1), 3);
	assert_int_equal(starts, 0);
	fresh(F_PLATFORM);
	accept(F_VERSION_1 | F_PLATFORM);
	assert_int_equal(get(0x14, 1), 11);
}

static void test_queue(void **state)
{
	fresh(F_DEVICE);
	assert_int_equal(get(0x12, 2), 2);
	put(0x16, 1, 2);
	assert_int_equal(get(0x18, 2), 64);
	assert_int_equal(get(0x1e, 2), 1);
	put(0x1c, 1, 2); /* before FEATURES_OK */
	assert_int_equal(get(0x1c, 2), 0);

	accept(F_VERSION_1);
	set_up_queue(1);
	assert_int_equal(get(0x1c, 2), 1);
	assert_int_equal(get(0x20, 4), RING_DESC);
	assert_int_equal(get(0x28, 8), RING_AVAIL);
	assert_int_equal(get(0x34, 4), 0);
	put(0x18, 16, 2); /* live: fixed */
	assert_int_equal(get(0x18, 2), 8);
	put(0x20, 0xdead000, 4);
	assert_int_equal(get(0x20, 4), RING_DESC);
	put(0x1c, 0, 2);
	assert_int_equal(get(0x1c, 2), 1);

	put(0x3004, 1, 2); /* doorbell before DRIVER_OK */
	assert_int_equal(notifies[1], 0);
	assert_false(pvi_vp_running(&vp, 1));
	put(0x14, 15, 1);
	assert_int_equal(starts, 1);
	assert_true(pvi_vp_running(&vp, 1));
	assert_false(pvi_vp_running(&vp, 0));
	assert_false(pvi_vp_running(&vp, 2));
	put(0x3004, 1, 2);
	assert_int_equal(notifies[1], 1);
	put(0x3000, 0, 2); /* not enabled */
	put(0x3008, 2, 2); /* no such queue */
	assert_int_equal(notifies[0], 0);
	set_up_queue(0); /* too late */
	assert_int_equal(get(0x1c, 2), 0);
}

static void test_bad_queues(void **state)
{
	static const uint16_t sizes[] = {0, 3, 65, 128, 0xffff};
	uint64_t bad;

	fresh(0);
	accept(F_VERSION_1);
	put(0x16, 0, 2);
	for (size_t i = 0; i < 5; i++) {
		bad = vp.bad_accesses;
		put(0x18, sizes[i], 2);
		assert_int_equal(get(0x18, 2), 64);
		assert_int_equal(vp.bad_accesses, bad + 1);
	}
	put(0x20, 8, 8); /* misaligned table */
	put(0x1c, 1, 2);
	assert_int_equal(get(0x1c, 2), 0);
	put(0x20, UINT64_MAX - 15, 8); /* wraps */
	put(0x1c, 1, 2);
	assert_int_equal(get(0x1c, 2), 0);

	put(0x16, 2, 2); /* no such queue */
	put(0x18, 8, 2);
	put(0x20, 0x1000, 8);
	put(0x1c, 1, 2);
	assert_int_equal(get(0x18, 2), 0);
	assert_int_equal(get(0x1c, 2), 0);
	put(0x16, 0xffff, 2);
	assert_int_equal(get(0x20, 8), 0);
}

static void test_vectors(void **state)
{
	fresh(0);
	assert_int_equal(get(0x10, 2), PVI_VP_NO_VECTOR);
	put(0x10, 2, 2);
	assert_int_equal(get(0x10, 2), 2);
	put(0x10, 3, 2);
	assert_int_equal(get(0x10, 2), PVI_VP_NO_VECTOR);
	accept(F_VERSION_1);
	set_up_queue(0);
	put(0x14, 15, 1);

	pvi_vp_queue_interrupt(&vp, 0);
	assert_int_equal(last_vector, 1);
	assert_int_equal(get(0x1000, 1), 1);
	assert_int_equal(get(0x1000, 1), 0); /* reading clears */

	last_vector = -1;
	pvi_vp_config_interrupt(&vp);
	assert_int_equal(last_vector, -1);
	assert_int_equal(get(0x15, 1), 1);
	put(0x10, 0, 2);
	pvi_vp_config_interrupt(&vp);
	assert_int_equal(last_vector, 0);
	assert_int_equal(get(0x1000, 1), 2);
}

static void test_needs_reset_and_reset(void **state)
{
	fresh(0);
	accept(F_VERSION_1);
	put(0x10, 2, 2);
	set_up_queue(0);
	put(0x14, 15, 1);
	pvi_vp_needs_reset(&vp);
	assert_int_equal(last_vector, 2);
	assert_int_equal(get(0x14, 1), 15 | 64);
	assert_false(pvi_vp_running(&vp, 0));
	put(0x3000, 0, 2);
	assert_int_equal(notifies[0], 0);
	last_vector = -1;
	pvi_vp_needs_reset(&vp); /* once */
	assert_int_equal(last_vector, -1);

	put(0x14, 0, 1);
	assert_int_equal(resets, 1);
	assert_int_equal(get(0x14, 1), 0);
	assert_int_equal(get(0x10, 2), PVI_VP_NO_VECTOR);
	put(0x16, 0, 2);
	assert_int_equal(get(0x1c, 2), 0);
	assert_int_equal(get(0x20, 8), 0);
	assert_int_equal(get(0x18, 2), 64);
	put(0x14, 64, 1); /* the device's bit */
	assert_int_equal(get(0x14, 1), 0);

	start_result = -ENOMEM;
	accept(F_VERSION_1);
	put(0x14, 15, 1);
	assert_int_equal(get(0x14, 1), 15 | 64);
}

static void test_device_config(void **state)
{
	fresh(0);
	memcpy(config, "0123456789abcdefghijklmn", CONFIG_SIZE);
	assert_int_equal(get(0x2000, 1), '0');
	assert_int_equal(get(0x2000 + CONFIG_SIZE - 1, 1), 'n');
	assert_int_equal(get(0x2000 + CONFIG_SIZE - 1, 2), 0);
	assert_int_equal(get(0x2000 + CONFIG_SIZE, 1), 0);
	put(0x2001, 'X', 1);
	assert_memory_equal(config, "0X2", 3);
	put(0x2000 + CONFIG_SIZE - 4, 0, 8);
	assert_memory_equal(config + CONFIG_SIZE - 4, "klmn", 4);
	assert_int_equal(vp.bad_accesses, 3);
}

/* Any access of any width anywhere: no crash, and reads of nothing are 0. */
static void test_every_access(void **state)
{
	uint32_t seed = 1;

	fresh(F_DEVICE | F_PLATFORM);
	for (uint32_t len = 1; len <= 8; len++) {
		for (uint64_t off = 0; off < PVI_VP_BAR_SIZE + 16; off++) {
			seed = seed * 1103515245 + 12345;
			put(off, seed, len);
			get(off, len);
		}
	}
	for (uint64_t off = UINT64_MAX - 16; off; off++) {
		put(off, 1, 8);
		assert_int_equal(get(off, 8), 0);
	}
	fresh(0);
	assert_int_equal(get(0x14, 2), 0);
	assert_int_equal(get(0x12, 1), 0);
	assert_int_equal(get(0x3000, 2), 0);
	assert_int_equal(vp.bad_accesses, 3);
}

static void test_caps_and_window(void **state)
{
	uint8_t cfg[256] = {0}, *cap;
	unsigned int at = 0x50, types = 0;

	fresh(0);
	pvi_vp_caps(&vp.cfg, 2, 0x50, 0xc0, cfg + 0x50);
	for (int n = 0; n < 5; n++) {
		cap = cfg + at;
		assert_int_equal(at % 4, 0);
		assert_int_equal(cap[0], 9);
		types |= 1u << cap[3];
		if (cap[3] != 5) {
			assert_int_equal(cap[4], 2);
			assert_true(pvi_get32(cap + 8) + pvi_get32(cap + 12) <= PVI_VP_BAR_SIZE);
		}
		assert_true(cap[1] == 0xc0 || cap[1] == at + cap[2]);
		at = cap[1];
	}
	assert_int_equal(at, 0xc0);
	assert_int_equal(types, 0x3e);
	assert_int_equal(0x50 + PVI_VP_CAPS_SIZE, 0x50 + PVI_VP_ACCESS_CAP + cap[2]);

	cap[4] = 2;
	pvi_put32(cap + 8, 0x12);
	pvi_put32(cap + 12, 2);
	pvi_vp_window(&vp, 2, cap, false);
	assert_int_equal(pvi_get16(cap + 16), 2);
	pvi_put32(cap + 8, 0x14);
	pvi_put32(cap + 12, 1);
	cap[16] = 1;
	pvi_vp_window(&vp, 2, cap, true);
	assert_int_equal(get(0x14, 1), 1);
	cap[4] = 1; /* another BAR */
	pvi_vp_window(&vp, 2, cap, false);
	assert_int_equal(cap[16], 0);
	cap[4] = 2;
	pvi_put32(cap + 12, UINT32_MAX);
	pvi_vp_window(&vp, 2, cap, true);
	pvi_put32(cap + 12, 0);
	pvi_vp_window(&vp, 2, cap, true);
	assert_int_equal(vp.bad_accesses, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_negotiation),
		cmocka_unit_test(test_features_refused),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_bad_queues),
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_needs_reset_and_reset),
		cmocka_unit_test(test_device_config),
		cmocka_unit_test(test_every_access),
		cmocka_unit_test(test_caps_and_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
