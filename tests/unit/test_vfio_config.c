// SPDX-License-Identifier: BSD-2-Clause
/* What a guest sees of a real device's config space. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/wire.h"
#include "fake_vfio_sys.h"
#include "vmm/vfio_config.h"

static struct vfio_desc desc;
static struct pci_fn fn;
static struct vfio_msi msi;
static char why[256];

static int set_up(void **state)
{
	fake_sys_reset();
	memset(&desc, 0, sizeof(desc));
	memset(&fn, 0, sizeof(fn));
	memcpy(desc.cfg, fake_sys.region[7].byte, sizeof(desc.cfg));
	desc.bar[0].size = 0x4000;
	desc.bar[1].size = 0x20;
	desc.bar[2].size = 0x8000;
	desc.intx = true;
	desc.nr_msi = 8;
	desc.nr_msix = 65;
	return 0;
}

static int build(void)
{
	memset(&fn, 0, sizeof(fn));
	memset(&msi, 0, sizeof(msi));
	return vfio_config_build(&desc, &fn, &msi, why, sizeof(why));
}

/* The offset of a capability in the list that the guest walks; 0: none. */
static uint8_t find(uint8_t id)
{
	unsigned int n = 0;

	for (uint8_t at = fn.cfg[PCI_CAPABILITY_LIST]; at; at = fn.cfg[at + 1]) {
		assert_true(++n < 10);
		if (fn.cfg[at] == id)
			return at;
	}
	return 0;
}

static void header(void **state)
{
	assert_int_equal(build(), 0);
	assert_int_equal(pvi_get16(fn.cfg + PCI_VENDOR_ID), 0x8086);
	assert_int_equal(pvi_get16(fn.cfg + PCI_DEVICE_ID), 0x10d3);
	assert_int_equal(pvi_get32(fn.cfg + PCI_CLASS_REVISION), 0x02000003);
	assert_int_equal(pvi_get16(fn.cfg + PCI_SUBSYSTEM_ID), 0x5678);
	assert_int_equal(fn.cfg[PCI_INTERRUPT_PIN], 1);
	assert_int_equal(fn.cfg[PCI_HEADER_TYPE], 0);
	desc.intx = false;
	assert_int_equal(build(), 0);
	assert_int_equal(fn.cfg[PCI_INTERRUPT_PIN], 0);
}

static void bars(void **state)
{
	assert_int_equal(build(), 0);
	assert_int_equal(fn.bar[0].size, 0x4000);
	assert_false(fn.bar[0].is64 || fn.bar[0].io || fn.bar[0].prefetch);
	assert_true(fn.bar[1].io);
	assert_true(fn.bar[2].is64 && fn.bar[2].prefetch);
	assert_int_equal(fn.bar[3].size, 0);
	desc.bar[3].size = 0x1000;
	assert_int_equal(build(), -EPROTO);
	assert_non_null(strstr(why, "BAR 2"));
}

/* Known ones only, none that the guest could do harm by, and nothing beyond the first 256 bytes. */
static void capabilities(void **state)
{
	static const uint8_t nothing[PCI_CFG_SIZE - PCI_CFG_LEGACY];

	assert_int_equal(build(), 0);
	assert_int_equal(find(PCI_CAP_ID_MSI), 0x50);
	assert_int_equal(find(PCI_CAP_ID_MSIX), 0x70);
	assert_int_equal(find(PCI_CAP_ID_EXP), 0x80);
	assert_int_equal(find(PCI_CAP_ID_VNDR), 0xd0);
	assert_int_equal(find(PCI_CAP_ID_PM), 0);
	assert_int_equal(find(PCI_CAP_ID_VPD), 0);
	assert_memory_equal(fn.cfg + PCI_CFG_LEGACY, nothing, sizeof(nothing));
	assert_memory_equal(fn.cfg + 0x40, nothing, 0x10);
	assert_int_equal(fn.cfg[0xd3], 0x77);
	assert_int_equal(fn.wmask[0xd3], 0);
}

static void express(void **state)
{
	const uint8_t *cap = fn.cfg + 0x80;

	assert_int_equal(build(), 0);
	assert_int_equal((pvi_get16(cap + PCI_EXP_FLAGS) & PCI_EXP_FLAGS_TYPE) >> 4,
			 PCI_EXP_TYPE_RC_END);
	assert_int_equal(pvi_get32(cap + PCI_EXP_DEVCAP), PCI_EXP_DEVCAP_RBER | 1);
	assert_int_equal(pvi_get32(cap + PCI_EXP_LNKCAP), 0);
	for (unsigned int i = 0; i < 0x3c; i++)
		assert_int_equal(fn.wmask[0x80 + i], 0);
}

static void msix(void **state)
{
	assert_int_equal(build(), 0);
	/* 65 there, as many as the bus has here. */
	assert_int_equal(fn.msix.nr, PCI_MAX_VECTORS);
	assert_int_equal(pvi_get16(fn.cfg + 0x72) & PCI_MSIX_FLAGS_QSIZE, PCI_MAX_VECTORS - 1);
	assert_int_equal(fn.msix.table_off, 0x2000);
	assert_int_equal(fn.msix.pba_off, 0x3000);
	desc.nr_msix = 5;
	assert_int_equal(build(), 0);
	assert_int_equal(fn.msix.nr, 5);
	desc.nr_msix = 0;
	assert_int_equal(build(), 0);
	assert_int_equal(find(PCI_CAP_ID_MSIX), 0);
	assert_int_equal(fn.msix.nr, 0);
}

static void messages(void **state)
{
	struct irq_msi message;
	uint8_t *cap = fn.cfg + 0x50;

	assert_int_equal(build(), 0);
	assert_int_equal(msi.cap, 0x50);
	assert_int_equal(msi.nr, 8);
	assert_true(msi.is64);
	/* No masks: the guest finds none and writes none. */
	assert_false(pvi_get16(cap + PCI_MSI_FLAGS) & PCI_MSI_FLAGS_MASKBIT);
	assert_int_equal(fn.wmask[0x50 + PCI_MSI_MASK_64], 0);
	assert_int_equal(vfio_config_msi(&fn, &msi, &message), 0);
	pvi_put16(cap + PCI_MSI_FLAGS,
		  pvi_get16(cap + PCI_MSI_FLAGS) | PCI_MSI_FLAGS_ENABLE | 2 << 4);
	pvi_put32(cap + PCI_MSI_ADDRESS_LO, 0xfee01000);
	pvi_put16(cap + PCI_MSI_DATA_64, 0x4041);
	assert_int_equal(vfio_config_msi(&fn, &msi, &message), 4);
	assert_int_equal(message.address, 0xfee01000);
	assert_int_equal(message.data, 0x4041);
	/* More than there are is all there are. */
	cap[PCI_MSI_FLAGS] |= 7 << 4;
	assert_int_equal(vfio_config_msi(&fn, &msi, &message), 8);
	desc.nr_msi = 3;
	assert_int_equal(build(), 0);
	assert_int_equal(msi.nr, 2);
	desc.nr_msi = 0;
	assert_int_equal(build(), 0);
	assert_int_equal(msi.cap, 0);
	assert_int_equal(vfio_config_msi(&fn, &msi, &message), 0);
}

static void broken_lists(void **state)
{
	desc.cfg[0xd1] = 0x50;
	assert_int_equal(build(), -EPROTO);
	desc.cfg[0xd1] = 0x20;
	assert_int_equal(build(), -EPROTO);
	desc.cfg[0xd1] = 0;
	/* Overlaps: a vendor's that reaches into another. */
	desc.cfg[0x81] = 0xb8;
	desc.cfg[0xb8] = PCI_CAP_ID_VNDR;
	desc.cfg[0xb9] = 0;
	desc.cfg[0xba] = 8;
	assert_int_equal(build(), -EPROTO);
	desc.cfg[0x81] = 0xfc;
	desc.cfg[0xfc] = PCI_CAP_ID_VNDR;
	desc.cfg[0xfd] = 0;
	desc.cfg[0xfe] = 8;
	assert_int_equal(build(), -EPROTO);
	/* A list of nothing that is shown, going round. */
	desc.cfg[0x81] = 0xc0;
	desc.cfg[0xc1] = 0xc0;
	assert_int_equal(build(), -EPROTO);
	assert_non_null(strstr(why, "loop"));
	pvi_put16(desc.cfg + PCI_STATUS, 0);
	assert_int_equal(build(), 0);
	assert_int_equal(fn.cfg[PCI_CAPABILITY_LIST], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(header, set_up),
		cmocka_unit_test_setup(bars, set_up),
		cmocka_unit_test_setup(capabilities, set_up),
		cmocka_unit_test_setup(express, set_up),
		cmocka_unit_test_setup(msix, set_up),
		cmocka_unit_test_setup(messages, set_up),
		cmocka_unit_test_setup(broken_lists, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
