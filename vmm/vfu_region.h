/* SPDX-License-Identifier: BSD-2-Clause */
/* Accesses to the regions of a vfio-user device: its BARs and config space. */
#ifndef VMM_VFU_REGION_H
#define VMM_VFU_REGION_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/vfu_conn.h"

/* Bytes in one access; VFU_MAX_REQUEST holds it with its headers. */
#define VFU_REGION_MAX 256u

/*
 * @len at most VFU_REGION_MAX. -EIO: the device refused this access; else the
 * connection has ended. @buf is untouched on failure.
 */
int vfu_region_read(struct vfu_conn *conn, uint32_t region, uint64_t off, void *buf, uint32_t len);
int vfu_region_write(struct vfu_conn *conn, uint32_t region, uint64_t off, const void *buf,
		     uint32_t len);

#endif
