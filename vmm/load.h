/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel and initrd from their files into guest RAM. */
#ifndef VMM_LOAD_H
#define VMM_LOAD_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/bzimage.h"
#include "vmm/memory.h"

struct load_config {
	const char *kernel;
	const char *initrd;   /* NULL: none */
	const char *mem_text; /* --mem as given, for messages */
	uint64_t mem;	      /* bytes that the user asked for */
};

struct loaded {
	uint64_t entry;		/* guest-physical, 64-bit mode */
	struct bzimage bzimage; /* its header; header_len 0: the kernel was a vmlinux */
	uint64_t initrd_gpa;
	uint64_t initrd_size; /* 0: none */
};

/*
 * Must run while the process has one thread: a bzImage is unpacked by a child.
 * Logs what is wrong with the user's files or --mem: -EINVAL. -EIO, -ENOMEM:
 * the host failed.
 */
int load_guest(struct memory *mem, const struct load_config *config, struct loaded *ret);

#endif
