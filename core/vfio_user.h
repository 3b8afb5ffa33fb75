/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The vfio-user protocol, version 0.1, as spoken on the socket (QEMU's
 * docs/interop/vfio-user.rst). Integers are host-endian; a message is never
 * longer than VFU_MAX_MSG.
 */
#ifndef PVI_CORE_VFIO_USER_H
#define PVI_CORE_VFIO_USER_H

#include "core/types.h"

#define VFU_VERSION_MAJOR 0
#define VFU_VERSION_MINOR 1

enum vfu_command {
	VFU_VERSION = 1,
	VFU_DMA_MAP = 2,
	VFU_DMA_UNMAP = 3,
	VFU_DEVICE_GET_INFO = 4,
	VFU_DEVICE_GET_REGION_INFO = 5,
	VFU_DEVICE_GET_REGION_IO_FDS = 6,
	VFU_DEVICE_GET_IRQ_INFO = 7,
	VFU_DEVICE_SET_IRQS = 8,
	VFU_REGION_READ = 9,
	VFU_REGION_WRITE = 10,
	VFU_DMA_READ = 11,
	VFU_DMA_WRITE = 12,
	VFU_DEVICE_RESET = 13,
	VFU_REGION_WRITE_MULTI = 15,
};

#define VFU_F_TYPE_MASK 0xfu
#define VFU_F_COMMAND	0x0u
#define VFU_F_REPLY	0x1u
#define VFU_F_NO_REPLY	0x10u
#define VFU_F_ERROR	0x20u

struct vfu_header {
	uint16_t id;
	uint16_t command;
	uint32_t size; /* of the message, header included */
	uint32_t flags;
	uint32_t error; /* errno, with VFU_F_ERROR */
};

struct vfu_version {
	uint16_t major;
	uint16_t minor;
	/* then a NUL-terminated JSON object of capabilities */
};

/* Data bytes in one DMA or region message, and the whole message: a buffer per connection. */
#define VFU_MAX_DATA	(256u << 10)
#define VFU_MAX_MSG	(VFU_MAX_DATA + 4096u)
#define VFU_MAX_FDS	64

#define VFU_DMA_F_READ	1u
#define VFU_DMA_F_WRITE 2u

struct vfu_dma_map {
	uint32_t argsz;
	uint32_t flags;
	uint64_t offset;
	uint64_t address;
	uint64_t size;
};

struct vfu_dma_unmap {
	uint32_t argsz;
	uint32_t flags;
	uint64_t address;
	uint64_t size;
};

/* DMA_READ and DMA_WRITE; a read's reply and a write's request carry data behind it. */
struct vfu_dma {
	uint64_t address;
	uint64_t count;
};

/* REGION_READ and REGION_WRITE, data likewise. */
struct vfu_region_access {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
};

/* GET_REGION_IO_FDS: request and reply head, then sub-regions. */
struct vfu_io_fds {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};

#define VFU_IO_FD_TYPE_IOEVENTFD  0
#define VFU_IOEVENTFD_F_DATAMATCH 1u

struct vfu_io_fd {
	uint64_t offset;
	uint64_t size;
	uint32_t fd_index;
	uint32_t type;
	uint32_t flags;
	uint32_t zero;
	uint64_t datamatch;
};

/*
 * DEVICE_GET_INFO, GET_REGION_INFO, GET_IRQ_INFO and SET_IRQS carry struct
 * vfio_device_info, vfio_region_info, vfio_irq_info and vfio_irq_set of
 * <linux/vfio.h>. struct vfio_device_info is the 16-byte form (up to num_irqs).
 */
#define VFU_DEVICE_INFO_SIZE 16u
#define VFU_REGION_INFO_SIZE 32u
#define VFU_IRQ_INFO_SIZE    16u

PVI_STATIC_ASSERT(sizeof(struct vfu_header) == 16, "header");
PVI_STATIC_ASSERT(sizeof(struct vfu_dma_map) == 32, "DMA_MAP");
PVI_STATIC_ASSERT(sizeof(struct vfu_io_fd) == 40, "sub-region");

#endif
