// SPDX-License-Identifier: BSD-2-Clause
/* The connection, against a peer that the test scripts message by message. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_vfu.h"
#include "vmm/vfu_conn.h"
#include "vmm/vfu_sock.h"

#define TIMEOUT_MS 200
#define PATIENT_MS 20000
#define SECRET	   0xc3

struct end {
	atomic_uint failures, reads, writes;
	char reason[160];
};

static int on_read(void *ctx, uint64_t addr, void *buf, size_t len)
{
	struct end *e = ctx;

	e->reads++;
	if (addr == 0xbad)
		return -EFAULT;
	memset(buf, SECRET, len);
	return 0;
}

static int on_write(void *ctx, uint64_t addr, const void *buf, size_t len)
{
	struct end *e = ctx;

	e->writes++;
	return addr == 0xbad ? -EFAULT : 0;
}

static void on_failed(void *ctx, const char *reason)
{
	struct end *e = ctx;

	strncpy(e->reason, reason, sizeof(e->reason) - 1);
	e->failures++;
}

static const struct vfu_conn_ops ops = {
	.dma_read = on_read, .dma_write = on_write, .failed = on_failed};

static struct vfu_conn *open_conn(struct fake_vfu *s, struct end *e, unsigned int timeout_ms)
{
	struct vfu_conn *conn;

	memset(e, 0, sizeof(*e));
	assert_int_equal(vfu_conn_new(fake_vfu_start(s), timeout_ms, &ops, e, &conn), 0);
	return conn;
}

/* One DEVICE_RESET, which the hook answers. */
static int call(struct vfu_conn *conn, int *ret_error)
{
	uint8_t reply[8];
	struct vfu_call c = {.command = VFU_DEVICE_RESET, .reply = reply, .room = sizeof(reply)};
	int err = vfu_call(conn, &c);

	if (ret_error)
		*ret_error = c.error;
	return err;
}

/* The peer's answer breaks the connection with @err, once, and for good. */
static void expect_end(fake_vfu_hook *hook, int err, const char *reason)
{
	struct fake_vfu s;
	struct vfu_conn *conn;
	char copy[160];
	const char *text;
	struct end e;

	fake_vfu_init(&s);
	s.hook = hook;
	conn = open_conn(&s, &e, err == -ETIMEDOUT ? TIMEOUT_MS : PATIENT_MS);
	assert_int_equal(call(conn, NULL), err);
	assert_int_equal(call(conn, NULL), err);
	assert_int_equal(vfu_conn_state(conn, &text), err);
	if (!strstr(text, reason))
		fail_msg("\"%s\" lacks \"%s\"", text, reason);
	snprintf(copy, sizeof(copy), "%s", text);
	vfu_conn_free(conn);
	fake_vfu_stop(&s);
	/* Whoever noticed has told by now. */
	assert_int_equal(e.failures, 1);
	assert_string_equal(e.reason, copy);
}

static void answers(void **state)
{
	struct fake_vfu s;
	struct vfu_conn *conn;
	struct end e;
	int error;

	fake_vfu_init(&s);
	conn = open_conn(&s, &e, PATIENT_MS);
	for (int i = 0; i < 10; i++)
		assert_int_equal(call(conn, &error), 0);
	assert_int_equal(error, 0);
	assert_int_equal(vfu_conn_state(conn, NULL), 0);
	vfu_conn_free(conn);
	fake_vfu_stop(&s);
	assert_int_equal(e.failures, 0); /* an end of ours is no news */
}

static bool refuse(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
		   size_t len)
{
	/* The second refusal does not say why. */
	fake_vfu_error(s, head, s->nr_resets++ ? 0 : ENOTTY);
	return true;
}

static bool says_nothing(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
			 size_t len)
{
	atomic_fetch_add((atomic_uint *)s->ctx, 1);
	return true;
}

static void *call_once(void *arg)
{
	return (void *)(intptr_t)call(arg, NULL);
}

/* Whoever waits for an answer gets none at once, not at the time-out; nobody is told. */
static void hanging_up(void **state)
{
	atomic_uint seen = 0;
	struct vfu_conn *conn;
	struct fake_vfu s;
	uint64_t begin;
	pthread_t thread;
	struct end e;
	void *err;

	fake_vfu_init(&s);
	s.hook = says_nothing;
	s.ctx = &seen;
	conn = open_conn(&s, &e, PATIENT_MS);
	assert_int_equal(pthread_create(&thread, NULL, call_once, conn), 0);
	while (!seen)
		sched_yield();
	begin = vfu_now_ns();
	vfu_conn_hang_up(conn);
	pthread_join(thread, &err);
	assert_int_equal((intptr_t)err, -ECONNRESET);
	assert_true(vfu_now_ns() - begin < PATIENT_MS / 2 * 1000000ull);
	assert_int_equal(call(conn, NULL), -ECONNRESET);
	vfu_conn_free(conn);
	fake_vfu_stop(&s);
	assert_int_equal(e.failures, 0);
}

static void error_replies(void **state)
{
	struct fake_vfu s;
	struct vfu_conn *conn;
	struct end e;
	int error;

	fake_vfu_init(&s);
	s.hook = refuse;
	conn = open_conn(&s, &e, PATIENT_MS);
	assert_int_equal(call(conn, &error), 0);
	assert_int_equal(error, ENOTTY);
	assert_int_equal(call(conn, &error), 0);
	assert_int_equal(error, EIO);
	vfu_conn_free(conn);
	fake_vfu_stop(&s);
}

static bool silent(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
		   size_t len)
{
	return true;
}

static bool hang_up(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
		    size_t len)
{
	shutdown(s->sock, SHUT_RDWR);
	return true;
}

static bool half_message(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
			 size_t len)
{
	send(s->sock, head, 7, MSG_NOSIGNAL);
	return true;
}

static bool half_and_end(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
			 size_t len)
{
	struct vfu_header h = {.id = head->id, .command = head->command, .flags = VFU_F_REPLY};

	h.size = sizeof(h) + 8;
	send(s->sock, &h, sizeof(h), MSG_NOSIGNAL);
	shutdown(s->sock, SHUT_RDWR);
	return true;
}

/* A reply like the right one, with one thing changed. */
static void send_wrong(struct fake_vfu *s, const struct vfu_header *head, uint16_t id,
		       uint16_t command, uint32_t size, uint32_t flags)
{
	const struct vfu_header h = {.id = id, .command = command, .size = size, .flags = flags};
	static const uint8_t junk[64];

	fake_vfu_send(s, &h, junk, sizeof(junk), NULL, 0);
}

static bool wrong_id(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
		     size_t len)
{
	send_wrong(s, head, (uint16_t)(head->id + 1), head->command, 16, VFU_F_REPLY);
	return true;
}

static bool wrong_command(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
			  size_t len)
{
	send_wrong(s, head, head->id, VFU_REGION_READ, 16, VFU_F_REPLY);
	return true;
}

static bool too_long(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
		     size_t len)
{
	send_wrong(s, head, head->id, head->command, 16 + 9, VFU_F_REPLY);
	return true;
}

static bool tiny(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
		 size_t len)
{
	send_wrong(s, head, head->id, head->command, 15, VFU_F_REPLY);
	return true;
}

static bool huge(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
		 size_t len)
{
	send_wrong(s, head, head->id, head->command, UINT32_MAX, VFU_F_REPLY);
	return true;
}

static bool commands_us(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
			size_t len)
{
	send_wrong(s, head, head->id, VFU_DMA_MAP, 16 + 32, VFU_F_COMMAND);
	return true;
}

static bool odd_type(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
		     size_t len)
{
	send_wrong(s, head, head->id, head->command, 16, 7);
	return true;
}

static bool twice(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
		  size_t len)
{
	/* One message: both are there before the client can ask again. */
	struct vfu_header h[2] = {{.id = head->id, .command = head->command, .size = 16}};

	h[0].flags = VFU_F_REPLY;
	h[1] = h[0];
	send(s->sock, h, sizeof(h), MSG_NOSIGNAL);
	return true;
}

static bool short_dma(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
		      size_t len)
{
	send_wrong(s, head, 1, VFU_DMA_READ, 16 + 8, VFU_F_COMMAND);
	return true;
}

static bool lying_dma(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
		      size_t len)
{
	const struct vfu_header h = {
		.command = VFU_DMA_WRITE, .size = 16 + 16 + 8, .flags = VFU_F_COMMAND};
	const struct {
		struct vfu_dma dma;
		uint8_t data[8];
	} m = {.dma = {0, 1u << 19}};

	fake_vfu_send(s, &h, &m, sizeof(m), NULL, 0);
	return true;
}

static bool fd_flood(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
		     size_t len)
{
	struct vfu_header h = {.id = head->id, .command = head->command, .size = 16};
	int fds[VFU_MAX_FDS + 30];

	h.flags = VFU_F_REPLY;
	for (unsigned int i = 0; i < VFU_MAX_FDS + 30; i++)
		fds[i] = STDERR_FILENO;
	fake_vfu_send(s, &h, NULL, 0, fds, VFU_MAX_FDS + 30);
	return true;
}

static void nonsense(void **state)
{
	expect_end(silent, -ETIMEDOUT, "did not answer DEVICE_RESET within 200 ms");
	expect_end(hang_up, -ECONNRESET, "closed its connection");
	expect_end(half_message, -ETIMEDOUT, "did not answer");
	expect_end(half_and_end, -ECONNRESET, "closed its connection");
	expect_end(wrong_id, -EPROTO, "nobody waits for");
	expect_end(wrong_command, -EPROTO, "REGION_READ that nobody waits for");
	expect_end(too_long, -EPROTO, "too long");
	expect_end(tiny, -EPROTO, "15 bytes");
	expect_end(huge, -EPROTO, "4294967295 bytes");
	expect_end(commands_us, -EPROTO, "DMA_MAP");
	expect_end(odd_type, -EPROTO, "not for a device");
	expect_end(short_dma, -EPROTO, "DMA_READ of a wrong size");
	expect_end(lying_dma, -EPROTO, "DMA_WRITE of a wrong size");
	expect_end(fd_flood, -EPROTO, "file descriptors");
}

static void duplicate_reply(void **state)
{
	struct fake_vfu s;
	struct vfu_conn *conn;
	struct end e;
	int err;

	fake_vfu_init(&s);
	s.hook = twice;
	conn = open_conn(&s, &e, PATIENT_MS);
	/* The first of the two may have been taken, the second ends it. */
	err = call(conn, NULL);
	assert_true(err == 0 || err == -EPROTO);
	while (!vfu_conn_state(conn, NULL))
		call(conn, NULL);
	assert_int_equal(vfu_conn_state(conn, NULL), -EPROTO);
	vfu_conn_free(conn);
	fake_vfu_stop(&s);
	assert_int_equal(e.failures, 1);
}

/* What a hook found out while the client waited. */
struct dma_results {
	int ok, bad, write, bad_write, big, huge;
	bool right;
};

static bool dma_meanwhile(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
			  size_t len)
{
	struct dma_results *r = s->ctx;
	size_t size = VFU_MAX_DATA;
	uint8_t *buf = calloc(1, size + 1);

	r->ok = fake_vfu_dma_read(s, 0x1000, buf, 64);
	r->right = buf[0] == SECRET && buf[63] == SECRET && !buf[64];
	r->bad = fake_vfu_dma_read(s, 0xbad, buf, 64);
	r->write = fake_vfu_dma_write(s, 0x1000, buf, 64);
	r->bad_write = fake_vfu_dma_write(s, 0xbad, buf, 64);
	r->big = fake_vfu_dma_read(s, 0x1000, buf, size);
	r->right &= buf[size - 1] == SECRET;
	r->huge = fake_vfu_dma_read(s, 0x1000, buf, size + 1);
	free(buf);
	return false; /* now the answer */
}

static void both_directions(void **state)
{
	struct dma_results r = {0};
	struct vfu_conn *conn;
	struct fake_vfu s;
	struct end e;

	fake_vfu_init(&s);
	s.hook = dma_meanwhile;
	s.ctx = &r;
	conn = open_conn(&s, &e, PATIENT_MS);
	assert_int_equal(call(conn, NULL), 0);
	vfu_conn_free(conn);
	fake_vfu_stop(&s);
	assert_int_equal(r.ok, 0);
	assert_true(r.right);
	assert_int_equal(r.bad, EFAULT);
	assert_int_equal(r.write, 0);
	assert_int_equal(r.bad_write, EFAULT);
	assert_int_equal(r.big, 0);
	assert_int_equal(r.huge, E2BIG);
	assert_int_equal(e.reads, 3);
	assert_int_equal(e.writes, 2);
	assert_int_equal(e.failures, 0);
}

/* A peer that never reads: what is sent fills the socket, and the deadline ends it. */
static void deaf_peer(void **state)
{
	static uint8_t data[VFU_MAX_REQUEST - sizeof(struct vfu_header)];
	struct vfu_call c = {.command = VFU_REGION_WRITE, .req = data, .req_len = sizeof(data)};
	struct vfu_conn *conn;
	int sock[2], size = 1;
	struct end e = {0};

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
	assert_int_equal(setsockopt(sock[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	while (send(sock[0], data, sizeof(data), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(vfu_conn_new(sock[0], TIMEOUT_MS, &ops, &e, &conn), 0);
	assert_int_equal(vfu_call(conn, &c), -ETIMEDOUT);
	assert_int_equal(vfu_call(conn, &c), -ETIMEDOUT);
	vfu_conn_free(conn);
	close(sock[1]);
	assert_int_equal(e.failures, 1);
	assert_non_null(strstr(e.reason, "takes no messages"));
}

static void request_too_long(void **state)
{
	static uint8_t data[VFU_MAX_REQUEST];
	struct vfu_call c = {.command = VFU_REGION_WRITE, .req = data, .req_len = sizeof(data)};
	struct vfu_conn *conn;
	struct fake_vfu s;
	struct end e;

	fake_vfu_init(&s);
	conn = open_conn(&s, &e, PATIENT_MS);
	assert_int_equal(vfu_call(conn, &c), -EINVAL);
	assert_int_equal(call(conn, NULL), 0); /* and nothing has happened */
	vfu_conn_free(conn);
	fake_vfu_stop(&s);
}

static bool with_fds(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
		     size_t len)
{
	struct vfu_header h = {.id = head->id, .command = head->command, .size = 16};
	int fds[3] = {STDERR_FILENO, STDERR_FILENO, STDERR_FILENO};

	h.flags = VFU_F_REPLY;
	fake_vfu_send(s, &h, NULL, 0, fds, 3);
	return true;
}

static unsigned int count_fds(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += dup2(fd, fd) == fd;
	return n;
}

static void descriptors(void **state)
{
	int got[2];
	struct vfu_call c = {.command = VFU_DEVICE_RESET, .reply_fds = got, .fd_room = 2};
	struct vfu_conn *conn;
	unsigned int before;
	struct fake_vfu s;
	struct end e;

	fake_vfu_init(&s);
	s.hook = with_fds;
	conn = open_conn(&s, &e, PATIENT_MS);
	before = count_fds();
	assert_int_equal(vfu_call(conn, &c), 0);
	assert_int_equal(c.nr_reply_fds, 2);
	close(got[0]);
	close(got[1]);
	/* Where none is expected, all are closed: at the latest before the next answer. */
	assert_int_equal(call(conn, NULL), 0);
	vfu_conn_free(conn);
	fake_vfu_stop(&s);
	assert_int_equal(count_fds(), before - 2); /* less the sockets */
}

/* Several threads call while the peer mixes DMA in. */
struct caller {
	pthread_t thread;
	struct vfu_conn *conn;
	int err;
};

static void *call_often(void *arg)
{
	struct caller *c = arg;

	for (int i = 0; i < 200 && !c->err; i++)
		c->err = call(c->conn, NULL);
	return NULL;
}

static void run_callers(struct vfu_conn *conn, int want)
{
	struct caller callers[4] = {0};

	for (int i = 0; i < 4; i++) {
		callers[i].conn = conn;
		assert_int_equal(pthread_create(&callers[i].thread, NULL, call_often, &callers[i]),
				 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(callers[i].thread, NULL);
		assert_int_equal(callers[i].err, want);
	}
}

static bool posted_dma(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
		       size_t len)
{
	const struct vfu_header h = {.command = VFU_DMA_WRITE,
				     .size = 16 + 16 + 8,
				     .flags = VFU_F_COMMAND | VFU_F_NO_REPLY};
	const struct {
		struct vfu_dma dma;
		uint8_t data[8];
	} m = {.dma = {0x1000, 8}};

	fake_vfu_send(s, &h, &m, sizeof(m), NULL, 0);
	return false;
}

static void many_callers(void **state)
{
	struct vfu_conn *conn;
	struct fake_vfu s;
	struct end e;

	fake_vfu_init(&s);
	s.hook = posted_dma;
	conn = open_conn(&s, &e, PATIENT_MS);
	run_callers(conn, 0);
	vfu_conn_free(conn);
	fake_vfu_stop(&s);
	assert_int_equal(s.nr_resets, 800);
	assert_int_equal(e.writes, 800);
}

static void all_are_woken(void **state)
{
	struct vfu_conn *conn;
	struct fake_vfu s;
	struct end e;

	fake_vfu_init(&s);
	s.hook = hang_up;
	conn = open_conn(&s, &e, PATIENT_MS);
	run_callers(conn, -ECONNRESET);
	vfu_conn_free(conn);
	fake_vfu_stop(&s);
	assert_int_equal(e.failures, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),	   cmocka_unit_test(hanging_up),
		cmocka_unit_test(error_replies),   cmocka_unit_test(nonsense),
		cmocka_unit_test(duplicate_reply), cmocka_unit_test(both_directions),
		cmocka_unit_test(deaf_peer),	   cmocka_unit_test(request_too_long),
		cmocka_unit_test(descriptors),	   cmocka_unit_test(many_callers),
		cmocka_unit_test(all_are_woken),
	};

	return cmocka_run_group_tests_name("vfu_conn", tests, NULL, NULL);
}
