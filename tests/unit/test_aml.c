// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "vmm/aml.h"

static void integers(void **state)
{
	static const uint8_t want[] = {0x00, 0x01, 0x0a, 0x02, 0x0b, 0x00, 0x01,
				       0x0c, 0x00, 0x00, 0x01, 0x00, 0x0e, 0,
				       0,    0,	   0,	 1,    0,    0,	   0};
	uint8_t buf[64];
	struct aml aml;

	aml_init(&aml, buf, sizeof(buf));
	aml_int(&aml, 0);
	aml_int(&aml, 1);
	aml_int(&aml, 2);
	aml_int(&aml, 0x100);
	aml_int(&aml, 0x10000);
	aml_int(&aml, 0x100000000ull);
	assert_int_equal(aml.err, 0);
	assert_int_equal(aml.len, sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
}

static void eisa_ids(void **state)
{
	/* From the specification: EisaId("PNP0303") is 0x0303D041, little-endian. */
	static const uint8_t want[] = {0x0c, 0x41, 0xd0, 0x03, 0x03};
	uint8_t buf[8];
	struct aml aml;

	aml_init(&aml, buf, sizeof(buf));
	aml_eisa_id(&aml, "PNP0303");
	assert_int_equal(aml.len, sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
}

/* Reads a PkgLength as a parser would; *@ret_bytes is how many bytes it took. */
static size_t pkg_length(const uint8_t *p, size_t *ret_bytes)
{
	size_t more = p[0] >> 6;
	size_t len = more ? p[0] & 0xf : p[0] & 0x3f;

	for (size_t i = 0; i < more; i++)
		len |= (size_t)p[1 + i] << (4 + 8 * i);
	*ret_bytes = 1 + more;
	return len;
}

static void package_lengths(void **state)
{
	/* Around each edge at which the length takes a byte more. */
	static const size_t content[] = {0, 50, 57, 58, 59, 4085, 4088, 4089, 4090, 5000, 70000};
	static uint8_t buf[80000];

	for (size_t i = 0; i < sizeof(content) / sizeof(content[0]); i++) {
		struct aml aml;
		size_t mark, bytes;

		aml_init(&aml, buf, sizeof(buf));
		mark = aml_begin_scope(&aml, "_SB_");
		for (size_t n = 0; n < content[i]; n++)
			aml_int(&aml, n & 1);
		aml_end(&aml, mark);
		assert_int_equal(aml.err, 0);
		assert_int_equal(buf[0], 0x10);
		assert_int_equal(pkg_length(buf + 1, &bytes), aml.len - 1);
		assert_memory_equal(buf + 1 + bytes, "_SB_", 4);
		assert_int_equal(aml.len, 1 + bytes + 4 + content[i]);
		for (size_t n = 0; n < content[i]; n++)
			assert_int_equal(buf[1 + bytes + 4 + n], n & 1);
	}
}

static void overflow_sticks(void **state)
{
	uint8_t buf[12];
	struct aml aml;
	size_t mark;

	memset(buf, 0xee, sizeof(buf));
	aml_init(&aml, buf, 8);
	mark = aml_begin_device(&aml, "DEV0");
	aml_int(&aml, 0x1234);
	assert_int_equal(aml.err, -ENOSPC);
	aml_int(&aml, 0);
	aml_end(&aml, mark);
	assert_int_equal(aml.err, -ENOSPC);
	for (size_t i = 8; i < sizeof(buf); i++)
		assert_int_equal(buf[i], 0xee);

	/* Full to the last byte: the length has no room. */
	aml_init(&aml, buf, 6);
	mark = aml_begin_device(&aml, "DEV0");
	assert_int_equal(aml.err, 0);
	aml_end(&aml, mark);
	assert_int_equal(aml.err, -ENOSPC);
}

static void resource_template(void **state)
{
	static const uint8_t want[] = {
		0x11, 0x12,				/* buffer, 18 bytes with this one */
		0x0a, 0x0d + 2,				/* 15 bytes of content... */
		0x47, 1,	0xf8, 3, 0xf8, 3, 1, 8, /* I/O ports */
		0x22, 0x10,	0,			/* IRQ 4 */
		0x79, 0,
	};
	struct aml_res res = {0};
	uint8_t buf[64];
	struct aml aml;

	aml_res_io(&res, 0x3f8, 8);
	aml_res_irq(&res, 4);
	aml_init(&aml, buf, sizeof(buf));
	aml_resources(&aml, &res);
	assert_int_equal(aml.err, 0);
	assert_int_equal(buf[0], want[0]);
	assert_int_equal(buf[1], aml.len - 1);
	assert_int_equal(buf[3], aml.len - 4);
	assert_memory_equal(buf + 4, want + 4, sizeof(want) - 4);

	for (int i = 0; i < 100; i++)
		aml_res_mem64_window(&res, 0, 1);
	assert_int_equal(res.err, -ENOSPC);
	aml_resources(&aml, &res);
	assert_int_equal(aml.err, -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers),	     cmocka_unit_test(eisa_ids),
		cmocka_unit_test(package_lengths),   cmocka_unit_test(overflow_sticks),
		cmocka_unit_test(resource_template),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
