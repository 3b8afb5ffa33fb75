/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest RAM: one sealed memfd, mapped once, in up to two slots around the PCI
 * hole (below GPA_HOLE_BASE, and from 4 GiB on).
 */
#ifndef VMM_MEMORY_H
#define VMM_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* The guest-physical map. RAM below the hole ends at most at HOLE_BASE. */
#define GPA_HOLE_BASE	0xc0000000ull
#define GPA_MMIO32_BASE 0xc0000000ull
#define GPA_MMIO32_SIZE 0x20000000ull
#define GPA_ECAM_BASE	0xe0000000ull
#define GPA_ECAM_SIZE	0x100000ull /* one bus: Linux scans no further */
#define GPA_HIGH_RAM	0x100000000ull

struct memory_slot {
	uint64_t gpa;
	uint64_t size; /* bytes; 0: unused */
	uint8_t *hva;
};

struct memory {
	int fd;
	uint8_t *base;
	uint64_t size; /* bytes in all */
	struct memory_slot slot[2];
};

/* @size: bytes, a multiple of 4 KiB. Logs what went wrong. */
int memory_init(struct memory *mem, uint64_t size);
void memory_done(struct memory *mem);

/* struct pvi_iommu_ops.ram; ctx is the struct memory. */
void *memory_ram(void *ctx, uint64_t gpa, uint64_t len, uint64_t *ret_len);

/* Set-up time copies; -EFAULT unless all of it is RAM. */
int memory_write(struct memory *mem, uint64_t gpa, const void *buf, size_t len);
int memory_read(struct memory *mem, uint64_t gpa, void *buf, size_t len);

#endif
