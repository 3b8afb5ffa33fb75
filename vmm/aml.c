// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/aml.h"

enum {
	OP_ZERO = 0x00,
	OP_ONE = 0x01,
	OP_NAME = 0x08,
	OP_BYTE = 0x0a,
	OP_WORD = 0x0b,
	OP_DWORD = 0x0c,
	OP_STRING = 0x0d,
	OP_QWORD = 0x0e,
	OP_SCOPE = 0x10,
	OP_BUFFER = 0x11,
	OP_PACKAGE = 0x12,
	OP_EXT = 0x5b,
	OP_EXT_DEVICE = 0x82,
};

enum {
	RES_IRQ_NO_FLAGS = 0x22,
	RES_IO = 0x47,
	RES_END = 0x79,
	RES_MEM32_FIXED = 0x86,
	RES_DWORD = 0x87,
	RES_WORD = 0x88,
	RES_QWORD = 0x8a,
};

enum { SPACE_MEMORY = 0, SPACE_IO = 1, SPACE_BUS = 2 };

/* General flags of an address space descriptor: produced, both ends fixed. */
#define WINDOW_FLAGS	  0x0c
#define MEMORY_READ_WRITE 0x01
#define IO_ENTIRE_RANGE	  0x03

void aml_init(struct aml *aml, uint8_t *buf, size_t room)
{
	*aml = (struct aml){.buf = buf, .room = room};
}

static void put(struct aml *aml, const void *bytes, size_t len)
{
	if (aml->err || len > aml->room - aml->len) {
		aml->err = -ENOSPC;
		return;
	}
	memcpy(aml->buf + aml->len, bytes, len);
	aml->len += len;
}

static void put_byte(struct aml *aml, uint8_t byte)
{
	put(aml, &byte, 1);
}

/* The host is x86: little-endian, as AML is. */
static void put_le(struct aml *aml, uint64_t value, size_t len)
{
	put(aml, &value, len);
}

size_t aml_begin_scope(struct aml *aml, const char *name)
{
	size_t mark;

	put_byte(aml, OP_SCOPE);
	mark = aml->len;
	put(aml, name, 4);
	return mark;
}

size_t aml_begin_device(struct aml *aml, const char *name)
{
	size_t mark;

	put_byte(aml, OP_EXT);
	put_byte(aml, OP_EXT_DEVICE);
	mark = aml->len;
	put(aml, name, 4);
	return mark;
}

size_t aml_begin_package(struct aml *aml, uint8_t nr_elements)
{
	size_t mark;

	put_byte(aml, OP_PACKAGE);
	mark = aml->len;
	put_byte(aml, nr_elements);
	return mark;
}

/* The length counts its own bytes: 6 bits in one, or 4 bits and 8 for each more. */
void aml_end(struct aml *aml, size_t mark)
{
	size_t len = aml->len - mark;
	uint8_t bytes[4];
	size_t n = 1;

	if (aml->err)
		return;
	if (len + 1 < 1u << 6) {
		bytes[0] = (uint8_t)(len + 1);
	} else {
		while (n < 3 && len + n + 1 >= 1u << (4 + 8 * n))
			n++;
		n++;
		len += n;
		bytes[0] = (uint8_t)((n - 1) << 6 | (len & 0xf));
		for (size_t i = 1; i < n; i++)
			bytes[i] = (uint8_t)(len >> (4 + 8 * (i - 1)));
	}
	if (n > aml->room - aml->len) {
		aml->err = -ENOSPC;
		return;
	}
	memmove(aml->buf + mark + n, aml->buf + mark, aml->len - mark);
	memcpy(aml->buf + mark, bytes, n);
	aml->len += n;
}

void aml_name(struct aml *aml, const char *name)
{
	put_byte(aml, OP_NAME);
	put(aml, name, 4);
}

void aml_int(struct aml *aml, uint64_t value)
{
	if (value <= 1) {
		put_byte(aml, value ? OP_ONE : OP_ZERO);
	} else if (value <= UINT8_MAX) {
		put_byte(aml, OP_BYTE);
		put_le(aml, value, 1);
	} else if (value <= UINT16_MAX) {
		put_byte(aml, OP_WORD);
		put_le(aml, value, 2);
	} else if (value <= UINT32_MAX) {
		put_byte(aml, OP_DWORD);
		put_le(aml, value, 4);
	} else {
		put_byte(aml, OP_QWORD);
		put_le(aml, value, 8);
	}
}

/* Three letters of five bits and four hexadecimal digits, most significant byte first. */
void aml_eisa_id(struct aml *aml, const char *id)
{
	uint32_t letters = (uint32_t)(id[0] - '@') << 10 | (uint32_t)(id[1] - '@') << 5 |
			   (uint32_t)(id[2] - '@');
	uint32_t value = letters << 16 | (uint32_t)strtoul(id + 3, NULL, 16);

	put_byte(aml, OP_DWORD);
	put_le(aml, __builtin_bswap32(value), 4);
}

void aml_string(struct aml *aml, const char *text)
{
	put_byte(aml, OP_STRING);
	put(aml, text, strlen(text) + 1);
}

static void res_put(struct aml_res *res, uint64_t value, size_t len)
{
	if (res->err || len > sizeof(res->buf) - res->len) {
		res->err = -ENOSPC;
		return;
	}
	memcpy(res->buf + res->len, &value, len);
	res->len += len;
}

void aml_res_io(struct aml_res *res, uint16_t base, uint8_t len)
{
	res_put(res, RES_IO, 1);
	res_put(res, 1, 1); /* decodes 16 bits */
	res_put(res, base, 2);
	res_put(res, base, 2);
	res_put(res, 1, 1); /* alignment */
	res_put(res, len, 1);
}

void aml_res_irq(struct aml_res *res, unsigned int irq)
{
	res_put(res, RES_IRQ_NO_FLAGS, 1);
	res_put(res, 1u << irq, 2);
}

void aml_res_mem32_fixed(struct aml_res *res, uint32_t base, uint32_t len)
{
	res_put(res, RES_MEM32_FIXED, 1);
	res_put(res, 9, 2);
	res_put(res, 1, 1); /* writable */
	res_put(res, base, 4);
	res_put(res, len, 4);
}

/* @width: bytes of each of the five addresses. */
static void res_window(struct aml_res *res, uint8_t tag, uint8_t space, uint8_t type_flags,
		       uint64_t first, uint64_t last, size_t width)
{
	res_put(res, tag, 1);
	res_put(res, 3 + 5 * width, 2);
	res_put(res, space, 1);
	res_put(res, WINDOW_FLAGS, 1);
	res_put(res, type_flags, 1);
	res_put(res, 0, width); /* granularity */
	res_put(res, first, width);
	res_put(res, last, width);
	res_put(res, 0, width); /* translation */
	res_put(res, last - first + 1, width);
}

void aml_res_bus(struct aml_res *res, uint16_t first, uint16_t last)
{
	res_window(res, RES_WORD, SPACE_BUS, 0, first, last, 2);
}

void aml_res_io_window(struct aml_res *res, uint16_t first, uint16_t last)
{
	res_window(res, RES_WORD, SPACE_IO, IO_ENTIRE_RANGE, first, last, 2);
}

void aml_res_mem32_window(struct aml_res *res, uint32_t first, uint32_t last)
{
	res_window(res, RES_DWORD, SPACE_MEMORY, MEMORY_READ_WRITE, first, last, 4);
}

void aml_res_mem64_window(struct aml_res *res, uint64_t first, uint64_t last)
{
	res_window(res, RES_QWORD, SPACE_MEMORY, MEMORY_READ_WRITE, first, last, 8);
}

void aml_resources(struct aml *aml, const struct aml_res *res)
{
	size_t mark;

	if (res->err)
		aml->err = res->err;
	put_byte(aml, OP_BUFFER);
	mark = aml->len;
	aml_int(aml, res->len + 2);
	put(aml, res->buf, res->len);
	put_byte(aml, RES_END);
	put_byte(aml, 0); /* checksum: 0 means none */
	aml_end(aml, mark);
}
