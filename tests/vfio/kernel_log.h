/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's messages: which DMA the IOMMU has refused. */
#ifndef TESTS_VFIO_KERNEL_LOG_H
#define TESTS_VFIO_KERNEL_LOG_H

#include <stdbool.h>
#include <stdint.h>

void kernel_log_open(void);
/* Forgets what it has said so far. */
void kernel_log_skip(void);
/*
 * Did VT-d refuse a DMA (@what: "Read" or "Write") at the page @page since then? The
 * message comes from an interrupt, a little later: @timeout_ms from one message to the next.
 */
bool kernel_log_has_fault(const char *what, uint64_t page, int timeout_ms);

#endif
