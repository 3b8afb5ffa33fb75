/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A real device's BARs: mapped into the guest where the guest puts them, so that its accesses
 * do not exit. The pages of the MSI-X table and its pending bits are left out, and so is what
 * VFIO cannot map (I/O ports, BARs smaller than a page): there the bus traps, and accesses go
 * by the device's file.
 *
 * Not locked: the owner sees to it that one thread at a time moves a BAR.
 */
#ifndef VMM_VFIO_BAR_H
#define VMM_VFIO_BAR_H

#include "vmm/memslot.h"
#include "vmm/vfio_probe.h"

/* Each area may be cut in two places. */
#define VFIO_MAX_MAPS (PCI_MAX_BARS * (VFIO_MAX_AREAS + 2))

struct vfio_map {
	unsigned int bar;
	uint64_t off, size;
	void *hva;
	bool placed; /* the guest has it, in slot */
	unsigned int slot;
};

struct vfio_bars {
	struct memslots *slots;
	struct vfio_map map[VFIO_MAX_MAPS];
	unsigned int nr;
};

/* Maps what there is to map; what cannot be is trapped. */
void vfio_bars_init(struct vfio_bars *bars, struct memslots *slots, const struct vfio_desc *desc,
		    const struct pci_msix *msix);
void vfio_bars_done(struct vfio_bars *bars);

/* BAR @bar decodes at @gpa now, 0: nowhere. What KVM does not take is trapped: -errno, of it. */
int vfio_bars_move(struct vfio_bars *bars, unsigned int bar, uint64_t gpa);
/* Nowhere, all of them. On return no vCPU reaches the device. */
void vfio_bars_withdraw(struct vfio_bars *bars);

/* A trapped access, of 1 to 8 bytes within the BAR; 0 or -errno. */
int vfio_bars_read(const struct vfio_desc *desc, unsigned int bar, uint64_t off, void *buf,
		   uint32_t len);
int vfio_bars_write(const struct vfio_desc *desc, unsigned int bar, uint64_t off, const void *buf,
		    uint32_t len);

#endif
