/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What assign-load and assign-peer say to each other: a request, then messages. Datagrams
 * are asked for and acknowledged: so many are under way at most, and none is lost for want of
 * room. Both run on the same kind of machine: fields are in its own byte order.
 */
#ifndef BENCH_ASSIGNED_PROTO_H
#define BENCH_ASSIGNED_PROTO_H

#include <stdint.h>

#define UDP_PORT 9000
#define TCP_PORT 9001
/* Nobody there takes what is sent. */
#define UDP_DISCARD_PORT 9

#define WINDOW_BYTES	 (128u << 10)
#define WINDOW_MOST	 64u
#define RECEIVE_BUFFER	 (8 << 20)
/* The longest that a peer may be silent, by the clock. */
#define SILENCE_MS 10000

enum direction {
	FROM_PEER = 1,
	TO_PEER = 2,
};

struct request {
	uint32_t direction;
	uint32_t count;
	uint32_t size;
};

static inline uint32_t window_of(uint32_t size)
{
	uint32_t n = WINDOW_BYTES / size;

	return n < 2 ? 2 : n > WINDOW_MOST ? WINDOW_MOST : n;
}

#endif
