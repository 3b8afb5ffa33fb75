// SPDX-License-Identifier: BSD-2-Clause
/* MSI-X: the capability, the vector table and the pending bits of a function. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "core/wire.h"
#include "vmm/log.h"
#include "vmm/pci_internal.h"

#define ENTRY_SIZE PCI_MSIX_ENTRY_SIZE

/* Where the local APICs take interrupt messages; everything else is memory. */
#define MSI_BASE 0xfee00000ull
#define MSI_MASK 0xfff00000ull

/* In 64 bits, as sums with offsets are: a large BAR may have either across its 4 GiB. */
static uint64_t table_size(const struct pci_msix *msix)
{
	return (uint64_t)msix->nr * ENTRY_SIZE;
}

static uint64_t pba_size(const struct pci_msix *msix)
{
	return (msix->nr + 63) / 64 * 8;
}

void pci_fn_msix(struct pci_fn *fn, uint8_t cap, uint8_t next, const struct pci_msix *msix)
{
	uint8_t *c = fn->cfg + cap;

	fn->msix = *msix;
	fn->msix.cap = cap;
	c[0] = PCI_CAP_ID_MSIX;
	c[1] = next;
	pvi_put16(c + PCI_MSIX_FLAGS, (uint16_t)(msix->nr - 1));
	pvi_put32(c + PCI_MSIX_TABLE, msix->table_off | msix->table_bar);
	pvi_put32(c + PCI_MSIX_PBA, msix->pba_off | msix->pba_bar);
	fn->wmask[cap + PCI_MSIX_FLAGS + 1] = (PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL) >> 8;
}

static bool area_valid(const struct pci_fn *fn, unsigned int bar, uint32_t off, uint64_t size)
{
	return bar < PCI_MAX_BARS && !(off & 7) && fn->bar[bar].size && !fn->bar[bar].io &&
	       off < fn->bar[bar].size && size <= fn->bar[bar].size - off;
}

static void power_on(struct pci_fn *fn)
{
	for (unsigned int i = 0; i < PCI_MAX_VECTORS; i++)
		fn->vector[i] = (struct pci_vector){.masked = true};
	fn->msix_enabled = false;
	fn->msix_masked_all = false;
}

int pci_msix_setup(struct pci_fn *fn)
{
	const struct pci_msix *m = &fn->msix;

	power_on(fn);
	if (!m->nr)
		return 0;
	if (m->nr > PCI_MAX_VECTORS || m->cap < PCI_CFG_CAPS ||
	    m->cap > PCI_CFG_LEGACY - PCI_CAP_MSIX_SIZEOF)
		return -EINVAL;
	if (!area_valid(fn, m->table_bar, m->table_off, table_size(m)) ||
	    !area_valid(fn, m->pba_bar, m->pba_off, pba_size(m)))
		return -EINVAL;
	if (m->table_bar == m->pba_bar && m->table_off < m->pba_off + pba_size(m) &&
	    m->pba_off < m->table_off + table_size(m))
		return -EINVAL;
	return 0;
}

static bool message_valid(const struct irq_msi *msi)
{
	return (msi->address & ~(uint64_t)UINT32_MAX) == 0 && (msi->address & MSI_MASK) == MSI_BASE;
}

static bool deliverable(struct pci_fn *fn, const struct pci_vector *v)
{
	if (!fn->msix_enabled || fn->msix_masked_all || v->masked)
		return false;
	if (message_valid(&v->msi))
		return true;
	if (!fn->bad_messages++)
		log_warn("%s: the guest set an MSI-X message to 0x%llx, which is no interrupt: "
			 "the vector stays silent",
			 fn->name, (unsigned long long)v->msi.address);
	return false;
}

static void tell(struct pci_fn *fn, unsigned int i, const struct irq_msi *msi)
{
	if (fn->ops->vector)
		fn->ops->vector(fn, i, msi);
}

/* After any change: vector @i works as table, function mask and enable bit say. */
static void vector_update(struct pci_fn *fn, unsigned int i)
{
	struct pci_vector *v = &fn->vector[i];

	if (!deliverable(fn, v)) {
		if (v->live)
			tell(fn, i, NULL);
		v->live = false;
		return;
	}
	if (!v->live || v->told.address != v->msi.address || v->told.data != v->msi.data) {
		v->live = true;
		v->told = v->msi;
		tell(fn, i, &v->told);
	}
	if (v->pending) {
		v->pending = false;
		irq_signal_msi(fn->bus->irq, &v->msi);
	}
}

void pci_msix_control(struct pci_fn *fn)
{
	uint16_t flags = pvi_get16(fn->cfg + fn->msix.cap + PCI_MSIX_FLAGS);

	fn->msix_enabled = flags & PCI_MSIX_FLAGS_ENABLE;
	fn->msix_masked_all = flags & PCI_MSIX_FLAGS_MASKALL;
	for (unsigned int i = 0; i < fn->msix.nr; i++) {
		if (!fn->msix_enabled)
			fn->vector[i].pending = false;
		vector_update(fn, i);
	}
}

void pci_msix_reset(struct pci_fn *fn)
{
	fn->msix_enabled = false;
	for (unsigned int i = 0; i < fn->msix.nr; i++)
		vector_update(fn, i);
	power_on(fn);
}

void pci_fn_interrupt(struct pci_fn *fn, unsigned int vector)
{
	pthread_mutex_lock(&fn->lock);
	if (vector < fn->msix.nr && fn->msix_enabled) {
		fn->vector[vector].pending = true;
		vector_update(fn, vector);
	}
	pthread_mutex_unlock(&fn->lock);
}

static uint32_t entry_get(const struct pci_vector *v, uint32_t field)
{
	switch (field) {
	case PCI_MSIX_ENTRY_LOWER_ADDR:
		return (uint32_t)v->msi.address;
	case PCI_MSIX_ENTRY_UPPER_ADDR:
		return (uint32_t)(v->msi.address >> 32);
	case PCI_MSIX_ENTRY_DATA:
		return v->msi.data;
	default:
		return v->masked ? PCI_MSIX_ENTRY_CTRL_MASKBIT : 0;
	}
}

static void entry_set(struct pci_vector *v, uint32_t field, uint32_t value)
{
	switch (field) {
	case PCI_MSIX_ENTRY_LOWER_ADDR:
		v->msi.address = (v->msi.address & ~(uint64_t)UINT32_MAX) | (value & ~3u);
		break;
	case PCI_MSIX_ENTRY_UPPER_ADDR:
		v->msi.address = (v->msi.address & UINT32_MAX) | (uint64_t)value << 32;
		break;
	case PCI_MSIX_ENTRY_DATA:
		v->msi.data = value;
		break;
	default:
		v->masked = value & PCI_MSIX_ENTRY_CTRL_MASKBIT;
		break;
	}
}

/*
 * An 8-byte write is one change of the entry: a guest that writes the address
 * whole must not have it looked at by halves.
 */
static void table_write(struct pci_fn *fn, uint32_t off, const uint8_t *buf, uint32_t len)
{
	unsigned int i = off / ENTRY_SIZE;

	for (uint32_t done = 0; done < len; done += 4)
		entry_set(&fn->vector[i], off % ENTRY_SIZE + done, pvi_get32(buf + done));
	vector_update(fn, i);
}

static void table_read(struct pci_fn *fn, uint32_t off, uint8_t *buf, uint32_t len)
{
	unsigned int i = off / ENTRY_SIZE;

	for (uint32_t done = 0; done < len; done += 4)
		pvi_put32(buf + done, entry_get(&fn->vector[i], off % ENTRY_SIZE + done));
}

static bool vector_pending(struct pci_fn *fn, unsigned int i)
{
	const struct pci_vector *v = &fn->vector[i];

	return v->pending || (!v->live && fn->ops->pending && fn->ops->pending(fn, i));
}

static void pba_read(struct pci_fn *fn, uint32_t off, uint8_t *buf, uint32_t len)
{
	memset(buf, 0, len);
	for (uint32_t bit = 0; bit < 8 * len; bit++) {
		unsigned int i = 8 * off + bit;

		if (i < fn->msix.nr && vector_pending(fn, i))
			buf[bit / 8] |= (uint8_t)(1u << bit % 8);
	}
}

enum area { AREA_NONE, AREA_TABLE, AREA_PBA, AREA_BAD };

/* Whose access is it? AREA_BAD: neither all of it in one area nor all of it outside. */
static enum area find_area(const struct pci_fn *fn, unsigned int bar, uint64_t off, uint32_t len)
{
	const struct pci_msix *m = &fn->msix;
	bool whole = (len == 4 || len == 8) && !(off % len);

	if (!m->nr)
		return AREA_NONE;
	if (bar == m->table_bar && off < m->table_off + table_size(m) && off + len > m->table_off)
		return whole ? AREA_TABLE : AREA_BAD;
	if (bar == m->pba_bar && off < m->pba_off + pba_size(m) && off + len > m->pba_off)
		return whole ? AREA_PBA : AREA_BAD;
	return AREA_NONE;
}

static void bad_access(struct pci_fn *fn)
{
	pthread_mutex_lock(&fn->lock);
	fn->bad_accesses++;
	pthread_mutex_unlock(&fn->lock);
}

bool pci_msix_read(struct pci_fn *fn, unsigned int bar, uint64_t off, void *buf, uint32_t len)
{
	enum area area = find_area(fn, bar, off, len);

	if (area == AREA_NONE)
		return false;
	if (area == AREA_BAD) {
		bad_access(fn);
		memset(buf, 0xff, len);
		return true;
	}
	pthread_mutex_lock(&fn->lock);
	if (area == AREA_TABLE)
		table_read(fn, (uint32_t)(off - fn->msix.table_off), buf, len);
	else
		pba_read(fn, (uint32_t)(off - fn->msix.pba_off), buf, len);
	pthread_mutex_unlock(&fn->lock);
	return true;
}

bool pci_msix_write(struct pci_fn *fn, unsigned int bar, uint64_t off, const void *buf,
		    uint32_t len)
{
	enum area area = find_area(fn, bar, off, len);

	if (area == AREA_NONE)
		return false;
	if (area == AREA_BAD)
		bad_access(fn);
	if (area != AREA_TABLE)
		return true;
	pthread_mutex_lock(&fn->lock);
	table_write(fn, (uint32_t)(off - fn->msix.table_off), buf, len);
	pthread_mutex_unlock(&fn->lock);
	return true;
}
