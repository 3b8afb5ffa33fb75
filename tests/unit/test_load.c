// SPDX-License-Identifier: BSD-2-Clause
/* Kernel and initrd from files: what is put where, and what is refused. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "vmm/load.h"

#define MIB	   (1ull << 20)
#define MEM	   (32 * MIB)
#define KERNEL_GPA 0x1000000ull
#define ENTRY	   (KERNEL_GPA + 0x10)

/* The least vmlinux: one segment. */
struct image {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr;
	char text[64];
};

static struct memory mem;
static struct loaded loaded;
static char folder[] = "/tmp/pvi-load-XXXXXX";
static char kernel[64], initrd[64];

static void write_file(const char *path, const void *bytes, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void write_kernel(void)
{
	struct image im = {
		.ehdr = {.e_type = ET_EXEC,
			 .e_machine = EM_X86_64,
			 .e_version = EV_CURRENT,
			 .e_entry = ENTRY,
			 .e_phoff = offsetof(struct image, phdr),
			 .e_ehsize = sizeof(Elf64_Ehdr),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 1},
		.phdr = {.p_type = PT_LOAD,
			 .p_offset = offsetof(struct image, text),
			 .p_vaddr = 0xffffffff81000000ull,
			 .p_paddr = KERNEL_GPA,
			 .p_filesz = sizeof(im.text),
			 .p_memsz = MIB},
		.text = "the kernel",
	};

	memcpy(im.ehdr.e_ident, ELFMAG, SELFMAG);
	im.ehdr.e_ident[EI_CLASS] = ELFCLASS64;
	im.ehdr.e_ident[EI_DATA] = ELFDATA2LSB;
	write_file(kernel, &im, sizeof(im));
}

static int load(const char *kernel_path, const char *initrd_path, uint64_t size)
{
	const struct load_config config = {
		.kernel = kernel_path, .initrd = initrd_path, .mem_text = "--", .mem = size};

	return load_guest(&mem, &config, &loaded);
}

/* Refused, and nothing said of what was loaded. */
static void refused(const char *kernel_path, const char *initrd_path, uint64_t size)
{
	const struct loaded before = {.entry = 0x5a5a};

	loaded = before;
	assert_int_equal(load(kernel_path, initrd_path, size), -EINVAL);
	assert_memory_equal(&loaded, &before, sizeof(before));
}

static void both(void **state)
{
	char text[64] = "", initrd_text[] = "the initrd";

	write_kernel();
	write_file(initrd, initrd_text, sizeof(initrd_text));
	assert_int_equal(load(kernel, initrd, MEM), 0);
	assert_int_equal(loaded.entry, ENTRY);
	assert_int_equal(loaded.bzimage.header_len, 0);
	assert_int_equal(memory_read(&mem, KERNEL_GPA, text, sizeof(text)), 0);
	assert_string_equal(text, "the kernel");
	/* As high as it goes, on a page of its own. */
	assert_int_equal(loaded.initrd_gpa, MEM - 4096);
	assert_int_equal(loaded.initrd_size, sizeof(initrd_text));
	assert_int_equal(memory_read(&mem, loaded.initrd_gpa, text, sizeof(text)), 0);
	assert_string_equal(text, "the initrd");
}

static void without_initrd(void **state)
{
	write_kernel();
	assert_int_equal(load(kernel, NULL, MEM), 0);
	assert_int_equal(loaded.entry, ENTRY);
	assert_int_equal(loaded.initrd_size, 0);
}

static void bad_kernels(void **state)
{
	struct image im;
	FILE *f;

	refused("/nowhere/at/all", NULL, MEM);
	refused(folder, NULL, MEM);
	write_file(kernel, "", 0);
	refused(kernel, NULL, MEM);
	write_file(kernel, "#!/bin/sh\n", 10);
	refused(kernel, NULL, MEM);
	write_kernel();
	f = fopen(kernel, "r");
	assert_non_null(f);
	assert_int_equal(fread(&im, 1, sizeof(im), f), sizeof(im));
	fclose(f);
	/* Cut off anywhere. */
	for (size_t len = 1; len < sizeof(im); len += 7) {
		write_file(kernel, &im, len);
		refused(kernel, NULL, MEM);
	}
	/* A pipe that nobody writes to is not waited for. */
	assert_int_equal(unlink(kernel), 0);
	assert_int_equal(mkfifo(kernel, 0600), 0);
	refused(kernel, NULL, MEM);
}

static void bad_initrds(void **state)
{
	write_kernel();
	refused(kernel, "/nowhere/at/all", MEM);
	refused(kernel, folder, MEM);
	write_file(initrd, "", 0);
	refused(kernel, initrd, MEM);
	/* Sparse: beyond what any kernel finds, and beyond the RAM there is. */
	assert_int_equal(truncate(initrd, (off_t)1 << 31), 0);
	refused(kernel, initrd, MEM);
	assert_int_equal(truncate(initrd, (off_t)(16 * MIB)), 0);
	refused(kernel, initrd, MEM);
}

/* The least memory that is said to do, does. */
static void least_memory(void **state)
{
	write_kernel();
	refused(kernel, NULL, 26 * MIB);
	assert_int_equal(load(kernel, NULL, 27 * MIB), 0);
}

static int set_up(void **state)
{
	return memory_init(&mem, MEM);
}

static int tear_down(void **state)
{
	memory_done(&mem);
	unlink(kernel);
	unlink(initrd);
	return 0;
}

static int make_folder(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	snprintf(kernel, sizeof(kernel), "%s/kernel", folder);
	snprintf(initrd, sizeof(initrd), "%s/initrd", folder);
	return 0;
}

static int remove_folder(void **state)
{
	return rmdir(folder);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both),	   TEST(without_initrd), TEST(bad_kernels),
		TEST(bad_initrds), TEST(least_memory),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
