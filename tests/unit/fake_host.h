/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An embedder of libpviommu for tests. Guest RAM is in three pieces that are
 * apart in the host: two that touch at 1 MiB, and one behind a hole, at 4 GiB.
 */
#ifndef TESTS_UNIT_FAKE_HOST_H
#define TESTS_UNIT_FAKE_HOST_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <cmocka.h>

#include <pviommu/iommu.h>
#include <pviommu/viommu.h>

#define HOST_SLOT_SIZE 0x100000ull
#define HOST_HOLE      0x200000ull /* first address that is not RAM */
#define HOST_HIGH      0x100000000ull

struct fake_host {
	uint8_t *slot[3];
	atomic_uint faults;
	pthread_mutex_t lock;
	struct pvi_fault last_fault;
	atomic_uint nr_failed; /* endpoints */
	uint32_t last_failed;
	atomic_uint interrupts[PVI_VIOMMU_VECTORS];
	/* Called inside ram(), that is with a transfer under way; NULL: not. */
	void (*in_ram)(void *arg);
	void *in_ram_arg;
};

void host_init(struct fake_host *h);
void host_done(struct fake_host *h);

/* Host address of guest-physical @gpa, which must be RAM. */
uint8_t *host_at(struct fake_host *h, uint64_t gpa);

/* A strict IOMMU: input range up to 2^48 - 1, domains 1 to 100. */
struct pvi_iommu_config host_config(struct fake_host *h);
struct pvi_iommu *host_iommu(const struct pvi_iommu_config *config);
struct pvi_endpoint *host_endpoint(struct pvi_iommu *iommu, uint32_t id);
struct pvi_endpoint *host_endpoint_of(struct pvi_iommu *iommu, uint32_t id,
				      struct pvi_backend *backend);
int host_viommu_try(struct fake_host *h, struct pvi_iommu *iommu, struct pvi_viommu **ret);
struct pvi_viommu *host_viommu(struct fake_host *h, struct pvi_iommu *iommu);

#endif
