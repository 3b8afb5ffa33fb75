/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guest sees of a device that is not ours (a device process's, the host's) is built anew,
 * from its config space: what is taken over is taken one piece at a time, and checked.
 */
#ifndef PVI_VMM_PCI_COPY_H
#define PVI_VMM_PCI_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/pci.h"

struct pci_copy {
	const uint8_t *cfg; /* the device's: PCI_CFG_LEGACY bytes, private to the VMM */
	struct pci_fn *fn;  /* what is built */
	char *why;	    /* where a complaint goes, with no full stop: "its BAR 1 ..." */
	size_t why_size;    /* bytes */
	/* The capability list: what is taken, and where the next pointer goes. */
	bool taken[PCI_CFG_LEGACY];
	unsigned int link;
};

void pci_copy_init(struct pci_copy *c, const uint8_t *cfg, struct pci_fn *fn, char *why,
		   size_t why_size);

/* Complains. Returns -EPROTO. */
int pci_copy_wrong(struct pci_copy *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * The kind of BAR @i, which has @size bytes; false: it is a 64-bit one, and its upper half is
 * missing or, as @upper_size is not 0, a BAR of its own.
 */
bool pci_copy_bar(struct pci_copy *c, unsigned int i, uint64_t size, uint64_t upper_size);

/* Appends the capability at @at, of @len bytes, to the list. Its contents are the caller's. */
int pci_copy_take(struct pci_copy *c, uint8_t at, unsigned int len);

/* The same, with its contents. */
int pci_copy_take_whole(struct pci_copy *c, uint8_t at, unsigned int len);

/* Where the MSI-X capability at @at has its table; nr: as many vectors as it says. */
struct pci_msix pci_copy_msix(const struct pci_copy *c, uint8_t at);

/* The length that a vendor-specific capability says; less than 3 is none. */
unsigned int pci_copy_vendor_len(const struct pci_copy *c, uint8_t at);

/* Calls @one with each capability that the device lists, until it fails. */
int pci_copy_caps(struct pci_copy *c, int (*one)(struct pci_copy *c, uint8_t at, void *arg),
		  void *arg);

#endif
