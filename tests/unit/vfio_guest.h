/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM with a real device's place on its bus, for tests; a kernel made for tests stands behind. */
#ifndef VFIO_GUEST_H
#define VFIO_GUEST_H

#include <linux/pci_regs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include <pviommu/iommu.h>

#include "fake_irq.h"
#include "fake_vfio_sys.h"
#include "fake_vm.h"
#include "host_tree.h"
#include "pci_guest.h"
#include "said.h"
#include "vmm/vfio_device.h"

#define SLOT 3u
#define BAR0 0xc0000000ull
#define BAR2 0x4000000000ull
/* Of the real one: it decodes all the time. */
#define ON (PCI_COMMAND_MEMORY | PCI_COMMAND_IO)

static struct vm vm;
static struct vfio_device *dev;
static char said[1024];

static void *ram(void *ctx, uint64_t gpa, uint64_t len, uint64_t *ret_len)
{
	return memory_ram(&vm.mem, gpa, len, ret_len);
}

static int start(void)
{
	const struct vfio_device_config config = {
		.name = "00:02.0", .bdf = TREE_A, .root = tree_root, .slot = SLOT};
	struct said s;
	int err;

	dev = NULL;
	said_begin(&s);
	err = vfio_device_new(&vm, &config, &dev);
	said_end(&s, said, sizeof(said));
	return err;
}

static int set_up(void **state)
{
	static const struct pvi_iommu_ops ops = {.ram = ram};
	const struct pvi_iommu_config config = {.ops = &ops,
						.input_last = UINT64_MAX >> 16,
						.domain_last = UINT32_MAX,
						.allow_bypass = true,
						.start_bypass = true};

	tree_new();
	tree_bind(TREE_A, "vfio-pci");
	fake_sys_reset();
	fake_irq_reset();
	assert_int_equal(fake_vm_init(&vm), 0);
	vm.vfio_kvm_fd = -1;
	vm.iommu_mode = VM_IOMMU_OFF;
	assert_int_equal(memory_init(&vm.mem, 1 << 20), 0);
	irq_init(&vm.irq, -1);
	assert_int_equal(pci_init(&vm.pci, &vm.bus, &vm.irq), 0);
	vm.pci.mmio64_base = BAR2;
	vm.pci.mmio64_size = BAR2;
	assert_int_equal(pvi_iommu_new(&config, &vm.iommu), 0);
	return 0;
}

static int tear_down(void **state)
{
	vfio_device_free(dev);
	assert_null(vm.groups);
	assert_int_equal(fake_sys.files, 0);
	assert_int_equal(fake_sys.maps, 0);
	assert_int_equal(fake_sys_slots(), 0);
	assert_int_equal(fake_sys.dma_bytes, 0);
	assert_int_equal(fake_irq.nr_irqfds, 0);
	assert_int_equal(vm.irq.nr_gsi, 0);
	pci_done(&vm.pci);
	irq_done(&vm.irq);
	pvi_iommu_free(vm.iommu);
	memory_done(&vm.mem);
	bus_done(&vm.bus);
	close(vm.epoll_fd);
	close(vm.end_fd);
	tree_free();
	return 0;
}

static uint32_t cfg(uint32_t off, uint32_t len)
{
	return guest_cfg_read(&vm.bus, SLOT, off, len);
}

static void set_cfg(uint32_t off, uint32_t value, uint32_t len)
{
	guest_cfg_write(&vm.bus, SLOT, off, value, len);
}

#endif
