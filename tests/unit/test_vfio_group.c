// SPDX-License-Identifier: BSD-2-Clause
/* Groups of the host: what is refused before anything is touched, and what is left after. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <pviommu/iommu.h>

#include "fake_irq.h"
#include "fake_vfio_sys.h"
#include "fake_vm.h"
#include "host_tree.h"
#include "vmm/vfio_container.h"
#include "vmm/vfio_group.h"

#define RAM (1ull << 20)

static struct vm vm;
static char why[400];

static void *ram(void *ctx, uint64_t gpa, uint64_t len, uint64_t *ret_len)
{
	return memory_ram(&vm.mem, gpa, len, ret_len);
}

static void make_vm(enum vm_iommu mode)
{
	static const struct pvi_iommu_ops ops = {.ram = ram};
	const struct pvi_iommu_config config = {
		.ops = &ops,
		.input_last = UINT64_MAX >> 16,
		.domain_last = UINT32_MAX,
		.allow_bypass = mode != VM_IOMMU_STRICT,
		.start_bypass = mode != VM_IOMMU_STRICT,
	};

	assert_int_equal(fake_vm_init(&vm), 0);
	vm.vfio_kvm_fd = -1;
	vm.iommu_mode = mode;
	assert_int_equal(memory_init(&vm.mem, RAM), 0);
	assert_int_equal(pvi_iommu_new(&config, &vm.iommu), 0);
}

static int set_up(void **state)
{
	tree_new();
	tree_bind(TREE_A, "vfio-pci");
	fake_sys_reset();
	make_vm(VM_IOMMU_OFF);
	return 0;
}

static void end_vm(void)
{
	assert_null(vm.groups);
	assert_int_equal(fake_sys.files, 0);
	assert_null(vm.container);
	assert_false(fake_sys.in_kvm[0] || fake_sys.in_kvm[1]);
	pvi_iommu_free(vm.iommu);
	memory_done(&vm.mem);
	bus_done(&vm.bus);
	close(vm.epoll_fd);
	close(vm.end_fd);
}

static int tear_down(void **state)
{
	end_vm();
	tree_free();
	return 0;
}

static struct host_pci read_pci(const char *bdf)
{
	struct host_pci dev;

	assert_int_equal(host_pci_read(tree_root, bdf, &dev), 0);
	return dev;
}

static void refused(const char *bdf, const char *word)
{
	struct host_pci dev = read_pci(bdf);

	assert_int_equal(vfio_group_check(tree_root, &dev, false, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, word));
	assert_null(strchr(why, '\n'));
}

static void before_anything(void **state)
{
	struct host_pci dev;

	refused(TREE_BRIDGE, "bridge");
	refused(TREE_BARE, "no IOMMU");
	refused(TREE_B, "is bound to nvme; take it first: pviommu assign " TREE_B);
	tree_bind(TREE_C, "vfio-pci");
	refused(TREE_C, "shares IOMMU group 7 with " TREE_D);
	dev = read_pci(TREE_A);
	assert_int_equal(vfio_group_check(tree_root, &dev, false, why, sizeof(why)), 0);
	tree_file("Y\n", "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts");
	refused(TREE_A, "unsafe-interrupts");
	assert_int_equal(vfio_group_check(tree_root, &dev, true, why, sizeof(why)), 0);
	tree_file("N\n", "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts");
	assert_int_equal(vfio_group_check(tree_root, &dev, false, why, sizeof(why)), 0);
}

static int get_of(const char *bdf, struct vfio_group **ret)
{
	struct host_pci dev = read_pci(bdf);

	why[0] = '\0';
	return vfio_group_get(&vm, &dev, ret, why, sizeof(why));
}

static int get(struct vfio_group **ret)
{
	return get_of(TREE_A, ret);
}

static void opened_once(void **state)
{
	struct vfio_group *a, *b;

	assert_int_equal(get(&a), 0);
	assert_int_equal(get(&b), 0);
	assert_ptr_equal(a, b);
	assert_true(fake_sys.in_kvm[0]);
	/* Direct-map: all of RAM, counted. */
	assert_int_equal(fake_sys.dma_bytes, RAM);
	assert_int_equal(a->container->stats.pinned_bytes, RAM);
	assert_int_equal(a->container->stats.map_calls, 1);
	assert_true(vfio_group_open_device(a, TREE_A) > 0);
	fake_sys.device_open = false;
	fake_sys.files--;
	vfio_group_put(a);
	assert_true(fake_sys.group_open[0]);
	assert_int_equal(b->container->stats.peak_pinned_bytes, RAM);
	vfio_group_put(b);
	vfio_group_put(NULL);
	assert_int_equal(fake_sys.dma_bytes, 0);
}

static void nothing_mapped_in_strict(void **state)
{
	struct vfio_group *g;

	end_vm();
	make_vm(VM_IOMMU_STRICT);
	assert_int_equal(get(&g), 0);
	assert_int_equal(g->container->stats.pinned_bytes, 0);
	assert_int_equal(g->container->stats.map_calls, 0);
	vfio_group_put(g);
}

/* Direct-map: all of RAM is locked once for both, until the last of them goes. */
static void one_container(void **state)
{
	struct vfio_group *a, *b;

	assert_int_equal(get(&a), 0);
	assert_int_equal(get_of(TREE_B, &b), 0);
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(a->container, b->container);
	assert_int_equal(fake_sys.containers, 1);
	assert_int_equal(fake_sys.dma_bytes, RAM);
	assert_int_equal(b->container->stats.pinned_bytes, RAM);
	assert_int_equal(b->container->stats.map_calls, 1);
	assert_true(fake_sys.in_kvm[0] && fake_sys.in_kvm[1]);
	vfio_group_put(a);
	assert_false(fake_sys.group_open[0] || fake_sys.in_kvm[0]);
	assert_int_equal(fake_sys.dma_bytes, RAM);
	/* And comes again. */
	assert_int_equal(get(&a), 0);
	assert_int_equal(fake_sys.containers, 1);
	vfio_group_put(b);
	vfio_group_put(a);
	assert_int_equal(fake_sys.dma_bytes, 0);
}

/* What the guest may attach to different domains stays apart; so does what the kernel keeps so. */
static void containers_apart(void **state)
{
	struct vfio_group *a, *b;

	fake_sys.join_error = -EINVAL;
	assert_int_equal(get(&a), 0);
	assert_int_equal(get_of(TREE_B, &b), 0);
	assert_ptr_not_equal(a->container, b->container);
	assert_int_equal(fake_sys.dma_bytes, 2 * RAM);
	vfio_group_put(a);
	vfio_group_put(b);
	fake_sys.join_error = 0;
	for (int mode = VM_IOMMU_STRICT; mode < VM_IOMMU_OFF; mode++) {
		end_vm();
		make_vm((enum vm_iommu)mode);
		assert_int_equal(get(&a), 0);
		assert_int_equal(get_of(TREE_B, &b), 0);
		assert_ptr_not_equal(a->container, b->container);
		vfio_group_put(b);
		vfio_group_put(a);
	}
}

static void says(const char *word)
{
	struct vfio_group *g = NULL;

	assert_int_equal(get(&g), -EINVAL);
	assert_null(g);
	assert_non_null(strstr(why, word));
	assert_null(strchr(why, '\n'));
	assert_int_equal(fake_sys.files, 0);
}

static void users_errors(void **state)
{
	fake_sys.group_error = -EACCES;
	says("chown");
	fake_sys.group_error = -EBUSY;
	says("another VM");
	fake_sys.group_error = -ENOENT;
	says("/dev/vfio/5");
	fake_sys.group_error = 0;
	fake_sys.not_viable = true;
	says("shares IOMMU group 5");
	fake_sys.not_viable = false;
	fake_sys.container_error = -EACCES;
	says("/dev/vfio/vfio");
	fake_sys.container_error = 0;
	fake_sys.no_type1 = true;
	says("vfio_iommu_type1");
	fake_sys.no_type1 = false;
	fake_sys.iommu_error = -EPERM;
	says("remap interrupts");
	fake_sys.iommu_error = 0;
	fake_sys.map_error = -ENOMEM;
	says("ulimit -l");
	fake_sys.map_error = 0;
	fake_sys.page_sizes = 0x40210000;
	says("has no pages of 4 KiB");
}

/* Whichever call fails, nothing stays open. */
static void ladder(void **state)
{
	struct vfio_group *g = NULL;
	int step;

	fake_sys.error = ENOMEM;
	for (step = 0; step < 50; step++) {
		fake_sys.fail_in = step;
		if (!get(&g))
			break;
		assert_null(g);
		assert_null(vm.groups);
		assert_int_equal(fake_sys.files, 0);
		assert_int_equal(fake_sys.dma_bytes, 0);
	}
	assert_in_range(step, 10, 20);
	fake_sys.fail_in = -1;
	vfio_group_put(g);
}

/* Nor does the second group leave more than the first had. */
static void second_ladder(void **state)
{
	struct vfio_group *a, *b = NULL;
	int step;

	assert_int_equal(get(&a), 0);
	fake_sys.error = ENOMEM;
	/* The first call that fails may be that to join: what is then made is of its own. */
	for (step = 0; step < 50; step++) {
		fake_sys.fail_in = step;
		if (!get_of(TREE_B, &b) && a->container == b->container)
			break;
		vfio_group_put(b);
		b = NULL;
		assert_int_equal(fake_sys.files, 2);
		assert_int_equal(a->container->users, 1);
		fake_sys.dma_bytes = RAM;
	}
	assert_in_range(step, 3, 10);
	fake_sys.fail_in = -1;
	vfio_group_put(b);
	vfio_group_put(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(before_anything, set_up, tear_down),
		cmocka_unit_test_setup_teardown(opened_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_mapped_in_strict, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_container, set_up, tear_down),
		cmocka_unit_test_setup_teardown(containers_apart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(users_errors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ladder, set_up, tear_down),
		cmocka_unit_test_setup_teardown(second_ladder, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
