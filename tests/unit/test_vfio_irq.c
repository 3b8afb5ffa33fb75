// SPDX-License-Identifier: BSD-2-Clause
/* The interrupts of a real device, mode by mode. */
#include <errno.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <cmocka.h>

#include "fake_irq.h"
#include "fake_vfio_sys.h"
#include "vmm/vfio_irq.h"
#include "vmm/vfio_sys.h"

#define GSI 18u

static struct irq irq;
static struct vfio_irq vi;
static int group, device;

static int set_up(void **state)
{
	int container;

	fake_sys_reset();
	fake_irq_reset();
	irq_init(&irq, -1);
	container = vfio_sys_open("/dev/vfio/vfio");
	group = vfio_sys_open("/dev/vfio/5");
	vfio_sys_ioctl(group, VFIO_GROUP_SET_CONTAINER, &container);
	vfio_sys_ioctl(container, VFIO_SET_IOMMU, (void *)VFIO_TYPE1v2_IOMMU);
	device = vfio_sys_ioctl(group, VFIO_GROUP_GET_DEVICE_FD, "x");
	return vfio_irq_init(&vi, &irq, device, 64, GSI);
}

static int tear_down(void **state)
{
	vfio_irq_done(&vi);
	assert_int_equal(fake_sys.irq_index, -1);
	assert_int_equal(fake_irq.nr_irqfds, 0);
	assert_int_equal(irq.nr_gsi, 0);
	irq_done(&irq);
	return 0;
}

static void line(void **state)
{
	assert_int_equal(vfio_irq_enter(&vi, VFIO_IRQ_INTX, 1), 0);
	assert_int_equal(fake_sys.irq_index, VFIO_PCI_INTX_IRQ_INDEX);
	assert_int_equal(fake_irq.nr_irqfds, 1);
	/* The host's eventfd is KVM's level, KVM's acknowledgement is the host's unmask. */
	assert_int_equal(fake_irq.irqfd[0].gsi, GSI);
	assert_int_equal(fake_irq.irqfd[0].fd, fake_sys.irq_fd[0]);
	assert_int_equal(fake_irq.irqfd[0].ack_fd, fake_sys.unmask_fd);
	assert_int_not_equal(fake_sys.unmask_fd, fake_sys.irq_fd[0]);
	assert_int_equal(vfio_irq_enter(&vi, VFIO_IRQ_OFF, 0), 0);
	assert_int_equal(fake_sys.irq_index, -1);
	assert_int_equal(fake_irq.nr_irqfds, 0);
}

static void shared_line(void **state)
{
	fake_sys.intx_error = -EBUSY;
	assert_int_equal(vfio_irq_enter(&vi, VFIO_IRQ_INTX, 1), -EBUSY);
	assert_int_equal(vi.mode, VFIO_IRQ_OFF);
	assert_int_equal(fake_irq.nr_irqfds, 0);
}

static void vectors(void **state)
{
	const struct irq_msi msi = {0xfee01000, 0x41};

	/* As the bus does: the messages first, then the bit that enables them. */
	assert_int_equal(vfio_irq_vector(&vi, 3, &msi), 0);
	assert_int_equal(vfio_irq_enter(&vi, VFIO_IRQ_MSIX, 64), 0);
	assert_int_equal(fake_sys.irq_index, VFIO_PCI_MSIX_IRQ_INDEX);
	assert_int_equal(fake_sys.irq_count, 64);
	assert_int_equal(fake_irq_tied(&irq, fake_sys.irq_fd[3])->data, 0x41);
	assert_null(fake_irq_tied(&irq, fake_sys.irq_fd[2]));
	/* Behind a masked vector it waits. */
	assert_false(vfio_irq_pending(&vi, 2));
	eventfd_write(fake_sys.irq_fd[2], 1);
	assert_true(vfio_irq_pending(&vi, 2));
	assert_int_equal(vfio_irq_vector(&vi, 3, NULL), 0);
	assert_null(fake_irq_tied(&irq, fake_sys.irq_fd[3]));
	assert_int_equal(vfio_irq_vector(&vi, 64, &msi), -EINVAL);
	/* The next user of the vectors does not get it. */
	assert_int_equal(vfio_irq_enter(&vi, VFIO_IRQ_OFF, 0), 0);
	assert_false(vfio_irq_pending(&vi, 2));
}

static void switches(void **state)
{
	static const enum vfio_irq_mode mode[] = {
		VFIO_IRQ_INTX, VFIO_IRQ_MSIX, VFIO_IRQ_MSI, VFIO_IRQ_INTX, VFIO_IRQ_MSI,
		VFIO_IRQ_MSIX, VFIO_IRQ_INTX, VFIO_IRQ_OFF, VFIO_IRQ_MSIX,
	};
	static const unsigned int nr[] = {0, 1, 4, 64};
	static const int index[] = {-1, 0, 1, 2};

	/* The fake refuses a second kind while one is on. */
	for (unsigned int round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof(mode) / sizeof(mode[0]); i++) {
			assert_int_equal(vfio_irq_enter(&vi, mode[i], nr[mode[i]]), 0);
			assert_int_equal(vi.mode, mode[i]);
			assert_int_equal(fake_sys.irq_index, index[mode[i]]);
			assert_int_equal(fake_irq.nr_irqfds, mode[i] == VFIO_IRQ_INTX);
		}
	}
	/* Another number of vectors is another set-up; the same is none. */
	assert_int_equal(vfio_irq_enter(&vi, VFIO_IRQ_MSI, 1), 0);
	assert_int_equal(vfio_irq_enter(&vi, VFIO_IRQ_MSI, 2), 0);
	assert_int_equal(fake_sys.irq_count, 2);
	fake_sys.fail_in = 0;
	fake_sys.error = EIO;
	assert_int_equal(vfio_irq_enter(&vi, VFIO_IRQ_MSI, 2), 0);
	fake_sys.fail_in = -1;
}

static void failures(void **state)
{
	fake_sys.error = ENOMEM;
	for (int step = 0; step < 2; step++) {
		fake_sys.fail_in = step;
		assert_int_equal(vfio_irq_enter(&vi, VFIO_IRQ_INTX, 1), -ENOMEM);
		assert_int_equal(fake_irq.nr_irqfds, 0);
		assert_int_equal(fake_sys.irq_index, -1);
	}
	/* Fewer than asked for: the kernel says how many, and enables none. */
	fake_sys.most_vectors = 10;
	assert_int_equal(vfio_irq_enter(&vi, VFIO_IRQ_MSIX, 64), -ENOSPC);
	assert_int_equal(vi.mode, VFIO_IRQ_OFF);
	assert_int_equal(vfio_irq_enter(&vi, VFIO_IRQ_MSIX, 65), -EINVAL);
	assert_int_equal(vfio_irq_enter(&vi, VFIO_IRQ_MSIX, 0), -EINVAL);
	assert_int_equal(vfio_irq_enter(&vi, VFIO_IRQ_MSIX, 10), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(shared_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(vectors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(switches, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failures, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
