// SPDX-License-Identifier: BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/virtio_pci.h"
#include "core/wire.h"
#include "vmm/vfu_remains.h"

#define STATUS (0x1000 + 0x14)

static uint8_t cfg[256];

static void put_cap(uint8_t at, uint8_t next, uint8_t type, uint32_t off)
{
	cfg[at] = 9;
	cfg[at + 1] = next;
	cfg[at + 2] = 16;
	cfg[at + 3] = type;
	cfg[at + 4] = 2;
	pvi_put32(cfg + at + 8, off);
}

static int set_up(void **state)
{
	memset(cfg, 0, sizeof(cfg));
	pvi_put16(cfg, 0x1af4);
	cfg[0x34] = 0x40;
	put_cap(0x40, 0x60, 2, 0x3000);
	put_cap(0x60, 0, 1, 0x1000);
	return 0;
}

static uint64_t read_at(const struct vfu_remains *r, unsigned int bar, uint64_t off, uint32_t len)
{
	uint8_t raw[8] = {0};

	vfu_remains_read(r, bar, off, raw, len);
	return pvi_get64(raw);
}

static void write_status(struct vfu_remains *r, uint8_t value)
{
	vfu_remains_write(r, 2, STATUS, &value, 1);
}

static void test_a_reset_is_accepted_and_nothing_else(void **state)
{
	struct vfu_remains r;

	vfu_remains_init(&r, cfg);
	assert_int_equal(read_at(&r, 2, STATUS, 1),
			 PVI_VIRTIO_S_NEEDS_RESET | PVI_VIRTIO_S_DRIVER_OK |
				 PVI_VIRTIO_S_FEATURES_OK | PVI_VIRTIO_S_DRIVER |
				 PVI_VIRTIO_S_ACKNOWLEDGE);
	write_status(&r, PVI_VIRTIO_S_FAILED);
	assert_true(read_at(&r, 2, STATUS, 1) & PVI_VIRTIO_S_NEEDS_RESET);
	write_status(&r, 0);
	assert_int_equal(read_at(&r, 2, STATUS, 1), 0);
	write_status(&r, PVI_VIRTIO_S_ACKNOWLEDGE);
	assert_int_equal(read_at(&r, 2, STATUS, 1), 0);
}

static void test_all_else_reads_as_ones(void **state)
{
	struct vfu_remains r;

	vfu_remains_init(&r, cfg);
	assert_int_equal(read_at(&r, 2, STATUS, 2), 0xffff);
	assert_int_equal(read_at(&r, 2, STATUS + 1, 1), 0xff);
	assert_int_equal(read_at(&r, 1, STATUS, 1), 0xff);
	assert_int_equal(read_at(&r, 2, 0, 8), UINT64_MAX);
}

static void test_other_devices_read_as_ones(void **state)
{
	struct vfu_remains r;

	pvi_put16(cfg, 0x8086);
	vfu_remains_init(&r, cfg);
	assert_int_equal(read_at(&r, 2, STATUS, 1), 0xff);
	write_status(&r, 0);
	assert_int_equal(read_at(&r, 2, STATUS, 1), 0xff);
}

static void test_lists_that_do_not_end(void **state)
{
	struct vfu_remains r;

	put_cap(0x40, 0x60, 2, 0);
	put_cap(0x60, 0x40, 3, 0);
	vfu_remains_init(&r, cfg);
	assert_false(r.virtio);
	/* A capability that would stand past the end. */
	cfg[0x34] = 0xfc;
	cfg[0xfc] = 9;
	cfg[0xff] = 1;
	vfu_remains_init(&r, cfg);
	assert_false(r.virtio);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_reset_is_accepted_and_nothing_else, set_up),
		cmocka_unit_test_setup(test_all_else_reads_as_ones, set_up),
		cmocka_unit_test_setup(test_other_devices_read_as_ones, set_up),
		cmocka_unit_test_setup(test_lists_that_do_not_end, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
