// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "vmm/bus.h"

struct probe {
	uint64_t off;
	uint32_t len;
	unsigned int reads, writes;
	uint8_t last[8];
	struct bus *remove_from; /* what the handler removes, itself included */
	uint64_t remove_base;
};

static void probe_read(void *ctx, uint64_t off, void *buf, uint32_t len)
{
	struct probe *p = ctx;

	p->reads++;
	p->off = off;
	p->len = len;
	memset(buf, 0x5a, len);
}

static void probe_write(void *ctx, uint64_t off, const void *buf, uint32_t len)
{
	struct probe *p = ctx;

	p->writes++;
	p->off = off;
	p->len = len;
	memcpy(p->last, buf, len);
	if (p->remove_from)
		bus_remove(p->remove_from, BUS_MMIO, p->remove_base);
}

static const struct bus_ops ops = {.read = probe_read, .write = probe_write};

static int add(struct bus *bus, enum bus_space space, uint64_t base, uint64_t size,
	       struct probe *probe)
{
	struct bus_region region = {.base = base, .size = size, .ops = &ops, .ctx = probe};

	return bus_add(bus, space, &region);
}

static int setup(void **state)
{
	static struct bus bus;

	*state = &bus;
	return bus_init(&bus);
}

static int teardown(void **state)
{
	bus_done(*state);
	return 0;
}

static void finds_the_region(void **state)
{
	struct bus *bus = *state;
	struct probe p[40] = {0};
	uint32_t value = 0x11223344;

	/* Added in an order that is neither up nor down; more than the first allocation holds. */
	for (unsigned int i = 0; i < 40; i++) {
		unsigned int n = (i * 17) % 40;

		assert_int_equal(add(bus, BUS_MMIO, 0x1000 + n * 0x100ull, 0x80, &p[n]), 0);
	}
	for (unsigned int i = 0; i < 40; i++) {
		bus_access(bus, BUS_MMIO, 0x1000 + i * 0x100ull + 0x7c, &value, 4, true);
		assert_int_equal(p[i].writes, 1);
		assert_int_equal(p[i].off, 0x7c);
		assert_int_equal(p[i].len, 4);
		assert_memory_equal(p[i].last, &value, 4);
	}
	bus_access(bus, BUS_MMIO, 0x1000, &value, 4, false);
	assert_int_equal(value, 0x5a5a5a5a);
	assert_int_equal(p[0].reads, 1);
}

static void nobody_answers(void **state)
{
	struct bus *bus = *state;
	struct probe p = {0};
	uint64_t value;

	assert_int_equal(add(bus, BUS_PIO, 0x3f8, 8, &p), 0);
	const uint64_t addr[] = {0, 0x3f7, 0x3fd, 0x400, UINT64_MAX, UINT64_MAX - 3};

	for (unsigned int i = 0; i < sizeof(addr) / sizeof(addr[0]); i++) {
		/* 0x3fd: begins inside, ends outside. */
		value = 0;
		bus_access(bus, BUS_PIO, addr[i], &value, 4, false);
		assert_int_equal(value, 0xffffffff);
		bus_access(bus, BUS_PIO, addr[i], &value, 4, true);
	}
	/* The spaces are apart. */
	value = 0;
	bus_access(bus, BUS_MMIO, 0x3f8, &value, 1, false);
	assert_int_equal(value, 0xff);
	assert_int_equal(p.reads + p.writes, 0);
}

static void refuses_overlap(void **state)
{
	struct bus *bus = *state;
	struct probe p = {0};

	assert_int_equal(add(bus, BUS_MMIO, 0x1000, 0x1000, &p), 0);
	assert_int_equal(add(bus, BUS_MMIO, 0x1000, 0x1000, &p), -EEXIST);
	assert_int_equal(add(bus, BUS_MMIO, 0x1fff, 1, &p), -EEXIST);
	assert_int_equal(add(bus, BUS_MMIO, 0x800, 0x801, &p), -EEXIST);
	assert_int_equal(add(bus, BUS_MMIO, 0, 0x4000, &p), -EEXIST);
	assert_int_equal(add(bus, BUS_MMIO, 0x2000, 0x1000, &p), 0);
	assert_int_equal(add(bus, BUS_MMIO, 0x800, 0x800, &p), 0);
	assert_int_equal(add(bus, BUS_MMIO, UINT64_MAX, 1, &p), 0);
	assert_int_equal(add(bus, BUS_MMIO, UINT64_MAX, 2, &p), -ERANGE);
	assert_int_equal(add(bus, BUS_MMIO, 0x10000, 0, &p), -EINVAL);
}

static void removes(void **state)
{
	struct bus *bus = *state;
	struct probe p = {0};
	uint32_t value = 0;

	assert_int_equal(add(bus, BUS_MMIO, 0x1000, 0x1000, &p), 0);
	bus_remove(bus, BUS_MMIO, 0x1800); /* inside, not its base */
	bus_access(bus, BUS_MMIO, 0x1800, &value, 4, true);
	assert_int_equal(p.writes, 1);
	bus_remove(bus, BUS_MMIO, 0x1000);
	bus_access(bus, BUS_MMIO, 0x1800, &value, 4, true);
	assert_int_equal(p.writes, 1);
	assert_int_equal(add(bus, BUS_MMIO, 0x1000, 0x1000, &p), 0);

	/* A handler may take away its own region. */
	p.remove_from = bus;
	p.remove_base = 0x1000;
	bus_access(bus, BUS_MMIO, 0x1000, &value, 4, true);
	bus_access(bus, BUS_MMIO, 0x1000, &value, 4, true);
	assert_int_equal(p.writes, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_the_region, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_overlap, setup, teardown),
		cmocka_unit_test_setup_teardown(removes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
