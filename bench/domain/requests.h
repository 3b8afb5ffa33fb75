/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_DOMAIN_REQUESTS_H
#define BENCH_DOMAIN_REQUESTS_H

#include <stdint.h>

#define REQUESTS_RAM (64ull << 20)

/* A device with a request queue at these addresses of @ram; lives as long as the program. */
void *gtree_start(uint8_t *ram, uint64_t desc, uint64_t avail, uint64_t used, uint16_t size);
/* Handles what the queue holds. */
void gtree_kick(void *self);

#endif
