// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <lzma.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <cmocka.h>

#include "vmm/unpack.h"

#define PLAIN	300000u
#define TRAILER 4u /* a kernel's payload ends in its unpacked size */

static uint8_t plain[PLAIN], packed[2 * PLAIN], out[PLAIN + 1];

static int setup(void **state)
{
	uint32_t x = 1;

	/* Compressible, but not trivially so; with the byte of a call, for the x86 filter. */
	for (size_t i = 0; i < PLAIN; i++) {
		x = x * 1103515245u + 12345u;
		plain[i] = i % 7 ? (uint8_t)(x >> 28) : 0xe8;
	}
	return 0;
}

static size_t pack_xz(void)
{
	lzma_options_lzma lzma2;
	lzma_filter filters[] = {
		{LZMA_FILTER_X86, NULL}, {LZMA_FILTER_LZMA2, &lzma2}, {LZMA_VLI_UNKNOWN, NULL}};
	size_t n = 0;

	/* As the kernel's build: xz --check=crc32 --x86 --lzma2=dict=32MiB */
	assert_false(lzma_lzma_preset(&lzma2, 6));
	lzma2.dict_size = 32 << 20;
	assert_int_equal(lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL, plain, PLAIN,
						   packed, &n, sizeof(packed)),
			 LZMA_OK);
	return n;
}

static size_t pack_zstd(void)
{
	size_t n = ZSTD_compress(packed, sizeof(packed), plain, PLAIN, 19);

	assert_false(ZSTD_isError(n));
	return n;
}

static size_t pack_gzip(void)
{
	z_stream z = {.next_in = plain,
		      .avail_in = PLAIN,
		      .next_out = packed,
		      .avail_out = sizeof(packed)};

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY),
			 Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

static void check(size_t len)
{
	size_t n = 77;

	memset(packed + len, 0x5a, TRAILER);
	memset(out, 0, sizeof(out));
	assert_int_equal(unpack(packed, len + TRAILER, out, PLAIN, &n), 0);
	assert_int_equal(n, PLAIN);
	assert_memory_equal(out, plain, PLAIN);

	/* More than there is room for: nothing is written past it. */
	memset(out, 0xee, sizeof(out));
	n = 77;
	assert_int_equal(unpack(packed, len + TRAILER, out, PLAIN - 1, &n), -EINVAL);
	assert_int_equal(out[PLAIN - 1], 0xee);
	assert_int_equal(n, 77);

	/* Cut off, and damaged: each of the formats as the kernel uses it has a checksum. */
	assert_int_equal(unpack(packed, len / 2, out, PLAIN, &n), -EINVAL);
	assert_int_equal(unpack(packed, 12, out, PLAIN, &n), -EINVAL);
	packed[len / 2] ^= 0x10;
}

static void xz(void **state)
{
	size_t n;

	check(pack_xz());
	assert_int_equal(unpack(packed, sizeof(packed), out, PLAIN, &n), -EINVAL);
}

static void zstd(void **state)
{
	check(pack_zstd());
}

static void gzip(void **state)
{
	size_t n;

	check(pack_gzip());
	assert_int_equal(unpack(packed, sizeof(packed), out, PLAIN, &n), -EINVAL);
}

static void other_formats(void **state)
{
	static const uint8_t lz4[] = {0x02, 0x21, 0x4c, 0x18, 0, 0, 0, 0};
	size_t n;

	assert_int_equal(unpack(lz4, sizeof(lz4), out, PLAIN, &n), -ENOTSUP);
	assert_int_equal(unpack(lz4, 0, out, PLAIN, &n), -ENOTSUP);
}

/* A file that asks for a dictionary of 1 GiB is refused before it gets one. */
static void greedy(void **state)
{
	lzma_options_lzma lzma2;
	lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &lzma2}, {LZMA_VLI_UNKNOWN, NULL}};
	size_t len = 0, n;

	assert_false(lzma_lzma_preset(&lzma2, 0));
	lzma2.dict_size = 1 << 20;
	assert_int_equal(lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL, plain, 100,
						   packed, &len, sizeof(packed)),
			 LZMA_OK);
	/*
	 * The block's header begins at 12 with its length, and ends in a CRC32. In it
	 * LZMA2 is filter 0x21 with one byte of properties: 36 is a dictionary of 1 GiB.
	 */
	uint8_t *header = packed + 12;
	size_t header_len = (header[0] + 1u) * 4 - 4;
	uint8_t *filter = memchr(header + 2, 0x21, header_len);
	uint32_t crc;

	assert_non_null(filter);
	assert_int_equal(filter[1], 1);
	filter[2] = 36;
	crc = lzma_crc32(header, header_len, 0);
	memcpy(header + header_len, &crc, sizeof(crc));
	assert_int_equal(unpack(packed, len, out, PLAIN, &n), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xz),	  cmocka_unit_test(zstd),
		cmocka_unit_test(gzip),	  cmocka_unit_test(other_formats),
		cmocka_unit_test(greedy),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
