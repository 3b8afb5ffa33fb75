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
#ifndef VMM_VFU_IRQ_H
#define VMM_VFU_IRQ_H

#include "vmm/irq.h"
#include "vmm/pci.h"

struct vfu_irqs {
	struct irq *irq;
	unsigned int nr;
	struct {
		int fd;
		unsigned int gsi;
		bool attached;
	} vector[PCI_MAX_VECTORS];
};

/* @nr at most PCI_MAX_VECTORS. -ENOSPC: no GSI is left; or what eventfd() gave. */
int vfu_irqs_init(struct vfu_irqs *irqs, struct irq *irq, unsigned int nr);
void vfu_irqs_done(struct vfu_irqs *irqs);

/* @msi NULL: the vector's interrupts wait in its eventfd. */
int vfu_irqs_set(struct vfu_irqs *irqs, unsigned int vector, const struct irq_msi *msi);
bool vfu_irqs_pending(struct vfu_irqs *irqs, unsigned int vector);
void vfu_irqs_detach_all(struct vfu_irqs *irqs);

#endif
