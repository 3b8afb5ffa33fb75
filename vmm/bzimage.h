/* SPDX-License-Identifier: BSD-2-Clause */
/* The outside of a bzImage: where its compressed ELF kernel lies. */
#ifndef VMM_BZIMAGE_H
#define VMM_BZIMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How much of the file's start bzimage_parse() wants to see. */
#define BZIMAGE_HEAD	   1024
#define BZIMAGE_HEADER_MAX 256

struct bzimage {
	uint64_t payload_off; /* in the file */
	uint64_t payload_len; /* at least 4 */
	size_t header_len;
	uint8_t header[BZIMAGE_HEADER_MAX]; /* from 0x1f1 on, for the zero page */
};

bool bzimage_magic(const uint8_t *head, size_t len);

/*
 * @head: the first @len bytes of a file of @file_size bytes. On failure
 * *@ret_why says what is wrong, in words that follow the file's name: -EINVAL.
 */
int bzimage_parse(const uint8_t *head, size_t len, uint64_t file_size, struct bzimage *ret,
		  const char **ret_why);

#endif
