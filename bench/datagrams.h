/* SPDX-License-Identifier: BSD-2-Clause */
/* A load of datagrams that ends when the last one has left. */
#ifndef BENCH_DATAGRAMS_H
#define BENCH_DATAGRAMS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Sends COUNT datagrams of SIZE bytes on a connected socket and waits until the device has taken
 * them all. None is dropped for want of room, nor missed where nobody listens. 0 or -errno.
 */
int bench_send_datagrams(int fd, const void *buf, size_t size, uint64_t count);

#endif
