/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the PCI bus share. All of it wants the function's lock held. */
#ifndef VMM_PCI_INTERNAL_H
#define VMM_PCI_INTERNAL_H

#include "vmm/pci.h"

/* pci_config.c: @off + @len is within config space; @len 1 to 4. */
void pci_config_read(struct pci_fn *fn, uint32_t off, void *buf, uint32_t len);
void pci_config_write(struct pci_fn *fn, uint32_t off, const void *buf, uint32_t len);
void pci_config_reset(struct pci_fn *fn);

/* pci_bar.c. setup: 0, or -EINVAL when the BARs make no sense. */
int pci_bar_setup(struct pci_fn *fn);
void pci_bar_update(struct pci_fn *fn);
void pci_bar_release(struct pci_fn *fn); /* lets go of its places, tells nobody */

/* pci_msix.c. setup as above. */
int pci_msix_setup(struct pci_fn *fn);
void pci_msix_control(struct pci_fn *fn);
void pci_msix_reset(struct pci_fn *fn);

/*
 * Does the access to BAR @bar belong to the table or the PBA? Then it is served,
 * and true is returned. These take the lock themselves.
 */
bool pci_msix_read(struct pci_fn *fn, unsigned int bar, uint64_t off, void *buf, uint32_t len);
bool pci_msix_write(struct pci_fn *fn, unsigned int bar, uint64_t off, const void *buf,
		    uint32_t len);

/* pci_bar.c: an access to BAR @bar by whatever way; beyond its end nobody answers. No lock held. */
void pci_bar_access(struct pci_fn *fn, unsigned int bar, uint64_t off, void *buf, uint32_t len,
		    bool write);

/*
 * pci_window.c: does the config access reach the access capability's data? Before
 * such a read and after such a write, the BAR is accessed; no lock held.
 */
bool pci_window_touched(const struct pci_fn *fn, uint32_t off, uint32_t len);
void pci_window_access(struct pci_fn *fn, bool write);

#endif
