/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What bounce promises of bytes: what a buffer holds gets to the device and back, as often as its
 * driver syncs; nothing beside a buffer changes by what the device writes; and a device that reads
 * all of its slots finds no byte of a driver's memory that was never given to it. Memory that is
 * in no DMA under way holds HIDDEN, and nothing else does.
 */
#ifndef TESTS_FUZZ_BOUNCE_ORACLE_H
#define TESTS_FUZZ_BOUNCE_ORACLE_H

#include "core/strategy/bounce.h"

void oracle_reset(void);

/* The driver writes to the buffer, before it maps it; after its DMA has ended, what is hidden. */
void oracle_driver_fills(const struct pvi_seg *s);
void oracle_driver_hides(const struct pvi_seg *s);

/* It has a slot now. */
void oracle_mapped(const struct pvi_seg *s, const struct pvi_how *how);
/* It will have none, and then it has none. */
void oracle_unmaps(const struct pvi_seg *s, const struct pvi_how *how);
void oracle_unmapped(const struct pvi_seg *s);

/* Of a buffer in a slot, or beyond it. */
void oracle_syncs(struct pvi_bounce *b, const struct pvi_seg *s, uint32_t prot, size_t at,
		  size_t size, bool to_device);

/* To any page of the window that the device can write to, buffer or not. */
void oracle_device_writes(uint64_t pfn, size_t at, size_t size);

/* All of it is what it must be. */
void oracle_check_all(void);

#endif
