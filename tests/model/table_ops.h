/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes as a sequence of operations on a domain table and its oracle: shared by
 * the randomized model test and the fuzz target.
 */
#ifndef TESTS_MODEL_TABLE_OPS_H
#define TESTS_MODEL_TABLE_OPS_H

#include "core/table.h"

/* Aborts, saying what differed, when the table and the oracle disagree. */
void table_ops_run(const uint8_t *data, size_t size);

/*
 * Memory for table.c, defined here in place of core/alloc.c: of each 256
 * allocations, this many fail, in a fixed order.
 */
extern unsigned int table_ops_failures;

#endif
