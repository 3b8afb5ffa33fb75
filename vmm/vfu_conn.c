// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "vmm/vfu_conn.h"
#include "vmm/vfu_sock.h"

#define NS_PER_MS  1000000ull
#define NS_PER_S   1000000000ull
#define STACK_SIZE (256u << 10)

/* A call in progress. Its buffers are the caller's, who leaves only with the lock held. */
struct waiter {
	struct vfu_call *call; /* NULL: free */
	uint16_t id;
	bool done;
};

struct vfu_conn {
	int sock;
	unsigned int timeout_ms;
	const struct vfu_conn_ops *ops;
	void *ctx;
	pthread_t thread;
	uint8_t *buf; /* the thread's: one message, VFU_MAX_MSG bytes */

	/* Guards all below; innermost, held for no call. */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* a call is done, the turn to send is free, the end */
	struct waiter waiter[VFU_MAX_CALLS];
	uint16_t next_id;
	bool sending; /* a thread is putting a message on the socket */
	int err;      /* 0, or why the connection ended */
	char reason[160];
};

const char *vfu_command_name(uint16_t command)
{
	static const char *const names[] = {
		[VFU_VERSION] = "VERSION",
		[VFU_DMA_MAP] = "DMA_MAP",
		[VFU_DMA_UNMAP] = "DMA_UNMAP",
		[VFU_DEVICE_GET_INFO] = "DEVICE_GET_INFO",
		[VFU_DEVICE_GET_REGION_INFO] = "DEVICE_GET_REGION_INFO",
		[VFU_DEVICE_GET_REGION_IO_FDS] = "DEVICE_GET_REGION_IO_FDS",
		[VFU_DEVICE_GET_IRQ_INFO] = "DEVICE_GET_IRQ_INFO",
		[VFU_DEVICE_SET_IRQS] = "DEVICE_SET_IRQS",
		[VFU_REGION_READ] = "REGION_READ",
		[VFU_REGION_WRITE] = "REGION_WRITE",
		[VFU_DMA_READ] = "DMA_READ",
		[VFU_DMA_WRITE] = "DMA_WRITE",
		[VFU_DEVICE_RESET] = "DEVICE_RESET",
	};

	if (command >= sizeof(names) / sizeof(*names) || !names[command])
		return "an unknown command";
	return names[command];
}

static uint64_t deadline_ns(const struct vfu_conn *conn)
{
	return vfu_now_ns() + conn->timeout_ms * NS_PER_MS;
}

/* Lock held, which is released meanwhile. False: @deadline has passed. */
static bool wait_changed(struct vfu_conn *conn, uint64_t deadline)
{
	const struct timespec ts = {.tv_sec = (time_t)(deadline / NS_PER_S),
				    .tv_nsec = (long)(deadline % NS_PER_S)};

	return pthread_cond_timedwait(&conn->changed, &conn->lock, &ts) != ETIMEDOUT;
}

void vfu_conn_fail(struct vfu_conn *conn, int err, const char *fmt, ...)
{
	char reason[sizeof(conn->reason)];
	va_list ap;
	bool first;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&conn->lock);
	first = !conn->err;
	if (first) {
		conn->err = err;
		memcpy(conn->reason, reason, sizeof(reason));
	}
	pthread_cond_broadcast(&conn->changed);
	pthread_mutex_unlock(&conn->lock);
	/* Whoever sends or receives gets an error or end-of-file now. */
	shutdown(conn->sock, SHUT_RDWR);
	if (first)
		conn->ops->failed(conn->ctx, reason);
}

int vfu_conn_state(struct vfu_conn *conn, const char **ret_reason)
{
	int err;

	pthread_mutex_lock(&conn->lock);
	err = conn->err;
	pthread_mutex_unlock(&conn->lock);
	if (ret_reason)
		*ret_reason = conn->reason; /* written once, before err */
	return err;
}

/* Waits for its turn, then sends. The connection has ended when this fails. */
static int send_message(struct vfu_conn *conn, const void *buf, size_t len, const int *fds,
			unsigned int nr_fds, uint64_t deadline)
{
	int err;

	pthread_mutex_lock(&conn->lock);
	err = 0;
	while (conn->sending && !conn->err && !err)
		if (!wait_changed(conn, deadline))
			err = -ETIMEDOUT;
	if (conn->err)
		err = conn->err;
	if (!err)
		conn->sending = true;
	pthread_mutex_unlock(&conn->lock);
	if (!err) {
		err = vfu_sock_send(conn->sock, buf, len, fds, nr_fds, deadline);
		pthread_mutex_lock(&conn->lock);
		conn->sending = false;
		pthread_cond_broadcast(&conn->changed);
		pthread_mutex_unlock(&conn->lock);
	}
	if (err == -ETIMEDOUT)
		vfu_conn_fail(conn, err, "takes no messages for %u ms", conn->timeout_ms);
	else if (err)
		vfu_conn_fail(conn, err, "closed the connection");
	return err;
}

/* --- calls --- */

/* Lock held. */
static struct waiter *find_waiter(struct vfu_conn *conn, uint16_t id)
{
	for (unsigned int i = 0; i < VFU_MAX_CALLS; i++)
		if (conn->waiter[i].call && conn->waiter[i].id == id)
			return &conn->waiter[i];
	return NULL;
}

static int begin(struct vfu_conn *conn, struct vfu_call *call, struct waiter **ret_waiter)
{
	struct waiter *w = NULL;
	int err;

	pthread_mutex_lock(&conn->lock);
	err = conn->err;
	for (unsigned int i = 0; i < VFU_MAX_CALLS && !w; i++)
		if (!conn->waiter[i].call)
			w = &conn->waiter[i];
	if (!w)
		err = -EBUSY;
	if (!err) {
		while (find_waiter(conn, conn->next_id))
			conn->next_id++;
		*w = (struct waiter){.call = call, .id = conn->next_id++};
		*ret_waiter = w;
	}
	pthread_mutex_unlock(&conn->lock);
	return err;
}

/* Waits until the call is done, the connection ended or the time is up. */
static int finish(struct vfu_conn *conn, struct waiter *w, uint64_t deadline)
{
	bool in_time = true;
	int err;

	pthread_mutex_lock(&conn->lock);
	while (!w->done && !conn->err && in_time)
		in_time = wait_changed(conn, deadline);
	err = w->done ? 0 : conn->err ? conn->err : -ETIMEDOUT;
	w->call = NULL;
	pthread_mutex_unlock(&conn->lock);
	return err;
}

static void abandon(struct vfu_conn *conn, struct waiter *w)
{
	pthread_mutex_lock(&conn->lock);
	w->call = NULL;
	pthread_mutex_unlock(&conn->lock);
}

int vfu_call(struct vfu_conn *conn, struct vfu_call *call)
{
	uint8_t msg[VFU_MAX_REQUEST];
	struct vfu_header head = {
		.command = call->command,
		.size = (uint32_t)(sizeof(head) + call->req_len),
		.flags = VFU_F_COMMAND,
	};
	uint64_t deadline = deadline_ns(conn);
	struct waiter *w;
	int err;

	if (call->req_len > sizeof(msg) - sizeof(head) || call->nr_fds > VFU_MAX_FDS)
		return -EINVAL;
	call->len = 0;
	call->nr_reply_fds = 0;
	call->error = 0;
	err = begin(conn, call, &w);
	if (err)
		return err;
	head.id = w->id;
	memcpy(msg, &head, sizeof(head));
	if (call->req_len)
		memcpy(msg + sizeof(head), call->req, call->req_len);
	err = send_message(conn, msg, head.size, call->fds, call->nr_fds, deadline);
	if (err) {
		abandon(conn, w);
		return err;
	}
	err = finish(conn, w, deadline);
	if (err == -ETIMEDOUT)
		vfu_conn_fail(conn, err, "did not answer %s within %u ms",
			      vfu_command_name(call->command), conn->timeout_ms);
	return err;
}

/* --- the thread --- */

/* The answer to a DMA request stands in the buffer behind the header. */
static int dma_reply(struct vfu_conn *conn, const struct vfu_header *head, int err, size_t len)
{
	struct vfu_header reply = {
		.id = head->id,
		.command = head->command,
		.size = (uint32_t)(sizeof(reply) + (err ? 0 : len)),
		.flags = VFU_F_REPLY | (err ? VFU_F_ERROR : 0),
		.error = (uint32_t)-err,
	};

	if (head->flags & VFU_F_NO_REPLY)
		return 0;
	memcpy(conn->buf, &reply, sizeof(reply));
	return send_message(conn, conn->buf, reply.size, NULL, 0, deadline_ns(conn));
}

/* Serves a DMA request whose payload, @len bytes, stands behind the header's place. */
static int serve_dma(struct vfu_conn *conn, const struct vfu_header *head, size_t len)
{
	uint8_t *data = conn->buf + sizeof(*head) + sizeof(struct vfu_dma);
	bool write = head->command == VFU_DMA_WRITE;
	struct vfu_dma dma;
	int err;

	if (len < sizeof(dma))
		goto bad;
	memcpy(&dma, conn->buf + sizeof(*head), sizeof(dma));
	len -= sizeof(dma);
	if (write ? dma.count != len : len != 0)
		goto bad;
	if (dma.count > VFU_MAX_DATA)
		return dma_reply(conn, head, -E2BIG, 0);
	if (write)
		err = conn->ops->dma_write(conn->ctx, dma.address, data, dma.count);
	else
		err = conn->ops->dma_read(conn->ctx, dma.address, data, dma.count);
	return dma_reply(conn, head, err, sizeof(dma) + (write ? 0 : dma.count));

bad:
	vfu_conn_fail(conn, -EPROTO, "sent a %s of a wrong size", vfu_command_name(head->command));
	return -EPROTO;
}

/* Hands the reply in the buffer to its waiter, if it has one. */
static int deliver(struct vfu_conn *conn, const struct vfu_header *head, size_t len,
		   struct vfu_fds *fds)
{
	bool error = head->flags & VFU_F_ERROR;
	const char *wrong = NULL;
	struct vfu_call *call;
	struct waiter *w;

	pthread_mutex_lock(&conn->lock);
	w = find_waiter(conn, head->id);
	call = w ? w->call : NULL;
	if (!w || w->done || call->command != head->command) {
		wrong = "that nobody waits for";
	} else if (!error && len > call->room) {
		wrong = "that is too long";
	} else {
		call->error = error ? (int)(head->error & 0xfff) : 0;
		if (error && !call->error)
			call->error = EIO;
		call->len = error ? 0 : len;
		if (call->len)
			memcpy(call->reply, conn->buf + sizeof(*head), call->len);
		while (!error && call->nr_reply_fds < call->fd_room &&
		       call->nr_reply_fds < fds->nr) {
			call->reply_fds[call->nr_reply_fds] = fds->fd[call->nr_reply_fds];
			fds->fd[call->nr_reply_fds++] = -1;
		}
		w->done = true;
		pthread_cond_broadcast(&conn->changed);
	}
	pthread_mutex_unlock(&conn->lock);
	if (!wrong)
		return 0;
	vfu_conn_fail(conn, -EPROTO, "sent a reply to %s %s", vfu_command_name(head->command),
		      wrong);
	return -EPROTO;
}

static int serve(struct vfu_conn *conn, const struct vfu_header *head, size_t len,
		 struct vfu_fds *fds)
{
	unsigned int type = head->flags & VFU_F_TYPE_MASK;

	if (type == VFU_F_REPLY)
		return deliver(conn, head, len, fds);
	if (type == VFU_F_COMMAND &&
	    (head->command == VFU_DMA_READ || head->command == VFU_DMA_WRITE))
		return serve_dma(conn, head, len);
	vfu_conn_fail(conn, -EPROTO, "sent %s (%u, flags 0x%x), which is not for a device to send",
		      vfu_command_name(head->command), head->command, head->flags);
	return -EPROTO;
}

/* One message. Non-zero: the connection has ended, and whoever must know has been told. */
static int serve_one(struct vfu_conn *conn)
{
	struct vfu_fds fds = {.nr = 0};
	struct vfu_header head;
	size_t len;
	int err;

	err = vfu_sock_receive(conn->sock, &head, sizeof(head), &fds);
	if (!err && (head.size < sizeof(head) || head.size > VFU_MAX_MSG)) {
		vfu_conn_fail(conn, -EPROTO, "sent a message of %u bytes", head.size);
		err = -EPROTO;
	}
	if (!err) {
		len = head.size - sizeof(head);
		err = vfu_sock_receive(conn->sock, conn->buf + sizeof(head), len, NULL);
		if (!err)
			err = serve(conn, &head, len, &fds);
	}
	vfu_fds_close(&fds);
	if (err == -EMFILE)
		vfu_conn_fail(conn, -EPROTO, "sent more than %d file descriptors", VFU_MAX_FDS);
	else if (err)
		vfu_conn_fail(conn, -ECONNRESET, "ended or closed its connection");
	return err;
}

static void *run(void *arg)
{
	struct vfu_conn *conn = arg;

	while (!serve_one(conn))
		;
	return NULL;
}

/* Signals are for the main thread. */
static int start_thread(struct vfu_conn *conn)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = -pthread_create(&conn->thread, &attr, run, conn);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return err;
}

/*
 * Small pages, of which only those count that are used: from malloc(), the buffers of
 * some devices lie side by side, and the first byte may cost a huge page.
 */
static int map_buf(struct vfu_conn *conn)
{
	void *buf =
		mmap(NULL, VFU_MAX_MSG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (buf == MAP_FAILED)
		return -ENOMEM;
	madvise(buf, VFU_MAX_MSG, MADV_NOHUGEPAGE);
	conn->buf = buf;
	return 0;
}

static int init_locks(struct vfu_conn *conn)
{
	pthread_condattr_t attr;
	int err;

	err = -pthread_mutex_init(&conn->lock, NULL);
	if (err)
		return err;
	err = -pthread_condattr_init(&attr);
	if (err)
		goto err_lock;
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	err = -pthread_cond_init(&conn->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (!err)
		return 0;
err_lock:
	pthread_mutex_destroy(&conn->lock);
	return err;
}

static void destroy(struct vfu_conn *conn)
{
	pthread_cond_destroy(&conn->changed);
	pthread_mutex_destroy(&conn->lock);
	munmap(conn->buf, VFU_MAX_MSG);
	free(conn);
}

int vfu_conn_new(int sock, unsigned int timeout_ms, const struct vfu_conn_ops *ops, void *ctx,
		 struct vfu_conn **ret_conn)
{
	struct vfu_conn *conn;
	int err;

	conn = calloc(1, sizeof(*conn));
	if (!conn)
		return -ENOMEM;
	conn->sock = sock;
	conn->timeout_ms = timeout_ms ? timeout_ms : VFU_TIMEOUT_MS;
	conn->ops = ops;
	conn->ctx = ctx;
	err = map_buf(conn);
	if (err)
		goto err_free;
	err = init_locks(conn);
	if (err)
		goto err_buf;
	err = start_thread(conn);
	if (err) {
		destroy(conn);
		return err;
	}
	*ret_conn = conn;
	return 0;

err_buf:
	munmap(conn->buf, VFU_MAX_MSG);
err_free:
	free(conn);
	return err;
}

void vfu_conn_hang_up(struct vfu_conn *conn)
{
	pthread_mutex_lock(&conn->lock);
	if (!conn->err)
		conn->err = -ECONNRESET; /* the owner need not be told */
	pthread_cond_broadcast(&conn->changed);
	pthread_mutex_unlock(&conn->lock);
	shutdown(conn->sock, SHUT_RDWR);
}

void vfu_conn_cut(struct vfu_conn *conn)
{
	shutdown(conn->sock, SHUT_RDWR);
}

void vfu_conn_free(struct vfu_conn *conn)
{
	if (!conn)
		return;
	vfu_conn_hang_up(conn);
	pthread_join(conn->thread, NULL);
	close(conn->sock);
	destroy(conn);
}
