/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes and file descriptors over a vfio-user socket. */
#ifndef VMM_VFU_SOCK_H
#define VMM_VFU_SOCK_H

#include <stddef.h>
#include <stdint.h>

#include "core/vfio_user.h"

/* What came with a message; -1: somebody took it. */
struct vfu_fds {
	int fd[VFU_MAX_FDS];
	unsigned int nr;
};

/* CLOCK_MONOTONIC. */
uint64_t vfu_now_ns(void);

/*
 * Sends all of it, whether the socket blocks or not. -ETIMEDOUT: @deadline (of
 * vfu_now_ns()) has passed; -ECONNRESET. Part of it may have been sent then.
 */
int vfu_sock_send(int sock, const uint8_t *buf, size_t len, const int *fds, unsigned int nr_fds,
		  uint64_t deadline);

/*
 * Receives exactly @len bytes. Descriptors that came with them are added to @fds,
 * even on failure; with NULL the kernel closes them. -ECONNRESET; -EMFILE: more
 * than VFU_MAX_FDS.
 */
int vfu_sock_receive(int sock, void *buf, size_t len, struct vfu_fds *fds);

/* Closes all that nobody took. */
void vfu_fds_close(struct vfu_fds *fds);

#endif
