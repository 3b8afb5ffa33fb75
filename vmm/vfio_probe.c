// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/vfio_probe.h"
#include "vmm/vfio_sys.h"

#define PAGE_MASK 0xfffull
#define INFO_MAX  65536u
#define MAX_CAPS  32u

/* --- regions --- */

static void add_area(struct vfio_region *r, uint64_t off, uint64_t size)
{
	uint64_t end;

	if (off > r->size || size > r->size - off || r->nr_areas == VFIO_MAX_AREAS)
		return;
	end = (off + size) & ~PAGE_MASK;
	off = (off + PAGE_MASK) & ~PAGE_MASK;
	if (off < end)
		r->area[r->nr_areas++] = (struct vfio_area){off, end - off};
}

/* Instead of all: only so much can be mapped. */
static void take_sparse(struct vfio_region *r, const uint8_t *raw, size_t len, uint32_t at)
{
	struct vfio_region_info_cap_sparse_mmap head;
	struct vfio_region_sparse_mmap_area area;

	if (len - at < sizeof(head))
		return;
	memcpy(&head, raw + at, sizeof(head));
	at += sizeof(head);
	r->nr_areas = 0;
	for (uint32_t i = 0; i < head.nr_areas && len - at >= sizeof(area); i++) {
		memcpy(&area, raw + at, sizeof(area));
		add_area(r, area.offset, area.size);
		at += sizeof(area);
	}
}

static void take_caps(struct vfio_region *r, const uint8_t *raw, size_t len, uint32_t at)
{
	struct vfio_info_cap_header cap;

	for (unsigned int i = 0; at && i < MAX_CAPS; i++) {
		if (at > len || len - at < sizeof(cap))
			return;
		memcpy(&cap, raw + at, sizeof(cap));
		if (cap.id == VFIO_REGION_INFO_CAP_SPARSE_MMAP)
			take_sparse(r, raw, len, at);
		at = cap.next;
	}
}

static int get_region(int fd, uint32_t index, struct vfio_region *ret)
{
	struct vfio_region_info head = {.argsz = sizeof(head), .index = index};
	struct vfio_region r = {0};
	uint8_t *raw;
	uint32_t len;
	int err;

	err = vfio_sys_ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &head);
	if (err < 0)
		return err;
	/* A ROM without contents has a size, but cannot be read. */
	r.size = head.flags & VFIO_REGION_INFO_FLAG_READ ? head.size : 0;
	r.at = head.offset;
	len = head.argsz;
	if (head.flags & VFIO_REGION_INFO_FLAG_MMAP)
		add_area(&r, 0, r.size);
	if (r.nr_areas && len > sizeof(head) && len <= INFO_MAX) {
		raw = calloc(1, len);
		if (!raw)
			return -ENOMEM;
		head = (struct vfio_region_info){.argsz = len, .index = index};
		memcpy(raw, &head, sizeof(head));
		err = vfio_sys_ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, raw);
		memcpy(&head, raw, sizeof(head));
		if (err >= 0 && head.flags & VFIO_REGION_INFO_FLAG_CAPS)
			take_caps(&r, raw, len, head.cap_offset);
		free(raw);
		if (err < 0)
			return err;
	}
	*ret = r;
	return 0;
}

/* --- interrupts --- */

static unsigned int nr_interrupts(int fd, uint32_t index)
{
	struct vfio_irq_info info = {.argsz = sizeof(info), .index = index};

	if (vfio_sys_ioctl(fd, VFIO_DEVICE_GET_IRQ_INFO, &info) < 0 ||
	    !(info.flags & VFIO_IRQ_INFO_EVENTFD))
		return 0;
	return info.count;
}

int vfio_probe(int fd, struct vfio_desc *ret, const char **ret_what)
{
	struct vfio_device_info info = {.argsz = sizeof(info)};
	struct vfio_desc d = {.fd = fd};
	struct vfio_region config;
	int err;

	*ret_what = "the device";
	err = vfio_sys_ioctl(fd, VFIO_DEVICE_GET_INFO, &info);
	if (err >= 0 && !(info.flags & VFIO_DEVICE_FLAGS_PCI))
		err = -ENODEV;
	if (err < 0)
		return err;
	d.can_reset = info.flags & VFIO_DEVICE_FLAGS_RESET;
	*ret_what = "its BARs";
	_Static_assert(VFIO_PCI_BAR0_REGION_INDEX + PCI_ROM_BAR == VFIO_PCI_ROM_REGION_INDEX,
		       "the ROM follows the BARs");
	for (unsigned int i = 0; i < PCI_NR_BARS; i++) {
		err = get_region(fd, VFIO_PCI_BAR0_REGION_INDEX + i, &d.bar[i]);
		if (err)
			return err;
	}
	*ret_what = "its config space";
	err = get_region(fd, VFIO_PCI_CONFIG_REGION_INDEX, &config);
	if (err)
		return err;
	if (config.size < PCI_CFG_LEGACY)
		return -EIO;
	d.config_at = config.at;
	err = vfio_sys_read(fd, config.at, d.cfg, sizeof(d.cfg));
	if (err)
		return err;
	d.intx = nr_interrupts(fd, VFIO_PCI_INTX_IRQ_INDEX);
	d.nr_msi = nr_interrupts(fd, VFIO_PCI_MSI_IRQ_INDEX);
	d.nr_msix = nr_interrupts(fd, VFIO_PCI_MSIX_IRQ_INDEX);
	*ret = d;
	return 0;
}
