// SPDX-License-Identifier: BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/probe.h"
#include "core/wire.h"

#define REGION_BYTES 24u

struct answer {
	uint8_t bytes[256];
	uint32_t size;
};

static uint8_t *property(struct answer *a, uint16_t type, uint16_t len)
{
	uint8_t *p = a->bytes + a->size;

	p[0] = (uint8_t)type;
	p[1] = (uint8_t)(type >> 8);
	p[2] = (uint8_t)len;
	p[3] = (uint8_t)(len >> 8);
	a->size += 4u + len;
	return p;
}

static void region(struct answer *a, uint64_t first, uint64_t last)
{
	uint8_t *p = property(a, PVI_PROBE_T_RESV_MEM, REGION_BYTES - 4);

	pvi_put64(p + 8, first);
	pvi_put64(p + 16, last);
}

/* What is read of it is exactly as long as it is, so that reading past its end is seen. */
static int walk(const struct answer *a, uint32_t size, struct pvi_range *ret, unsigned int *ret_n)
{
	uint8_t *copy = malloc(size ? size : 1);
	struct pvi_probe_walk w = {.buf = copy, .size = size};
	int r;

	assert_non_null(copy);
	memcpy(copy, a->bytes, size);
	*ret_n = 0;
	while ((r = pvi_probe_next(&w, &ret[*ret_n])) == 1) {
		assert_true(pvi_range_valid(ret[*ret_n]));
		(*ret_n)++;
	}
	assert_true(w.off <= size);
	free(copy);
	return r;
}

/* Of any kind, between properties of types that nobody knows. */
static void test_regions(void **state)
{
	struct answer a = {.size = 0};
	struct pvi_range got[16];
	unsigned int n;

	region(&a, 0xfee00000, 0xfeefffff);
	property(&a, 7, 3);
	region(&a, 0, 0);
	a.bytes[a.size - REGION_BYTES + 4] = PVI_RESV_MEM_MSI;
	property(&a, 0xfff, 0);
	/* The upper bits of the type are not of it. */
	region(&a, UINT64_MAX - 1, UINT64_MAX);
	a.bytes[a.size - REGION_BYTES + 1] = 0xf0;
	a.size += 60;
	assert_int_equal(walk(&a, a.size, got, &n), 0);
	assert_int_equal(n, 3);
	assert_true(got[0].first == 0xfee00000 && got[0].last == 0xfeefffff);
	assert_true(got[1].first == 0 && got[1].last == 0);
	assert_true(got[2].first == UINT64_MAX - 1 && got[2].last == UINT64_MAX);
}

static void test_nothing(void **state)
{
	struct answer a = {.size = 64};
	struct pvi_range got[16];
	unsigned int n;
	uint32_t size;

	for (size = 0; size <= a.size; size++) {
		assert_int_equal(walk(&a, size, got, &n), 0);
		assert_int_equal(n, 0);
	}
	/* Nothing that comes behind the end of the list counts. */
	a.size = 4;
	region(&a, 1, 2);
	assert_int_equal(walk(&a, a.size, got, &n), 0);
	assert_int_equal(n, 0);
}

/* A device that is cut short, at any byte, is refused, or says less; never is it read further. */
static void test_cut(void **state)
{
	struct answer a = {.size = 0};
	struct pvi_range got[16];
	unsigned int n;
	uint32_t size;
	int r;

	region(&a, 1, 2);
	region(&a, 3, 4);
	for (size = 0; size < a.size; size++) {
		r = walk(&a, size, got, &n);
		assert_int_equal(n, size / REGION_BYTES);
		assert_int_equal(r, size % REGION_BYTES < 4 ? 0 : -EINVAL);
	}
}

static void test_refused(void **state)
{
	struct pvi_range got[16];
	struct answer a;
	unsigned int n;

	/* Too short for what it says it is. */
	a = (struct answer){.size = 0};
	property(&a, PVI_PROBE_T_RESV_MEM, REGION_BYTES - 5);
	a.size += 64;
	assert_int_equal(walk(&a, a.size, got, &n), -EINVAL);
	/* Longer than there is. */
	a = (struct answer){.size = 0};
	property(&a, 9, 0xffff);
	assert_int_equal(walk(&a, 64, got, &n), -EINVAL);
	/* It ends before it begins. */
	a = (struct answer){.size = 0};
	region(&a, 5, 6);
	region(&a, 8, 7);
	assert_int_equal(walk(&a, a.size, got, &n), -EINVAL);
	assert_int_equal(n, 1);
}

/* Any byte may be anything: it ends, within the answer. */
static void test_any(void **state)
{
	struct pvi_range got[64];
	struct answer a;
	uint32_t seed = 1;
	unsigned int i, k, n;

	for (i = 0; i < 20000; i++) {
		a = (struct answer){.size = 0};
		for (k = 0; k < 4; k++)
			region(&a, k, k + 1);
		for (k = 0; k < 4; k++) {
			seed = seed * 1664525 + 1013904223;
			a.bytes[(seed >> 8) % a.size] = (uint8_t)seed;
		}
		walk(&a, a.size, got, &n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_regions), cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_cut),	cmocka_unit_test(test_refused),
		cmocka_unit_test(test_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
