/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guest sees of a device that failed: ones, but for the status register
 * of a virtio device. Its driver resets the device by writing 0 and waits until
 * it reads 0 (VIRTIO 1.3, 4.1.4.3.1); ones would keep it waiting, and the guest
 * from shutting down. So the register shows DEVICE_NEEDS_RESET (2.1), accepts
 * the reset, and takes no other bit: a driver that starts anew is refused.
 */
#ifndef VMM_VFU_REMAINS_H
#define VMM_VFU_REMAINS_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: not a virtio device. The owner serialises calls. */
struct vfu_remains {
	bool virtio;
	uint8_t bar;
	uint64_t status_off;
	uint8_t status;
};

/* @cfg: checked config space, whose capability list ends (256 bytes). */
void vfu_remains_init(struct vfu_remains *r, const uint8_t *cfg);

void vfu_remains_read(const struct vfu_remains *r, unsigned int bar, uint64_t off, void *buf,
		      uint32_t len);
void vfu_remains_write(struct vfu_remains *r, unsigned int bar, uint64_t off, const void *buf,
		       uint32_t len);

#endif
