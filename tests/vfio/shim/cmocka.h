/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the fakes of tests/unit use of cmocka, for a program that is linked statically:
 * Debian has cmocka as a shared library only. A check that fails ends the program.
 */
#ifndef TESTS_VFIO_SHIM_CMOCKA_H
#define TESTS_VFIO_SHIM_CMOCKA_H

#include <stdint.h>
#include <string.h>

/* Says which test failed, and where; does not return. */
_Noreturn void check_failed(const char *file, int line, const char *what, uint64_t a, uint64_t b);

#define CHECK_(cond, what, a, b)                                                              \
	do {                                                                                  \
		if (!(cond))                                                                  \
			check_failed(__FILE__, __LINE__, what, (uint64_t)(a), (uint64_t)(b)); \
	} while (0)

#define assert_true(c)	   CHECK_(c, #c, 0, 1)
#define assert_false(c)	   CHECK_(!(c), "!(" #c ")", 1, 0)
#define assert_non_null(p) CHECK_((p) != NULL, #p, 0, 1)
#define assert_int_equal(x, y)                                         \
	do {                                                           \
		const uint64_t x_ = (uint64_t)(x), y_ = (uint64_t)(y); \
                                                                       \
		CHECK_(x_ == y_, #x " == " #y, x_, y_);                \
	} while (0)
#define assert_int_not_equal(x, y)                                     \
	do {                                                           \
		const uint64_t x_ = (uint64_t)(x), y_ = (uint64_t)(y); \
                                                                       \
		CHECK_(x_ != y_, #x " != " #y, x_, y_);                \
	} while (0)
#define assert_in_range(x, lo, hi)                                               \
	do {                                                                     \
		const uint64_t v_ = (uint64_t)(x), lo_ = (lo), hi_ = (hi);       \
                                                                                 \
		CHECK_(v_ >= lo_ && v_ <= hi_, #x " in " #lo ".." #hi, v_, lo_); \
	} while (0)
#define assert_memory_equal(a, b, n)	 CHECK_(!memcmp(a, b, n), #a " equals " #b, 0, 0)
#define assert_memory_not_equal(a, b, n) CHECK_(memcmp(a, b, n), #a " differs from " #b, 0, 0)

#endif
