// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "host_tree.h"
#include "vmm/host_holder.h"

static char why[256];

/* /dev/null stands for the file of group 5. */
static int set_up(void **state)
{
	tree_new();
	tree_file("1:3\n", "/sys/class/vfio/5/dev");
	tree_link("/dev/null", "/dev/vfio/5");
	tree_link("/dev/zero", "/dev/vfio/6");
	tree_link("/dev/null", "/proc/40/fd/0");
	tree_file("", "/proc/meminfo");
	return 0;
}

static int holder(const char *bdf)
{
	struct host_pci dev;

	why[0] = '\0';
	assert_int_equal(host_pci_read(tree_root, bdf, &dev), 0);
	return host_group_holder(tree_root, &dev, why, sizeof(why));
}

static void process_has(const char *pid, const char *file)
{
	char path[128];

	snprintf(path, sizeof(path), "%s%s", tree_root, file);
	tree_link(path, "/proc/%s/fd/7", pid);
}

static void nobody(void **state)
{
	assert_int_equal(holder(TREE_A), 0);
	/* Another group, and files that are only called so. */
	process_has("41", "/dev/vfio/6");
	tree_file("", "/home/5");
	process_has("42", "/home/5");
	tree_link("/dev/zero", "/srv/5");
	process_has("43", "/srv/5");
	tree_link("gone", "/proc/44/fd/7");
	assert_int_equal(holder(TREE_A), 0);
	/* Of a group without a node, nobody can have it. */
	process_has("41", "/dev/vfio/5");
	assert_int_equal(holder(TREE_B), 0);
}

/* Wherever its /dev is: managers give VMs one of their own. */
static void somebody(void **state)
{
	process_has("41", "/dev/vfio/5");
	assert_int_equal(holder(TREE_A), 1);
	assert_string_equal(why, "a VM has it, process 41; end that first");
	tree_remove("/proc/41/fd/7");
	tree_link("/dev/null", "/run/vm/dev/5");
	process_has("42", "/run/vm/dev/5");
	assert_int_equal(holder(TREE_A), 1);
	assert_non_null(strstr(why, "process 42"));
}

static void unseen(void **state)
{
	tree_link("fd", "/proc/39/fd");
	assert_int_equal(holder(TREE_A), -ELOOP);
	assert_non_null(strstr(why, "run as root"));
	process_has("41", "/dev/vfio/5");
	assert_int_equal(holder(TREE_A), 1);
	tree_file("one\n", "/sys/class/vfio/5/dev");
	assert_int_equal(holder(TREE_A), -EINVAL);
	assert_non_null(strstr(why, "/sys/class/vfio/5/dev"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nobody, set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(somebody, set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(unseen, set_up, tree_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
