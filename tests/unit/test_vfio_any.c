// SPDX-License-Identifier: BSD-2-Clause
/* Any guest, any device: what holds whatever the one writes and the other says of itself. */
#include <errno.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "vfio_guest.h"
#include "vmm/log.h"

#define GUESTS	   40u
#define GUEST_OPS  400u
#define DEVICES	   2000u
#define DEVICE_OPS 20u

static uint64_t seed;

/* Splitmix: the same numbers each time, so that a failure is one again. */
static uint64_t random_bits(void)
{
	uint64_t z = seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static uint32_t below(uint32_t n)
{
	return (uint32_t)(random_bits() % n);
}

/* --- what holds --- */

static const struct pci_fn *function(void)
{
	return vm.pci.fn[SLOT];
}

/* The capability as the guest finds it; 0: none. */
static uint8_t find(uint8_t id)
{
	const uint8_t *c = function()->cfg;
	unsigned int n = 0;

	for (uint8_t at = c[PCI_CAPABILITY_LIST]; at; at = c[at + PCI_CAP_LIST_NEXT]) {
		assert_in_range(at, PCI_CFG_CAPS, PCI_CFG_LEGACY - 4);
		assert_true(++n < 64);
		if (c[at] == id)
			return at;
	}
	return 0;
}

/* Of the device's real config space the guest has the mastery of the bus, no more. */
static void check_config(const uint8_t *was)
{
	const uint8_t *is = fake_sys.region[VFIO_PCI_CONFIG_REGION_INDEX].byte;
	uint16_t master = pvi_get16(function()->cfg + PCI_COMMAND) & PCI_COMMAND_MASTER;

	assert_int_equal(fake_sys_command(), ON | master);
	assert_memory_equal(is, was, PCI_COMMAND);
	assert_memory_equal(is + PCI_STATUS, was + PCI_STATUS, PCI_CFG_SIZE - PCI_STATUS);
	assert_int_equal(find(PCI_CAP_ID_PM), 0);
	for (unsigned int i = PCI_CFG_LEGACY; i < PCI_CFG_SIZE; i++)
		assert_int_equal(function()->cfg[i], 0);
}

static bool within(uint64_t gpa, uint64_t size, uint64_t base, uint64_t window)
{
	return gpa >= base && gpa - base < window && size <= window - (gpa - base);
}

static unsigned int region_of(const void *hva)
{
	for (unsigned int i = 0; i < PCI_MAX_BARS; i++)
		if ((const uint8_t *)hva >= fake_sys.region[i].byte &&
		    (const uint8_t *)hva <
			    fake_sys.region[i].byte + sizeof(fake_sys.region[i].byte))
			return i;
	fail();
	return 0;
}

/* Memory of the device is where the guest put its BARs, if that is a place for any. */
static void check_slots(void)
{
	const struct pci_fn *fn = function();

	for (unsigned int i = 0; i < FAKE_SLOTS; i++) {
		uint64_t gpa = fake_sys.slot[i].gpa, size = fake_sys.slot[i].size, off;
		unsigned int bar;

		if (!fake_sys.slot[i].used)
			continue;
		bar = region_of(fake_sys.slot[i].hva);
		off = (uint64_t)((const uint8_t *)fake_sys.slot[i].hva - fake_sys.region[bar].byte);
		assert_true(within(gpa, size, GPA_MMIO32_BASE, GPA_MMIO32_SIZE) ||
			    within(gpa, size, vm.pci.mmio64_base, vm.pci.mmio64_size));
		assert_true(fn->cfg[PCI_COMMAND] & PCI_COMMAND_MEMORY);
		assert_int_equal(gpa, fn->bar[bar].gpa + off);
		assert_true(off + size <= fn->bar[bar].size);
		if (!fn->msix.nr || bar != fn->msix.table_bar)
			continue;
		assert_true(fn->msix.table_off >= off + size ||
			    fn->msix.table_off + fn->msix.nr * PCI_MSIX_ENTRY_SIZE <= off);
	}
}

/* The strongest kind that is enabled. */
static int kind_of_interrupt(void)
{
	const struct pci_fn *fn = function();
	uint8_t msi = find(PCI_CAP_ID_MSI), msix = find(PCI_CAP_ID_MSIX);

	if (msix && fn->cfg[msix + PCI_MSIX_FLAGS + 1] & PCI_MSIX_FLAGS_ENABLE >> 8)
		return VFIO_PCI_MSIX_IRQ_INDEX;
	if (msi && fn->cfg[msi + PCI_MSI_FLAGS] & PCI_MSI_FLAGS_ENABLE)
		return VFIO_PCI_MSI_IRQ_INDEX;
	if (fn->cfg[PCI_INTERRUPT_PIN] &&
	    !(pvi_get16(fn->cfg + PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE))
		return VFIO_PCI_INTX_IRQ_INDEX;
	return -1;
}

/* Of that kind, and with no message that is none; of MSI-X, just those in the table. */
static void check_interrupts(void)
{
	const struct pci_fn *fn = function();
	unsigned int live = 0;

	assert_int_equal(fake_sys.irq_index, kind_of_interrupt());
	for (unsigned int i = 0; i < fake_irq.nr_irqfds; i++) {
		const struct irq_msi *msi = fake_irq_tied(&vm.irq, fake_irq.irqfd[i].fd);

		if (fake_irq.irqfd[i].ack_fd >= 0)
			assert_int_equal(fake_irq.irqfd[i].gsi, pci_slot_gsi(SLOT));
		else
			assert_int_equal(msi->address >> 20, 0xfee);
	}
	if (fake_sys.irq_index != VFIO_PCI_MSIX_IRQ_INDEX)
		return;
	for (unsigned int i = 0; i < fn->msix.nr; i++) {
		const struct irq_msi *msi = fake_irq_tied(&vm.irq, fake_sys.irq_fd[i]);

		live += fn->vector[i].live;
		assert_int_equal(msi != NULL, fn->vector[i].live);
		assert_true(!msi || msi->data == fn->vector[i].msi.data);
	}
	assert_int_equal(fake_irq.nr_irqfds, live);
}

/* --- the guest --- */

static uint64_t any_place(void)
{
	static const uint64_t place[] = {
		BAR0,
		BAR0 + 0x2000,
		BAR0 + 0x3000,
		BAR0 + 0x8000,
		BAR2,
		BAR2 + 0x8000,
		GPA_MMIO32_BASE,
		GPA_MMIO32_BASE + GPA_MMIO32_SIZE - 8,
		0,
		0x80000,
		GPA_ECAM_BASE,
		0xfee00000,
		UINT32_MAX,
		0x2000,
		UINT64_MAX - 0xfff,
		GPA_HIGH_RAM,
	};

	return place[below(sizeof(place) / sizeof(place[0]))] + below(64) * below(2);
}

static uint64_t any_value(void)
{
	switch (below(5)) {
	case 0:
		return any_place() >> 32 * below(2);
	case 1:
		return 1ull << below(64);
	case 2:
		return 0xfee00000 + below(0x100000);
	case 3:
		return below(2) ? UINT64_MAX : 0;
	default:
		return random_bits();
	}
}

static uint32_t any_register(void)
{
	uint8_t msi = find(PCI_CAP_ID_MSI), msix = find(PCI_CAP_ID_MSIX);

	switch (below(6)) {
	case 0:
		return PCI_COMMAND + below(2);
	case 1:
		return PCI_BASE_ADDRESS_0 + 4 * below(PCI_MAX_BARS);
	case 2:
		return PCI_ROM_ADDRESS;
	case 3:
		return msi + (below(2) ? PCI_MSI_FLAGS : 2 * below(8));
	case 4:
		return msix + PCI_MSIX_FLAGS + below(2);
	default:
		return below(PCI_CFG_SIZE - 8);
	}
}

/* As a driver would, but for the message: without these two it would seldom get far. */
static void place_bars(void)
{
	for (unsigned int i = 0; i < PCI_MAX_BARS; i++)
		set_cfg(PCI_BASE_ADDRESS_0 + 4 * i,
			function()->bar[i].io ? 0x8000 : (uint32_t)BAR0 + (i << 20), 4);
	set_cfg(PCI_COMMAND, ON | PCI_COMMAND_INTX_DISABLE * below(2), 2);
}

static void set_vector(void)
{
	const struct pci_fn *fn = function();
	uint64_t entry;

	if (!fn->msix.nr || !fn->bar[fn->msix.table_bar].gpa)
		return;
	entry = fn->bar[fn->msix.table_bar].gpa + fn->msix.table_off +
		PCI_MSIX_ENTRY_SIZE * below(fn->msix.nr);
	guest_write(&vm.bus, entry, below(4) ? 0xfee00000 + below(0x100000) : any_value(), 8);
	guest_write(&vm.bus, entry + PCI_MSIX_ENTRY_DATA, any_value(), 4);
	guest_write(&vm.bus, entry + PCI_MSIX_ENTRY_VECTOR_CTRL, below(4) == 0, 4);
}

static void any_access(void)
{
	uint32_t len = 1 + below(8);
	uint8_t port[8] = {0};

	switch (below(12)) {
	case 0:
		guest_read(&vm.bus, any_place(), len);
		break;
	case 1:
	case 2:
		guest_write(&vm.bus, any_place(), any_value(), len);
		break;
	case 3:
		bus_access(&vm.bus, BUS_PIO, 0x2000 + below(0x40), port, 1u << below(3), below(2));
		break;
	case 4:
		assert_int_equal(cfg(PCI_VENDOR_ID, 4), pvi_get32(function()->cfg));
		break;
	case 5:
		place_bars();
		break;
	case 6:
	case 7:
		set_vector();
		break;
	default:
		set_cfg(any_register(), (uint32_t)any_value(), 1u << below(3));
		break;
	}
}

/* What it says of the guest's nonsense is said once, and nobody's concern here. */
static void be_a_guest(unsigned int ops)
{
	static uint8_t was[PCI_CFG_SIZE];

	memcpy(was, fake_sys.region[VFIO_PCI_CONFIG_REGION_INDEX].byte, sizeof(was));
	for (unsigned int i = 0; i < ops; i++) {
		any_access();
		check_config(was);
		check_slots();
		check_interrupts();
		if (!below(500)) {
			pci_quiesce_all(&vm.pci);
			pci_fn_reset(vm.pci.fn[SLOT]);
		}
	}
}

static void any_guest(void **state)
{
	fake_sys.region[6].size = 0x800;
	fake_sys.region[6].flags = VFIO_REGION_INFO_FLAG_READ;
	for (seed = 1; seed <= GUESTS; seed++) {
		uint64_t kept = seed;

		assert_int_equal(start(), 0);
		be_a_guest(GUEST_OPS);
		vfio_device_free(dev);
		dev = NULL;
		seed = kept;
	}
}

/* --- the device --- */

/* What of it can be mapped, by the kernel's word: whole pages or not, inside or not. */
static void be_sparse(struct fake_region *r)
{
	r->nr_areas = below(5);
	for (unsigned int i = 0; i < r->nr_areas; i++) {
		r->area[i].off = below(8) * 0x800 + below(2) * random_bits();
		r->area[i].size = below(8) * 0x800 + (below(8) == 0) * random_bits();
	}
}

/* Sizes and counts of any kind; in its config space, bits that are not as they should be. */
static void be_a_device(void)
{
	struct fake_region *config = &fake_sys.region[VFIO_PCI_CONFIG_REGION_INDEX];

	fake_sys_reset();
	for (unsigned int n = below(8); n; n--)
		config->byte[PCI_BASE_ADDRESS_0 + below(PCI_CFG_LEGACY - PCI_BASE_ADDRESS_0)] ^=
			(uint8_t)(below(2) ? 1u << below(8) : random_bits());
	for (unsigned int n = below(3); n; n--)
		fake_sys.region[below(PCI_NR_BARS)].size =
			below(4) ? 1ull << below(17) : below(0x10000);
	/* Ports, by its own word, of what VFIO calls memory. */
	if (!below(10))
		config->byte[PCI_BASE_ADDRESS_2] ^= PCI_BASE_ADDRESS_SPACE_IO;
	if (below(2))
		be_sparse(&fake_sys.region[2 * below(2)]);
	fake_sys.nr_irqs[0] = below(2);
	fake_sys.nr_irqs[1] = below(3) * below(40);
	fake_sys.nr_irqs[2] = below(3) * below(100);
}

static void any_device(void **state)
{
	unsigned int taken = 0;

	for (unsigned int i = 1; i <= DEVICES; i++) {
		seed = i;
		be_a_device();
		if (start()) {
			assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
		} else {
			taken++;
			be_a_guest(DEVICE_OPS);
			vfio_device_free(dev);
			dev = NULL;
		}
		assert_int_equal(fake_sys.files, 0);
		assert_int_equal(fake_sys.maps, 0);
		assert_int_equal(fake_sys_slots(), 0);
		assert_int_equal(fake_irq.nr_irqfds, 0);
	}
	/* Neither all nor none: both ways are gone. */
	assert_in_range(taken, DEVICES / 10, DEVICES * 9 / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(any_guest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(any_device, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
