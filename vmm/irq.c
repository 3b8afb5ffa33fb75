// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/irq.h"

/* irq.state[] of a GSI. */
enum { GSI_FREE, GSI_TAKEN, GSI_ROUTED };

#define NR_LINES     24u
#define NR_PIC_LINES 16u
#define PIT_GSI	     0u
#define PIT_PIN	     2u /* of the IOAPIC; the MADT's override says so too */

static void add_chip(struct kvm_irq_routing *table, unsigned int gsi, unsigned int chip,
		     unsigned int pin)
{
	table->entries[table->nr++] =
		(struct kvm_irq_routing_entry){.gsi = gsi,
					       .type = KVM_IRQ_ROUTING_IRQCHIP,
					       .u.irqchip = {.irqchip = chip, .pin = pin}};
}

static void add_lines(struct kvm_irq_routing *table)
{
	for (unsigned int gsi = 0; gsi < NR_LINES; gsi++) {
		if (gsi < NR_PIC_LINES)
			add_chip(table, gsi,
				 gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, gsi % 8);
		if (gsi == PIT_PIN)
			continue; /* the PIC's cascade; the pin is the PIT's */
		add_chip(table, gsi, KVM_IRQCHIP_IOAPIC, gsi == PIT_GSI ? PIT_PIN : gsi);
	}
}

/* Hands KVM the whole table, which is its only interface. Lock held. */
static int commit(struct irq *irq)
{
	struct kvm_irq_routing *table;
	size_t room = NR_LINES + NR_PIC_LINES + irq->nr_gsi;
	int err = 0;

	table = calloc(1, sizeof(*table) + room * sizeof(table->entries[0]));
	if (!table)
		return -ENOMEM;
	add_lines(table);
	for (unsigned int gsi = IRQ_FIRST_MSI_GSI; gsi < irq->nr_gsi; gsi++) {
		const struct irq_msi *msi = &irq->msi[gsi];

		if (irq->state[gsi] != GSI_ROUTED)
			continue;
		table->entries[table->nr++] = (struct kvm_irq_routing_entry){
			.gsi = gsi,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = {.address_lo = (uint32_t)msi->address,
				  .address_hi = (uint32_t)(msi->address >> 32),
				  .data = msi->data}};
	}
	if (ioctl(irq->vm_fd, KVM_SET_GSI_ROUTING, table) < 0)
		err = -errno;
	free(table);
	return err;
}

int irq_init(struct irq *irq, int vm_fd)
{
	int err;

	memset(irq, 0, sizeof(*irq));
	irq->vm_fd = vm_fd;
	irq->nr_gsi = IRQ_FIRST_MSI_GSI;
	err = pthread_mutex_init(&irq->lock, NULL);
	if (err)
		return -err;
	err = commit(irq);
	if (err)
		pthread_mutex_destroy(&irq->lock);
	return err;
}

void irq_done(struct irq *irq)
{
	pthread_mutex_destroy(&irq->lock);
}

void irq_line(struct irq *irq, unsigned int gsi, bool level)
{
	struct kvm_irq_level line = {.irq = gsi, .level = level};

	/* Fails for a bad GSI only, and these are constants of the VMM. */
	ioctl(irq->vm_fd, KVM_IRQ_LINE, &line);
}

int irq_signal_msi(struct irq *irq, const struct irq_msi *msi)
{
	struct kvm_msi arg = {.address_lo = (uint32_t)msi->address,
			      .address_hi = (uint32_t)(msi->address >> 32),
			      .data = msi->data};

	/* 0 from KVM: the guest blocked it, which is the guest's affair. */
	return ioctl(irq->vm_fd, KVM_SIGNAL_MSI, &arg) < 0 ? -errno : 0;
}

int irq_gsi_alloc(struct irq *irq, unsigned int *ret_gsi)
{
	int err = -ENOSPC;

	pthread_mutex_lock(&irq->lock);
	for (unsigned int gsi = IRQ_FIRST_MSI_GSI; gsi < IRQ_MAX_GSI; gsi++) {
		if (irq->state[gsi] != GSI_FREE)
			continue;
		irq->state[gsi] = GSI_TAKEN;
		if (gsi >= irq->nr_gsi)
			irq->nr_gsi = gsi + 1;
		*ret_gsi = gsi;
		err = 0;
		break;
	}
	pthread_mutex_unlock(&irq->lock);
	return err;
}

/* A GSI that irq_gsi_alloc() gave out. Lock held. */
static bool is_taken(const struct irq *irq, unsigned int gsi)
{
	return gsi >= IRQ_FIRST_MSI_GSI && gsi < IRQ_MAX_GSI && irq->state[gsi] != GSI_FREE;
}

void irq_gsi_free(struct irq *irq, unsigned int gsi)
{
	pthread_mutex_lock(&irq->lock);
	if (is_taken(irq, gsi)) {
		bool routed = irq->state[gsi] == GSI_ROUTED;

		irq->state[gsi] = GSI_FREE;
		/* A table that shrinks is not refused; if it were, the next one repairs it. */
		if (routed)
			commit(irq);
	}
	pthread_mutex_unlock(&irq->lock);
}

int irq_gsi_route(struct irq *irq, unsigned int gsi, const struct irq_msi *msi)
{
	struct irq_msi old_msi;
	uint8_t old_state;
	int err = 0;

	pthread_mutex_lock(&irq->lock);
	if (!is_taken(irq, gsi)) {
		err = -EINVAL;
		goto out;
	}
	old_msi = irq->msi[gsi];
	old_state = irq->state[gsi];
	/* Each commit waits for a grace period in the kernel: none where nothing changed. */
	if (old_state == GSI_ROUTED && old_msi.address == msi->address && old_msi.data == msi->data)
		goto out;
	irq->msi[gsi] = *msi;
	irq->state[gsi] = GSI_ROUTED;
	err = commit(irq);
	if (err) {
		irq->msi[gsi] = old_msi;
		irq->state[gsi] = old_state;
	}
out:
	pthread_mutex_unlock(&irq->lock);
	return err;
}

int irq_fd_attach(struct irq *irq, int fd, unsigned int gsi)
{
	struct kvm_irqfd arg = {.fd = (uint32_t)fd, .gsi = gsi};

	return ioctl(irq->vm_fd, KVM_IRQFD, &arg) < 0 ? -errno : 0;
}

int irq_fd_attach_level(struct irq *irq, int fd, unsigned int gsi, int ack_fd)
{
	struct kvm_irqfd arg = {.fd = (uint32_t)fd,
				.gsi = gsi,
				.flags = KVM_IRQFD_FLAG_RESAMPLE,
				.resamplefd = (uint32_t)ack_fd};

	return ioctl(irq->vm_fd, KVM_IRQFD, &arg) < 0 ? -errno : 0;
}

void irq_fd_detach(struct irq *irq, int fd, unsigned int gsi)
{
	struct kvm_irqfd arg = {.fd = (uint32_t)fd, .gsi = gsi, .flags = KVM_IRQFD_FLAG_DEASSIGN};

	ioctl(irq->vm_fd, KVM_IRQFD, &arg);
}

int irq_ioeventfd_add(struct irq *irq, uint64_t addr, uint32_t len, int fd)
{
	struct kvm_ioeventfd arg = {.addr = addr, .len = len, .fd = fd};

	return ioctl(irq->vm_fd, KVM_IOEVENTFD, &arg) < 0 ? -errno : 0;
}

void irq_ioeventfd_del(struct irq *irq, uint64_t addr, uint32_t len, int fd)
{
	struct kvm_ioeventfd arg = {
		.addr = addr, .len = len, .fd = fd, .flags = KVM_IOEVENTFD_FLAG_DEASSIGN};

	ioctl(irq->vm_fd, KVM_IOEVENTFD, &arg);
}
