/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One PCI Express root bus: ECAM, the 0xCF8 mechanism, type-0 functions with
 * BARs and MSI-X. The bus owns config space, BAR placement and the MSI-X table
 * of every function, simulated ones included.
 *
 * A BAR decodes only within the root bus's windows, which hold nothing else: the
 * hole below 4 GiB, the window above RAM, and I/O ports from 0x1000 on. So the
 * guest can put a BAR neither on RAM nor on ECAM, the APICs or another BAR.
 */
#ifndef VMM_PCI_H
#define VMM_PCI_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "vmm/bus.h"
#include "vmm/irq.h"

#define PCI_MAX_SLOTS	32
#define PCI_MAX_BARS	6
#define PCI_ROM_BAR	6 /* the option ROM is a BAR like the others, with a place of its own */
#define PCI_NR_BARS	7
#define PCI_MAX_VECTORS 64
#define PCI_CFG_SIZE	4096
#define PCI_CFG_CAPS	0x40 /* capabilities start here */
#define PCI_CFG_LEGACY	256

/* Ports that an I/O BAR may decode. */
#define PCI_PORT_BASE 0x1000u
#define PCI_PORT_SIZE 0xf000u

struct pci_fn;
struct pci_bus;

/*
 * Called from vCPU threads, except reset (the main thread) and quiesce (any). All but
 * the BAR accesses are called with the function's lock held, in the order of the
 * guest's writes: they must not call back into the bus for this function.
 */
struct pci_fn_ops {
	/*
	 * BAR accesses outside the MSI-X table and PBA, which may come for a moment
	 * after the BAR has moved away, too; no lock held.
	 */
	void (*bar_read)(struct pci_fn *fn, unsigned int bar, uint64_t off, void *buf,
			 uint32_t len);
	void (*bar_write)(struct pci_fn *fn, unsigned int bar, uint64_t off, const void *buf,
			  uint32_t len);
	/* The command register's bus master bit changed; may be NULL. */
	void (*bus_master)(struct pci_fn *fn, bool on);
	/*
	 * BAR @bar now decodes at @gpa (0: not at all, from where it may go on to
	 * another place): move doorbells; may be NULL.
	 */
	void (*bar_moved)(struct pci_fn *fn, unsigned int bar, uint64_t gpa);
	/* The guest wrote config space, and the other operations were told; may be NULL. */
	void (*config_written)(struct pci_fn *fn);
	/* An MSI-X vector was masked or given a message (NULL: masked); may be NULL. */
	void (*vector)(struct pci_fn *fn, unsigned int vector, const struct irq_msi *msi);
	/* Is an interrupt waiting behind a masked vector? NULL: the bus's own record is all. */
	bool (*pending)(struct pci_fn *fn, unsigned int vector);
	/* System reset, step 1; may be NULL: no DMA and no interrupt after this returns. */
	void (*quiesce)(struct pci_fn *fn);
	/* System reset, step 2; may be NULL: back to power-on state. */
	void (*reset)(struct pci_fn *fn);
};

struct pci_bar {
	uint64_t size; /* bytes, a power of two; 0: absent */
	uint64_t gpa;  /* where it decodes now; 0: nowhere */
	bool is64, prefetch, io;
};

struct pci_msix {
	unsigned int nr; /* vectors; 0: none */
	unsigned int table_bar, pba_bar;
	uint32_t table_off, pba_off;
	uint8_t cap; /* offset in config space */
};

/* Which BAR a bus region belongs to. */
struct pci_bar_ref {
	struct pci_fn *fn;
	unsigned int bar;
};

/*
 * What the guest went for when it left for this function's sake: its config space, the MSI-X
 * table or PBA, memory and I/O BARs. Any thread.
 */
struct pci_exits {
	atomic_uint_fast64_t config, table, mmio, pio;
};

/* One MSI-X vector. @live: what ops->vector was last told is @told, not NULL. */
struct pci_vector {
	struct irq_msi msi;
	struct irq_msi told;
	bool masked, pending, live;
};

/*
 * Fill before pci_fn_add(): ids, BARs, MSI-X, cfg[] from 0x40 on with wmask[], and
 * cfg[0x34] when there are capabilities.
 */
struct pci_fn {
	const struct pci_fn_ops *ops;
	const char *name;
	void *ctx;
	uint8_t cfg[PCI_CFG_SIZE];
	uint8_t wmask[PCI_CFG_SIZE]; /* bits that the guest may write */
	struct pci_bar bar[PCI_NR_BARS];
	struct pci_msix msix;
	uint8_t window; /* virtio's PCI access capability (pci_fn_window()), 0: none */

	/* below: the bus's */
	struct pci_bus *bus;
	unsigned int slot;    /* endpoint id: slot << 3 */
	pthread_mutex_t lock; /* config space and MSI-X table; taken before bus and irq locks */
	struct pci_vector vector[PCI_MAX_VECTORS];
	bool msix_enabled, msix_masked_all;
	struct pci_bar_ref ref[PCI_NR_BARS];
	uint8_t cfg_reset[PCI_CFG_LEGACY]; /* config space at power-on */
	uint64_t bad_bars;		   /* placements that can't decode */
	uint64_t bad_messages;		   /* MSI-X messages that are no interrupt message */
	uint64_t bad_accesses;		   /* of table and PBA: odd sizes, across an edge */
	struct pci_exits exits;
};

struct pci_bus {
	struct bus *bus;
	struct irq *irq;
	struct pci_fn *fn[PCI_MAX_SLOTS];
	/* Window for 64-bit BARs, above RAM; set before the first vCPU runs. Size 0: none. */
	uint64_t mmio64_base, mmio64_size;
	struct pci_fn bridge;
	uint32_t cf8;
	pthread_mutex_t cf8_lock; /* guards cf8; held for no call */
};

/* The line that a slot's interrupt pin leads to: level, by _PRT. */
static inline unsigned int pci_slot_gsi(unsigned int slot)
{
	return 16 + slot % 8;
}

/* Registers ECAM and 0xCF8-0xCFF; the host bridge is function 0. */
int pci_init(struct pci_bus *pci, struct bus *bus, struct irq *irq);
void pci_done(struct pci_bus *pci);

/* Fixed part of a header: what pci_fn_add() does not know. */
void pci_fn_ids(struct pci_fn *fn, uint16_t vendor, uint16_t device, uint32_t class_rev,
		uint16_t sub_vendor, uint16_t sub_device);

/* Puts an MSI-X capability at @cap with its table and PBA; @next continues the list. */
void pci_fn_msix(struct pci_fn *fn, uint8_t cap, uint8_t next, const struct pci_msix *msix);

/*
 * The virtio PCI access capability at @cap (VIRTIO 1.3, 4.1.4.9): through its
 * last four bytes the guest reaches the BARs, by way of the bus alone.
 */
void pci_fn_window(struct pci_fn *fn, uint8_t cap);

/*
 * @slot: 1 to 31; -EBUSY when taken, -EINVAL when its description is wrong. Before
 * the first vCPU runs, and removal after the last one has stopped: slots are read
 * unlocked.
 */
int pci_fn_add(struct pci_bus *pci, unsigned int slot, struct pci_fn *fn);

/* Before or after pci_done(); nothing happens when @fn is on no bus. */
void pci_fn_remove(struct pci_fn *fn);

/* Delivers a vector by message (for functions without irqfds); sets pending when masked. */
void pci_fn_interrupt(struct pci_fn *fn, unsigned int vector);

/* As a JSON object, with its name before it: "exits":{...} */
void pci_exits_write(const struct pci_exits *exits, FILE *out);

/* All functions: quiesce, in slot order. Then reset, by the caller's order. */
void pci_quiesce_all(struct pci_bus *pci);

/* Config space, BARs and MSI-X of one function back to power-on, then its ops->reset. */
void pci_fn_reset(struct pci_fn *fn);

#endif
