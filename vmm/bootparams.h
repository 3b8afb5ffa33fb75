/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a Linux kernel entered at its 64-bit entry point finds in low memory
 * (Documentation/arch/x86/boot.rst, "64-bit Boot Protocol").
 */
#ifndef VMM_BOOTPARAMS_H
#define VMM_BOOTPARAMS_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/memory.h"

/* Low memory, guest-physical. */
#define BOOT_GDT	 0x500ull
#define BOOT_PARAMS	 0x7000ull
#define BOOT_STACK	 0x8ff0ull
#define BOOT_PML4	 0x9000ull /* six pages: one PML4, one PDPT, four PDs */
#define BOOT_CMDLINE	 0x20000ull
#define BOOT_CMDLINE_MAX 0x10000ull
#define BOOT_LOW_END	 0x9fc00ull
#define BOOT_ACPI	 0xe0000ull
#define BOOT_ACPI_SIZE	 0x20000ull
#define BOOT_KERNEL_MIN	 0x100000ull

#define BOOT_GDT_CS	 0x10
#define BOOT_GDT_DS	 0x18
#define BOOT_GDT_LIMIT	 31

struct boot_config {
	const uint8_t *setup_header; /* a bzImage's, from 0x1f1 on; NULL: a vmlinux */
	size_t setup_header_len;
	const char *cmdline;
	uint64_t initrd_gpa;
	uint64_t initrd_size; /* 0: none */
	uint64_t rsdp;
};

/* Writes zero page, command line, GDT and identity page tables. */
int boot_write(struct memory *mem, const struct boot_config *config);

/* The longest command line, without its NUL, that a kernel with this header takes. */
size_t boot_cmdline_max(const uint8_t *setup_header, size_t len);

#endif
