/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A backend for tests: it keeps what it was told, insists on what backend.h promises,
 * and fails at the n-th call if asked to.
 */
#ifndef TESTS_UNIT_FAKE_BACKEND_H
#define TESTS_UNIT_FAKE_BACKEND_H

#include "fake_host.h"

#include <pviommu/backend.h>

#define FAKE_MAPPINGS 256

struct fake_mapping {
	uint64_t iova, gpa, len;
	unsigned int prot;
};

struct fake_backend {
	struct pvi_backend *backend;
	uint64_t page_sizes; /* 0: 4 KiB */
	struct fake_mapping mapping[FAKE_MAPPINGS];
	unsigned int nr;
	bool identity;
	unsigned int calls;
	int fail_in; /* 0: the next call fails, with @error; below 0: none does */
	int error;
	bool stay;    /* later calls fail as well */
	bool refused; /* an unmap, or the end of identity, was among them */
	void (*on_map)(void *arg);
	void *arg;
};

int fake_backend_try(struct fake_backend *b, struct pvi_iommu *iommu,
		     const struct pvi_window *windows, size_t nr_windows);
void fake_backend_init(struct fake_backend *b, struct pvi_iommu *iommu);
bool fake_backend_has(const struct fake_backend *b, uint64_t iova, uint64_t gpa, uint64_t len,
		      unsigned int prot);

#endif
