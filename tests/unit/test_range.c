// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/range.h"

#define R(a, b) ((struct pvi_range){(a), (b)})
#define MAX	UINT64_MAX

static void test_valid(void **state)
{
	assert_true(pvi_range_valid(R(0, 0)));
	assert_true(pvi_range_valid(R(0, MAX)));
	assert_true(pvi_range_valid(R(MAX, MAX)));
	assert_false(pvi_range_valid(R(1, 0)));
	assert_false(pvi_range_valid(R(MAX, MAX - 1)));
}

/* Every pair of ranges over a few points at both ends, against the definition. */
static void test_pairs(void **state)
{
	static const uint64_t point[] = {0, 1, 2, MAX - 2, MAX - 1, MAX};
	const int n = sizeof(point) / sizeof(point[0]);

	for (int a = 0; a < n; a++)
		for (int b = a; b < n; b++)
			for (int c = 0; c < n; c++)
				for (int d = c; d < n; d++) {
					struct pvi_range p = R(point[a], point[b]);
					struct pvi_range q = R(point[c], point[d]);
					bool shared = false, within = true;

					for (int i = 0; i < n; i++) {
						bool in_p = a <= i && i <= b;
						bool in_q = c <= i && i <= d;

						shared |= in_p && in_q;
						within &= in_p || !in_q;
						assert_int_equal(pvi_range_has(p, point[i]), in_p);
					}
					assert_int_equal(pvi_range_overlaps(p, q), shared);
					assert_int_equal(pvi_range_contains(p, q), within);
				}
}

static void test_from_len(void **state)
{
	struct pvi_range r = R(7, 8);

	assert_int_equal(pvi_range_from_len(5, 0, &r), -EINVAL);
	assert_int_equal(pvi_range_from_len(MAX, 2, &r), -ERANGE);
	assert_int_equal(pvi_range_from_len(2, MAX, &r), -ERANGE);
	assert_int_equal(r.first, 7);
	assert_int_equal(r.last, 8);

	assert_int_equal(pvi_range_from_len(MAX, 1, &r), 0);
	assert_int_equal(r.first, MAX);
	assert_int_equal(r.last, MAX);
	assert_int_equal(pvi_range_from_len(1, MAX, &r), 0);
	assert_int_equal(r.last, MAX);
	assert_int_equal(pvi_range_from_len(0, MAX, &r), 0);
	assert_int_equal(r.last, MAX - 1);
}

static void test_left(void **state)
{
	assert_int_equal(pvi_range_left_minus_one(R(0, MAX), 0), MAX);
	assert_int_equal(pvi_range_left_minus_one(R(0, MAX), MAX), 0);
	assert_int_equal(pvi_range_left_minus_one(R(4, 9), 7), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_from_len),
		cmocka_unit_test(test_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
