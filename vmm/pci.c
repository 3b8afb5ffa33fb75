// SPDX-License-Identifier: BSD-2-Clause
/* The root bus: which access goes to which function's config space. */
#include "vmm/pci.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "core/wire.h"
#include "vmm/memory.h"
#include "vmm/pci_internal.h"

#define CF8_PORT   0xcf8u
#define CF8_ENABLE (1u << 31)

/* Ids by which other monitors' bridges go, too: no driver binds them. */
#define BRIDGE_VENDOR 0x8086
#define BRIDGE_DEVICE 0x0d57
#define BRIDGE_CLASS  0x060000u

static struct pci_fn *find_fn(struct pci_bus *pci, unsigned int bus, unsigned int slot,
			      unsigned int func)
{
	return bus || func ? NULL : pci->fn[slot];
}

static void config_access(struct pci_fn *fn, uint32_t off, void *buf, uint32_t len, bool write)
{
	bool window;

	if (!fn || off >= PCI_CFG_SIZE || len > PCI_CFG_SIZE - off) {
		if (!write)
			memset(buf, 0xff, len);
		return;
	}
	atomic_fetch_add_explicit(&fn->exits.config, 1, memory_order_relaxed);
	window = pci_window_touched(fn, off, len);
	if (window && !write)
		pci_window_access(fn, false);
	pthread_mutex_lock(&fn->lock);
	if (write)
		pci_config_write(fn, off, buf, len);
	else
		pci_config_read(fn, off, buf, len);
	pthread_mutex_unlock(&fn->lock);
	if (window && write)
		pci_window_access(fn, true);
}

static void ecam_access(struct pci_bus *pci, uint64_t off, uint8_t *buf, uint32_t len, bool write)
{
	struct pci_fn *fn = find_fn(pci, (unsigned int)(off >> 20), off >> 15 & 31, off >> 12 & 7);
	uint32_t reg = off & (PCI_CFG_SIZE - 1);

	/* The bus knows no more than four bytes at once. */
	while (len) {
		uint32_t n = len > 4 ? 4 : len;

		config_access(fn, reg, buf, n, write);
		reg += n;
		buf += n;
		len -= n;
	}
}

static void ecam_read(void *ctx, uint64_t off, void *buf, uint32_t len)
{
	ecam_access(ctx, off, buf, len, false);
}

static void ecam_write(void *ctx, uint64_t off, const void *buf, uint32_t len)
{
	uint8_t copy[8];

	if (len > sizeof(copy))
		return;
	memcpy(copy, buf, len);
	ecam_access(ctx, off, copy, len, true);
}

static const struct bus_ops ecam_ops = {.read = ecam_read, .write = ecam_write};

static uint32_t cf8_get(struct pci_bus *pci)
{
	uint32_t value;

	pthread_mutex_lock(&pci->cf8_lock);
	value = pci->cf8;
	pthread_mutex_unlock(&pci->cf8_lock);
	return value;
}

/* The data ports, @off 0 to 3 from 0xCFC. */
static void cfc_access(struct pci_bus *pci, uint32_t off, void *buf, uint32_t len, bool write)
{
	uint32_t cf8 = cf8_get(pci);
	struct pci_fn *fn = NULL;

	if (cf8 & CF8_ENABLE)
		fn = find_fn(pci, cf8 >> 16 & 0xff, cf8 >> 11 & 31, cf8 >> 8 & 7);
	config_access(fn, (cf8 & 0xfc) + off, buf, len, write);
}

static void ports_read(void *ctx, uint64_t off, void *buf, uint32_t len)
{
	struct pci_bus *pci = ctx;

	if (off >= 4 && off + len <= 8) {
		cfc_access(pci, (uint32_t)off - 4, buf, len, false);
	} else if (!off && len == 4) {
		pvi_put32(buf, cf8_get(pci));
	} else {
		memset(buf, 0xff, len);
	}
}

/* Of the address port only whole writes count: its bytes are other devices' ports. */
static void ports_write(void *ctx, uint64_t off, const void *buf, uint32_t len)
{
	struct pci_bus *pci = ctx;
	uint8_t copy[4];

	if (off >= 4 && off + len <= 8) {
		memcpy(copy, buf, len);
		cfc_access(pci, (uint32_t)off - 4, copy, len, true);
	} else if (!off && len == 4) {
		pthread_mutex_lock(&pci->cf8_lock);
		pci->cf8 = pvi_get32(buf);
		pthread_mutex_unlock(&pci->cf8_lock);
	}
}

static const struct bus_ops port_ops = {.read = ports_read, .write = ports_write};

static const struct pci_fn_ops bridge_ops;

static int add_fn(struct pci_bus *pci, unsigned int slot, struct pci_fn *fn)
{
	uint8_t *cfg = fn->cfg;
	int err;

	fn->slot = slot;
	fn->wmask[PCI_COMMAND] = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	fn->wmask[PCI_COMMAND + 1] = PCI_COMMAND_INTX_DISABLE >> 8;
	fn->wmask[PCI_CACHE_LINE_SIZE] = 0xff;
	fn->wmask[PCI_INTERRUPT_LINE] = 0xff;
	if (cfg[PCI_CAPABILITY_LIST])
		pvi_put16(cfg + PCI_STATUS, PCI_STATUS_CAP_LIST);
	err = pci_bar_setup(fn);
	if (!err)
		err = pci_msix_setup(fn);
	if (err)
		return err;
	memcpy(fn->cfg_reset, cfg, sizeof(fn->cfg_reset));
	err = -pthread_mutex_init(&fn->lock, NULL);
	if (err)
		return err;
	fn->bus = pci;
	pci->fn[slot] = fn;
	return 0;
}

int pci_fn_add(struct pci_bus *pci, unsigned int slot, struct pci_fn *fn)
{
	if (!slot || slot >= PCI_MAX_SLOTS)
		return -EINVAL;
	if (pci->fn[slot])
		return -EBUSY;
	return add_fn(pci, slot, fn);
}

void pci_fn_remove(struct pci_fn *fn)
{
	if (!fn->bus)
		return;
	pci_bar_release(fn);
	fn->bus->fn[fn->slot] = NULL;
	fn->bus = NULL;
	pthread_mutex_destroy(&fn->lock);
}

int pci_init(struct pci_bus *pci, struct bus *bus, struct irq *irq)
{
	const struct bus_region ecam = {GPA_ECAM_BASE, GPA_ECAM_SIZE, &ecam_ops, pci};
	const struct bus_region ports = {CF8_PORT, 8, &port_ops, pci};
	int err;

	memset(pci, 0, sizeof(*pci));
	pci->bus = bus;
	pci->irq = irq;
	err = -pthread_mutex_init(&pci->cf8_lock, NULL);
	if (err)
		return err;
	pci->bridge.name = "host bridge";
	pci->bridge.ops = &bridge_ops;
	pci_fn_ids(&pci->bridge, BRIDGE_VENDOR, BRIDGE_DEVICE, BRIDGE_CLASS << 8, 0, 0);
	err = add_fn(pci, 0, &pci->bridge);
	if (err)
		goto err_lock;
	err = bus_add(bus, BUS_MMIO, &ecam);
	if (err)
		goto err_bridge;
	err = bus_add(bus, BUS_PIO, &ports);
	if (err)
		goto err_ecam;
	return 0;

err_ecam:
	bus_remove(bus, BUS_MMIO, ecam.base);
err_bridge:
	pci_fn_remove(&pci->bridge);
err_lock:
	pthread_mutex_destroy(&pci->cf8_lock);
	return err;
}

void pci_done(struct pci_bus *pci)
{
	bus_remove(pci->bus, BUS_MMIO, GPA_ECAM_BASE);
	bus_remove(pci->bus, BUS_PIO, CF8_PORT);
	for (unsigned int slot = 0; slot < PCI_MAX_SLOTS; slot++)
		if (pci->fn[slot])
			pci_fn_remove(pci->fn[slot]);
	pthread_mutex_destroy(&pci->cf8_lock);
}

void pci_quiesce_all(struct pci_bus *pci)
{
	for (unsigned int slot = 0; slot < PCI_MAX_SLOTS; slot++) {
		struct pci_fn *fn = pci->fn[slot];

		if (fn && fn->ops->quiesce)
			fn->ops->quiesce(fn);
	}
}

void pci_exits_write(const struct pci_exits *exits, FILE *out)
{
	fprintf(out,
		"\"exits\":{\"config\":%" PRIu64 ",\"msix_table\":%" PRIu64 ",\"mmio\":%" PRIu64
		",\"pio\":%" PRIu64 "}",
		exits->config, exits->table, exits->mmio, exits->pio);
}

void pci_fn_reset(struct pci_fn *fn)
{
	pthread_mutex_lock(&fn->lock);
	pci_config_reset(fn);
	pthread_mutex_unlock(&fn->lock);
	if (fn->ops->reset)
		fn->ops->reset(fn);
}
