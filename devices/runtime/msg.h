/* SPDX-License-Identifier: BSD-2-Clause */
/* vfio-user messages on a stream socket: whole ones in, whole ones out. */
#ifndef DEVICES_RUNTIME_MSG_H
#define DEVICES_RUNTIME_MSG_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/vfio_user.h"

/* The longest request that a device takes; DMA replies go to their buffer instead. */
#define MSG_MAX_BODY 4096u

struct msg {
	struct vfu_header hdr;
	uint32_t len; /* of body */
	unsigned int nr_fds;
	int fds[VFU_MAX_FDS]; /* owned; -1: taken */
	uint8_t body[MSG_MAX_BODY];
};

/*
 * Receives a header and the fds that came with it. 1; 0: end of file between
 * messages; -EPROTO: a size or type that cannot be, too many fds, end of file
 * within; or another errno. The body, hdr.size - 16 bytes, is still to be read.
 */
int msg_recv_header(int sock, struct msg *msg);

/* Exactly @len bytes. */
int msg_recv_bytes(int sock, void *buf, size_t len);

/* The body of @msg after its header; -EMSGSIZE when it is longer than MSG_MAX_BODY. */
int msg_recv_body(int sock, struct msg *msg);

/* Sends all of it; hdr->size is set. At most 3 pieces of payload. */
int msg_send(int sock, struct vfu_header *hdr, const struct iovec *iov, unsigned int nr,
	     const int *fds, unsigned int nr_fds);

/* Takes fd @i out of @msg: the caller's now. */
int msg_take_fd(struct msg *msg, unsigned int i);
void msg_close_fds(struct msg *msg);

#endif
