// SPDX-License-Identifier: BSD-2-Clause
#include <asm/bootparam.h>
#include <errno.h>
#include <string.h>

#include "vmm/bzimage.h"

/* Offsets in the file (boot.rst, "The Real-Mode Kernel Header"). */
#define HDR_START	    0x1f1
#define HDR_SYSSIZE	    0x1f4
#define HDR_JUMP_LEN	    0x201
#define HDR_MAGIC	    0x202
#define HDR_VERSION	    0x206
#define HDR_XLOADFLAGS	    0x236
#define HDR_PAYLOAD_OFF	    0x248
#define HDR_PAYLOAD_LEN	    0x24c
#define HDR_LEAST	    0x250

#define VERSION_XLOADFLAGS  0x20c
#define SECTOR		    512u
#define PARAGRAPH	    16u
#define DEFAULT_SETUP_SECTS 4

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

bool bzimage_magic(const uint8_t *head, size_t len)
{
	return len >= HDR_MAGIC + 4 && !memcmp(head + HDR_MAGIC, "HdrS", 4) &&
	       get16(head + 0x1fe) == 0xaa55;
}

int bzimage_parse(const uint8_t *head, size_t len, uint64_t file_size, struct bzimage *ret,
		  const char **ret_why)
{
	struct bzimage bz = {0};
	uint64_t setup, protected_len, payload;
	size_t header_end;

	*ret_why = "is truncated; get a whole one";
	if (len < HDR_LEAST || len > file_size)
		return -EINVAL;
	*ret_why = "is no 64-bit bzImage of Linux 3.8 or later; give one, or its vmlinux";
	if (!bzimage_magic(head, len) || get16(head + HDR_VERSION) < VERSION_XLOADFLAGS ||
	    !(get16(head + HDR_XLOADFLAGS) & XLF_KERNEL_64))
		return -EINVAL;

	*ret_why = "is truncated; get a whole one";
	setup = ((uint64_t)(head[HDR_START] ?: DEFAULT_SETUP_SECTS) + 1) * SECTOR;
	protected_len = (uint64_t)get32(head + HDR_SYSSIZE) * PARAGRAPH;
	/* The build rounds syssize up to a paragraph; the file may end before. */
	if (setup > file_size || protected_len > file_size - setup + (PARAGRAPH - 1))
		return -EINVAL;

	*ret_why = "has a damaged header; get a whole one";
	payload = get32(head + HDR_PAYLOAD_OFF);
	bz.payload_len = get32(head + HDR_PAYLOAD_LEN);
	if (bz.payload_len < 4 || payload > file_size - setup ||
	    bz.payload_len > file_size - setup - payload)
		return -EINVAL;
	bz.payload_off = setup + payload;

	header_end = HDR_MAGIC + (size_t)head[HDR_JUMP_LEN];
	if (header_end < HDR_LEAST || header_end > len ||
	    header_end - HDR_START > sizeof(bz.header))
		return -EINVAL;
	bz.header_len = header_end - HDR_START;
	memcpy(bz.header, head + HDR_START, bz.header_len);
	*ret = bz;
	return 0;
}
