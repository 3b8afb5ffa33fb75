// SPDX-License-Identifier: BSD-2-Clause
#include <asm/bootparam.h>
#include <errno.h>
#include <string.h>

#include "vmm/bootparams.h"

#define PAGE		 4096ull
#define PTE_PRESENT	 0x1ull
#define PTE_WRITE	 0x2ull
#define PTE_LARGE	 0x80ull
#define ENTRIES		 512
#define IDENTITY_GIB	 4

#define LOADER_UNDEFINED 0xff
#define OLD_CMDLINE_MAX	 255
/* A header that was never in a file: what a vmlinux cannot say for itself. */
#define HEADER_MAGIC	    0x53726448 /* "HdrS" */
#define HEADER_VERSION	    0x20f
#define VMLINUX_CMDLINE_MAX 2047

static int write_page_tables(struct memory *mem)
{
	uint64_t table[ENTRIES] = {0};
	uint64_t pdpt = BOOT_PML4 + PAGE;
	uint64_t pd = pdpt + PAGE;
	int err;

	table[0] = pdpt | PTE_PRESENT | PTE_WRITE;
	err = memory_write(mem, BOOT_PML4, table, sizeof(table));
	for (unsigned int i = 0; i < IDENTITY_GIB; i++)
		table[i] = (pd + i * PAGE) | PTE_PRESENT | PTE_WRITE;
	err = err ?: memory_write(mem, pdpt, table, sizeof(table));
	for (uint64_t i = 0; i < IDENTITY_GIB && !err; i++) {
		for (uint64_t j = 0; j < ENTRIES; j++)
			table[j] = i << 30 | j << 21 | PTE_PRESENT | PTE_WRITE | PTE_LARGE;
		err = memory_write(mem, pd + i * PAGE, table, sizeof(table));
	}
	return err;
}

static int write_gdt(struct memory *mem)
{
	const uint64_t gdt[] = {
		0, 0, 0x00af9b000000ffffull, /* BOOT_GDT_CS: 64-bit code */
		0x00cf93000000ffffull,	     /* BOOT_GDT_DS: flat data */
	};

	return memory_write(mem, BOOT_GDT, gdt, sizeof(gdt));
}

static void add_e820(struct boot_params *bp, uint64_t addr, uint64_t size, uint32_t type)
{
	if (!size)
		return;
	bp->e820_table[bp->e820_entries++] =
		(struct boot_e820_entry){.addr = addr, .size = size, .type = type};
}

#define E820_RAM      1
#define E820_RESERVED 2

static void fill_e820(struct boot_params *bp, const struct memory *mem)
{
	add_e820(bp, 0, BOOT_LOW_END, E820_RAM);
	add_e820(bp, BOOT_ACPI, BOOT_ACPI_SIZE, E820_RESERVED);
	add_e820(bp, BOOT_KERNEL_MIN, mem->slot[0].size - BOOT_KERNEL_MIN, E820_RAM);
	add_e820(bp, GPA_ECAM_BASE, GPA_ECAM_SIZE, E820_RESERVED);
	add_e820(bp, mem->slot[1].gpa, mem->slot[1].size, E820_RAM);
}

size_t boot_cmdline_max(const uint8_t *setup_header, size_t len)
{
	size_t off = offsetof(struct setup_header, cmdline_size);
	uint32_t size;

	if (!setup_header)
		return VMLINUX_CMDLINE_MAX;
	if (len < off + sizeof(size))
		return OLD_CMDLINE_MAX;
	memcpy(&size, setup_header + off, sizeof(size));
	return size < BOOT_CMDLINE_MAX ? size : BOOT_CMDLINE_MAX - 1;
}

static void fill_header(struct setup_header *hdr, const struct boot_config *config)
{
	if (config->setup_header) {
		size_t len = config->setup_header_len;

		memcpy(hdr, config->setup_header, len < sizeof(*hdr) ? len : sizeof(*hdr));
	} else {
		hdr->boot_flag = 0xaa55;
		hdr->header = HEADER_MAGIC;
		hdr->version = HEADER_VERSION;
		hdr->cmdline_size = VMLINUX_CMDLINE_MAX;
		hdr->kernel_alignment = 0x200000;
	}
	hdr->type_of_loader = LOADER_UNDEFINED;
	hdr->loadflags |= LOADED_HIGH;
	hdr->cmd_line_ptr = BOOT_CMDLINE;
	hdr->ramdisk_image = (uint32_t)config->initrd_gpa;
	hdr->ramdisk_size = (uint32_t)config->initrd_size;
}

int boot_write(struct memory *mem, const struct boot_config *config)
{
	size_t cmdline_len = strlen(config->cmdline);
	struct boot_params bp = {0};
	int err;

	if (cmdline_len > boot_cmdline_max(config->setup_header, config->setup_header_len) ||
	    mem->slot[0].size <= BOOT_KERNEL_MIN)
		return -EINVAL;
	fill_header(&bp.hdr, config);
	fill_e820(&bp, mem);
	bp.acpi_rsdp_addr = config->rsdp;
	err = memory_write(mem, BOOT_PARAMS, &bp, sizeof(bp));
	err = err ?: memory_write(mem, BOOT_CMDLINE, config->cmdline, cmdline_len + 1);
	err = err ?: write_gdt(mem);
	return err ?: write_page_tables(mem);
}
