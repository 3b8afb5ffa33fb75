/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stands in for vmm/irq.c where there is no KVM: records what was asked of it.
 * fake_irq_doorbell() does what KVM would do with an
 * ioeventfd.
 */
#ifndef FAKE_IRQ_H
#define FAKE_IRQ_H

#include "vmm/irq.h"

#define FAKE_MAX 256

struct fake_irq {
	pthread_mutex_t lock;
	unsigned int signals;	      /* irq_signal_msi() */
	bool line[IRQ_FIRST_MSI_GSI]; /* as irq_line() left them */
	struct irq_msi last;
	struct {
		int fd;
		unsigned int gsi;
		int ack_fd; /* -1: not a level */
	} irqfd[FAKE_MAX];
	unsigned int nr_irqfds;
	struct {
		uint64_t addr;
		uint32_t len;
		int fd;
	} doorbell[FAKE_MAX];
	unsigned int nr_doorbells;
	int doorbell_error; /* what irq_ioeventfd_add() shall answer */
};

extern struct fake_irq fake_irq;

void fake_irq_reset(void);
/* Is there a doorbell at @addr? Then its eventfd is signalled. */
bool fake_irq_doorbell(uint64_t addr, uint32_t len);
/* The message that eventfd @fd is tied to, or NULL. */
const struct irq_msi *fake_irq_tied(struct irq *irq, int fd);

#endif
