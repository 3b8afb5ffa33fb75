/* SPDX-License-Identifier: BSD-2-Clause */
/* The dialog at start-up: what is this device, and what shall it know of us? */
#ifndef VMM_VFU_PROBE_H
#define VMM_VFU_PROBE_H

#include "vmm/irq_vectors.h"
#include "vmm/vfu_config.h"
#include "vmm/vfu_conn.h"
#include "vmm/vfu_doorbell.h"
#include "vmm/vfu_version.h"

/* Why the device can't be used, for the user. */
struct vfu_why {
	char text[160];
};

/*
 * All: 0; -EPROTO with @ret_why when the device answers nonsense or refuses; or
 * what the connection ended with, and the reason is the connection's.
 */
int vfu_probe(struct vfu_conn *conn, struct vfu_limits *ret_limits, struct vfu_desc *ret_desc,
	      struct vfu_why *ret_why);

/* Asks for the doorbells of all BARs of @fn. Devices need not have any. */
int vfu_probe_doorbells(struct vfu_conn *conn, const struct pci_fn *fn, struct vfu_doorbells *bells,
			struct vfu_why *ret_why);

/* Tells the device that it may ask for DMA anywhere, and hands it its eventfds. */
int vfu_probe_dma(struct vfu_conn *conn);
int vfu_probe_irqs(struct vfu_conn *conn, const struct vfu_limits *limits,
		   const struct irq_vectors *irqs, struct vfu_why *ret_why);

#endif
