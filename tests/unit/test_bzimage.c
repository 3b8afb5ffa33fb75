// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "vmm/bzimage.h"

#define SECTOR	  512u
#define SETUP	  (5u * SECTOR)
#define PROTECTED 0x10000u
#define FILE_SIZE (uint64_t)(SETUP + PROTECTED)

static uint8_t head[BZIMAGE_HEAD];

static void put(size_t off, uint32_t value, size_t len)
{
	memcpy(head + off, &value, len);
}

static void good(void)
{
	memset(head, 0, sizeof(head));
	head[0x1f1] = SETUP / SECTOR - 1;
	put(0x1f4, PROTECTED / 16, 4);
	put(0x1fe, 0xaa55, 2);
	put(0x200, 0x6aeb, 2);
	memcpy(head + 0x202, "HdrS", 4);
	put(0x206, 0x20f, 2);
	put(0x236, 1, 2);
	put(0x248, 0x300, 4);
	put(0x24c, 0x8000, 4);
}

static int parse(uint64_t file_size, struct bzimage *bz, const char **why)
{
	*why = NULL;
	return bzimage_parse(head, sizeof(head), file_size, bz, why);
}

static void finds_the_payload(void **state)
{
	struct bzimage bz;
	const char *why;

	good();
	assert_true(bzimage_magic(head, sizeof(head)));
	assert_int_equal(parse(FILE_SIZE, &bz, &why), 0);
	assert_int_equal(bz.payload_off, SETUP + 0x300);
	assert_int_equal(bz.payload_len, 0x8000);
	assert_int_equal(bz.header_len, 0x202 + 0x6a - 0x1f1);
	assert_memory_equal(bz.header, head + 0x1f1, bz.header_len);

	/* 0 setup sectors mean 4, of old. */
	head[0x1f1] = 0;
	assert_int_equal(parse(FILE_SIZE, &bz, &why), 0);
	assert_int_equal(bz.payload_off, SETUP + 0x300);
}

static void truncated(void **state)
{
	struct bzimage bz;
	const char *why;

	good();
	/* The build rounds the size up to 16 bytes. */
	assert_int_equal(parse(FILE_SIZE - 15, &bz, &why), 0);
	assert_int_equal(parse(FILE_SIZE - 16, &bz, &why), -EINVAL);
	assert_non_null(strstr(why, "truncated"));
	assert_int_equal(parse(SETUP - 1, &bz, &why), -EINVAL);
	assert_non_null(strstr(why, "truncated"));
	for (size_t len = 0; len < 0x250; len++)
		assert_int_equal(bzimage_parse(head, len, FILE_SIZE, &bz, &why), -EINVAL);
	assert_false(bzimage_magic(head, 0x205));
}

static void refuses_nonsense(void **state)
{
	static const struct {
		size_t off, len;
		uint32_t value;
	} cases[] = {
		{0x202, 4, 0},	       {0x1fe, 2, 0},	       {0x206, 2, 0x20b},
		{0x236, 2, 0},	       {0x1f4, 4, UINT32_MAX}, {0x248, 4, UINT32_MAX},
		{0x248, 4, PROTECTED}, {0x24c, 4, UINT32_MAX}, {0x24c, 4, 3},
		{0x24c, 4, PROTECTED}, {0x24c, 4, 0},	       {0x201, 1, 0x10},
		{0x201, 1, 0xff},      {0x1f1, 1, 0xff},
	};
	struct bzimage bz;
	const char *why;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		good();
		put(cases[i].off, cases[i].value, cases[i].len);
		assert_int_equal(parse(FILE_SIZE, &bz, &why), -EINVAL);
		assert_non_null(why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_payload),
		cmocka_unit_test(truncated),
		cmocka_unit_test(refuses_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
