// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/pci.h"
#include "vmm/vfio_irq.h"
#include "vmm/vfio_sys.h"

static const uint32_t index_of[] = {
	[VFIO_IRQ_INTX] = VFIO_PCI_INTX_IRQ_INDEX,
	[VFIO_IRQ_MSI] = VFIO_PCI_MSI_IRQ_INDEX,
	[VFIO_IRQ_MSIX] = VFIO_PCI_MSIX_IRQ_INDEX,
};

struct set {
	struct vfio_irq_set head;
	int32_t fd[PCI_MAX_VECTORS];
};

_Static_assert(sizeof(struct set) == sizeof(struct vfio_irq_set) + 4 * PCI_MAX_VECTORS,
	       "eventfds follow the head");

/* @action: trigger or unmask, by these eventfds. */
static int set_fds(struct vfio_irq *vi, uint32_t index, uint32_t action, const int *fd,
		   unsigned int nr)
{
	struct set set = {.head = {.argsz = (uint32_t)(sizeof(set.head) + 4 * nr),
				   .flags = VFIO_IRQ_SET_DATA_EVENTFD | action,
				   .index = index,
				   .count = nr}};
	int err;

	memcpy(set.fd, fd, 4 * nr);
	err = vfio_sys_ioctl(vi->device, VFIO_DEVICE_SET_IRQS, &set);
	/* More than 0: that many it could be, had they been asked for. */
	return err > 0 ? -ENOSPC : err;
}

static void disable(struct vfio_irq *vi, uint32_t index)
{
	struct vfio_irq_set set = {.argsz = sizeof(set),
				   .flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
				   .index = index};

	vfio_sys_ioctl(vi->device, VFIO_DEVICE_SET_IRQS, &set);
}

int vfio_irq_init(struct vfio_irq *vi, struct irq *irq, int device, unsigned int nr,
		  unsigned int gsi)
{
	int err;

	*vi = (struct vfio_irq){.irq = irq, .device = device, .gsi = gsi};
	vi->line_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	vi->ack_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = vi->line_fd < 0 || vi->ack_fd < 0 ? -errno : 0;
	err = err ?: irq_vectors_init(&vi->vectors, irq, nr);
	if (err) {
		vfio_sys_close(vi->line_fd);
		vfio_sys_close(vi->ack_fd);
	}
	return err;
}

void vfio_irq_done(struct vfio_irq *vi)
{
	vfio_irq_enter(vi, VFIO_IRQ_OFF, 0);
	irq_vectors_done(&vi->vectors);
	vfio_sys_close(vi->line_fd);
	vfio_sys_close(vi->ack_fd);
}

static void drain(int fd)
{
	eventfd_t count;

	/* Non-blocking: empty is fine. */
	(void)eventfd_read(fd, &count);
}

static void leave(struct vfio_irq *vi)
{
	if (vi->mode == VFIO_IRQ_OFF)
		return;
	disable(vi, index_of[vi->mode]);
	if (vi->mode == VFIO_IRQ_INTX) {
		irq_fd_detach(vi->irq, vi->line_fd, vi->gsi);
		drain(vi->line_fd);
		drain(vi->ack_fd);
	} else {
		/* What the old mode left behind is not the next one's. */
		for (unsigned int i = 0; i < vi->vectors.nr; i++)
			drain(vi->vectors.vector[i].fd);
	}
	vi->mode = VFIO_IRQ_OFF;
	vi->nr_on = 0;
}

static int enter_line(struct vfio_irq *vi)
{
	int err;

	/* KVM first: the host masks the line as it fires, and waits for the acknowledgement. */
	err = irq_fd_attach_level(vi->irq, vi->line_fd, vi->gsi, vi->ack_fd);
	if (err)
		return err;
	err = set_fds(vi, VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_ACTION_TRIGGER, &vi->line_fd, 1);
	if (!err) {
		err = set_fds(vi, VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_ACTION_UNMASK, &vi->ack_fd,
			      1);
		if (err)
			disable(vi, VFIO_PCI_INTX_IRQ_INDEX);
	}
	if (err)
		irq_fd_detach(vi->irq, vi->line_fd, vi->gsi);
	return err;
}

static int enter_vectors(struct vfio_irq *vi, uint32_t index, unsigned int nr)
{
	int fd[PCI_MAX_VECTORS];

	if (!nr || nr > vi->vectors.nr || nr > PCI_MAX_VECTORS)
		return -EINVAL;
	for (unsigned int i = 0; i < nr; i++)
		fd[i] = vi->vectors.vector[i].fd;
	return set_fds(vi, index, VFIO_IRQ_SET_ACTION_TRIGGER, fd, nr);
}

int vfio_irq_enter(struct vfio_irq *vi, enum vfio_irq_mode mode, unsigned int nr)
{
	int err = 0;

	if (mode == vi->mode && nr == vi->nr_on)
		return 0;
	leave(vi);
	if (mode == VFIO_IRQ_INTX)
		err = enter_line(vi);
	else if (mode != VFIO_IRQ_OFF)
		err = enter_vectors(vi, index_of[mode], nr);
	if (err)
		return err;
	vi->mode = mode;
	vi->nr_on = nr;
	return 0;
}

int vfio_irq_vector(struct vfio_irq *vi, unsigned int vector, const struct irq_msi *msi)
{
	return irq_vectors_set(&vi->vectors, vector, msi);
}

bool vfio_irq_pending(struct vfio_irq *vi, unsigned int vector)
{
	return irq_vectors_pending(&vi->vectors, vector);
}

const char *vfio_irq_name(enum vfio_irq_mode mode)
{
	static const char *const name[] = {[VFIO_IRQ_OFF] = "none",
					   [VFIO_IRQ_INTX] = "intx",
					   [VFIO_IRQ_MSI] = "msi",
					   [VFIO_IRQ_MSIX] = "msi-x"};

	return name[mode];
}
