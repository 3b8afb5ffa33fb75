// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <limits.h>
#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "vmm/unpack.h"

/* Linux compresses with a 32 MiB dictionary; no file may ask for much more. */
#define XZ_MEMORY_LIMIT (160ull << 20)

static int unpack_xz(const uint8_t *in, size_t in_len, uint8_t *out, size_t room, size_t *ret_len)
{
	uint64_t limit = XZ_MEMORY_LIMIT;
	size_t in_pos = 0;
	size_t out_pos = 0;
	lzma_ret ret;

	ret = lzma_stream_buffer_decode(&limit, 0, NULL, in, &in_pos, in_len, out, &out_pos, room);
	if (ret == LZMA_MEM_ERROR)
		return -ENOMEM;
	if (ret != LZMA_OK) /* LZMA_MEMLIMIT_ERROR, too */
		return -EINVAL;
	*ret_len = out_pos;
	return 0;
}

static int unpack_zstd(const uint8_t *in, size_t in_len, uint8_t *out, size_t room, size_t *ret_len)
{
	size_t frame = ZSTD_findFrameCompressedSize(in, in_len);
	size_t n;

	if (ZSTD_isError(frame))
		return -EINVAL;
	n = ZSTD_decompress(out, room, in, frame);
	if (ZSTD_isError(n))
		return -EINVAL;
	*ret_len = n;
	return 0;
}

static int unpack_gzip(const uint8_t *in, size_t in_len, uint8_t *out, size_t room, size_t *ret_len)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)in, .next_out = out};
	int ret;

	if (in_len > UINT_MAX || room > UINT_MAX)
		return -EINVAL;
	z.avail_in = (uInt)in_len;
	z.avail_out = (uInt)room;
	if (inflateInit2(&z, MAX_WBITS + 16) != Z_OK)
		return -ENOMEM;
	ret = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	if (ret != Z_STREAM_END)
		return -EINVAL;
	*ret_len = z.total_out;
	return 0;
}

static const struct {
	uint8_t magic[6];
	size_t len;
	int (*unpack)(const uint8_t *in, size_t in_len, uint8_t *out, size_t room, size_t *ret_len);
} formats[] = {
	{{0xfd, '7', 'z', 'X', 'Z', 0}, 6, unpack_xz},
	{{0x28, 0xb5, 0x2f, 0xfd}, 4, unpack_zstd},
	{{0x1f, 0x8b, 8}, 3, unpack_gzip},
};

int unpack(const uint8_t *in, size_t in_len, uint8_t *out, size_t room, size_t *ret_len)
{
	for (unsigned int i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (in_len >= formats[i].len && !memcmp(in, formats[i].magic, formats[i].len))
			return formats[i].unpack(in, in_len, out, room, ret_len);
	return -ENOTSUP;
}
