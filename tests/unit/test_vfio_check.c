// SPDX-License-Identifier: BSD-2-Clause
/* Devices of the host are looked at, all of them, before one is touched. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "fake_vfio_sys.h"
#include "host_tree.h"
#include "said.h"
#include "vmm/memlock.h"
#include "vmm/vfio_check.h"
#include "vmm/vm.h"

#define RAM (1ull << 20)

static struct vm vm;
static char said[1024];
static uint64_t strict_limit;

static int set_up(void **state)
{
	tree_new();
	tree_bind(TREE_A, "vfio-pci");
	tree_bind(TREE_B, "vfio-pci");
	fake_sys_reset();
	vm = (struct vm){.iommu_mode = VM_IOMMU_OFF, .mem = {.size = RAM}};
	return 0;
}

static int tear_down(void **state)
{
	/* limit() went on as another user. */
	assert_int_equal(seteuid(getuid()), 0);
	prctl(PR_SET_DUMPABLE, 1);
	tree_free();
	return 0;
}

/* Up to three, to the first NULL. */
static int check(const char *a, const char *b, const char *c)
{
	const char *bdf[] = {a, b, c};
	struct vfio_device_config config[3];
	struct said s;
	unsigned int nr = 0;
	int err;

	for (; nr < 3 && bdf[nr]; nr++)
		config[nr] = (struct vfio_device_config){
			.name = bdf[nr], .bdf = bdf[nr], .root = tree_root, .slot = 2 + nr};
	said_begin(&s);
	strict_limit = UINT64_MAX;
	err = vfio_check(&vm, config, nr, &strict_limit);
	said_end(&s, said, sizeof(said));
	/* Looked at, no more. */
	assert_int_equal(fake_sys.calls, 0);
	return err;
}

static void one_line(const char *word)
{
	assert_non_null(strstr(said, word));
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
}

static void good(void **state)
{
	assert_int_equal(check(NULL, NULL, NULL), 0);
	assert_int_equal(check(TREE_A, NULL, NULL), 0);
	assert_int_equal(check(TREE_A, TREE_B, NULL), 0);
	assert_int_equal(strict_limit, 0);
	assert_string_equal(said, "");
}

/* Whichever is wrong, the others stay as they are. */
static void one_is_wrong(void **state)
{
	tree_bind(TREE_C, "vfio-pci");
	assert_int_equal(check(TREE_A, TREE_BRIDGE, NULL), -EINVAL);
	one_line("--assign " TREE_BRIDGE ": is a bridge");
	assert_int_equal(check(TREE_A, TREE_B, TREE_BARE), -EINVAL);
	one_line("--assign " TREE_BARE ": no IOMMU");
	assert_int_equal(check(TREE_C, TREE_A, NULL), -EINVAL);
	one_line("--assign " TREE_C ": shares IOMMU group 7 with " TREE_D);
	assert_int_equal(check(TREE_A, "0000:0a:00.0", NULL), -EINVAL);
	one_line("--assign 0000:0a:00.0: no such PCI device");
	tree_file("1\n", "/sys/devices/pci0/" TREE_B "/sriov_numvfs");
	assert_int_equal(check(TREE_A, TREE_B, NULL), -EINVAL);
	one_line("--assign " TREE_B ": has 1 of its virtual functions on");
	tree_file("0\n", "/sys/devices/pci0/" TREE_B "/sriov_numvfs");
	tree_bind(TREE_B, "nvme");
	assert_int_equal(check(TREE_A, TREE_B, NULL), -EINVAL);
	one_line("--assign " TREE_B ": is bound to nvme; take it first: pviommu assign");
}

static uint64_t soft_limit(void)
{
	struct rlimit now;

	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &now), 0);
	return now.rlim_cur;
}

/* As a user: root may raise any limit. */
static void limit(void **state)
{
	struct rlimit old, low = {RAM / 2, RAM / 2}, room = {RAM / 4, RAM};
	const struct rlimit more = {2 * RAM, 2 * RAM};

	if (!geteuid() && seteuid(65534))
		skip();
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &old), 0);
	if (old.rlim_max < 2 * RAM)
		skip();
	/* More than it needs is for nobody, where it is the guest that maps. */
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &more), 0);
	assert_int_equal(check(TREE_A, NULL, NULL), 0);
	assert_int_equal(soft_limit(), 2 * RAM);
	vm.iommu_mode = VM_IOMMU_STRICT;
	assert_int_equal(check(TREE_A, NULL, NULL), 0);
	assert_int_equal(strict_limit, 0);
	assert_int_equal(soft_limit(), RAM);
	assert_int_equal(check(TREE_A, TREE_B, NULL), 0);
	assert_int_equal(soft_limit(), 2 * RAM);
	vm.iommu_mode = VM_IOMMU_OFF;
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &room), 0);
	assert_int_equal(memlock_raise(RAM), RAM);
	assert_int_equal(check(TREE_A, NULL, NULL), 0);
	/* One container takes both. */
	assert_int_equal(check(TREE_A, TREE_B, NULL), 0);
	/* The kernel counts for each container: two need twice as much, and hear of all of it. */
	vm.iommu_mode = VM_IOMMU_BOOT_BYPASS;
	assert_int_equal(check(TREE_A, TREE_B, NULL), -EINVAL);
	one_line("2048 KiB, but the limit is 1024 KiB; raise it: ulimit -l 2048");
	vm.iommu_mode = VM_IOMMU_OFF;
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &low), 0);
	assert_int_equal(memlock_raise(RAM), RAM / 2);
	assert_int_equal(memlock_raise(RAM / 4), RAM / 2);
	assert_int_equal(check(TREE_A, NULL, NULL), -EINVAL);
	one_line("1024 KiB, but the limit is 512 KiB; raise it: ulimit -l 1024");
	vm.iommu_mode = VM_IOMMU_BOOT_BYPASS;
	assert_int_equal(check(TREE_A, NULL, NULL), -EINVAL);
	/* What the guest maps then is all that is locked. */
	vm.iommu_mode = VM_IOMMU_STRICT;
	assert_int_equal(check(TREE_A, NULL, NULL), 0);
	assert_int_equal(strict_limit, RAM / 2);
	assert_string_equal(said, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(good, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_is_wrong, set_up, tear_down),
		/* Last: the limit stays. */
		cmocka_unit_test_setup_teardown(limit, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
