// SPDX-License-Identifier: BSD-2-Clause
/* The virtio-iommu as the guest finds it on the bus: what its driver does to probe it. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include <pviommu/viommu.h>

#include "fake_irq.h"
#include "pci_guest.h"
#include "vmm/viommu_fn.h"

#define SLOT VIOMMU_SLOT
#define REGS 0xc0000000ull
#define MSIX 0xc0010000ull

struct machine {
	struct memory mem;
	struct bus bus;
	struct irq irq;
	struct pci_bus pci;
	struct pvi_iommu *iommu;
	struct viommu_fn *fn;
};

static int setup(void **state)
{
	static const struct pvi_iommu_ops ops = {.ram = memory_ram};
	static struct machine machine;
	struct machine *m = &machine;
	const struct pvi_iommu_config config = {
		.ops = &ops, .ctx = &m->mem, .input_last = UINT64_MAX, .domain_last = UINT32_MAX};

	memset(m, 0, sizeof(*m));
	fake_irq_reset();
	assert_int_equal(memory_init(&m->mem, 1 << 20), 0);
	assert_int_equal(bus_init(&m->bus), 0);
	assert_int_equal(irq_init(&m->irq, -1), 0);
	assert_int_equal(pci_init(&m->pci, &m->bus, &m->irq), 0);
	assert_int_equal(pvi_iommu_new(&config, &m->iommu), 0);
	assert_int_equal(viommu_fn_new(&m->pci, m->iommu, &m->fn), 0);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	viommu_fn_free(m->fn);
	pvi_iommu_free(m->iommu);
	pci_done(&m->pci);
	irq_done(&m->irq);
	bus_done(&m->bus);
	memory_done(&m->mem);
	return 0;
}

static void place(struct machine *m)
{
	guest_cfg_write(&m->bus, SLOT, PCI_BASE_ADDRESS_0, REGS, 4);
	guest_cfg_write(&m->bus, SLOT, PCI_BASE_ADDRESS_1, MSIX, 4);
	guest_cfg_write(&m->bus, SLOT, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
}

/* The virtio capability of @type; its BAR must be 0. */
static uint64_t find_cap(struct machine *m, uint8_t type)
{
	uint32_t at = guest_cfg_read(&m->bus, SLOT, PCI_CAPABILITY_LIST, 1);
	unsigned int nr = 0;

	for (; at && nr < 48; nr++, at = guest_cfg_read(&m->bus, SLOT, at + 1, 1)) {
		if (guest_cfg_read(&m->bus, SLOT, at, 1) != PCI_CAP_ID_VNDR ||
		    guest_cfg_read(&m->bus, SLOT, at + VIRTIO_PCI_CAP_CFG_TYPE, 1) != type)
			continue;
		assert_int_equal(guest_cfg_read(&m->bus, SLOT, at + VIRTIO_PCI_CAP_BAR, 1), 0);
		return REGS + guest_cfg_read(&m->bus, SLOT, at + VIRTIO_PCI_CAP_OFFSET, 4);
	}
	fail_msg("no virtio capability of type %u", type);
	return 0;
}

static void identity(void **state)
{
	struct machine *m = *state;

	assert_int_equal(guest_cfg_read(&m->bus, SLOT, 0, 4), 0x10571af4);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, PCI_CLASS_REVISION, 4), 0x08060001);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, PCI_SUBSYSTEM_VENDOR_ID, 2), 0x1af4);
}

static void registers(void **state)
{
	struct machine *m = *state;
	uint64_t common, device;

	place(m);
	common = find_cap(m, VIRTIO_PCI_CAP_COMMON_CFG);
	device = find_cap(m, VIRTIO_PCI_CAP_DEVICE_CFG);
	find_cap(m, VIRTIO_PCI_CAP_NOTIFY_CFG);
	find_cap(m, VIRTIO_PCI_CAP_ISR_CFG);
	guest_write(&m->bus, common + VIRTIO_PCI_COMMON_STATUS, 0, 1);
	guest_write(&m->bus, common + VIRTIO_PCI_COMMON_STATUS, 3, 1);
	assert_int_equal(guest_read(&m->bus, common + VIRTIO_PCI_COMMON_STATUS, 1), 3);
	assert_int_equal(guest_read(&m->bus, common + VIRTIO_PCI_COMMON_NUMQ, 2), PVI_NR_VQS);
	guest_write(&m->bus, common + VIRTIO_PCI_COMMON_DFSELECT, 0, 4);
	assert_true(guest_read(&m->bus, common + VIRTIO_PCI_COMMON_DF, 4) & 1u << PVI_F_MAP_UNMAP);
	assert_int_equal(guest_read(&m->bus, device, 8) & PVI_PAGE_SIZE, PVI_PAGE_SIZE);
}

static void by_config_space(void **state)
{
	struct machine *m = *state;
	uint32_t at = guest_cfg_read(&m->bus, SLOT, PCI_CAPABILITY_LIST, 1);
	uint64_t common = find_cap(m, VIRTIO_PCI_CAP_COMMON_CFG) - REGS;

	while (guest_cfg_read(&m->bus, SLOT, at + 1, 1)) /* it is the last one */
		at = guest_cfg_read(&m->bus, SLOT, at + 1, 1);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, at + VIRTIO_PCI_CAP_CFG_TYPE, 1),
			 VIRTIO_PCI_CAP_PCI_CFG);
	guest_cfg_write(&m->bus, SLOT, at + VIRTIO_PCI_CAP_OFFSET,
			(uint32_t)common + VIRTIO_PCI_COMMON_NUMQ, 4);
	guest_cfg_write(&m->bus, SLOT, at + VIRTIO_PCI_CAP_LENGTH, 2, 4);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, at + 16, 2), PVI_NR_VQS);
}

/* A broken ring: the device tells its driver by the configuration vector. */
static void interrupts(void **state)
{
	struct machine *m = *state;
	uint64_t common;

	place(m);
	common = find_cap(m, VIRTIO_PCI_CAP_COMMON_CFG);
	guest_cfg_write(&m->bus, SLOT, 0x40 + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE, 2);
	guest_write(&m->bus, MSIX + 16, 0xfee00000, 8);
	guest_write(&m->bus, MSIX + 24, 0x41, 8); /* and unmasked */
	guest_write(&m->bus, common + VIRTIO_PCI_COMMON_STATUS, 3, 1);
	guest_write(&m->bus, common + VIRTIO_PCI_COMMON_GFSELECT, 1, 4);
	guest_write(&m->bus, common + VIRTIO_PCI_COMMON_GF, 1, 4);
	guest_write(&m->bus, common + VIRTIO_PCI_COMMON_MSIX, 1, 2);
	assert_int_equal(guest_read(&m->bus, common + VIRTIO_PCI_COMMON_MSIX, 2), 1);
	guest_write(&m->bus, common + VIRTIO_PCI_COMMON_STATUS, 11, 1);
	assert_int_equal(guest_read(&m->bus, common + VIRTIO_PCI_COMMON_STATUS, 1), 11);
	guest_write(&m->bus, common + VIRTIO_PCI_COMMON_Q_SELECT, 0, 2);
	guest_write(&m->bus, common + VIRTIO_PCI_COMMON_Q_DESCLO, 0x70000000, 4); /* no RAM */
	guest_write(&m->bus, common + VIRTIO_PCI_COMMON_Q_AVAILLO, 0x70004000, 4);
	guest_write(&m->bus, common + VIRTIO_PCI_COMMON_Q_USEDLO, 0x70008000, 4);
	guest_write(&m->bus, common + VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
	guest_write(&m->bus, common + VIRTIO_PCI_COMMON_STATUS, 15, 1);
	assert_int_equal(fake_irq.signals, 0);
	guest_write(&m->bus, find_cap(m, VIRTIO_PCI_CAP_NOTIFY_CFG), 0, 2);
	assert_int_equal(fake_irq.signals, 1);
	assert_int_equal(fake_irq.last.data, 0x41);
	/* System reset: registers and config space. */
	viommu_fn_system_reset(m->fn);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, PCI_COMMAND, 2), 0);
	place(m);
	assert_int_equal(guest_read(&m->bus, common + VIRTIO_PCI_COMMON_STATUS, 1), 0);
}

static void only_one(void **state)
{
	struct machine *m = *state;
	struct viommu_fn *second = NULL;

	assert_int_equal(viommu_fn_new(&m->pci, m->iommu, &second), -EBUSY);
	assert_null(second);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(identity), T(registers), T(by_config_space), T(interrupts), T(only_one),
	};

	return cmocka_run_group_tests_name("viommu_fn", tests, NULL, NULL);
}
