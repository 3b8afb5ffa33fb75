// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <linux/pci_regs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/wire.h"
#include "vmm/vfu_config.h"

static struct vfu_desc desc;
static struct pci_fn fn;
static char why[160];

static int setup(void **state)
{
	memset(&desc, 0, sizeof(desc));
	pvi_put32(desc.cfg, 0x10421af4);
	pvi_put32(desc.cfg + PCI_CLASS_REVISION, 0x01800001);
	pvi_put32(desc.cfg + PCI_SUBSYSTEM_VENDOR_ID, 0x00021af4);
	pvi_put16(desc.cfg + PCI_STATUS, PCI_STATUS_CAP_LIST);
	desc.bar_size[0] = 0x1000;
	return 0;
}

static int build(void)
{
	memset(&fn, 0, sizeof(fn));
	why[0] = 0;
	return vfu_config_build(&desc, &fn, why, sizeof(why));
}

static void expect_refusal(const char *text)
{
	assert_int_equal(build(), -EPROTO);
	if (!strstr(why, text))
		fail_msg("\"%s\" lacks \"%s\"", why, text);
}

static void cap(uint8_t at, uint8_t id, uint8_t next, uint8_t len)
{
	desc.cfg[at] = id;
	desc.cfg[at + 1] = next;
	desc.cfg[at + 2] = len;
}

static void msix(uint8_t at, uint8_t next, uint16_t nr, uint32_t table, uint32_t pba)
{
	cap(at, PCI_CAP_ID_MSIX, next, 0);
	pvi_put16(desc.cfg + at + PCI_MSIX_FLAGS, (uint16_t)(nr - 1));
	pvi_put32(desc.cfg + at + PCI_MSIX_TABLE, table);
	pvi_put32(desc.cfg + at + PCI_MSIX_PBA, pba);
}

static void ids(void **state)
{
	assert_int_equal(build(), 0);
	assert_memory_equal(fn.cfg, desc.cfg, 4);
	assert_int_equal(pvi_get32(fn.cfg + PCI_CLASS_REVISION), 0x01800001);
	assert_int_equal(pvi_get32(fn.cfg + PCI_SUBSYSTEM_VENDOR_ID), 0x00021af4);
	pvi_put16(desc.cfg, 0xffff);
	expect_refusal("vendor id 0xffff");
	pvi_put32(desc.cfg, 0x10571af4);
	expect_refusal("virtio-iommu");
	setup(NULL);
	desc.cfg[PCI_HEADER_TYPE] = PCI_HEADER_TYPE_BRIDGE;
	expect_refusal("header type 1");
	/* It may think that it has more functions: it has one. */
	desc.cfg[PCI_HEADER_TYPE] = 0x80;
	assert_int_equal(build(), 0);
	assert_int_equal(fn.cfg[PCI_HEADER_TYPE], 0);
}

static void bars(void **state)
{
	desc.bar_size[1] = 64;
	desc.bar_size[2] = VFU_MAX_BAR_SIZE;
	pvi_put32(desc.cfg + PCI_BASE_ADDRESS_1, 0xfffffffd); /* I/O, whatever else it says */
	pvi_put32(desc.cfg + PCI_BASE_ADDRESS_2, PCI_BASE_ADDRESS_MEM_TYPE_64 | 8);
	assert_int_equal(build(), 0);
	assert_int_equal(fn.bar[0].size, 0x1000);
	assert_false(fn.bar[0].io || fn.bar[0].is64 || fn.bar[0].prefetch);
	assert_true(fn.bar[1].io);
	assert_false(fn.bar[1].is64 || fn.bar[1].prefetch);
	assert_true(fn.bar[2].is64 && fn.bar[2].prefetch);
	desc.bar_size[3] = 0x1000;
	expect_refusal("BAR 2 leaves no room");
	desc.bar_size[3] = 0;
	desc.bar_size[2] = 2 * VFU_MAX_BAR_SIZE;
	expect_refusal("33554432 bytes");
	desc.bar_size[2] = 0;
	desc.bar_size[1] = 512; /* ports */
	expect_refusal("BAR 1 has 512 bytes");
	desc.bar_size[1] = 0;
	desc.bar_size[0] = 8;
	expect_refusal("8 bytes");
	desc.bar_size[0] = 0x3000;
	expect_refusal("no power of two");
	desc.bar_size[0] = 0;
	desc.bar_size[5] = 0x1000;
	pvi_put32(desc.cfg + PCI_BASE_ADDRESS_5, PCI_BASE_ADDRESS_MEM_TYPE_64);
	expect_refusal("BAR 5 leaves no room");
}

static void capabilities(void **state)
{
	desc.cfg[PCI_CAPABILITY_LIST] = 0x50;
	desc.nr_msix = 4;
	cap(0x50, PCI_CAP_ID_PM, 0x60, 0);
	cap(0x60, PCI_CAP_ID_VNDR, 0x80, 20);
	desc.cfg[0x73] = 0xaa;
	desc.cfg[0x74] = 0xbb; /* just after it */
	cap(0x80, PCI_CAP_ID_MSI, 0x90, 0);
	msix(0x90, 0xa0, 4, 0x800 | 0, 0xc00 | 0);
	cap(0xa0, PCI_CAP_ID_EXP, 0xf0, 0);
	cap(0xf0, PCI_CAP_ID_VNDR, 0, 16);
	assert_int_equal(build(), 0);
	/* Vendor, MSI-X, vendor: the rest has gone, and nothing leaks in between. */
	assert_int_equal(fn.cfg[PCI_CAPABILITY_LIST], 0x60);
	assert_int_equal(fn.cfg[0x61], 0x90);
	assert_int_equal(fn.cfg[0x91], 0xf0);
	assert_int_equal(fn.cfg[0xf1], 0);
	assert_int_equal(fn.cfg[0x73], 0xaa);
	assert_int_equal(fn.cfg[0x74], 0);
	assert_int_equal(fn.cfg[0x50], 0);
	assert_int_equal(fn.cfg[0xa0], 0);
	assert_int_equal(fn.msix.nr, 4);
	assert_int_equal(fn.msix.table_off, 0x800);
	assert_int_equal(fn.msix.pba_off, 0xc00);
	assert_int_equal(fn.msix.cap, 0x90);
	/* Without the status bit there is no list. */
	pvi_put16(desc.cfg + PCI_STATUS, 0);
	assert_int_equal(build(), 0);
	assert_int_equal(fn.cfg[PCI_CAPABILITY_LIST], 0);
	assert_int_equal(fn.msix.nr, 0);
}

static void bad_lists(void **state)
{
	desc.cfg[PCI_CAPABILITY_LIST] = 0x10;
	expect_refusal("leads to 0x10");
	desc.cfg[PCI_CAPABILITY_LIST] = 0x50;
	cap(0x50, PCI_CAP_ID_PM, 0x50, 0);
	expect_refusal("loop");
	cap(0x50, PCI_CAP_ID_PM, 0x60, 0);
	cap(0x60, PCI_CAP_ID_PM, 0x50, 0);
	expect_refusal("loop");
	cap(0x50, PCI_CAP_ID_VNDR, 0x54, 16);
	cap(0x54, PCI_CAP_ID_VNDR, 0, 4);
	expect_refusal("overlaps");
	cap(0x50, PCI_CAP_ID_VNDR, 0x50, 16);
	expect_refusal("overlaps");
	cap(0x50, PCI_CAP_ID_VNDR, 0, 2);
	expect_refusal("0x50 has 2 bytes");
	cap(0x50, PCI_CAP_ID_VNDR, 0, 0xb1);
	expect_refusal("over the end");
	cap(0x50, PCI_CAP_ID_VNDR, 0, 0xb0);
	assert_int_equal(build(), 0);
	desc.cfg[PCI_CAPABILITY_LIST] = 0xfc;
	cap(0xfc, PCI_CAP_ID_VNDR, 0, 4);
	assert_int_equal(build(), 0);
	desc.cfg[0xfe] = 5;
	expect_refusal("over the end");
	desc.cfg[0xfc] = PCI_CAP_ID_MSIX;
	expect_refusal("over the end");
}

static void bad_msix(void **state)
{
	desc.cfg[PCI_CAPABILITY_LIST] = 0x50;
	desc.nr_msix = 2048;
	msix(0x50, 0, 65, 0, 0x800);
	expect_refusal("65 MSI-X vectors");
	msix(0x50, 0x60, 2, 0, 0x800);
	msix(0x60, 0, 2, 0, 0x800);
	expect_refusal("two MSI-X");
	msix(0x50, 0, 2, 0, 0x800);
	desc.nr_msix = 1;
	expect_refusal("only 1 interrupts");
}

/* Any 256 bytes and sizes: a function or a refusal, never a write outside. */
static void garbage(void **state)
{
	unsigned int seed = 1, built = 0;

	for (unsigned int round = 0; round < 20000; round++) {
		for (unsigned int i = 0; i < sizeof(desc.cfg); i++)
			desc.cfg[i] = (uint8_t)rand_r(&seed);
		for (unsigned int i = 0; i < PCI_MAX_BARS; i++)
			desc.bar_size[i] = rand_r(&seed) % 4 ? 0 : 1ull << rand_r(&seed) % 26;
		desc.nr_msix = 2048;
		desc.cfg[PCI_HEADER_TYPE] = 0;
		if (rand_r(&seed) % 2)
			desc.cfg[PCI_CAPABILITY_LIST] = 0x40 + rand_r(&seed) % 0xc0;
		built += !build();
	}
	assert_true(built);
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(ids), T(bars), T(capabilities), T(bad_lists), T(bad_msix), T(garbage),
	};

	return cmocka_run_group_tests_name("vfu_config", tests, NULL, NULL);
}
