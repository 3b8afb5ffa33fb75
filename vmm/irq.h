/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts into the guest: the in-kernel irqchip's lines, MSI messages, and
 * GSI routes with irqfds for MSI-X vectors.
 */
#ifndef VMM_IRQ_H
#define VMM_IRQ_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define IRQ_SERIAL	  4
#define IRQ_SCI		  9
#define IRQ_FIRST_MSI_GSI 24
#define IRQ_MAX_GSI	  1024

struct irq_msi {
	uint64_t address;
	uint32_t data;
};

struct irq {
	int vm_fd;
	pthread_mutex_t lock; /* guards the route table; innermost */
	struct irq_msi msi[IRQ_MAX_GSI];
	uint8_t state[IRQ_MAX_GSI];
	unsigned int nr_gsi;
};

int irq_init(struct irq *irq, int vm_fd);
void irq_done(struct irq *irq);

/* A line of the IOAPIC, by GSI (below 24). */
void irq_line(struct irq *irq, unsigned int gsi, bool level);

/* One MSI, now. Used where no irqfd stands (the virtio-iommu's own vectors). */
int irq_signal_msi(struct irq *irq, const struct irq_msi *msi);

/* GSIs for MSI routes. alloc: -ENOSPC. */
int irq_gsi_alloc(struct irq *irq, unsigned int *ret_gsi);
void irq_gsi_free(struct irq *irq, unsigned int gsi);
int irq_gsi_route(struct irq *irq, unsigned int gsi, const struct irq_msi *msi);

/* Ties eventfd @fd to @gsi, or unties it. */
int irq_fd_attach(struct irq *irq, int fd, unsigned int gsi);
/* A level: on the guest's acknowledgement the line falls, and eventfd @ack_fd is signalled. */
int irq_fd_attach_level(struct irq *irq, int fd, unsigned int gsi, int ack_fd);
void irq_fd_detach(struct irq *irq, int fd, unsigned int gsi);

/* Doorbells: KVM signals @fd on writes of @len bytes at @addr (len 0: any length, any value). */
int irq_ioeventfd_add(struct irq *irq, uint64_t addr, uint32_t len, int fd);
void irq_ioeventfd_del(struct irq *irq, uint64_t addr, uint32_t len, int fd);

#endif
