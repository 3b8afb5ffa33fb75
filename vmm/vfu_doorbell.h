/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Doorbells of a simulated device: eventfds that it supplied, which KVM signals
 * on guest writes to places in its BARs. A shortcut only: where one can't be
 * had, the write goes to the device as a REGION_WRITE.
 *
 * The owner serialises calls.
 */
#ifndef VMM_VFU_DOORBELL_H
#define VMM_VFU_DOORBELL_H

#include <stdint.h>

#include "core/vfio_user.h"
#include "vmm/irq.h"
#include "vmm/pci.h"

#define VFU_MAX_DOORBELLS 64

struct vfu_doorbell {
	unsigned int bar;
	uint64_t off;
	uint32_t size; /* of the write; 0: any */
	int fd;
	uint64_t gpa; /* where KVM watches; 0: nowhere */
};

struct vfu_doorbells {
	struct irq *irq;
	unsigned int nr;
	struct vfu_doorbell bell[VFU_MAX_DOORBELLS];
};

/*
 * Takes what a device offers for BAR @bar: a GET_REGION_IO_FDS payload of @len
 * bytes and the @nr_fds descriptors that came with it. Kept ones are the
 * doorbells', all others are closed. What does not fit the BAR, or lies in the
 * MSI-X areas, or is no eventfd, is -EPROTO with a constant text in *@ret_why;
 * kinds that KVM can't serve are left out.
 */
int vfu_doorbells_take(struct vfu_doorbells *bells, const struct pci_fn *fn, unsigned int bar,
		       const void *payload, size_t len, int *fds, unsigned int nr_fds,
		       const char **ret_why);

/* BAR @bar decodes at @gpa now, 0: nowhere. */
void vfu_doorbells_move(struct vfu_doorbells *bells, unsigned int bar, uint64_t gpa);
void vfu_doorbells_remove_all(struct vfu_doorbells *bells);
void vfu_doorbells_done(struct vfu_doorbells *bells);

#endif
