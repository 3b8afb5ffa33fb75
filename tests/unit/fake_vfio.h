/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A type1 v2 container for tests, by the kernel's rules: mappings do not overlap and
 * are not split, IOVAs lie below 512 MiB here, and there are so many mappings at most.
 */
#ifndef TESTS_UNIT_FAKE_VFIO_H
#define TESTS_UNIT_FAKE_VFIO_H

#include "fake_host.h"

#include <pviommu/vfio.h>

#define VFIO_PAGES (1u << 17)

struct fake_vfio {
	struct pvi_vfio *vfio;
	struct {
		uint32_t first; /* page of its mapping, plus 1; 0: none */
		uint32_t pages; /* of it; at its first page only */
		uint64_t vaddr;
		uint32_t flags;
	} * page;
	unsigned int mappings, limit;
	unsigned int map_calls, unmap_calls;
	bool v1_only, no_caps;
	uint64_t page_sizes;
	int fail_in;	       /* 0: the next ioctl fails with @error */
	unsigned int fail_for; /* so many of them; 0: one */
	int error;
	void (*damage)(uint8_t *info, size_t len); /* what GET_INFO says */
};

void fake_vfio_init(struct fake_vfio *f);
void fake_vfio_done(struct fake_vfio *f);
int fake_vfio_try(struct fake_vfio *f, struct fake_host *h, struct pvi_iommu *iommu);
/* Is this one mapping of the container? */
bool fake_vfio_has(const struct fake_vfio *f, uint64_t iova, const void *hva, uint64_t len,
		   uint32_t flags);

#endif
