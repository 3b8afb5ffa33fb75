// SPDX-License-Identifier: BSD-2-Clause
/* The root bus, config space and BARs, as a guest sees them. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "fake_irq.h"
#include "pci_guest.h"
#include "vmm/log.h"

#define SLOT	   3
#define BAR0_SIZE  0x4000u
#define BAR2_SIZE  0x100000ull
#define BAR4_SIZE  0x20u
#define MMIO64	   0x800000000ull
#define VENDOR_CAP 0x50
#define WINDOW_CAP 0x60

struct machine {
	struct bus bus;
	struct irq irq;
	struct pci_bus pci;
	struct pci_fn fn;
	struct pci_fn other;
	unsigned int reads, writes, masters, resets, quiesces;
	uint64_t off, moved[PCI_MAX_BARS];
	unsigned int bar, moves;
	bool master;
};

static void fn_read(struct pci_fn *fn, unsigned int bar, uint64_t off, void *buf, uint32_t len)
{
	struct machine *m = fn->ctx;

	m->reads++;
	m->bar = bar;
	m->off = off;
	memset(buf, 0x5a, len);
}

static void fn_write(struct pci_fn *fn, unsigned int bar, uint64_t off, const void *buf,
		     uint32_t len)
{
	struct machine *m = fn->ctx;

	m->writes++;
	m->bar = bar;
	m->off = off;
}

static void fn_master(struct pci_fn *fn, bool on)
{
	struct machine *m = fn->ctx;

	m->masters++;
	m->master = on;
}

/* Is @gpa taken on the bus? */
static bool decodes(struct machine *m, unsigned int bar, uint64_t gpa)
{
	enum bus_space space = bar == 4 ? BUS_PIO : BUS_MMIO;
	const struct bus_region region = {.base = gpa, .size = 1};

	if (bus_add(&m->bus, space, &region) == -EEXIST)
		return true;
	bus_remove(&m->bus, space, gpa);
	return false;
}

static void fn_moved(struct pci_fn *fn, unsigned int bar, uint64_t gpa)
{
	struct machine *m = fn->ctx;

	/* Until it has been told, nobody else gets its place. */
	if (!gpa)
		assert_true(decodes(m, bar, m->moved[bar]));
	m->moves++;
	m->moved[bar] = gpa;
}

static void fn_quiesce(struct pci_fn *fn)
{
	((struct machine *)fn->ctx)->quiesces++;
}

static void fn_reset(struct pci_fn *fn)
{
	((struct machine *)fn->ctx)->resets++;
}

static const struct pci_fn_ops ops = {
	.bar_read = fn_read,
	.bar_write = fn_write,
	.bus_master = fn_master,
	.bar_moved = fn_moved,
	.quiesce = fn_quiesce,
	.reset = fn_reset,
};

static void fill(struct pci_fn *fn, const char *name, struct machine *m)
{
	memset(fn, 0, sizeof(*fn));
	fn->ops = &ops;
	fn->name = name;
	fn->ctx = m;
	pci_fn_ids(fn, 0x1af4, 0x1042, 0x01800001, 0x1af4, 0x1100);
	fn->bar[0] = (struct pci_bar){.size = BAR0_SIZE};
	fn->bar[2] = (struct pci_bar){.size = BAR2_SIZE, .is64 = true, .prefetch = true};
	fn->bar[4] = (struct pci_bar){.size = BAR4_SIZE, .io = true};
	fn->cfg[PCI_CAPABILITY_LIST] = VENDOR_CAP;
	fn->cfg[VENDOR_CAP] = PCI_CAP_ID_VNDR;
	fn->cfg[VENDOR_CAP + 2] = 8;
	fn->wmask[VENDOR_CAP + 4] = 0xf0;
	fn->cfg[VENDOR_CAP + 1] = WINDOW_CAP;
	fn->cfg[WINDOW_CAP] = PCI_CAP_ID_VNDR;
	fn->cfg[WINDOW_CAP + 2] = sizeof(struct virtio_pci_cap) + 4;
	fn->cfg[WINDOW_CAP + 3] = VIRTIO_PCI_CAP_PCI_CFG;
	pci_fn_window(fn, WINDOW_CAP);
}

static int setup(void **state)
{
	static struct machine machine;
	struct machine *m = &machine;

	memset(m, 0, sizeof(*m));
	log_level = LOG_ERROR;
	fake_irq_reset();
	assert_int_equal(bus_init(&m->bus), 0);
	assert_int_equal(irq_init(&m->irq, -1), 0);
	assert_int_equal(pci_init(&m->pci, &m->bus, &m->irq), 0);
	m->pci.mmio64_base = MMIO64;
	m->pci.mmio64_size = MMIO64;
	fill(&m->fn, "device", m);
	fill(&m->other, "other", m);
	assert_int_equal(pci_fn_add(&m->pci, SLOT, &m->fn), 0);
	assert_int_equal(pci_fn_add(&m->pci, SLOT + 1, &m->other), 0);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	pci_done(&m->pci);
	/* Whatever decoded is gone: the buses are empty. */
	assert_int_equal(m->bus.space[BUS_MMIO].nr, 0);
	assert_int_equal(m->bus.space[BUS_PIO].nr, 0);
	irq_done(&m->irq);
	bus_done(&m->bus);
	return 0;
}

static void command(struct machine *m, unsigned int slot, uint16_t value)
{
	guest_cfg_write(&m->bus, slot, PCI_COMMAND, value, 2);
}

static void header(void **state)
{
	struct machine *m = *state;

	assert_int_equal(guest_cfg_read(&m->bus, 0, 0, 4), 0x0d578086);
	assert_int_equal(guest_cfg_read(&m->bus, 0, PCI_CLASS_REVISION, 4), 0x06000000);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, PCI_VENDOR_ID, 2), 0x1af4);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, PCI_DEVICE_ID + 1, 1), 0x10);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, PCI_CLASS_REVISION, 4), 0x01800001);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, PCI_SUBSYSTEM_VENDOR_ID, 4), 0x11001af4);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, PCI_HEADER_TYPE, 1), 0);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, PCI_INTERRUPT_PIN, 1), 0);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, PCI_STATUS, 2), PCI_STATUS_CAP_LIST);
	/* Eight bytes are two registers. */
	assert_int_equal(guest_read(&m->bus, guest_ecam(SLOT, 8), 8), 0x01800001);
	assert_int_equal(guest_read(&m->bus, guest_ecam(SLOT, 0), 8), 0x0010000010421af4);
}

static void nobody_there(void **state)
{
	struct machine *m = *state;
	uint64_t gpa = guest_ecam(SLOT, 0);

	assert_int_equal(guest_cfg_read(&m->bus, 2, 0, 4), UINT32_MAX);
	assert_int_equal(guest_read(&m->bus, gpa + (1 << 12), 4), UINT32_MAX); /* function 1 */
	assert_int_equal(guest_read(&m->bus, gpa + (1 << 20), 4), UINT32_MAX); /* bus 1 */
	assert_int_equal(guest_read(&m->bus, GPA_ECAM_BASE + GPA_ECAM_SIZE - 4, 4), UINT32_MAX);
	/* Past the end of a function's space is not the next function's. */
	assert_int_equal(guest_read(&m->bus, gpa + PCI_CFG_SIZE - 2, 4), UINT32_MAX);
	assert_int_equal(guest_read(&m->bus, gpa + PCI_CFG_SIZE - 4, 8), 0xffffffff00000000);
	guest_write(&m->bus, gpa + PCI_CFG_SIZE - 2, 0, 4);
	guest_write(&m->bus, guest_ecam(2, 4), 7, 4);
}

static void port(struct machine *m, uint16_t addr, uint32_t *value, uint32_t len, bool write)
{
	bus_access(&m->bus, BUS_PIO, addr, value, len, write);
}

static void ports(void **state)
{
	struct machine *m = *state;
	uint32_t addr = 0x80000000 | SLOT << 11;
	uint32_t v = 0;

	port(m, 0xcfc, &v, 4, false);
	assert_int_equal(v, UINT32_MAX); /* not enabled */
	port(m, 0xcf8, &addr, 4, true);
	port(m, 0xcf8, &v, 4, false);
	assert_int_equal(v, addr);
	port(m, 0xcfc, &v, 4, false);
	assert_int_equal(v, 0x10421af4);
	v = 0;
	port(m, 0xcfe, &v, 2, false);
	assert_int_equal(v, 0x1042);
	v = 0;
	port(m, 0xcff, &v, 1, false);
	assert_int_equal(v, 0x10);
	/* One byte of the address port is another device's register. */
	v = 0xff;
	port(m, 0xcfb, &v, 1, true);
	port(m, 0xcf8, &v, 4, false);
	assert_int_equal(v, addr);
	addr |= PCI_COMMAND;
	port(m, 0xcf8, &addr, 4, true);
	v = PCI_COMMAND_MASTER;
	port(m, 0xcfc, &v, 2, true);
	assert_true(m->master);
	addr |= 1 << 16; /* bus 1 */
	port(m, 0xcf8, &addr, 4, true);
	port(m, 0xcfc, &v, 4, false);
	assert_int_equal(v, UINT32_MAX);
}

static void command_bits(void **state)
{
	struct machine *m = *state;

	command(m, SLOT, 0xffff);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, PCI_COMMAND, 2),
			 PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
				 PCI_COMMAND_INTX_DISABLE);
	assert_int_equal(m->masters, 1);
	assert_true(m->master);
	command(m, SLOT, PCI_COMMAND_MASTER);
	assert_int_equal(m->masters, 1);
	command(m, SLOT, 0);
	assert_int_equal(m->masters, 2);
	assert_false(m->master);
	/* Ids and status take no writes. */
	guest_cfg_write(&m->bus, SLOT, PCI_VENDOR_ID, 0, 4);
	guest_cfg_write(&m->bus, SLOT, PCI_STATUS, 0xffff, 2);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, 0, 4), 0x10421af4);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, PCI_STATUS, 2), PCI_STATUS_CAP_LIST);
}

static void sizing(void **state)
{
	struct machine *m = *state;

	for (uint32_t off = PCI_BASE_ADDRESS_0; off <= PCI_BASE_ADDRESS_5; off += 4)
		guest_cfg_write(&m->bus, SLOT, off, UINT32_MAX, 4);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, PCI_BASE_ADDRESS_0, 4), -BAR0_SIZE);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, PCI_BASE_ADDRESS_1, 4), 0);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, PCI_BASE_ADDRESS_2, 4),
			 (uint32_t)-BAR2_SIZE | PCI_BASE_ADDRESS_MEM_TYPE_64 |
				 PCI_BASE_ADDRESS_MEM_PREFETCH);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, PCI_BASE_ADDRESS_3, 4), UINT32_MAX);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, PCI_BASE_ADDRESS_4, 4),
			 -BAR4_SIZE | PCI_BASE_ADDRESS_SPACE_IO);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, PCI_BASE_ADDRESS_5, 4), 0);
	guest_cfg_write(&m->bus, SLOT, PCI_ROM_ADDRESS, UINT32_MAX, 4);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, PCI_ROM_ADDRESS, 4), 0);
	assert_int_equal(m->moves, 0);
}

static void decoding(void **state)
{
	struct machine *m = *state;
	uint32_t v = 0;

	guest_cfg_write(&m->bus, SLOT, PCI_BASE_ADDRESS_0, 0xc0100000, 4);
	guest_cfg_write(&m->bus, SLOT, PCI_BASE_ADDRESS_2, 0x00100000, 4);
	guest_cfg_write(&m->bus, SLOT, PCI_BASE_ADDRESS_3, MMIO64 >> 32, 4);
	guest_cfg_write(&m->bus, SLOT, PCI_BASE_ADDRESS_4, 0x2000, 4);
	assert_int_equal(guest_read(&m->bus, 0xc0100000, 4), UINT32_MAX);
	command(m, SLOT, PCI_COMMAND_MEMORY);
	assert_int_equal(m->moved[0], 0xc0100000);
	assert_int_equal(m->moved[2], MMIO64 + 0x100000);
	assert_int_equal(m->moved[4], 0);
	assert_int_equal(guest_read(&m->bus, 0xc0100000 + BAR0_SIZE - 4, 4), 0x5a5a5a5a);
	assert_int_equal(m->off, BAR0_SIZE - 4);
	guest_write(&m->bus, MMIO64 + 0x100008, 1, 8);
	assert_int_equal(m->bar, 2);
	assert_int_equal(m->off, 8);
	assert_int_equal(m->writes, 1);
	/* Ports have a switch of their own. */
	port(m, 0x2000, &v, 4, false);
	assert_int_equal(v, UINT32_MAX);
	command(m, SLOT, PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
	port(m, 0x2004, &v, 4, false);
	assert_int_equal(v, 0x5a5a5a5a);
	assert_int_equal(m->bar, 4);
	command(m, SLOT, 0);
	assert_int_equal(m->moved[0], 0);
	assert_int_equal(guest_read(&m->bus, 0xc0100000, 4), UINT32_MAX);
	assert_int_equal(m->fn.bad_bars, 0);
}

static void moving(void **state)
{
	struct machine *m = *state;

	guest_cfg_write(&m->bus, SLOT, PCI_BASE_ADDRESS_0, 0xc0000000, 4);
	command(m, SLOT, PCI_COMMAND_MEMORY);
	guest_cfg_write(&m->bus, SLOT, PCI_BASE_ADDRESS_0, 0xc0002000 + BAR0_SIZE, 4);
	assert_int_equal(m->moved[0], 0xc0000000 + BAR0_SIZE); /* to a multiple of its size */
	assert_int_equal(guest_read(&m->bus, 0xc0000000, 4), UINT32_MAX);
	assert_int_equal(guest_read(&m->bus, 0xc0000000 + BAR0_SIZE, 1), 0x5a);
	/* There, away, and there again. */
	assert_int_equal(m->moves, 3);
}

static void absurd_places(void **state)
{
	static const uint32_t places[] = {
		0x00100000, 0xbfffc000, 0xe0000000, 0xdfffe000 + 0x4000,
		0xfec00000, 0xfee00000, 0xffffc000, 0x00004000,
	};
	struct machine *m = *state;

	command(m, SLOT, PCI_COMMAND_MEMORY);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		guest_cfg_write(&m->bus, SLOT, PCI_BASE_ADDRESS_0, places[i], 4);
		assert_int_equal(m->fn.bar[0].gpa, 0);
		assert_int_equal(m->fn.bad_bars, i + 1);
		assert_int_equal(guest_read(&m->bus, places[i] & -BAR0_SIZE, 4),
				 places[i] >> 28 == 0xe ? 0x0d578086 : UINT32_MAX);
	}
	guest_cfg_write(&m->bus, SLOT, PCI_BASE_ADDRESS_0, 0, 4);
	/* High RAM, and the last bytes of the address space. */
	guest_cfg_write(&m->bus, SLOT, PCI_BASE_ADDRESS_3, 1, 4);
	assert_int_equal(m->fn.bar[2].gpa, 0);
	guest_cfg_write(&m->bus, SLOT, PCI_BASE_ADDRESS_2, UINT32_MAX, 4);
	guest_cfg_write(&m->bus, SLOT, PCI_BASE_ADDRESS_3, UINT32_MAX, 4);
	assert_int_equal(m->fn.bar[2].gpa, 0);
	assert_int_equal(m->reads, 0);
	guest_cfg_write(&m->bus, SLOT, PCI_BASE_ADDRESS_0, 0xdfffc000, 4);
	assert_int_equal(m->fn.bar[0].gpa, 0xdfffc000);
	/* Ports below the window are the board's. */
	guest_cfg_write(&m->bus, SLOT, PCI_BASE_ADDRESS_4, 0xce0, 4);
	command(m, SLOT, PCI_COMMAND_IO);
	assert_int_equal(m->fn.bar[4].gpa, 0);
}

static void overlap(void **state)
{
	struct machine *m = *state;

	command(m, SLOT, PCI_COMMAND_MEMORY);
	command(m, SLOT + 1, PCI_COMMAND_MEMORY);
	guest_cfg_write(&m->bus, SLOT, PCI_BASE_ADDRESS_2, 0xc0100000, 4);
	guest_cfg_write(&m->bus, SLOT + 1, PCI_BASE_ADDRESS_0, 0xc0104000, 4);
	assert_int_equal(m->other.bar[0].gpa, 0);
	assert_int_equal(m->other.bad_bars, 1);
	assert_int_equal(guest_read(&m->bus, 0xc0104000, 4), 0x5a5a5a5a);
	assert_int_equal(m->bar, 2);
	/* Its own other BAR, too. */
	guest_cfg_write(&m->bus, SLOT, PCI_BASE_ADDRESS_0, 0xc0108000, 4);
	assert_int_equal(m->fn.bar[0].gpa, 0);
	/* The place is free again: the guest's next word on it counts. */
	guest_cfg_write(&m->bus, SLOT, PCI_BASE_ADDRESS_2, 0xc0200000, 4);
	assert_int_equal(m->fn.bar[0].gpa, 0xc0108000);
	command(m, SLOT + 1, PCI_COMMAND_MEMORY);
	assert_int_equal(m->other.bar[0].gpa, 0xc0104000);
}

static void capability_writes(void **state)
{
	struct machine *m = *state;

	guest_cfg_write(&m->bus, SLOT, VENDOR_CAP, UINT32_MAX, 4);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, VENDOR_CAP, 4), 0x00086009);
	guest_cfg_write(&m->bus, SLOT, VENDOR_CAP + 4, UINT32_MAX, 4);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, VENDOR_CAP + 4, 4), 0xf0);
	guest_cfg_write(&m->bus, SLOT, 0x100, UINT32_MAX, 4);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, 0x100, 4), 0);
}

static void select_window(struct machine *m, uint8_t bar, uint32_t off, uint32_t len)
{
	guest_cfg_write(&m->bus, SLOT, WINDOW_CAP + VIRTIO_PCI_CAP_BAR, bar, 1);
	guest_cfg_write(&m->bus, SLOT, WINDOW_CAP + VIRTIO_PCI_CAP_OFFSET, off, 4);
	guest_cfg_write(&m->bus, SLOT, WINDOW_CAP + VIRTIO_PCI_CAP_LENGTH, len, 4);
}

static void window(void **state)
{
	static const struct {
		uint32_t bar, off, len;
	} bad[] = {{6, 0, 4}, {255, 0, 4}, {1, 0, 4},	      {0, 0, 3},	 {0, 0, 8},
		   {0, 0, 0}, {0, 2, 4},   {0, BAR0_SIZE, 4}, {0, UINT32_MAX, 1}};
	const uint32_t data = WINDOW_CAP + sizeof(struct virtio_pci_cap);
	struct machine *m = *state;

	/* Whether the BAR decodes is no matter. */
	select_window(m, 0, 0x102, 2);
	assert_int_equal(m->reads + m->writes, 0);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, data, 4), 0x5a5a);
	assert_int_equal(m->reads, 1);
	assert_int_equal(m->off, 0x102);
	select_window(m, 2, 0x20, 4);
	guest_cfg_write(&m->bus, SLOT, data, 0x12345678, 4);
	assert_int_equal(m->writes, 1);
	assert_int_equal(m->bar, 2);
	assert_int_equal(m->off, 0x20);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, WINDOW_CAP, 4), 0x05140009);
	assert_int_equal(m->reads, 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		select_window(m, (uint8_t)bad[i].bar, bad[i].off, bad[i].len);
		guest_cfg_read(&m->bus, SLOT, data, 4);
		guest_cfg_write(&m->bus, SLOT, data, 1, 4);
	}
	assert_int_equal(m->reads, 1);
	assert_int_equal(m->writes, 1);
}

static void adding(void **state)
{
	struct machine *m = *state;
	static struct pci_fn fn;

	fill(&fn, "third", m);
	assert_int_equal(pci_fn_add(&m->pci, 0, &fn), -EINVAL);
	assert_int_equal(pci_fn_add(&m->pci, PCI_MAX_SLOTS, &fn), -EINVAL);
	assert_int_equal(pci_fn_add(&m->pci, SLOT, &fn), -EBUSY);
	fn.bar[0].size = 0x3000;
	assert_int_equal(pci_fn_add(&m->pci, 9, &fn), -EINVAL);
	fn.bar[0].size = 8;
	assert_int_equal(pci_fn_add(&m->pci, 9, &fn), -EINVAL);
	fn.bar[0].size = 1ull << 32;
	assert_int_equal(pci_fn_add(&m->pci, 9, &fn), -EINVAL);
	fn.bar[0].size = BAR0_SIZE;
	fn.bar[3].size = BAR0_SIZE; /* the upper half of BAR 2 */
	assert_int_equal(pci_fn_add(&m->pci, 9, &fn), -EINVAL);
	fn.bar[3].size = 0;
	fn.bar[5] = (struct pci_bar){.size = 16, .is64 = true};
	assert_int_equal(pci_fn_add(&m->pci, 9, &fn), -EINVAL);
	fn.bar[5].size = 0;
	assert_int_equal(guest_cfg_read(&m->bus, 9, 0, 4), UINT32_MAX);
	assert_int_equal(pci_fn_add(&m->pci, 9, &fn), 0);
	assert_int_equal(guest_cfg_read(&m->bus, 9, 0, 4), 0x10421af4);
	pci_fn_remove(&fn);
	pci_fn_remove(&fn);
	assert_int_equal(guest_cfg_read(&m->bus, 9, 0, 4), UINT32_MAX);
}

static void resetting(void **state)
{
	struct machine *m = *state;

	guest_cfg_write(&m->bus, SLOT, PCI_BASE_ADDRESS_0, 0xc0000000, 4);
	guest_cfg_write(&m->bus, SLOT, PCI_INTERRUPT_LINE, 0x7, 1);
	command(m, SLOT, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	pci_quiesce_all(&m->pci);
	assert_int_equal(m->quiesces, 2);
	pci_fn_reset(&m->fn);
	assert_int_equal(m->resets, 1);
	assert_false(m->master);
	assert_int_equal(m->moved[0], 0);
	assert_int_equal(guest_read(&m->bus, 0xc0000000, 4), UINT32_MAX);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, PCI_COMMAND, 2), 0);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, PCI_BASE_ADDRESS_0, 4), 0);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, PCI_INTERRUPT_LINE, 1), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(header),    T(nobody_there),	    T(ports),  T(command_bits),
		T(sizing),    T(decoding),	    T(moving), T(absurd_places),
		T(overlap),   T(capability_writes), T(window), T(adding),
		T(resetting),
	};

	return cmocka_run_group_tests_name("pci", tests, NULL, NULL);
}
