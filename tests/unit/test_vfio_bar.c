// SPDX-License-Identifier: BSD-2-Clause
/* Which parts of a real device's BARs the guest reaches, and where. */
#include <errno.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "fake_vfio_sys.h"
#include "vmm/vfio_bar.h"
#include "vmm/vfio_sys.h"

#define GPA 0xc0000000ull

static struct vfio_desc desc;
static struct vfio_bars bars;
static struct memslots slots;
static struct pci_msix msix;
static int group;

static int set_up(void **state)
{
	const char *what;
	int container, fd;

	fake_sys_reset();
	container = vfio_sys_open("/dev/vfio/vfio");
	group = vfio_sys_open("/dev/vfio/5");
	vfio_sys_ioctl(group, VFIO_GROUP_SET_CONTAINER, &container);
	vfio_sys_ioctl(container, VFIO_SET_IOMMU, (void *)VFIO_TYPE1v2_IOMMU);
	fd = vfio_sys_ioctl(group, VFIO_GROUP_GET_DEVICE_FD, "x");
	assert_int_equal(vfio_probe(fd, &desc, &what), 0);
	msix = (struct pci_msix){.nr = 64, .table_off = 0x2000, .pba_off = 0x3000};
	return 0;
}

static void start(void)
{
	const char *what;

	assert_int_equal(vfio_probe(desc.fd, &desc, &what), 0);
	vfio_bars_init(&bars, &slots, &desc, &msix);
}

static int tear_down(void **state)
{
	vfio_bars_done(&bars);
	assert_int_equal(fake_sys_slots(), 0);
	assert_int_equal(fake_sys.maps, 0);
	return 0;
}

static void want(uint64_t gpa, unsigned int region, uint64_t off, uint64_t size)
{
	uint64_t got = UINT64_MAX;

	assert_int_equal(fake_sys_slot(gpa, region, &got), size);
	assert_int_equal(got, off);
}

static void around_the_table(void **state)
{
	start();
	assert_int_equal(fake_sys_slots(), 0);
	assert_int_equal(vfio_bars_move(&bars, 0, GPA), 0);
	/* Table and PBA have a page each at its end: one piece is left. */
	assert_int_equal(fake_sys_slots(), 1);
	want(GPA, 0, 0, 0x2000);
	assert_int_equal(vfio_bars_move(&bars, 2, GPA + 0x100000), 0);
	want(GPA + 0x100000, 2, 0, 0x8000);
	/* It leaves no trace where it was. */
	assert_int_equal(vfio_bars_move(&bars, 0, GPA + 0x8000), 0);
	assert_int_equal(fake_sys_slots(), 2);
	want(GPA + 0x8000, 0, 0, 0x2000);
	assert_int_equal(vfio_bars_move(&bars, 0, 0), 0);
	assert_int_equal(fake_sys_slots(), 1);
	vfio_bars_withdraw(&bars);
	assert_int_equal(fake_sys_slots(), 0);
}

static void in_pieces(void **state)
{
	fake_sys.nr_irqs[2] = 64;
	/* The PBA first, neither at the page's start, one spilling into the next page. */
	msix = (struct pci_msix){
		.nr = 64, .table_bar = 2, .table_off = 0x5f00, .pba_bar = 2, .pba_off = 0x1ff8};
	start();
	assert_int_equal(vfio_bars_move(&bars, 2, GPA), 0);
	assert_int_equal(fake_sys_slots(), 3);
	want(GPA, 2, 0, 0x1000);
	want(GPA + 0x2000, 2, 0x2000, 0x3000);
	want(GPA + 0x7000, 2, 0x7000, 0x1000);
	assert_int_equal(vfio_bars_move(&bars, 0, GPA + 0x10000), 0);
	want(GPA + 0x10000, 0, 0, 0x4000);
}

static void one_page_for_both(void **state)
{
	msix = (struct pci_msix){
		.nr = 8, .table_bar = 2, .table_off = 0x1000, .pba_bar = 2, .pba_off = 0x1800};
	start();
	assert_int_equal(vfio_bars_move(&bars, 2, GPA), 0);
	assert_int_equal(fake_sys_slots(), 2);
	want(GPA, 2, 0, 0x1000);
	want(GPA + 0x2000, 2, 0x2000, 0x6000);
}

/* The guest is shown 64 vectors; the device's table of 512 has two pages. */
static void all_of_the_table(void **state)
{
	fake_sys.nr_irqs[2] = 512;
	fake_sys.region[0].size = 0x8000;
	msix.pba_off = 0x6000;
	start();
	assert_int_equal(vfio_bars_move(&bars, 0, GPA), 0);
	assert_int_equal(fake_sys_slots(), 3);
	want(GPA, 0, 0, 0x2000);
	want(GPA + 0x4000, 0, 0x4000, 0x2000);
	want(GPA + 0x7000, 0, 0x7000, 0x1000);
}

/* The guest is shown no table: all of the BAR is its. */
static void no_table(void **state)
{
	msix.nr = 0;
	start();
	assert_int_equal(vfio_bars_move(&bars, 0, GPA), 0);
	want(GPA, 0, 0, 0x4000);
}

static void sparse(void **state)
{
	struct fake_region *r = &fake_sys.region[2];

	r->nr_areas = 4;
	r->area[0].off = 0x1000;
	r->area[0].size = 0x1000;
	/* Cut to whole pages; what leads out is left out. */
	r->area[1].off = 0x3800;
	r->area[1].size = 0x2000;
	r->area[2].off = 0x7000;
	r->area[2].size = 0x2000;
	r->area[3].off = UINT64_MAX - 0xfff;
	r->area[3].size = 0x2000;
	start();
	assert_int_equal(vfio_bars_move(&bars, 2, GPA), 0);
	assert_int_equal(fake_sys_slots(), 2);
	want(GPA + 0x1000, 2, 0x1000, 0x1000);
	want(GPA + 0x4000, 2, 0x4000, 0x1000);
}

static void what_cannot_be_mapped(void **state)
{
	fake_sys.region[2].flags &= ~VFIO_REGION_INFO_FLAG_MMAP;
	fake_sys.region[0].size = 0x800;
	msix.nr = 0;
	start();
	for (unsigned int bar = 0; bar < 3; bar++)
		assert_int_equal(vfio_bars_move(&bars, bar, GPA + bar * 0x10000), 0);
	assert_int_equal(fake_sys_slots(), 0);
	assert_int_equal(fake_sys.maps, 0);
}

static void kvm_refuses(void **state)
{
	start();
	fake_sys.slot_error = -ENOSPC;
	assert_int_equal(vfio_bars_move(&bars, 0, GPA), -ENOSPC);
	fake_sys.slot_error = 0;
	assert_int_equal(vfio_bars_move(&bars, 0, GPA), 0);
	assert_int_equal(fake_sys_slots(), 1);
}

static void trapped(void **state)
{
	uint8_t buf[8] = {1, 2, 3, 4, 5, 6, 7, 8}, back[8];

	start();
	assert_int_equal(vfio_bars_write(&desc, 1, 8, buf, 4), 0);
	assert_memory_equal(fake_sys.region[1].byte + 8, buf, 4);
	assert_int_equal(vfio_bars_read(&desc, 1, 8, back, 4), 0);
	assert_memory_equal(back, buf, 4);
	fake_sys.fail_in = 0;
	fake_sys.error = EIO;
	assert_int_equal(vfio_bars_read(&desc, 0, 0, back, 8), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(around_the_table, set_up, tear_down),
		cmocka_unit_test_setup_teardown(in_pieces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_page_for_both, set_up, tear_down),
		cmocka_unit_test_setup_teardown(all_of_the_table, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_table, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sparse, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_mapped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(kvm_refuses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(trapped, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
