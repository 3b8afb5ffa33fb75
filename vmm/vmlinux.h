/* SPDX-License-Identifier: BSD-2-Clause */
/* An uncompressed x86-64 kernel (vmlinux) into guest RAM. */
#ifndef VMM_VMLINUX_H
#define VMM_VMLINUX_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/memory.h"

/* Where the ELF file is: in @data, or in the file @fd when @data is NULL. */
struct vmlinux_source {
	const uint8_t *data;
	int fd;
	uint64_t size;
};

struct vmlinux_image {
	uint64_t entry; /* guest-physical */
	uint64_t end;	/* one past the last byte that it needs, .bss included */
};

bool vmlinux_magic(const void *buf, uint64_t size);

/*
 * Every field is checked. On failure *@ret_why says what is wrong, in words
 * that follow the file's name; -ENOSPC: @mem is too small, and ret_image->end
 * is set; -EINVAL, -EIO.
 */
int vmlinux_load(const struct vmlinux_source *src, struct memory *mem,
		 struct vmlinux_image *ret_image, const char **ret_why);

#endif
