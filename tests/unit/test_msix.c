// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <linux/pci_regs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "fake_irq.h"
#include "pci_guest.h"
#include "vmm/log.h"

#define SLOT  2
#define CAP   0x70
#define NR    5
#define TABLE 0x800u
#define PBA   0x900u
#define BASE  0xc0000000ull
#define ADDR  0xfee01000u

struct machine {
	struct bus bus;
	struct irq irq;
	struct pci_bus pci;
	struct pci_fn fn;
	unsigned int reads, writes, told, silenced;
	struct irq_msi msi[NR];
	bool live[NR];
	bool waiting; /* what ops->pending shall say of vector 4 */
};

static void fn_read(struct pci_fn *fn, unsigned int bar, uint64_t off, void *buf, uint32_t len)
{
	((struct machine *)fn->ctx)->reads++;
	memset(buf, 0x5a, len);
}

static void fn_write(struct pci_fn *fn, unsigned int bar, uint64_t off, const void *buf,
		     uint32_t len)
{
	((struct machine *)fn->ctx)->writes++;
}

static void fn_vector(struct pci_fn *fn, unsigned int vector, const struct irq_msi *msi)
{
	struct machine *m = fn->ctx;

	assert_in_range(vector, 0, NR - 1);
	m->live[vector] = msi;
	if (msi) {
		m->told++;
		m->msi[vector] = *msi;
	} else {
		m->silenced++;
	}
}

static bool fn_pending(struct pci_fn *fn, unsigned int vector)
{
	return vector == 4 && ((struct machine *)fn->ctx)->waiting;
}

static const struct pci_fn_ops ops = {
	.bar_read = fn_read,
	.bar_write = fn_write,
	.vector = fn_vector,
	.pending = fn_pending,
};

static const struct pci_msix layout = {
	.nr = NR, .table_bar = 1, .pba_bar = 1, .table_off = TABLE, .pba_off = PBA};

static void fill(struct pci_fn *fn, struct machine *m, const struct pci_msix *msix)
{
	memset(fn, 0, sizeof(*fn));
	fn->ops = &ops;
	fn->name = "device";
	fn->ctx = m;
	fn->bar[1].size = 0x1000;
	fn->cfg[PCI_CAPABILITY_LIST] = CAP;
	pci_fn_msix(fn, CAP, 0, msix);
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
	fill(&m->fn, m, &layout);
	assert_int_equal(pci_fn_add(&m->pci, SLOT, &m->fn), 0);
	guest_cfg_write(&m->bus, SLOT, PCI_BASE_ADDRESS_1, BASE, 4);
	guest_cfg_write(&m->bus, SLOT, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	pci_done(&m->pci);
	irq_done(&m->irq);
	bus_done(&m->bus);
	return 0;
}

static uint64_t entry(unsigned int vector, unsigned int field)
{
	return BASE + TABLE + vector * PCI_MSIX_ENTRY_SIZE + field;
}

static void control(struct machine *m, uint16_t flags)
{
	guest_cfg_write(&m->bus, SLOT, CAP + PCI_MSIX_FLAGS, flags, 2);
}

static void mask(struct machine *m, unsigned int vector, bool on)
{
	guest_write(&m->bus, entry(vector, PCI_MSIX_ENTRY_VECTOR_CTRL), on, 4);
}

static void program(struct machine *m, unsigned int vector, uint64_t addr, uint32_t data)
{
	guest_write(&m->bus, entry(vector, PCI_MSIX_ENTRY_LOWER_ADDR), addr, 8);
	guest_write(&m->bus, entry(vector, PCI_MSIX_ENTRY_DATA), data, 4);
}

static uint64_t pba(struct machine *m)
{
	return guest_read(&m->bus, BASE + PBA, 8);
}

static void capability(void **state)
{
	struct machine *m = *state;

	assert_int_equal(guest_cfg_read(&m->bus, SLOT, CAP, 4),
			 (uint32_t)(NR - 1) << 16 | PCI_CAP_ID_MSIX);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, CAP + PCI_MSIX_TABLE, 4), TABLE | 1);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, CAP + PCI_MSIX_PBA, 4), PBA | 1);
	control(m, 0xffff);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, CAP + PCI_MSIX_FLAGS, 2),
			 PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL | (NR - 1));
}

static void table_is_the_bus_s(void **state)
{
	struct machine *m = *state;

	for (unsigned int i = 0; i < NR; i++)
		assert_int_equal(guest_read(&m->bus, entry(i, PCI_MSIX_ENTRY_VECTOR_CTRL), 4), 1);
	program(m, 3, 0x1234567890ull, 0xdeadbeef);
	assert_int_equal(guest_read(&m->bus, entry(3, 0), 8), 0x1234567890);
	assert_int_equal(guest_read(&m->bus, entry(3, 8), 8), 0x1deadbeef);
	assert_int_equal(guest_read(&m->bus, entry(3, 4), 4), 0x12);
	/* Message addresses are multiples of four. */
	guest_write(&m->bus, entry(3, 0), 0xfee00003, 4);
	assert_int_equal(guest_read(&m->bus, entry(3, 0), 4), 0xfee00000);
	assert_int_equal(m->reads + m->writes, 0);
	/* Just before, between and after is the function's. */
	assert_int_equal(guest_read(&m->bus, BASE + TABLE - 4, 4), 0x5a5a5a5a);
	assert_int_equal(guest_read(&m->bus, entry(NR, 0), 4), 0x5a5a5a5a);
	assert_int_equal(guest_read(&m->bus, BASE + PBA + 8, 4), 0x5a5a5a5a);
	guest_write(&m->bus, BASE, 1, 4);
	assert_int_equal(m->reads, 3);
	assert_int_equal(m->writes, 1);
	/* The PBA can't be written. */
	guest_write(&m->bus, BASE + PBA, UINT64_MAX, 8);
	assert_int_equal(pba(m), 0);
	assert_int_equal(m->writes, 1);
}

static void odd_accesses(void **state)
{
	struct machine *m = *state;

	assert_int_equal(guest_read(&m->bus, entry(0, 0), 1), 0xff);
	assert_int_equal(guest_read(&m->bus, entry(0, 2), 4), UINT32_MAX);
	assert_int_equal(guest_read(&m->bus, entry(0, 4), 8), UINT64_MAX);
	assert_int_equal(guest_read(&m->bus, BASE + TABLE - 4, 8), UINT64_MAX);
	guest_write(&m->bus, entry(NR - 1, 12), 0, 8); /* over the end */
	guest_write(&m->bus, entry(0, 13), 0, 1);
	assert_int_equal(guest_read(&m->bus, entry(NR - 1, 12), 4), 1);
	assert_int_equal(m->fn.bad_accesses, 6);
	assert_int_equal(m->reads + m->writes, 0);
}

static void told_when_live(void **state)
{
	struct machine *m = *state;

	program(m, 1, ADDR, 0x31);
	mask(m, 1, false);
	assert_int_equal(m->told, 0); /* not enabled */
	control(m, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	assert_int_equal(m->told, 0);
	control(m, PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(m->told, 1);
	assert_true(m->live[1]);
	assert_int_equal(m->msi[1].address, ADDR);
	assert_int_equal(m->msi[1].data, 0x31);
	/* A new message while live; the same one again is no news. */
	guest_write(&m->bus, entry(1, PCI_MSIX_ENTRY_DATA), 0x32, 4);
	assert_int_equal(m->msi[1].data, 0x32);
	guest_write(&m->bus, entry(1, PCI_MSIX_ENTRY_DATA), 0x32, 4);
	assert_int_equal(m->told, 2);
	mask(m, 1, true);
	assert_false(m->live[1]);
	mask(m, 1, false);
	control(m, 0);
	assert_false(m->live[1]);
	assert_int_equal(m->silenced, 2);
}

static void bad_messages(void **state)
{
	static const uint64_t bad[] = {0,	   0x1000,	   0xfed00000,
				       0xfef00000, 0x1fee00000ull, 0xc0000000};
	struct machine *m = *state;

	control(m, PCI_MSIX_FLAGS_ENABLE);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		program(m, 0, bad[i], 0x31);
		mask(m, 0, false);
		pci_fn_interrupt(&m->fn, 0);
		assert_false(m->live[0]);
		mask(m, 0, true);
	}
	assert_true(m->fn.bad_messages >= sizeof(bad) / sizeof(*bad));
	assert_int_equal(fake_irq.signals, 0);
	/* From a good message to a bad one. */
	program(m, 2, ADDR, 1);
	mask(m, 2, false);
	assert_true(m->live[2]);
	guest_write(&m->bus, entry(2, 0), 0x2000, 8);
	assert_false(m->live[2]);
}

static void pending(void **state)
{
	struct machine *m = *state;

	pci_fn_interrupt(&m->fn, 0);
	assert_int_equal(pba(m), 0); /* disabled: lost, as INTx would be */
	control(m, PCI_MSIX_FLAGS_ENABLE);
	program(m, 0, ADDR, 0x40);
	pci_fn_interrupt(&m->fn, 0);
	pci_fn_interrupt(&m->fn, 0);
	pci_fn_interrupt(&m->fn, NR); /* no such vector */
	assert_int_equal(pba(m), 1);
	assert_int_equal(guest_read(&m->bus, BASE + PBA + 4, 4), 0);
	assert_int_equal(fake_irq.signals, 0);
	mask(m, 0, false);
	assert_int_equal(pba(m), 0);
	assert_int_equal(fake_irq.signals, 1);
	assert_int_equal(fake_irq.last.data, 0x40);
	pci_fn_interrupt(&m->fn, 0);
	assert_int_equal(fake_irq.signals, 2);
	/* The function mask holds all of them back. */
	control(m, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	pci_fn_interrupt(&m->fn, 0);
	assert_int_equal(pba(m), 1);
	control(m, PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(fake_irq.signals, 3);
	/* What the function knows of counts too. */
	m->waiting = true;
	assert_int_equal(pba(m), 1 << 4);
	program(m, 4, ADDR, 0x41);
	mask(m, 4, false);
	assert_int_equal(pba(m), 0);
	assert_int_equal(fake_irq.signals, 3); /* the eventfd's to deliver */
}

static void reset(void **state)
{
	struct machine *m = *state;

	control(m, PCI_MSIX_FLAGS_ENABLE);
	program(m, 0, ADDR, 0x40);
	mask(m, 0, false);
	pci_fn_reset(&m->fn);
	assert_false(m->live[0]);
	assert_int_equal(m->silenced, 1);
	guest_cfg_write(&m->bus, SLOT, PCI_BASE_ADDRESS_1, BASE, 4);
	guest_cfg_write(&m->bus, SLOT, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	assert_int_equal(guest_read(&m->bus, entry(0, 0), 8), 0);
	assert_int_equal(guest_read(&m->bus, entry(0, 8), 8), 0x100000000);
	assert_int_equal(guest_cfg_read(&m->bus, SLOT, CAP + PCI_MSIX_FLAGS, 2), NR - 1);
}

static void bad_layouts(void **state)
{
	static const struct pci_msix bad[] = {
		{.nr = PCI_MAX_VECTORS + 1, .table_bar = 1, .pba_bar = 1, .pba_off = 0x800},
		{.nr = 1, .table_bar = 0, .pba_bar = 1},		     /* no BAR 0 */
		{.nr = 1, .table_bar = 1, .pba_bar = 6},		     /* no such BAR */
		{.nr = 2, .table_bar = 1, .table_off = 0xff0, .pba_bar = 1}, /* over the end */
		{.nr = 1, .table_bar = 1, .pba_bar = 1, .pba_off = 0x1000},  /* after the end */
		{.nr = 2, .table_bar = 1, .pba_bar = 1, .pba_off = 0x18},    /* overlap */
		{.nr = 1, .table_bar = 1, .table_off = 0xfffffff8, .pba_bar = 1}, /* wraps */
	};
	struct machine *m = *state;
	static struct pci_fn fn;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		fill(&fn, m, &bad[i]);
		assert_int_equal(pci_fn_add(&m->pci, 9, &fn), -EINVAL);
	}
}

/* A 64-bit BAR of 8 GiB, with this layout in it. */
static void fill_large(struct pci_fn *fn, struct machine *m, const struct pci_msix *msix)
{
	fill(fn, m, msix);
	fn->bar[0] = (struct pci_bar){.size = 8ull << 30, .is64 = true};
	fn->bar[1].size = 0;
}

static void add_large(struct machine *m, struct pci_fn *fn, uint64_t gpa)
{
	assert_int_equal(pci_fn_add(&m->pci, 9, fn), 0);
	guest_cfg_write(&m->bus, 9, PCI_BASE_ADDRESS_1, (uint32_t)(gpa >> 32), 4);
	guest_cfg_write(&m->bus, 9, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
}

/* What lies across the 4 GiB of a large BAR, or ends there, is the bus's all the same. */
static void across_4_gib(void **state)
{
	const struct pci_msix table_across = {.nr = NR, .table_off = 0xffffffe0};
	const struct pci_msix pba_before = {.nr = NR, .pba_off = 0xfffffff8};
	const struct pci_msix overlap = {.nr = NR, .table_off = 0xffffffe0, .pba_off = 0xfffffff8};
	const uint64_t gpa = 0x800000000ull;
	uint64_t at = gpa + table_across.table_off;
	struct machine *m = *state;
	static struct pci_fn fn;

	m->pci.mmio64_base = m->pci.mmio64_size = gpa;
	fill_large(&fn, m, &table_across);
	add_large(m, &fn, gpa);
	for (unsigned int i = 0; i < NR; i++, at += PCI_MSIX_ENTRY_SIZE)
		assert_int_equal(guest_read(&m->bus, at + PCI_MSIX_ENTRY_VECTOR_CTRL, 4), 1);
	assert_int_equal(m->reads, 0);
	assert_int_equal(guest_read(&m->bus, at, 4), 0x5a5a5a5a);
	pci_fn_remove(&fn);
	fill_large(&fn, m, &pba_before);
	add_large(m, &fn, gpa);
	assert_int_equal(guest_read(&m->bus, gpa + pba_before.pba_off, 8), 0);
	assert_int_equal(m->reads, 1);
	pci_fn_remove(&fn);
	fill_large(&fn, m, &overlap);
	assert_int_equal(pci_fn_add(&m->pci, 9, &fn), -EINVAL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(capability),	   T(table_is_the_bus_s), T(odd_accesses),
		T(told_when_live), T(bad_messages),	  T(pending),
		T(reset),	   T(bad_layouts),	  T(across_4_gib),
	};

	return cmocka_run_group_tests_name("msix", tests, NULL, NULL);
}
