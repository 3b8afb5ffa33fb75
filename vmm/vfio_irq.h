/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts of a real device: its line, MSI or MSI-X, one at a time as VFIO wants it. KVM
 * delivers them: the device's eventfd is an irqfd. A line is level: the host masks it as it
 * fires, and the guest's acknowledgement (resample irqfd) unmasks it.
 *
 * All MSI-X vectors are set up at once: VFIO of 6.1 adds none to an enabled device. Those
 * that the guest masks just collect in their eventfds.
 *
 * Not locked: for one thread at a time.
 */
#ifndef VMM_VFIO_IRQ_H
#define VMM_VFIO_IRQ_H

#include "vmm/irq.h"
#include "vmm/irq_vectors.h"

enum vfio_irq_mode { VFIO_IRQ_OFF, VFIO_IRQ_INTX, VFIO_IRQ_MSI, VFIO_IRQ_MSIX };

struct vfio_irq {
	struct irq *irq;
	int device; /* VFIO's fd */
	enum vfio_irq_mode mode;
	unsigned int nr_on;	    /* vectors of the mode */
	struct irq_vectors vectors; /* of MSI and MSI-X */
	unsigned int gsi;	    /* of the line */
	int line_fd, ack_fd;
};

/* For up to @nr vectors; @gsi: the line of the device's slot. */
int vfio_irq_init(struct vfio_irq *vi, struct irq *irq, int device, unsigned int nr,
		  unsigned int gsi);
void vfio_irq_done(struct vfio_irq *vi);

/*
 * Leaves the present mode and enters @mode with @nr vectors (1 of a line). -errno: the
 * device is left without interrupts. -EBUSY of a line: the host shares it with another
 * device, and this one cannot mask it. Nothing happens when it is so already.
 */
int vfio_irq_enter(struct vfio_irq *vi, enum vfio_irq_mode mode, unsigned int nr);

/* A vector's message, NULL: masked. Whatever the mode; -errno, -EINVAL for no such vector. */
int vfio_irq_vector(struct vfio_irq *vi, unsigned int vector, const struct irq_msi *msi);
/* Is an interrupt waiting behind a masked vector? */
bool vfio_irq_pending(struct vfio_irq *vi, unsigned int vector);

const char *vfio_irq_name(enum vfio_irq_mode mode);

#endif
