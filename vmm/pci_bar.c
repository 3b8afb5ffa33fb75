// SPDX-License-Identifier: BSD-2-Clause
/* Where a function's BARs decode, and the accesses that reach them. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "core/wire.h"
#include "vmm/log.h"
#include "vmm/memory.h"
#include "vmm/pci_internal.h"

#define MEM_MASK  0xfffffff0u
#define IO_MASK	  0xfffffffcu
#define ROM_MASK  PCI_ROM_ADDRESS_MASK
#define ROM_LEAST 2048u

static uint8_t *bar_reg(uint8_t *space, unsigned int bar)
{
	return space + (bar == PCI_ROM_BAR ? PCI_ROM_ADDRESS : PCI_BASE_ADDRESS_0 + 4 * bar);
}

/* The bits of its register that are an address. */
static uint32_t bar_mask(const struct pci_fn *fn, unsigned int i)
{
	if (i == PCI_ROM_BAR)
		return (uint32_t)ROM_MASK;
	return fn->bar[i].io ? IO_MASK : MEM_MASK;
}

static uint32_t bar_flags(const struct pci_bar *bar)
{
	if (bar->io)
		return PCI_BASE_ADDRESS_SPACE_IO;
	return (bar->is64 ? PCI_BASE_ADDRESS_MEM_TYPE_64 : 0) |
	       (bar->prefetch ? PCI_BASE_ADDRESS_MEM_PREFETCH : 0);
}

static bool bar_valid(const struct pci_fn *fn, unsigned int i)
{
	const struct pci_bar *bar = &fn->bar[i];
	uint64_t least = i == PCI_ROM_BAR ? ROM_LEAST : bar->io ? 4 : 16;
	uint64_t most = bar->io ? PCI_PORT_SIZE : bar->is64 ? 1ull << 62 : 1ull << 31;

	if (bar->size < least || bar->size > most || (bar->size & (bar->size - 1)))
		return false;
	if (i == PCI_ROM_BAR && (bar->io || bar->is64 || bar->prefetch))
		return false;
	if (!bar->is64)
		return true;
	return !bar->io && i + 1 < PCI_MAX_BARS && !fn->bar[i + 1].size;
}

int pci_bar_setup(struct pci_fn *fn)
{
	for (unsigned int i = 0; i < PCI_NR_BARS; i++) {
		struct pci_bar *bar = &fn->bar[i];

		if (!bar->size)
			continue;
		if (!bar_valid(fn, i))
			return -EINVAL;
		bar->gpa = 0;
		fn->ref[i] = (struct pci_bar_ref){fn, i};
		pvi_put32(bar_reg(fn->cfg, i), bar_flags(bar));
		/* The guest finds the size by writing ones: the mask is all it takes. */
		pvi_put32(bar_reg(fn->wmask, i),
			  ((uint32_t) ~(bar->size - 1) & bar_mask(fn, i)) |
				  (i == PCI_ROM_BAR ? PCI_ROM_ADDRESS_ENABLE : 0));
		if (bar->is64)
			pvi_put32(bar_reg(fn->wmask, i + 1), (uint32_t)(~(bar->size - 1) >> 32));
		if (bar->io)
			fn->wmask[PCI_COMMAND] |= PCI_COMMAND_IO;
	}
	return 0;
}

static bool enabled(const struct pci_fn *fn, unsigned int i)
{
	if (i == PCI_ROM_BAR && !(fn->cfg[PCI_ROM_ADDRESS] & PCI_ROM_ADDRESS_ENABLE))
		return false;
	return fn->cfg[PCI_COMMAND] & (fn->bar[i].io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY);
}

/* Where the guest put the BAR, decoding or not. */
static uint64_t placement(struct pci_fn *fn, unsigned int i)
{
	const struct pci_bar *bar = &fn->bar[i];
	uint64_t gpa = pvi_get32(bar_reg(fn->cfg, i)) & bar_mask(fn, i);

	if (bar->is64)
		gpa |= (uint64_t)pvi_get32(bar_reg(fn->cfg, i + 1)) << 32;
	return gpa;
}

static bool within(uint64_t gpa, uint64_t size, uint64_t base, uint64_t window)
{
	return gpa >= base && size <= window && gpa - base <= window - size;
}

static bool placeable(const struct pci_bus *pci, const struct pci_bar *bar, uint64_t gpa)
{
	if (bar->io)
		return within(gpa, bar->size, PCI_PORT_BASE, PCI_PORT_SIZE);
	return within(gpa, bar->size, GPA_MMIO32_BASE, GPA_MMIO32_SIZE) ||
	       within(gpa, bar->size, pci->mmio64_base, pci->mmio64_size);
}

static void refused(struct pci_fn *fn, unsigned int i, uint64_t gpa)
{
	if (!fn->bad_bars++)
		log_warn("%s: the guest put BAR %u at 0x%llx, where it can't decode: it answers "
			 "nowhere",
			 fn->name, i, (unsigned long long)gpa);
}

static void count(atomic_uint_fast64_t *exits)
{
	atomic_fetch_add_explicit(exits, 1, memory_order_relaxed);
}

void pci_bar_access(struct pci_fn *fn, unsigned int bar, uint64_t off, void *buf, uint32_t len,
		    bool write)
{
	uint64_t size = fn->bar[bar].size;

	if (off >= size || len > size - off) {
		if (!write)
			memset(buf, 0xff, len);
		return;
	}
	if (write ? pci_msix_write(fn, bar, off, buf, len)
		  : pci_msix_read(fn, bar, off, buf, len)) {
		count(&fn->exits.table);
		return;
	}
	count(fn->bar[bar].io ? &fn->exits.pio : &fn->exits.mmio);
	if (write)
		fn->ops->bar_write(fn, bar, off, buf, len);
	else
		fn->ops->bar_read(fn, bar, off, buf, len);
}

static void bar_read(void *ctx, uint64_t off, void *buf, uint32_t len)
{
	const struct pci_bar_ref *ref = ctx;

	pci_bar_access(ref->fn, ref->bar, off, buf, len, false);
}

static void bar_write(void *ctx, uint64_t off, const void *buf, uint32_t len)
{
	const struct pci_bar_ref *ref = ctx;
	uint8_t copy[8];

	if (len > sizeof(copy))
		return;
	memcpy(copy, buf, len);
	pci_bar_access(ref->fn, ref->bar, off, copy, len, true);
}

static const struct bus_ops bar_ops = {.read = bar_read, .write = bar_write};

static enum bus_space space_of(const struct pci_bar *bar)
{
	return bar->io ? BUS_PIO : BUS_MMIO;
}

static void moved(struct pci_fn *fn, unsigned int i, uint64_t gpa)
{
	fn->bar[i].gpa = gpa;
	if (fn->ops->bar_moved)
		fn->ops->bar_moved(fn, i, gpa);
}

static void place(struct pci_fn *fn, unsigned int i, uint64_t gpa)
{
	const struct pci_bar *bar = &fn->bar[i];
	const struct bus_region region = {gpa, bar->size, &bar_ops, &fn->ref[i]};

	if (!placeable(fn->bus, bar, gpa) || bus_add(fn->bus->bus, space_of(bar), &region))
		refused(fn, i, gpa);
	else
		moved(fn, i, gpa);
}

/* Its place is free for others, on other vCPUs, once KVM has nothing there any more. */
static void leave(struct pci_fn *fn, unsigned int i)
{
	uint64_t gpa = fn->bar[i].gpa;

	moved(fn, i, 0);
	bus_remove(fn->bus->bus, space_of(&fn->bar[i]), gpa);
}

/*
 * Makes decoding follow the command register and the BARs. All that leave their
 * place do so, and are told, before any takes a new one: the guest may swap two BARs,
 * and what KVM has of either would be in the other's way.
 */
void pci_bar_update(struct pci_fn *fn)
{
	uint64_t want[PCI_NR_BARS];

	for (unsigned int i = 0; i < PCI_NR_BARS; i++) {
		const struct pci_bar *bar = &fn->bar[i];

		want[i] = bar->size && enabled(fn, i) ? placement(fn, i) : 0;
		if (bar->gpa && bar->gpa != want[i])
			leave(fn, i);
	}
	for (unsigned int i = 0; i < PCI_NR_BARS; i++)
		if (want[i] && !fn->bar[i].gpa)
			place(fn, i, want[i]);
}

void pci_bar_release(struct pci_fn *fn)
{
	for (unsigned int i = 0; i < PCI_NR_BARS; i++) {
		if (fn->bar[i].gpa)
			bus_remove(fn->bus->bus, space_of(&fn->bar[i]), fn->bar[i].gpa);
		fn->bar[i].gpa = 0;
	}
}
