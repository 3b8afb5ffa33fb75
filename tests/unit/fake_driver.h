/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's side of the virtio-iommu, for tests: registers through BAR
 * accesses, queues and buffers in the fake host's RAM below 512 KiB.
 */
#ifndef TESTS_UNIT_FAKE_DRIVER_H
#define TESTS_UNIT_FAKE_DRIVER_H

#include "fake_host.h"

#include "core/virtio_pci.h"
#include "core/wire.h"

#define DRV_SIZE     256u
#define DRV_DATA     0x80000ull	 /* the first byte that the driver does not use */
#define DRV_NOT_USED 0xdead0000u /* status of a request that came back unwritten */

#define DRV_NEXT     1u
#define DRV_WRITE    2u

#define DRV_F_COMMON                                                                      \
	(1ull << PVI_VIRTIO_F_VERSION_1 | 1ull << PVI_F_MAP_UNMAP | 1ull << PVI_F_PROBE | \
	 1ull << PVI_F_INPUT_RANGE | 1ull << PVI_F_DOMAIN_RANGE)

struct drv_queue {
	uint64_t desc, avail, used;
	uint16_t next_avail, next_used;
};

struct driver {
	struct fake_host *h;
	struct pvi_viommu *v;
	struct drv_queue q[PVI_NR_VQS];
};

uint64_t drv_read(struct driver *d, uint64_t off, uint32_t len);
void drv_write(struct driver *d, uint64_t off, uint64_t value, uint32_t len);

uint64_t drv_features(struct driver *d); /* offered */
/* Resets and initialises the device up to DRIVER_OK; false: it refuses the features. */
bool drv_prepare(struct driver *d, uint64_t features);
void drv_go(struct driver *d); /* DRIVER_OK */
/* Both. */
bool drv_start(struct driver *d, uint64_t features);

void drv_desc(struct driver *d, unsigned int q, uint16_t i, uint64_t addr, uint32_t len,
	      uint16_t flags, uint16_t next);
void drv_offer(struct driver *d, unsigned int q, uint16_t head);
void drv_kick(struct driver *d, unsigned int q);
uint16_t drv_used_idx(struct driver *d, unsigned int q);
/* The next used entry: false when none was published. */
bool drv_take(struct driver *d, unsigned int q, uint32_t *ret_head, uint32_t *ret_len);

/* Buffer of slot @i (of 128): 1 KiB for the request, 1 KiB for the reply. */
uint64_t drv_out(unsigned int i);
uint64_t drv_in(unsigned int i);
/* Puts a request into slot @i, without a kick. */
void drv_add(struct driver *d, unsigned int i, const void *out, uint32_t out_len, uint32_t in_len);
/* One request, kicked and waited for; the used length. */
uint32_t drv_submit(struct driver *d, const void *out, uint32_t out_len, uint32_t in_len);
/* One whose reply is a tail alone: its status. */
uint32_t drv_status(struct driver *d, const void *out, uint32_t out_len);

struct pvi_wire_attach drv_attach_req(uint32_t domain, uint32_t endpoint, uint32_t flags);
struct pvi_wire_detach drv_detach_req(uint32_t domain, uint32_t endpoint);
struct pvi_wire_map drv_map_req(uint32_t domain, uint64_t first, uint64_t last, uint64_t phys,
				uint32_t flags);
struct pvi_wire_unmap drv_unmap_req(uint32_t domain, uint64_t first, uint64_t last);

uint32_t drv_attach(struct driver *d, uint32_t domain, uint32_t endpoint, uint32_t flags);
uint32_t drv_detach(struct driver *d, uint32_t domain, uint32_t endpoint);
uint32_t drv_map(struct driver *d, uint32_t domain, uint64_t first, uint64_t last, uint64_t phys,
		 uint32_t flags);
uint32_t drv_unmap(struct driver *d, uint32_t domain, uint64_t first, uint64_t last);

/* Gives event buffer @i (of 64) of @len bytes, without a kick. */
void drv_give_event(struct driver *d, unsigned int i, uint32_t len);
uint64_t drv_event(unsigned int i);

#endif
