// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "host_tree.h"
#include "vmm/host_use.h"

static char why[256];

static int set_up(void **state)
{
	tree_new();
	tree_file("259:1\n", "/sys/devices/pci0/" TREE_B "/nvme/nvme0/nvme0n1/nvme0n1p1/dev");
	tree_file("259:0\n", "/sys/devices/pci0/" TREE_B "/nvme/nvme0/nvme0n1/dev");
	tree_link("../../devices/pci0/" TREE_B "/nvme/nvme0/nvme0n1", "/sys/class/block/nvme0n1");
	tree_link("../../devices/pci0/" TREE_B "/nvme/nvme0/nvme0n1/nvme0n1p1",
		  "/sys/class/block/nvme0n1p1");
	tree_file("", "/dev/nvme0n1");
	tree_file("", "/dev/nvme0n1p1");
	tree_file("0x1002\n", "/sys/devices/pci0/" TREE_A "/net/eth0/flags");
	tree_link("../../devices/pci0/" TREE_A "/net/eth0", "/sys/class/net/eth0");
	tree_file("25 1 8:1 / / rw - ext4 /dev/sda1 rw\n", "/proc/self/mountinfo");
	tree_file("Filename Type\n/dev/sda2 partition 1 0 -2\n", "/proc/swaps");
	return 0;
}

static int in_use(const char *bdf)
{
	why[0] = '\0';
	return host_in_use(tree_root, bdf, why, sizeof(why));
}

static void idle(void **state)
{
	assert_int_equal(in_use(TREE_A), 0);
	assert_int_equal(in_use(TREE_B), 0);
	assert_int_equal(in_use("0000:09:00.0"), -ENOENT);
}

static void mounted_by_number(void **state)
{
	tree_file("25 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
		  "26 25 259:1 / /data rw,noatime shared:1 - ext4 /dev/root rw\n",
		  "/proc/self/mountinfo");
	assert_int_equal(in_use(TREE_B), 1);
	assert_string_equal(why, "nvme0n1p1 is mounted at /data; unmount it");
	assert_int_equal(in_use(TREE_A), 0);
}

static void mounted_by_name(void **state)
{
	tree_file("26 25 0:44 /sub /pool rw - btrfs /dev/nvme0n1 rw\n", "/proc/self/mountinfo");
	assert_int_equal(in_use(TREE_B), 1);
	assert_string_equal(why, "nvme0n1 is mounted at /pool; unmount it");
	/* A number or a name that only begins alike is another. */
	tree_file("26 25 259:10 / /x rw - ext4 /dev/nvme0n10 rw\n", "/proc/self/mountinfo");
	assert_int_equal(in_use(TREE_B), 0);
}

static void swapped_to(void **state)
{
	tree_file("Filename Type\n/dev/nvme0n1p1\t partition 1 0 -2\n", "/proc/swaps");
	assert_int_equal(in_use(TREE_B), 1);
	assert_non_null(strstr(why, "nvme0n1p1 is swap space"));
}

static void held(void **state)
{
	tree_file("", "/sys/devices/pci0/" TREE_B "/nvme/nvme0/nvme0n1/holders/dm-3");
	assert_int_equal(in_use(TREE_B), 1);
	assert_non_null(strstr(why, "nvme0n1 belongs to dm-3"));
}

/* One disk, two controllers: the kernel hangs it below the subsystem. */
static void several_paths(void **state)
{
	tree_remove("/sys/class/block/nvme0n1");
	tree_remove("/sys/class/block/nvme0n1p1");
	tree_file("259:0\n", "/sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/dev");
	tree_link("../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1",
		  "/sys/class/block/nvme0n1");
	tree_link("x", "/sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0");
	tree_link("../../devices/pci0/" TREE_B "/nvme/nvme0", "/sys/class/nvme/nvme0");
	/* The path itself has no number and no node. */
	tree_file("1\n", "/sys/devices/pci0/" TREE_B "/nvme/nvme0/nvme0c0n1/hidden");
	tree_link("../../devices/pci0/" TREE_B "/nvme/nvme0/nvme0c0n1",
		  "/sys/class/block/nvme0c0n1");
	assert_int_equal(in_use(TREE_B), 0);
	tree_file("26 25 259:0 / /data rw - ext4 /dev/root rw\n", "/proc/self/mountinfo");
	assert_int_equal(in_use(TREE_B), 1);
	assert_non_null(strstr(why, "mounted at /data"));
	assert_int_equal(in_use(TREE_A), 0);
}

static void interfaces(void **state)
{
	tree_file("0x1003\n", "/sys/devices/pci0/" TREE_A "/net/eth0/flags");
	assert_int_equal(in_use(TREE_A), 1);
	assert_string_equal(why, "eth0 is up; take it down (ip link set eth0 down)");
	assert_int_equal(in_use(TREE_B), 0);
	tree_file("0x1002\n", "/sys/devices/pci0/" TREE_A "/net/eth0/flags");
	tree_link("../br0", "/sys/devices/pci0/" TREE_A "/net/eth0/master");
	assert_int_equal(in_use(TREE_A), 1);
	assert_string_equal(why, "eth0 belongs to br0; take it out");
}

/* Its folder is there, but shows it in that namespace only; with virtio it lies deeper. */
static void other_namespaces(void **state)
{
	static const char *const where[] = {TREE_A "/net", TREE_C "/virtio0/net"};
	static const char *const bdf[] = {TREE_A, TREE_C};

	tree_remove("/sys/class/net/eth0");
	tree_remove("/sys/devices/pci0/" TREE_A "/net/eth0/flags");
	tree_remove("/sys/devices/pci0/" TREE_A "/net/eth0");
	for (int i = 0; i < 2; i++) {
		tree_file("", "/sys/devices/pci0/%s/x", where[i]);
		tree_remove("/sys/devices/pci0/%s/x", where[i]);
		assert_int_equal(in_use(bdf[i]), 1);
		assert_non_null(strstr(why, "in another network namespace; bring it back"));
		tree_remove("/sys/devices/pci0/%s", where[i]);
		assert_int_equal(in_use(bdf[i]), 0);
	}
	assert_int_equal(in_use(TREE_B), 0);
	/* Links lead to others. */
	tree_file("", "/sys/elsewhere/net/x");
	tree_remove("/sys/elsewhere/net/x");
	tree_link("../../../elsewhere", "/sys/devices/pci0/" TREE_B "/subsystem");
	assert_int_equal(in_use(TREE_B), 0);
}

/* One of two is elsewhere: the folder has more links than it shows. */
static void one_of_two(void **state)
{
	struct stat st;
	char path[128];

	tree_file("", "/sys/devices/pci0/" TREE_A "/net/.eth1/flags");
	snprintf(path, sizeof(path), "%s/sys/devices/pci0/" TREE_A "/net", tree_root);
	assert_int_equal(stat(path, &st), 0);
	if (st.st_nlink != 4)
		skip(); /* by a file system that does not count them */
	assert_int_equal(in_use(TREE_A), 1);
	assert_non_null(strstr(why, "in another network namespace"));
}

static void display(void **state)
{
	tree_file("0\n", "/sys/devices/pci0/" TREE_C "/boot_vga");
	assert_int_equal(in_use(TREE_C), 0);
	tree_file("1\n", "/sys/devices/pci0/" TREE_C "/boot_vga");
	assert_int_equal(in_use(TREE_C), 1);
}

/* A link to itself: nothing that reads it gets anywhere. */
static void spoil(const char *path)
{
	tree_remove("%s", path);
	tree_link(strrchr(path, '/') + 1, "%s", path);
}

static void cannot_tell(const char *bdf, int err, const char *what)
{
	assert_int_equal(in_use(bdf), err);
	assert_non_null(strstr(why, what));
	assert_non_null(strstr(why, strerror(-err)));
}

/* What cannot be looked at is not taken for unused. */
static void unknown_disks(void **state)
{
	tree_file("26 25 259:1 / /data rw - ext4 /dev/root rw\n", "/mounts");
	tree_remove("/proc/self/mountinfo");
	cannot_tell(TREE_B, -ENOENT, "/proc/self/mountinfo");
	assert_int_equal(in_use(TREE_A), 0);
	tree_file("", "/proc/self/mountinfo/x");
	cannot_tell(TREE_B, -EISDIR, "/proc/self/mountinfo");
	tree_remove("/proc/self/mountinfo/x");
	tree_remove("/proc/self/mountinfo");
	tree_link("../../mounts", "/proc/self/mountinfo");
	/* What is found in use is so, whatever else there is. */
	spoil("/proc/swaps");
	assert_int_equal(in_use(TREE_B), 1);
	tree_file("", "/mounts");
	cannot_tell(TREE_B, -ELOOP, "/proc/swaps");
	tree_remove("/proc/swaps");
	assert_int_equal(in_use(TREE_B), 0);
	tree_remove("/dev/nvme0n1p1");
	cannot_tell(TREE_B, -ENOENT, "/dev/nvme0n1p1");
	spoil("/sys/devices/pci0/" TREE_B "/nvme/nvme0/nvme0n1/holders");
	cannot_tell(TREE_B, -ELOOP, "nvme0n1/holders");
	spoil("/sys/devices/pci0/" TREE_B "/nvme/nvme0/nvme0n1/dev");
	cannot_tell(TREE_B, -ELOOP, "nvme0n1/dev");
	spoil("/sys/class/block/nvme0n1");
	cannot_tell(TREE_B, -ELOOP, "/sys/class/block/nvme0n1");
	/* Whose it is cannot be told either. */
	cannot_tell(TREE_A, -ELOOP, "/sys/class/block/nvme0n1");
	tree_remove("/sys/class/block/nvme0n1");
	tree_remove("/sys/class/block/nvme0n1p1");
	assert_int_equal(in_use(TREE_B), 0);
	spoil("/sys/class/block");
	cannot_tell(TREE_B, -ELOOP, "/sys/class/block");
}

static void unknown_others(void **state)
{
	spoil("/sys/devices/pci0/" TREE_C "/boot_vga");
	cannot_tell(TREE_C, -ELOOP, "boot_vga");
	tree_file("up\n", "/sys/devices/pci0/" TREE_A "/net/eth0/flags");
	cannot_tell(TREE_A, -EINVAL, "eth0/flags");
	tree_file("", "/sys/devices/pci0/" TREE_A "/net/eth0/master");
	cannot_tell(TREE_A, -EINVAL, "eth0/master");
	tree_remove("/sys/class/net/eth0");
	spoil("/sys/class/net");
	cannot_tell(TREE_A, -ELOOP, "/sys/class/net");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(idle, set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(mounted_by_number, set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(mounted_by_name, set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(swapped_to, set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(held, set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(several_paths, set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(interfaces, set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(other_namespaces, set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(one_of_two, set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(display, set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(unknown_disks, set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(unknown_others, set_up, tree_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
