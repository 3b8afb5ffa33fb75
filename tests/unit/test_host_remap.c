// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "host_tree.h"
#include "vmm/host_remap.h"

static void chips(void **state)
{
	assert_int_equal(host_remaps_interrupts(tree_root), -ENODATA);
	tree_file("\n", "/sys/kernel/irq/3/chip_name");
	assert_int_equal(host_remaps_interrupts(tree_root), -ENODATA);
	tree_file("IO-APIC\n", "/sys/kernel/irq/1/chip_name");
	tree_file("DMAR-MSI\n", "/sys/kernel/irq/24/chip_name");
	assert_int_equal(host_remaps_interrupts(tree_root), 0);
	tree_file("IR-PCI-MSIX-0000:00:02.0\n", "/sys/kernel/irq/30/chip_name");
	assert_int_equal(host_remaps_interrupts(tree_root), 1);
	tree_remove("/sys/kernel/irq/30/chip_name");
	tree_file("IR-IO-APIC\n", "/sys/kernel/irq/1/chip_name");
	assert_int_equal(host_remaps_interrupts(tree_root), 1);
}

static void allowed(void **state)
{
	static const char parameter[] =
		"/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts";
	char why[300];

	assert_false(host_allows_unsafe_interrupts(tree_root, TREE_A, why, sizeof(why)));
	tree_file("N\n", "%s", parameter);
	assert_false(host_allows_unsafe_interrupts(tree_root, TREE_A, why, sizeof(why)));
	tree_file("Y\n", "%s", parameter);
	assert_true(host_allows_unsafe_interrupts(tree_root, TREE_A, why, sizeof(why)));
	assert_non_null(strstr(why, "or say " TREE_A ",unsafe-interrupts"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(chips, tree_set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(allowed, tree_set_up, tree_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
