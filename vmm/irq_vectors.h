/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interrupts of a device by messages: one eventfd a vector, which a simulated
 * device or, for a real one, VFIO signals, and KVM turns into the vector's message
 * while it is unmasked.
 *
 * What bounds their rate: a vector that is pending is not pending twice, so the
 * device costs the guest one interrupt after the other at most, and the guest
 * stops them by masking the vector or resetting the device.
 *
 * The owner serialises calls.
 */
#ifndef VMM_IRQ_VECTORS_H
#define VMM_IRQ_VECTORS_H

#include "vmm/irq.h"
#include "vmm/pci.h"

struct irq_vectors {
	struct irq *irq;
	unsigned int nr;
	struct {
		int fd;
		unsigned int gsi;
		bool attached;
	} vector[PCI_MAX_VECTORS];
};

/* @nr at most PCI_MAX_VECTORS. -ENOSPC: no GSI is left; or what eventfd() gave. */
int irq_vectors_init(struct irq_vectors *irqs, struct irq *irq, unsigned int nr);
void irq_vectors_done(struct irq_vectors *irqs);

/* @msi NULL: the vector's interrupts wait in its eventfd. */
int irq_vectors_set(struct irq_vectors *irqs, unsigned int vector, const struct irq_msi *msi);
bool irq_vectors_pending(struct irq_vectors *irqs, unsigned int vector);
void irq_vectors_detach_all(struct irq_vectors *irqs);

#endif
