// SPDX-License-Identifier: BSD-2-Clause
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "vmm/vmlinux.h"

#define MEM	     (8ull << 20)
#define KERNEL_VADDR 0xffffffff81000000ull

/* A kernel of two segments, that tests damage in one place each. */
struct image {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr[2];
	char text[64];
	char data[32];
};

static struct image good(void)
{
	struct image im = {
		.ehdr = {.e_type = ET_EXEC,
			 .e_machine = EM_X86_64,
			 .e_version = EV_CURRENT,
			 .e_entry = 0x200010,
			 .e_phoff = offsetof(struct image, phdr),
			 .e_ehsize = sizeof(Elf64_Ehdr),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 2},
		.phdr = {{.p_type = PT_LOAD,
			  .p_offset = offsetof(struct image, text),
			  .p_vaddr = KERNEL_VADDR,
			  .p_paddr = 0x200000,
			  .p_filesz = sizeof(im.text),
			  .p_memsz = sizeof(im.text)},
			 {.p_type = PT_LOAD,
			  .p_offset = offsetof(struct image, data),
			  .p_vaddr = KERNEL_VADDR + 0x100000,
			  .p_paddr = 0x300000,
			  .p_filesz = sizeof(im.data),
			  .p_memsz = 0x12345}},
		.text = "the text",
		.data = "the data",
	};

	memcpy(im.ehdr.e_ident, ELFMAG, SELFMAG);
	im.ehdr.e_ident[EI_CLASS] = ELFCLASS64;
	im.ehdr.e_ident[EI_DATA] = ELFDATA2LSB;
	return im;
}

static struct memory mem;

static int setup(void **state)
{
	return memory_init(&mem, MEM);
}

static int teardown(void **state)
{
	memory_done(&mem);
	return 0;
}

static int load(const struct image *im, uint64_t size, struct vmlinux_image *ret, const char **why)
{
	const struct vmlinux_source src = {.data = (const uint8_t *)im, .fd = -1, .size = size};

	return vmlinux_load(&src, &mem, ret, why);
}

static void from_memory(void **state)
{
	struct vmlinux_image image;
	struct image im = good();
	const char *why;

	assert_int_equal(load(&im, sizeof(im), &image, &why), 0);
	assert_int_equal(image.entry, 0x200010);
	assert_int_equal(image.end, 0x312345);
	assert_string_equal((char *)mem.base + 0x200000, "the text");
	assert_string_equal((char *)mem.base + 0x300000, "the data");
}

static void from_a_file(void **state)
{
	int fd = memfd_create("vmlinux", 0);
	struct vmlinux_source src = {.fd = fd, .size = sizeof(struct image)};
	struct vmlinux_image image;
	struct image im = good();
	const char *why;

	assert_int_equal(write(fd, &im, sizeof(im)), sizeof(im));
	assert_int_equal(vmlinux_load(&src, &mem, &image, &why), 0);
	assert_string_equal((char *)mem.base + 0x300000, "the data");
	/* It became shorter since its size was asked for. */
	assert_int_equal(ftruncate(fd, offsetof(struct image, data) + 3), 0);
	assert_int_equal(vmlinux_load(&src, &mem, &image, &why), -EIO);
	close(fd);
}

/* The bytes of a section without bytes stay as memory is: zero. */
static void blank_sections_are_not_read(void **state)
{
	struct {
		struct image im;
		Elf64_Shdr shdr[4];
	} file = {.im = good()};
	const struct vmlinux_source src = {
		.data = (const uint8_t *)&file, .fd = -1, .size = sizeof(file)};
	const uint64_t data = KERNEL_VADDR + 0x100000;
	struct vmlinux_image image;
	const char *why;

	file.im.ehdr.e_shoff = offsetof(__typeof__(file), shdr);
	file.im.ehdr.e_shentsize = sizeof(Elf64_Shdr);
	file.im.ehdr.e_shnum = 4;
	memset(file.im.data, 'x', sizeof(file.im.data));
	/* [2, 4) and [6, 7), out of order; not thread-local ones, nor those outside. */
	file.shdr[0] = (Elf64_Shdr){
		.sh_type = SHT_NOBITS, .sh_flags = SHF_ALLOC, .sh_addr = data + 6, .sh_size = 1};
	file.shdr[1] = (Elf64_Shdr){
		.sh_type = SHT_NOBITS, .sh_flags = SHF_ALLOC, .sh_addr = data + 2, .sh_size = 2};
	file.shdr[2] = (Elf64_Shdr){.sh_type = SHT_NOBITS,
				    .sh_flags = SHF_ALLOC | SHF_TLS,
				    .sh_addr = data,
				    .sh_size = 32};
	file.shdr[3] = (Elf64_Shdr){.sh_type = SHT_NOBITS,
				    .sh_flags = SHF_ALLOC,
				    .sh_addr = data + 31,
				    .sh_size = UINT64_MAX};
	assert_int_equal(vmlinux_load(&src, &mem, &image, &why), 0);
	assert_memory_equal(mem.base + 0x300000, "xx\0\0xx\0x", 8);
	assert_memory_equal(mem.base + 0x300000 + 28, "xxx\0", 4);
	assert_string_equal((char *)mem.base + 0x200000, "the text");

	/* Headers that cannot be: everything is read. */
	file.im.ehdr.e_shoff = UINT64_MAX - 100;
	assert_int_equal(vmlinux_load(&src, &mem, &image, &why), 0);
	assert_memory_equal(mem.base + 0x300000, "xxxxxxxx", 8);
}

static void truncated_anywhere(void **state)
{
	struct vmlinux_image image;
	struct image im = good();
	const char *why;

	for (uint64_t size = 0; size < sizeof(im); size++) {
		assert_int_equal(load(&im, size, &image, &why), -EINVAL);
		assert_non_null(strstr(why, "truncated"));
	}
	assert_int_equal(mem.base[0x200000], 0);
}

/* One field each; nothing may have been written for any. */
static void refuses_nonsense(void **state)
{
	struct vmlinux_image image;
	const char *why;

#define CASE(change)                                                            \
	do {                                                                    \
		struct image im = good();                                       \
		change;                                                         \
		why = NULL;                                                     \
		assert_int_equal(load(&im, sizeof(im), &image, &why), -EINVAL); \
		assert_non_null(why);                                           \
		assert_int_equal(mem.base[0x200000], 0);                        \
	} while (0)

	CASE(im.ehdr.e_ident[0] = 0);
	CASE(im.ehdr.e_ident[EI_CLASS] = ELFCLASS32);
	CASE(im.ehdr.e_ident[EI_DATA] = ELFDATA2MSB);
	CASE(im.ehdr.e_machine = EM_AARCH64);
	CASE(im.ehdr.e_type = ET_REL);
	CASE(im.ehdr.e_phentsize = 32);
	CASE(im.ehdr.e_phnum = 0);
	CASE(im.ehdr.e_phnum = UINT16_MAX);
	CASE(im.ehdr.e_phoff = UINT64_MAX);
	CASE(im.ehdr.e_phoff = UINT64_MAX - sizeof(Elf64_Phdr));
	CASE(im.ehdr.e_entry = 0x100000);
	CASE(im.ehdr.e_entry = KERNEL_VADDR);
	CASE(im.phdr[0].p_offset = UINT64_MAX);
	CASE(im.phdr[1].p_filesz = UINT64_MAX);
	CASE(im.phdr[1].p_filesz = im.phdr[1].p_memsz + 1);
	CASE(im.phdr[1].p_memsz = 1);
	CASE(im.phdr[1].p_memsz = UINT64_MAX);
	CASE(im.phdr[1].p_paddr = UINT64_MAX - 0x1000);
	CASE(im.phdr[1].p_paddr = GPA_HOLE_BASE - 0x1000);
	CASE(im.phdr[1].p_paddr = GPA_HIGH_RAM);
	CASE(im.phdr[1].p_paddr = 0xff000);  /* over what the VMM writes in low memory */
	CASE(im.phdr[0].p_vaddr = 0x400000); /* a program */
	CASE(im.phdr[0].p_type = im.phdr[1].p_type = PT_NOTE);
}

static void says_what_it_needs(void **state)
{
	struct vmlinux_image image = {0};
	struct image im = good();
	const char *why;

	im.phdr[1].p_memsz = MEM;
	assert_int_equal(load(&im, sizeof(im), &image, &why), -ENOSPC);
	assert_int_equal(image.end, 0x300000 + MEM);
	/* To the last byte it fits. */
	im.phdr[1].p_memsz = MEM - 0x300000;
	assert_int_equal(load(&im, sizeof(im), &image, &why), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(from_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(from_a_file, setup, teardown),
		cmocka_unit_test_setup_teardown(blank_sections_are_not_read, setup, teardown),
		cmocka_unit_test_setup_teardown(truncated_anywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_nonsense, setup, teardown),
		cmocka_unit_test_setup_teardown(says_what_it_needs, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
