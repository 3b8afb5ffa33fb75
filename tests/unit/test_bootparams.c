// SPDX-License-Identifier: BSD-2-Clause
#include <asm/bootparam.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "vmm/bootparams.h"

static struct memory mem;
static struct boot_params bp;

static void write_and_read(uint64_t size, const struct boot_config *config)
{
	assert_int_equal(memory_init(&mem, size), 0);
	assert_int_equal(boot_write(&mem, config), 0);
	assert_int_equal(memory_read(&mem, BOOT_PARAMS, &bp, sizeof(bp)), 0);
}

static uint64_t read64(uint64_t gpa)
{
	uint64_t value;

	assert_int_equal(memory_read(&mem, gpa, &value, sizeof(value)), 0);
	return value;
}

/* What the processor makes of @va: -1 when not mapped. */
static uint64_t walk(uint64_t va)
{
	uint64_t pml4e = read64(BOOT_PML4 + 8 * (va >> 39 & 511));
	uint64_t pdpte, pde;

	if (!(pml4e & 1))
		return UINT64_MAX;
	pdpte = read64((pml4e & ~0xfffull) + 8 * (va >> 30 & 511));
	if (!(pdpte & 1))
		return UINT64_MAX;
	pde = read64((pdpte & ~0xfffull) + 8 * (va >> 21 & 511));
	if (!(pde & 1))
		return UINT64_MAX;
	assert_true(pde & 0x80);
	return (pde & ~0x1fffffull) | (va & 0x1fffff);
}

static void vmlinux(void **state)
{
	const struct boot_config config = {.cmdline = "quiet x=1",
					   .initrd_gpa = 0x3000000,
					   .initrd_size = 12345,
					   .rsdp = BOOT_ACPI};
	char cmdline[16];

	write_and_read(64 << 20, &config);
	assert_int_equal(bp.hdr.header, 0x53726448);
	assert_int_equal(bp.hdr.cmd_line_ptr, BOOT_CMDLINE);
	assert_int_equal(bp.hdr.ramdisk_image, 0x3000000);
	assert_int_equal(bp.hdr.ramdisk_size, 12345);
	assert_int_equal(bp.acpi_rsdp_addr, BOOT_ACPI);
	assert_int_equal(memory_read(&mem, BOOT_CMDLINE, cmdline, 10), 0);
	assert_string_equal(cmdline, "quiet x=1");
	memory_done(&mem);
}

static void bzimage_header(void **state)
{
	struct setup_header hdr = {.header = 0x53726448,
				   .version = 0x20f,
				   .cmdline_size = 2047,
				   .init_size = 0x1234567,
				   .ramdisk_image = 1,
				   .ramdisk_size = 1};
	const struct boot_config config = {.setup_header = (const uint8_t *)&hdr,
					   .setup_header_len = sizeof(hdr),
					   .cmdline = ""};

	write_and_read(64 << 20, &config);
	assert_int_equal(bp.hdr.init_size, 0x1234567);
	/* What the file says of an initrd is no business of ours. */
	assert_int_equal(bp.hdr.ramdisk_image, 0);
	assert_int_equal(bp.hdr.ramdisk_size, 0);
	memory_done(&mem);
}

static void identity_map(void **state)
{
	const struct boot_config config = {.cmdline = ""};

	write_and_read(64 << 20, &config);
	for (uint64_t va = 0; va < 4ull << 30; va += 0x1fabcd5)
		assert_int_equal(walk(va), va);
	assert_int_equal(walk((4ull << 30) - 1), (4ull << 30) - 1);
	assert_int_equal(walk(4ull << 30), UINT64_MAX);
	assert_int_equal(read64(BOOT_GDT + BOOT_GDT_CS), 0x00af9b000000ffffull);
	assert_int_equal(read64(BOOT_GDT + BOOT_GDT_DS), 0x00cf93000000ffffull);
	memory_done(&mem);
}

/* Does the map call @addr RAM? */
static bool ram(uint64_t addr)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < bp.e820_entries; i++) {
		const struct boot_e820_entry *e = &bp.e820_table[i];

		if (addr < e->addr || addr - e->addr >= e->size)
			continue;
		assert_int_equal(found++, 0); /* entries do not overlap */
		if (e->type != 1)
			return false;
	}
	return found;
}

static void memory_map(void **state)
{
	const struct boot_config config = {.cmdline = ""};

	write_and_read(5ull << 30, &config);
	assert_true(ram(0));
	assert_false(ram(0xa0000));
	assert_false(ram(BOOT_ACPI));
	assert_false(ram(BOOT_ACPI + BOOT_ACPI_SIZE - 1));
	assert_true(ram(0x100000));
	assert_true(ram(GPA_HOLE_BASE - 1));
	assert_false(ram(GPA_HOLE_BASE));
	assert_false(ram(GPA_ECAM_BASE));
	assert_false(ram(GPA_HIGH_RAM - 1));
	assert_true(ram(GPA_HIGH_RAM));
	assert_true(ram(GPA_HIGH_RAM + (2ull << 30) - 1));
	assert_false(ram(GPA_HIGH_RAM + (2ull << 30)));
	memory_done(&mem);

	write_and_read(64 << 20, &config);
	assert_true(ram((64 << 20) - 1));
	assert_false(ram(64 << 20));
	assert_false(ram(GPA_HIGH_RAM));
	memory_done(&mem);
}

static void long_command_line(void **state)
{
	struct setup_header hdr = {.header = 0x53726448, .cmdline_size = 100};
	struct boot_config config = {.setup_header = (const uint8_t *)&hdr,
				     .setup_header_len = sizeof(hdr)};
	char text[102];

	assert_int_equal(boot_cmdline_max((const uint8_t *)&hdr, sizeof(hdr)), 100);
	assert_int_equal(boot_cmdline_max(NULL, 0), 2047);
	assert_int_equal(boot_cmdline_max((const uint8_t *)&hdr, 16), 255);
	memset(text, 'x', sizeof(text));
	text[101] = '\0';
	config.cmdline = text;
	assert_int_equal(memory_init(&mem, 64 << 20), 0);
	assert_int_equal(boot_write(&mem, &config), -EINVAL);
	text[100] = '\0';
	assert_int_equal(boot_write(&mem, &config), 0);
	memory_done(&mem);
	/* A file that claims it takes more than there is room for. */
	hdr.cmdline_size = UINT32_MAX;
	assert_int_equal(boot_cmdline_max((const uint8_t *)&hdr, sizeof(hdr)),
			 BOOT_CMDLINE_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vmlinux),	     cmocka_unit_test(bzimage_header),
		cmocka_unit_test(identity_map),	     cmocka_unit_test(memory_map),
		cmocka_unit_test(long_command_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
