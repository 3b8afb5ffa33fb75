// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "vmm/acpi.h"
#include "vmm/memory.h"

#define GPA    0xe0000ull
#define ROOM   8192
#define HEADER 36u

static uint8_t image[ROOM + 16];
static size_t image_len;

static uint64_t get(const uint8_t *p, size_t len)
{
	uint64_t value = 0;

	memcpy(&value, p, len);
	return value;
}

static uint8_t sum(const uint8_t *p, size_t len)
{
	uint8_t s = 0;

	while (len--)
		s += *p++;
	return s;
}

/* The table at guest-physical @gpa, checked as a guest does. */
static const uint8_t *table_at(uint64_t gpa)
{
	const uint8_t *p = image + (gpa - GPA);

	assert_in_range(gpa, GPA, GPA + image_len - HEADER);
	assert_in_range(get(p + 4, 4), HEADER, image_len - (gpa - GPA));
	assert_int_equal(sum(p, get(p + 4, 4)), 0);
	return p;
}

/* NULL: XSDT does not list it. */
static const uint8_t *find(const char *signature)
{
	const uint8_t *xsdt = table_at(get(image + 24, 8));

	assert_memory_equal(xsdt, "XSDT", 4);
	for (size_t off = HEADER; off < get(xsdt + 4, 4); off += 8) {
		const uint8_t *p = table_at(get(xsdt + off, 8));

		if (!memcmp(p, signature, 4))
			return p;
	}
	return NULL;
}

static const uint8_t *dsdt(void)
{
	const uint8_t *p = table_at(get(find("FACP") + 140, 8));

	assert_memory_equal(p, "DSDT", 4);
	return p;
}

static void build(bool pci, bool viommu, unsigned int nr_cpus)
{
	const struct acpi_config config = {.nr_cpus = nr_cpus,
					   .pci = pci,
					   .viommu = viommu,
					   .intx = viommu,
					   .mmio64_base = 0x8000000000,
					   .mmio64_size = 0x4000000000};

	memset(image, 0xee, sizeof(image));
	assert_int_equal(acpi_build(&config, GPA, image, ROOM, &image_len), 0);
	assert_int_equal(image[image_len], 0xee);
	assert_memory_equal(image, "RSD PTR ", 8);
	assert_int_equal(sum(image, 20), 0);
	assert_int_equal(sum(image, 36), 0);
}

static bool mentions(const uint8_t *table, const char *name)
{
	return memmem(table, get(table + 4, 4), name, strlen(name));
}

static void without_pci(void **state)
{
	build(false, false, 1);
	assert_null(find("MCFG"));
	assert_null(find("VIOT"));
	assert_true(mentions(dsdt(), "COM1"));
	assert_true(mentions(dsdt(), "QEMU0001"));
	assert_false(mentions(dsdt(), "PCI0"));
}

static void with_pci(void **state)
{
	const uint8_t *mcfg;

	build(true, false, 1);
	assert_true(mentions(dsdt(), "PCI0"));
	assert_null(find("VIOT"));
	mcfg = find("MCFG");
	assert_int_equal(get(mcfg + 44, 8), GPA_ECAM_BASE);
	/* ECAM has room for as many buses as are announced. */
	assert_int_equal((mcfg[55] - mcfg[54] + 1ull) << 20, GPA_ECAM_SIZE);
}

static void with_viommu(void **state)
{
	const uint8_t *viot, *node;
	uint16_t first, last;

	build(true, true, 1);
	viot = find("VIOT");
	assert_int_equal(get(viot + 36, 2), 2);
	node = viot + get(viot + 38, 2);
	assert_int_equal(node[0], 1);
	first = (uint16_t)get(node + 12, 2);
	last = (uint16_t)get(node + 14, 2);
	/* An endpoint's id is its BDF; the IOMMU (00:01.0) is not behind itself. */
	assert_int_equal(get(node + 4, 4), first);
	assert_int_equal(first, 2 << 3);
	assert_int_equal(last, 31 << 3 | 7);
	node = viot + get(node + 16, 2);
	assert_int_equal(node[0], 3);
	assert_int_equal(get(node + 6, 2), 1 << 3);
	assert_int_equal(node + get(node + 2, 2) - viot, get(viot + 4, 4));
}

static void lists_the_cpus(void **state)
{
	for (unsigned int nr = 1; nr <= 8; nr++) {
		const uint8_t *madt;
		unsigned int cpus = 0, others = 0;

		build(false, false, nr);
		madt = find("APIC");
		for (size_t off = 44; off < get(madt + 4, 4); off += madt[off + 1]) {
			assert_int_not_equal(madt[off + 1], 0);
			if (madt[off] == 0)
				assert_int_equal(madt[off + 3], cpus++);
			else
				others++;
		}
		assert_int_equal(cpus, nr);
		assert_int_equal(others, 4);
	}
}

static void too_little_room(void **state)
{
	const struct acpi_config config = {.nr_cpus = 8, .pci = true, .viommu = true};
	size_t len = 77;

	for (size_t room = 0; room < image_len; room += 7) {
		memset(image, 0xee, sizeof(image));
		assert_int_equal(acpi_build(&config, GPA, image, room, &len), -ENOSPC);
		assert_int_equal(image[room], 0xee);
		assert_int_equal(len, 77);
	}
}

/* The reference disassembler, where it is installed, finds nothing wrong. */
static void decompiles(void **state)
{
	char folder[] = "/tmp/test_acpi.XXXXXX", path[64], command[256], line[256];
	const uint8_t *table;
	bool bus_window = false, slot3 = false, routing = false;
	FILE *f;

	if (system("command -v iasl >/dev/null 2>&1"))
		skip();
	build(true, true, 2);
	table = dsdt();
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/dsdt.aml", folder);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(table, get(table + 4, 4), 1, f), 1);
	assert_int_equal(fclose(f), 0);
	snprintf(command, sizeof(command),
		 "cd %s && iasl -d dsdt.aml >log 2>&1 && iasl -we dsdt.dsl >log2 2>&1", folder);
	assert_int_equal(system(command), 0);
	snprintf(path, sizeof(path), "%s/dsdt.dsl", folder);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		bus_window |= strstr(line, "0x0000008000000000, // Range Minimum") != NULL;
		slot3 |= strstr(line, "0x0003FFFF") != NULL;
		/* Its line, GSI 19. */
		routing |= slot3 && strstr(line, "0x13");
	}
	fclose(f);
	assert_true(bus_window);
	assert_true(routing);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_pci),	   cmocka_unit_test(with_pci),
		cmocka_unit_test(with_viommu),	   cmocka_unit_test(lists_the_cpus),
		cmocka_unit_test(too_little_room), cmocka_unit_test(decompiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
