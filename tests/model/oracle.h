/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a domain table must do, done in the dumbest way: an unsorted array of
 * mappings, every call a look at all of them, every rule as the specification
 * words it. Same calls and results as core/table.h.
 */
#ifndef TESTS_MODEL_ORACLE_H
#define TESTS_MODEL_ORACLE_H

#include "core/table.h"

#define ORACLE_MAX 1024

struct oracle_mapping {
	struct pvi_range iova;
	uint64_t target;
	unsigned int prot;
};

struct oracle {
	uint64_t max_mappings; /* at most ORACLE_MAX */
	size_t nr;
	struct oracle_mapping mapping[ORACLE_MAX];
};

int oracle_map(struct oracle *o, struct pvi_range iova, uint64_t target, unsigned int prot);
int oracle_unmap(struct oracle *o, struct pvi_range iova, uint64_t *ret_removed);
int oracle_translate(const struct oracle *o, uint64_t iova, uint64_t len, unsigned int prot,
		     struct pvi_table_run *ret);
uint64_t oracle_pages(const struct oracle *o);
/* The mapping that touches @iova and has the lowest address; NULL: none. */
const struct oracle_mapping *oracle_next(const struct oracle *o, struct pvi_range iova);

#endif
