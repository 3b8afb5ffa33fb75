/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The virtio-iommu wire format, VIRTIO 1.3 section 5.13. All fields are
 * little-endian; read and write them with the pvi_get/pvi_put helpers, which
 * also work on unaligned bytes. The structures are for sizes and offsets.
 */
#ifndef PVI_CORE_WIRE_H
#define PVI_CORE_WIRE_H

#include "core/types.h"

#define PVI_VIRTIO_ID_IOMMU 23

/* Feature bits (5.13.3). Bit 3, BYPASS, is superseded and never offered. */
#define PVI_F_INPUT_RANGE   0
#define PVI_F_DOMAIN_RANGE  1
#define PVI_F_MAP_UNMAP	    2
#define PVI_F_BYPASS	    3
#define PVI_F_PROBE	    4
#define PVI_F_MMIO	    5
#define PVI_F_BYPASS_CONFIG 6

/* Queues (5.13.2). */
#define PVI_VQ_REQUEST 0
#define PVI_VQ_EVENT   1
#define PVI_NR_VQS     2

/* Request types and status (5.13.6). */
enum pvi_req_type {
	PVI_T_ATTACH = 1,
	PVI_T_DETACH = 2,
	PVI_T_MAP = 3,
	PVI_T_UNMAP = 4,
	PVI_T_PROBE = 5,
};

enum pvi_status {
	PVI_S_OK = 0,
	PVI_S_IOERR = 1,
	PVI_S_UNSUPP = 2,
	PVI_S_DEVERR = 3,
	PVI_S_INVAL = 4,
	PVI_S_RANGE = 5,
	PVI_S_NOENT = 6,
	PVI_S_FAULT = 7,
	PVI_S_NOMEM = 8,
};

#define PVI_ATTACH_F_BYPASS   1u
#define PVI_MAP_F_READ	      1u
#define PVI_MAP_F_WRITE	      2u
#define PVI_MAP_F_MMIO	      4u

#define PVI_PROBE_T_MASK      0xfffu
#define PVI_PROBE_T_RESV_MEM  1u
#define PVI_RESV_MEM_RESERVED 0
#define PVI_RESV_MEM_MSI      1

#define PVI_FAULT_R_UNKNOWN   0
#define PVI_FAULT_R_DOMAIN    1
#define PVI_FAULT_R_MAPPING   2
#define PVI_FAULT_F_READ      1u
#define PVI_FAULT_F_WRITE     2u
#define PVI_FAULT_F_ADDRESS   (1u << 8)

struct pvi_wire_head {
	uint8_t type;
	uint8_t reserved[3];
};

struct pvi_wire_tail {
	uint8_t status;
	uint8_t reserved[3];
};

struct pvi_wire_attach {
	struct pvi_wire_head head;
	uint32_t domain;
	uint32_t endpoint;
	uint32_t flags;
	uint8_t reserved[4];
};

struct pvi_wire_detach {
	struct pvi_wire_head head;
	uint32_t domain;
	uint32_t endpoint;
	uint8_t reserved[8];
};

struct pvi_wire_map {
	struct pvi_wire_head head;
	uint32_t domain;
	uint64_t virt_start;
	uint64_t virt_end;
	uint64_t phys_start;
	uint32_t flags;
} __attribute__((packed));

struct pvi_wire_unmap {
	struct pvi_wire_head head;
	uint32_t domain;
	uint64_t virt_start;
	uint64_t virt_end;
	uint8_t reserved[4];
} __attribute__((packed));

struct pvi_wire_probe {
	struct pvi_wire_head head;
	uint32_t endpoint;
	uint8_t reserved[64];
	/* then probe_size bytes of properties and the tail, device-writable */
};

struct pvi_wire_resv_mem {
	uint16_t type;
	uint16_t length;
	uint8_t subtype;
	uint8_t reserved[3];
	uint64_t start;
	uint64_t end;
};

struct pvi_wire_fault {
	uint8_t reason;
	uint8_t reserved[3];
	uint32_t flags;
	uint32_t endpoint;
	uint8_t reserved2[4];
	uint64_t address;
};

struct pvi_wire_config {
	uint64_t page_size_mask;
	uint64_t input_start;
	uint64_t input_end;
	uint32_t domain_start;
	uint32_t domain_end;
	uint32_t probe_size;
	uint8_t bypass;
	uint8_t reserved[3];
};

PVI_STATIC_ASSERT(sizeof(struct pvi_wire_attach) == 20, "5.13.6.3");
PVI_STATIC_ASSERT(sizeof(struct pvi_wire_detach) == 20, "5.13.6.4");
PVI_STATIC_ASSERT(sizeof(struct pvi_wire_map) == 36, "5.13.6.5");
PVI_STATIC_ASSERT(sizeof(struct pvi_wire_unmap) == 28, "5.13.6.6");
PVI_STATIC_ASSERT(sizeof(struct pvi_wire_probe) == 72, "5.13.6.7");
PVI_STATIC_ASSERT(sizeof(struct pvi_wire_resv_mem) == 24, "5.13.6.7");
PVI_STATIC_ASSERT(sizeof(struct pvi_wire_fault) == 24, "5.13.6.9");
PVI_STATIC_ASSERT(sizeof(struct pvi_wire_config) == 40, "5.13.4");

static inline uint16_t pvi_get16(const void *p)
{
	const uint8_t *b = p;

	return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t pvi_get32(const void *p)
{
	const uint8_t *b = p;

	return (uint32_t)pvi_get16(b) | (uint32_t)pvi_get16(b + 2) << 16;
}

static inline uint64_t pvi_get64(const void *p)
{
	const uint8_t *b = p;

	return (uint64_t)pvi_get32(b) | (uint64_t)pvi_get32(b + 4) << 32;
}

static inline void pvi_put16(void *p, uint16_t v)
{
	uint8_t *b = p;

	b[0] = (uint8_t)v;
	b[1] = (uint8_t)(v >> 8);
}

static inline void pvi_put32(void *p, uint32_t v)
{
	uint8_t *b = p;

	pvi_put16(b, (uint16_t)v);
	pvi_put16(b + 2, (uint16_t)(v >> 16));
}

static inline void pvi_put64(void *p, uint64_t v)
{
	uint8_t *b = p;

	pvi_put32(b, (uint32_t)v);
	pvi_put32(b + 4, (uint32_t)(v >> 32));
}

#endif
