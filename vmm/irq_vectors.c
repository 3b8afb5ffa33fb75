// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/irq_vectors.h"

static int add_vector(struct irq_vectors *irqs)
{
	unsigned int gsi;
	int err, fd;

	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	err = irq_gsi_alloc(irqs->irq, &gsi);
	if (err) {
		close(fd);
		return err;
	}
	irqs->vector[irqs->nr].fd = fd;
	irqs->vector[irqs->nr].gsi = gsi;
	irqs->nr++;
	return 0;
}

int irq_vectors_init(struct irq_vectors *irqs, struct irq *irq, unsigned int nr)
{
	int err;

	memset(irqs, 0, sizeof(*irqs));
	irqs->irq = irq;
	while (irqs->nr < nr) {
		err = add_vector(irqs);
		if (err) {
			irq_vectors_done(irqs);
			return err;
		}
	}
	return 0;
}

void irq_vectors_done(struct irq_vectors *irqs)
{
	irq_vectors_detach_all(irqs);
	for (unsigned int i = 0; i < irqs->nr; i++) {
		irq_gsi_free(irqs->irq, irqs->vector[i].gsi);
		close(irqs->vector[i].fd);
	}
	irqs->nr = 0;
}

static void detach(struct irq_vectors *irqs, unsigned int i)
{
	if (irqs->vector[i].attached)
		irq_fd_detach(irqs->irq, irqs->vector[i].fd, irqs->vector[i].gsi);
	irqs->vector[i].attached = false;
}

/*
 * Attaching an eventfd that was signalled while the vector was masked delivers
 * the interrupt: KVM looks at its count.
 */
int irq_vectors_set(struct irq_vectors *irqs, unsigned int vector, const struct irq_msi *msi)
{
	int err;

	if (vector >= irqs->nr)
		return -EINVAL;
	if (!msi) {
		detach(irqs, vector);
		return 0;
	}
	err = irq_gsi_route(irqs->irq, irqs->vector[vector].gsi, msi);
	if (err || irqs->vector[vector].attached)
		return err;
	err = irq_fd_attach(irqs->irq, irqs->vector[vector].fd, irqs->vector[vector].gsi);
	irqs->vector[vector].attached = !err;
	return err;
}

bool irq_vectors_pending(struct irq_vectors *irqs, unsigned int vector)
{
	struct pollfd pfd = {.events = POLLIN};

	if (vector >= irqs->nr || irqs->vector[vector].attached)
		return false;
	pfd.fd = irqs->vector[vector].fd;
	return poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLIN);
}

void irq_vectors_detach_all(struct irq_vectors *irqs)
{
	for (unsigned int i = 0; i < irqs->nr; i++)
		detach(irqs, i);
}
