// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "host_tree.h"
#include "vmm/host_pci.h"

static int parse(const char *text, char *bdf)
{
	return host_pci_parse(text, strlen(text), bdf);
}

static void addresses(void **state)
{
	static const char *const bad[] = {
		"",
		"0",
		"00:02",
		"00:02.",
		"00:02.8",
		"00:20.0",
		"0:02.0",
		"00:2.0",
		"00:02.00",
		"000:00:02.0",
		"eth0",
		"0000:00:02",
		"0000:00:02.0x",
		"0000:00:02.0 ",
		" 0000:00:02.0",
		"../x",
		"0000:00:02/0",
		"0000-00:02.0",
		"0:0000:00:02.0",
		"123456789:00:02.0",
		"00:1g.0",
		":00:02.0",
		"0000::02.0",
	};
	char bdf[HOST_PCI_BDF_SIZE] = "untouched";

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(parse(bad[i], bdf), -EINVAL);
		assert_string_equal(bdf, "untouched");
	}
	assert_int_equal(parse("0000:00:02.0", bdf), 0);
	assert_string_equal(bdf, "0000:00:02.0");
	assert_int_equal(parse("AB:1f.7", bdf), 0);
	assert_string_equal(bdf, "0000:ab:1f.7");
	assert_int_equal(parse("10000:01:00.3", bdf), 0);
	assert_string_equal(bdf, "10000:01:00.3");
	assert_int_equal(host_pci_parse("00:02.0,rest", 7, bdf), 0);
	assert_string_equal(bdf, "0000:00:02.0");
}

static void what_a_device_is(void **state)
{
	struct host_pci dev = {.group = 77};

	assert_int_equal(host_pci_read(tree_root, "0000:09:00.0", &dev), -ENODEV);
	assert_int_equal(dev.group, 77);
	assert_int_equal(host_pci_read(tree_root, TREE_A, &dev), 0);
	assert_string_equal(dev.bdf, TREE_A);
	assert_int_equal(dev.vendor, 0x8086);
	assert_int_equal(dev.device, 0x10d3);
	assert_int_equal(dev.class_code, 0x020000);
	assert_int_equal(dev.group, 5);
	assert_string_equal(dev.driver, "e1000e");
	assert_false(dev.bridge);
	assert_false(host_pci_is_vfio(&dev));
	/* The multi-function bit is no header type. */
	assert_int_equal(host_pci_read(tree_root, TREE_B, &dev), 0);
	assert_false(dev.bridge);
	assert_int_equal(host_pci_read(tree_root, TREE_BRIDGE, &dev), 0);
	assert_true(dev.bridge);
	assert_int_equal(host_pci_read(tree_root, TREE_BARE, &dev), 0);
	assert_int_equal(dev.group, -1);
	assert_string_equal(dev.driver, "");
}

static void all_of_them(void **state)
{
	static const char *const want[] = {TREE_A, TREE_B, TREE_BARE, TREE_BRIDGE, TREE_C, TREE_D};
	struct host_pci *dev;
	size_t nr;

	assert_int_equal(host_pci_list(tree_root, &dev, &nr), 0);
	assert_int_equal(nr, 6);
	for (size_t i = 0; i < nr; i++)
		assert_string_equal(dev[i].bdf, want[i]);
	free(dev);
	assert_int_equal(host_pci_list("/nonexistent", &dev, &nr), 0);
	assert_int_equal(nr, 0);
	free(dev);
}

static void vfio_drivers(void **state)
{
	static const char *const yes[] = {"vfio-pci", "mlx5_vfio_pci"};
	static const char *const no[] = {"", "vfio", "_vfio_pci", "pci-stub", "vfio-pci2"};

	for (size_t i = 0; i < 2; i++) {
		struct host_pci dev = {0};

		strcpy(dev.driver, yes[i]);
		assert_true(host_pci_is_vfio(&dev));
	}
	for (size_t i = 0; i < 5; i++) {
		struct host_pci dev = {0};

		strcpy(dev.driver, no[i]);
		assert_false(host_pci_is_vfio(&dev));
	}
}

static void groups(void **state)
{
	struct host_pci dev, other;

	/* Alone in its group: its own driver is no matter here. */
	assert_int_equal(host_pci_read(tree_root, TREE_A, &dev), 0);
	assert_int_equal(host_pci_group_blocker(tree_root, &dev, &other), 0);
	assert_int_equal(host_pci_read(tree_root, TREE_C, &dev), 0);
	assert_int_equal(host_pci_group_blocker(tree_root, &dev, &other), 1);
	assert_string_equal(other.bdf, TREE_D);
	assert_string_equal(other.driver, "e1000");
	for (int i = 0; i < 3; i++) {
		static const char *const fine[] = {"vfio-pci", "pci-stub", NULL};

		tree_bind(TREE_D, fine[i]);
		assert_int_equal(host_pci_group_blocker(tree_root, &dev, &other), 0);
	}
}

static void who_can_be_assigned(void **state)
{
	struct host_pci dev;
	char why[256];

	assert_int_equal(host_pci_read(tree_root, TREE_A, &dev), 0);
	assert_int_equal(host_pci_assignable(&dev, why, sizeof(why)), 0);
	assert_int_equal(host_pci_read(tree_root, TREE_BRIDGE, &dev), 0);
	assert_int_equal(host_pci_assignable(&dev, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "is a bridge"));
	assert_int_equal(host_pci_read(tree_root, TREE_BARE, &dev), 0);
	assert_int_equal(host_pci_assignable(&dev, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "intel_iommu=on"));
	tree_file("0\n", "/sys/devices/pci0/" TREE_A "/sriov_numvfs");
	assert_int_equal(host_pci_read(tree_root, TREE_A, &dev), 0);
	assert_int_equal(host_pci_assignable(&dev, why, sizeof(why)), 0);
	tree_file("3\n", "/sys/devices/pci0/" TREE_A "/sriov_numvfs");
	assert_int_equal(host_pci_read(tree_root, TREE_A, &dev), 0);
	assert_int_equal(host_pci_assignable(&dev, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "has 3 of its virtual functions on"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(vfio_drivers),
		cmocka_unit_test_setup_teardown(what_a_device_is, tree_set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(all_of_them, tree_set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(groups, tree_set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(who_can_be_assigned, tree_set_up, tree_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
