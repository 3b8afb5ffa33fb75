// SPDX-License-Identifier: BSD-2-Clause
#include <linux/pci_regs.h>
#include <string.h>

#include "core/virtio_pci.h"
#include "core/wire.h"
#include "vmm/vfu_remains.h"

#define VIRTIO_VENDOR 0x1af4
/* In a virtio capability (4.1.4), and in the common configuration (4.1.4.3). */
#define CAP_TYPE      3
#define CAP_BAR	      4
#define CAP_OFFSET    8
#define CAP_SIZE      16
#define TYPE_COMMON   1
#define DEVICE_STATUS 0x14

void vfu_remains_init(struct vfu_remains *r, const uint8_t *cfg)
{
	uint8_t at = cfg[PCI_CAPABILITY_LIST];

	memset(r, 0, sizeof(*r));
	if (pvi_get16(cfg + PCI_VENDOR_ID) != VIRTIO_VENDOR)
		return;
	/* At most as many capabilities as there is room for: no list goes round for ever. */
	for (unsigned int n = 0; at >= PCI_STD_HEADER_SIZEOF && n < 256 / 4; n++) {
		const uint8_t *cap = cfg + at;

		if (at <= 256 - CAP_SIZE && cap[0] == PCI_CAP_ID_VNDR &&
		    cap[CAP_TYPE] == TYPE_COMMON) {
			r->virtio = true;
			r->bar = cap[CAP_BAR];
			r->status_off = (uint64_t)pvi_get32(cap + CAP_OFFSET) + DEVICE_STATUS;
			r->status = PVI_VIRTIO_S_ACKNOWLEDGE | PVI_VIRTIO_S_DRIVER |
				    PVI_VIRTIO_S_FEATURES_OK | PVI_VIRTIO_S_DRIVER_OK |
				    PVI_VIRTIO_S_NEEDS_RESET;
			return;
		}
		at = cap[1];
	}
}

static bool is_status(const struct vfu_remains *r, unsigned int bar, uint64_t off, uint32_t len)
{
	return r->virtio && bar == r->bar && off == r->status_off && len == 1;
}

void vfu_remains_read(const struct vfu_remains *r, unsigned int bar, uint64_t off, void *buf,
		      uint32_t len)
{
	memset(buf, is_status(r, bar, off, len) ? r->status : 0xff, len);
}

void vfu_remains_write(struct vfu_remains *r, unsigned int bar, uint64_t off, const void *buf,
		       uint32_t len)
{
	if (is_status(r, bar, off, len) && !*(const uint8_t *)buf)
		r->status = 0;
}
