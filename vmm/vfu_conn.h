/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One vfio-user connection, the client's end. A thread of its own reads the
 * socket: it serves the device's DMA requests at once, and hands replies to the
 * threads that wait for them; so both directions are live at any time.
 *
 * The peer is hostile. Whatever breaks the protocol, a reply that comes too
 * late, or a message that can't be sent in time ends the connection for good:
 * every later call fails, nobody waits beyond the deadline of one call.
 *
 * What bounds the peer: messages by VFU_MAX_MSG; file descriptors by VFU_MAX_FDS
 * a message, all but the expected ones are closed; DMA requests by this thread,
 * which the host schedules like any other: a flood takes at most one CPU's time
 * share and leaves the vCPUs theirs.
 */
#ifndef VMM_VFU_CONN_H
#define VMM_VFU_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/vfio_user.h"

#define VFU_TIMEOUT_MS 5000

/* Threads that may wait at once: the vCPUs and the main thread. */
#define VFU_MAX_CALLS 16

/* The longest request, header included; DMA replies are not requests. */
#define VFU_MAX_REQUEST 1024

struct vfu_conn;

struct vfu_conn_ops {
	/* On the connection's thread. 0, or -errno for the peer. */
	int (*dma_read)(void *ctx, uint64_t addr, void *buf, size_t len);
	int (*dma_write)(void *ctx, uint64_t addr, const void *buf, size_t len);
	/* The connection has ended; once, from the thread that found out, no lock held. */
	void (*failed)(void *ctx, const char *reason);
};

struct vfu_call {
	uint16_t command;
	const void *req; /* the request's payload */
	size_t req_len;
	const int *fds;
	unsigned int nr_fds;
	void *reply; /* room for the reply's payload, and */
	size_t room; /* how much; a longer reply breaks the protocol */
	int *reply_fds;
	unsigned int fd_room; /* descriptors beyond are closed */

	/* Results. */
	size_t len; /* of the reply's payload */
	unsigned int nr_reply_fds;
	int error; /* errno of an error reply, else 0 */
};

/*
 * Takes @sock over and starts the thread. @timeout_ms: for each call and message
 * sent. -ENOMEM, or what the thread's start gave; @sock stays the caller's then.
 */
int vfu_conn_new(int sock, unsigned int timeout_ms, const struct vfu_conn_ops *ops, void *ctx,
		 struct vfu_conn **ret_conn);

/* Ends the connection without a word: calls under way and later ones get -ECONNRESET. */
void vfu_conn_hang_up(struct vfu_conn *conn);

/*
 * Ends the connection from a context that may take no lock: the thread, or whoever
 * calls next, finds it closed and says so.
 */
void vfu_conn_cut(struct vfu_conn *conn);

/* The same, and joins the thread. Nobody may be in a call. NULL is fine. */
void vfu_conn_free(struct vfu_conn *conn);

/*
 * Sends a request and waits for its reply. 0: there is one, see @error;
 * -ETIMEDOUT, -ECONNRESET, -EPROTO: the connection has ended.
 */
int vfu_call(struct vfu_conn *conn, struct vfu_call *call);

/* Ends the connection: what the peer said makes no sense. Only the first reason counts. */
void vfu_conn_fail(struct vfu_conn *conn, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* 0, or the -errno with which the connection ended; @ret_reason (may be NULL) until free. */
int vfu_conn_state(struct vfu_conn *conn, const char **ret_reason);

const char *vfu_command_name(uint16_t command);

#endif
