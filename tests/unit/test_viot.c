// SPDX-License-Identifier: BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/viot.h"
#include "core/wire.h"

/* Exactly as long as it is, so that reading past its end is seen. */
struct builder {
	uint8_t bytes[512];
	size_t size;
	unsigned int nodes;
};

static void begin(struct builder *b)
{
	memset(b, 0, sizeof(*b));
	b->size = 48;
	b->bytes[38] = 48;
}

static uint16_t node(struct builder *b, uint8_t type, uint16_t length)
{
	uint16_t at = (uint16_t)b->size;

	b->bytes[at] = type;
	b->bytes[at + 2] = (uint8_t)length;
	b->bytes[at + 3] = (uint8_t)(length >> 8);
	b->size += length;
	b->bytes[36] = (uint8_t)++b->nodes;
	return at;
}

static void put16(struct builder *b, size_t at, uint16_t v)
{
	b->bytes[at] = (uint8_t)v;
	b->bytes[at + 1] = (uint8_t)(v >> 8);
}

static uint16_t iommu_pci(struct builder *b, uint16_t segment, uint16_t bdf)
{
	uint16_t at = node(b, 3, 16);

	put16(b, at + 4u, segment);
	put16(b, at + 6u, bdf);
	return at;
}

static uint16_t iommu_mmio(struct builder *b, uint64_t base)
{
	uint16_t at = node(b, 4, 16);

	pvi_put64(b->bytes + at + 8, base);
	return at;
}

static void range(struct builder *b, uint32_t id, uint16_t segments[2], uint16_t bdfs[2],
		  uint16_t output)
{
	uint16_t at = node(b, 1, 24);

	pvi_put32(b->bytes + at + 4, id);
	put16(b, at + 8u, segments[0]);
	put16(b, at + 10u, segments[1]);
	put16(b, at + 12u, bdfs[0]);
	put16(b, at + 14u, bdfs[1]);
	put16(b, at + 16u, output);
}

#define TWO(a, b) ((uint16_t[2]){a, b})

static bool find(const struct builder *b, size_t size, const struct pvi_viot_iommu *iommu,
		 uint32_t segment, uint16_t bdf, uint32_t *id)
{
	uint8_t *copy = malloc(size ? size : 1);
	bool found;

	assert_non_null(copy);
	memcpy(copy, b->bytes, size);
	found = pvi_viot_find(copy, size, iommu, segment, bdf, id);
	free(copy);
	return found;
}

static const struct pvi_viot_iommu first = {.pci = true, .bdf = 0x08};
static const struct pvi_viot_iommu second = {.pci = true, .segment = 1, .bdf = 0x10};
static const struct pvi_viot_iommu beyond = {.pci = true, .segment = 0x10000, .bdf = 0x08};
static const struct pvi_viot_iommu mmio = {.base = 0xfe000000};

/* Two of PCI and one of MMIO; ranges before and behind what they name, one over segments. */
static void several(struct builder *b)
{
	uint16_t one, two, three;

	begin(b);
	one = iommu_pci(b, 0, 0x08);
	range(b, 0x1000, TWO(0, 0), TWO(0x10, 0x1f), one);
	range(b, 0x2000, TWO(0, 0), TWO(0x100, 0x1ff), 48 + 16 + 3 * 24);
	range(b, 0x30000, TWO(1, 3), TWO(0, 0xffff), 48 + 16 + 3 * 24);
	two = iommu_pci(b, 1, 0x10);
	assert_int_equal(two, 48 + 16 + 3 * 24);
	three = iommu_mmio(b, mmio.base);
	range(b, 0, TWO(0, 0), TWO(0x20, 0x20), three);
}

static void test_several(void **state)
{
	static const struct {
		const struct pvi_viot_iommu *iommu;
		uint32_t segment;
		uint16_t bdf;
		bool found;
		uint32_t id;
	} cases[] = {
		{&first, 0, 0x10, true, 0x1000},   {&first, 0, 0x1f, true, 0x100f},
		{&first, 0, 0x0f, false, 0},	   {&first, 0, 0x20, false, 0},
		{&first, 0, 0x100, false, 0},	   {&second, 0, 0x100, true, 0x2000},
		{&second, 0, 0x1ff, true, 0x20ff}, {&second, 0, 0x10, false, 0},
		{&second, 1, 0, true, 0x30000},	   {&second, 3, 0xffff, true, 0x5ffff},
		{&second, 4, 0, false, 0},	   {&mmio, 0, 0x20, true, 0},
		{&first, 0x10000, 0x10, false, 0}, {&second, 0x10001, 0, false, 0},
		{&beyond, 0, 0x10, false, 0},	   {&mmio, 0, 0x10, false, 0},
	};
	struct builder b;
	uint32_t id;
	size_t i;

	several(&b);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		id = 77;
		assert_int_equal(find(&b, b.size, cases[i].iommu, cases[i].segment, cases[i].bdf,
				      &id),
				 cases[i].found);
		assert_int_equal(id, cases[i].found ? cases[i].id : 77);
	}
}

/* Cut anywhere: never read past its end, and nothing found that is not whole. */
static void test_cut(void **state)
{
	uint32_t id = 0;
	struct builder b;
	size_t size;

	several(&b);
	for (size = 0; size < b.size; size++) {
		assert_int_equal(find(&b, size, &first, 0, 0x10, &id), size >= 48 + 16 + 24);
		assert_false(find(&b, size, &mmio, 0, 0x20, &id));
	}
}

/* Any field may be anything: it ends, within the table. */
static void test_any(void **state)
{
	uint32_t id, seed = 1;
	struct builder b;
	unsigned int i, k;

	for (i = 0; i < 20000; i++) {
		several(&b);
		for (k = 0; k < 3; k++) {
			seed = seed * 1664525 + 1013904223;
			b.bytes[(seed >> 8) % b.size] = (uint8_t)seed;
		}
		find(&b, b.size, &second, 1, 0x77, &id);
	}
}

static void test_nonsense(void **state)
{
	struct builder b;
	uint16_t one;
	uint32_t id;

	/* A node of no length would be looked at for ever. */
	several(&b);
	put16(&b, 48 + 2, 0);
	assert_false(find(&b, b.size, &second, 0, 0x100, &id));
	/* The output is no node, or a node of another kind, or too short a one. */
	begin(&b);
	one = iommu_pci(&b, 0, 0x08);
	range(&b, 0, TWO(0, 0), TWO(0, 0xffff), 0);
	range(&b, 0, TWO(0, 0), TWO(0, 0xffff), 0xffff);
	range(&b, 0, TWO(0, 0), TWO(0, 0xffff), 48 + 16);
	assert_false(find(&b, b.size, &first, 0, 5, &id));
	range(&b, 9, TWO(0, 0), TWO(0, 0xffff), one);
	assert_true(find(&b, b.size, &first, 0, 5, &id));
	assert_int_equal(id, 14);
	put16(&b, one + 2u, 15);
	assert_false(find(&b, b.size, &first, 0, 5, &id));
}

/* Linux numbers segments without firmware's number from 0x10000 on. */
static void test_without_table(void **state)
{
	uint32_t id = 77;

	assert_false(pvi_pci_endpoint_id(0x10000, 0x08, &id));
	assert_false(pvi_pci_endpoint_id(UINT32_MAX, 0x08, &id));
	assert_int_equal(id, 77);
	assert_true(pvi_pci_endpoint_id(0xffff, 0x1234, &id));
	assert_int_equal(id, 0xffff1234);
	assert_true(pvi_pci_endpoint_id(0, 0xffff, &id));
	assert_int_equal(id, 0xffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_several),	      cmocka_unit_test(test_cut),
		cmocka_unit_test(test_any),	      cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_without_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
