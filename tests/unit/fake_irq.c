// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>

#include "fake_irq.h"

struct fake_irq fake_irq = {.lock = PTHREAD_MUTEX_INITIALIZER};

void fake_irq_reset(void)
{
	pthread_mutex_lock(&fake_irq.lock);
	fake_irq.signals = 0;
	fake_irq.nr_irqfds = 0;
	fake_irq.nr_doorbells = 0;
	fake_irq.doorbell_error = 0;
	pthread_mutex_unlock(&fake_irq.lock);
}

int irq_init(struct irq *irq, int vm_fd)
{
	memset(irq, 0, sizeof(*irq));
	irq->vm_fd = vm_fd;
	return -pthread_mutex_init(&irq->lock, NULL);
}

void irq_done(struct irq *irq)
{
	pthread_mutex_destroy(&irq->lock);
}

void irq_line(struct irq *irq, unsigned int gsi, bool level)
{
	pthread_mutex_lock(&fake_irq.lock);
	fake_irq.line[gsi] = level;
	pthread_mutex_unlock(&fake_irq.lock);
}

int irq_signal_msi(struct irq *irq, const struct irq_msi *msi)
{
	pthread_mutex_lock(&fake_irq.lock);
	fake_irq.signals++;
	fake_irq.last = *msi;
	pthread_mutex_unlock(&fake_irq.lock);
	return 0;
}

int irq_gsi_alloc(struct irq *irq, unsigned int *ret_gsi)
{
	int err = -ENOSPC;

	pthread_mutex_lock(&irq->lock);
	for (unsigned int gsi = IRQ_FIRST_MSI_GSI; gsi < IRQ_MAX_GSI && err; gsi++) {
		if (irq->state[gsi])
			continue;
		irq->state[gsi] = 1;
		irq->nr_gsi++;
		*ret_gsi = gsi;
		err = 0;
	}
	pthread_mutex_unlock(&irq->lock);
	return err;
}

void irq_gsi_free(struct irq *irq, unsigned int gsi)
{
	pthread_mutex_lock(&irq->lock);
	if (irq->state[gsi])
		irq->nr_gsi--;
	irq->state[gsi] = 0;
	pthread_mutex_unlock(&irq->lock);
}

int irq_gsi_route(struct irq *irq, unsigned int gsi, const struct irq_msi *msi)
{
	int err = 0;

	pthread_mutex_lock(&irq->lock);
	if (irq->state[gsi])
		irq->msi[gsi] = *msi;
	else
		err = -EINVAL;
	pthread_mutex_unlock(&irq->lock);
	return err;
}

static int attach(int fd, unsigned int gsi, int ack_fd)
{
	int err = 0;

	pthread_mutex_lock(&fake_irq.lock);
	for (unsigned int i = 0; i < fake_irq.nr_irqfds; i++)
		if (fake_irq.irqfd[i].fd == fd)
			err = -EBUSY;
	if (!err && fake_irq.nr_irqfds < FAKE_MAX) {
		fake_irq.irqfd[fake_irq.nr_irqfds].fd = fd;
		fake_irq.irqfd[fake_irq.nr_irqfds].ack_fd = ack_fd;
		fake_irq.irqfd[fake_irq.nr_irqfds++].gsi = gsi;
	}
	pthread_mutex_unlock(&fake_irq.lock);
	return err;
}

int irq_fd_attach(struct irq *irq, int fd, unsigned int gsi)
{
	return attach(fd, gsi, -1);
}

int irq_fd_attach_level(struct irq *irq, int fd, unsigned int gsi, int ack_fd)
{
	return attach(fd, gsi, ack_fd);
}

void irq_fd_detach(struct irq *irq, int fd, unsigned int gsi)
{
	pthread_mutex_lock(&fake_irq.lock);
	for (unsigned int i = 0; i < fake_irq.nr_irqfds; i++) {
		if (fake_irq.irqfd[i].fd != fd || fake_irq.irqfd[i].gsi != gsi)
			continue;
		fake_irq.irqfd[i] = fake_irq.irqfd[--fake_irq.nr_irqfds];
		break;
	}
	pthread_mutex_unlock(&fake_irq.lock);
}

const struct irq_msi *fake_irq_tied(struct irq *irq, int fd)
{
	const struct irq_msi *msi = NULL;

	pthread_mutex_lock(&fake_irq.lock);
	for (unsigned int i = 0; i < fake_irq.nr_irqfds; i++)
		if (fake_irq.irqfd[i].fd == fd)
			msi = &irq->msi[fake_irq.irqfd[i].gsi];
	pthread_mutex_unlock(&fake_irq.lock);
	return msi;
}

int irq_ioeventfd_add(struct irq *irq, uint64_t addr, uint32_t len, int fd)
{
	int err;

	pthread_mutex_lock(&fake_irq.lock);
	err = fake_irq.doorbell_error;
	for (unsigned int i = 0; i < fake_irq.nr_doorbells; i++)
		if (fake_irq.doorbell[i].addr == addr)
			err = -EEXIST;
	if (!err && fake_irq.nr_doorbells < FAKE_MAX) {
		fake_irq.doorbell[fake_irq.nr_doorbells].addr = addr;
		fake_irq.doorbell[fake_irq.nr_doorbells].len = len;
		fake_irq.doorbell[fake_irq.nr_doorbells++].fd = fd;
	}
	pthread_mutex_unlock(&fake_irq.lock);
	return err;
}

void irq_ioeventfd_del(struct irq *irq, uint64_t addr, uint32_t len, int fd)
{
	pthread_mutex_lock(&fake_irq.lock);
	for (unsigned int i = 0; i < fake_irq.nr_doorbells; i++) {
		if (fake_irq.doorbell[i].addr != addr || fake_irq.doorbell[i].fd != fd)
			continue;
		fake_irq.doorbell[i] = fake_irq.doorbell[--fake_irq.nr_doorbells];
		break;
	}
	pthread_mutex_unlock(&fake_irq.lock);
}

bool fake_irq_doorbell(uint64_t addr, uint32_t len)
{
	int fd = -1;

	pthread_mutex_lock(&fake_irq.lock);
	for (unsigned int i = 0; i < fake_irq.nr_doorbells; i++)
		if (fake_irq.doorbell[i].addr == addr &&
		    (!fake_irq.doorbell[i].len || fake_irq.doorbell[i].len == len))
			fd = fake_irq.doorbell[i].fd;
	pthread_mutex_unlock(&fake_irq.lock);
	return fd >= 0 && eventfd_write(fd, 1) == 0;
}
