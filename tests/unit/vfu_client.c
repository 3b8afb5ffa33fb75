// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/vfu_client.h"

#include <dirent.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/runtime/msg.h"

#define PATIENCE_MS 10000

static uint8_t dma_buf[VFU_MAX_DATA];

static void *serve(void *arg)
{
	struct client *c = arg;

	c->served = dev_serve(c->dev);
	return NULL;
}

int client_pair(struct client *c, struct ring_ram *ram)
{
	int pair[2];

	memset(c, 0, sizeof(*c));
	c->ram = ram;
	c->doorbell = -1;
	memset(c->irq, -1, sizeof(c->irq));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	c->sock = pair[0];
	return pair[1];
}

void client_run(struct client *c, struct dev *dev)
{
	c->dev = dev;
	assert_int_equal(pthread_create(&c->thread, NULL, serve, c), 0);
}

void client_start(struct client *c, struct ring_ram *ram, const struct dev_type *type, void *ctx)
{
	struct dev *dev;
	int sock = client_pair(c, ram);

	assert_int_equal(dev_new(type, ctx, sock, &dev), 0);
	*(struct dev **)ctx = dev; /* a test device begins with its dev */
	client_run(c, dev);
}

int client_join(struct client *c)
{
	close(c->sock);
	pthread_join(c->thread, NULL);
	for (unsigned int v = 0; v < CLIENT_VECTORS; v++) {
		if (c->irq[v] >= 0)
			close(c->irq[v]);
	}
	if (c->doorbell >= 0)
		close(c->doorbell);
	return c->served;
}

uint16_t client_send(struct client *c, uint16_t cmd, uint32_t flags, const void *body, size_t len,
		     const int *fds, unsigned int nr_fds)
{
	struct vfu_header hdr = {.id = c->next_id++, .command = cmd, .flags = flags};
	struct iovec iov = {(void *)(uintptr_t)body, len};

	assert_int_equal(msg_send(c->sock, &hdr, &iov, len ? 1 : 0, fds, nr_fds), 0);
	return hdr.id;
}

static bool dma_allowed(struct client *c, const struct vfu_dma *dma, bool write)
{
	if (ring_access(c->ram, dma->address, dma->count))
		return false;
	return !write || !c->no_write_last || dma->address > c->no_write_last ||
	       dma->address + dma->count - 1 < c->no_write_first;
}

static void serve_dma(struct client *c, const struct vfu_header *req)
{
	bool write = req->command == VFU_DMA_WRITE;
	struct vfu_header hdr = {.id = req->id, .command = req->command, .flags = VFU_F_REPLY};
	struct vfu_dma dma;
	struct iovec iov[2] = {{&dma, sizeof(dma)}, {dma_buf, 0}};

	assert_true(write || req->command == VFU_DMA_READ);
	assert_int_equal(msg_recv_bytes(c->sock, &dma, sizeof(dma)), 0);
	assert_int_equal(req->size, sizeof(*req) + sizeof(dma) + (write ? dma.count : 0));
	assert_true(dma.count <= sizeof(dma_buf));
	if (write)
		assert_int_equal(msg_recv_bytes(c->sock, dma_buf, dma.count), 0);
	if (dma.count > c->largest_dma)
		c->largest_dma = (uint32_t)dma.count;
	write ? c->dma_writes++ : c->dma_reads++;
	if (!dma_allowed(c, &dma, write)) {
		c->dma_refused++;
		hdr.flags |= VFU_F_ERROR;
		hdr.error = EFAULT;
		assert_int_equal(msg_send(c->sock, &hdr, NULL, 0, NULL, 0), 0);
		return;
	}
	if (write)
		memcpy(c->ram->mem + (dma.address - c->ram->base), dma_buf, dma.count);
	else
		memcpy(dma_buf, c->ram->mem + (dma.address - c->ram->base), dma.count);
	iov[1].iov_len = write ? 0 : dma.count;
	assert_int_equal(msg_send(c->sock, &hdr, iov, 2, NULL, 0), 0);
}

static bool readable(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

static void receive(struct client *c, struct msg *msg)
{
	assert_true(readable(c->sock, PATIENCE_MS));
	assert_int_equal(msg_recv_header(c->sock, msg), 1);
}

void client_serve_one(struct client *c)
{
	struct msg msg;

	receive(c, &msg);
	assert_int_equal(msg.hdr.flags & VFU_F_TYPE_MASK, VFU_F_COMMAND);
	serve_dma(c, &msg.hdr);
}

int client_reply(struct client *c, uint16_t id, void *body, size_t room)
{
	struct msg msg;

	for (;;) {
		receive(c, &msg);
		if ((msg.hdr.flags & VFU_F_TYPE_MASK) == VFU_F_REPLY)
			break;
		serve_dma(c, &msg.hdr);
	}
	assert_int_equal(msg.hdr.id, id);
	assert_int_equal(msg_recv_body(c->sock, &msg), 0);
	if (msg.nr_fds && c->doorbell < 0)
		c->doorbell = msg_take_fd(&msg, 0);
	msg_close_fds(&msg);
	if (msg.hdr.flags & VFU_F_ERROR) {
		assert_int_equal(msg.len, 0);
		assert_int_not_equal(msg.hdr.error, 0);
		return -(int)msg.hdr.error;
	}
	assert_true(msg.len <= room);
	memcpy(body, msg.body, msg.len);
	return (int)msg.len;
}

int client_call(struct client *c, uint16_t cmd, const void *body, size_t len, void *reply,
		size_t room)
{
	return client_reply(c, client_send(c, cmd, 0, body, len, NULL, 0), reply, room);
}

int client_version(struct client *c, const char *json)
{
	uint8_t msg[1024], reply[1024];
	const struct vfu_version v = {VFU_VERSION_MAJOR, VFU_VERSION_MINOR};
	size_t len = strlen(json) + 1;

	memcpy(msg, &v, sizeof(v));
	memcpy(msg + sizeof(v), json, len);
	return client_call(c, VFU_VERSION, msg, sizeof(v) + len, reply, sizeof(reply));
}

int client_read(struct client *c, uint32_t region, uint64_t off, void *buf, uint32_t len)
{
	const struct vfu_region_access a = {.offset = off, .region = region, .count = len};
	uint8_t reply[sizeof(a) + 512];
	int r = client_call(c, VFU_REGION_READ, &a, sizeof(a), reply, sizeof(reply));

	if (r < 0)
		return r;
	assert_int_equal(r, sizeof(a) + len);
	assert_memory_equal(reply, &a, sizeof(a));
	memcpy(buf, reply + sizeof(a), len);
	return 0;
}

int client_write(struct client *c, uint32_t region, uint64_t off, const void *buf, uint32_t len)
{
	const struct vfu_region_access a = {.offset = off, .region = region, .count = len};
	uint8_t msg[sizeof(a) + 512], reply[sizeof(a)];
	int r;

	memcpy(msg, &a, sizeof(a));
	memcpy(msg + sizeof(a), buf, len);
	r = client_call(c, VFU_REGION_WRITE, msg, sizeof(a) + len, reply, sizeof(reply));
	if (r < 0)
		return r;
	assert_int_equal(r, sizeof(a));
	return 0;
}

uint64_t client_get(struct client *c, uint64_t off, uint32_t len)
{
	uint8_t raw[8] = {0};

	assert_int_equal(client_read(c, 0, off, raw, len), 0);
	return pvi_get64(raw);
}

void client_put(struct client *c, uint64_t off, uint64_t value, uint32_t len)
{
	uint8_t raw[8];

	pvi_put64(raw, value);
	assert_int_equal(client_write(c, 0, off, raw, len), 0);
}

void client_wire(struct client *c)
{
	struct vfu_io_fds ask = {.argsz = 4096, .index = 0};
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_MSIX_IRQ_INDEX,
		.count = CLIENT_VECTORS,
	};
	uint8_t reply[512];
	uint16_t id;

	for (unsigned int v = 0; v < CLIENT_VECTORS; v++) {
		c->irq[v] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		assert_true(c->irq[v] >= 0);
	}
	id = client_send(c, VFU_DEVICE_SET_IRQS, 0, &set, sizeof(set), c->irq, CLIENT_VECTORS);
	assert_int_equal(client_reply(c, id, reply, sizeof(reply)), 0);
	assert_true(client_call(c, VFU_DEVICE_GET_REGION_IO_FDS, &ask, sizeof(ask), reply,
				sizeof(reply)) > 0);
}

bool client_irq(struct client *c, unsigned int v)
{
	uint64_t n;

	return read(c->irq[v], &n, sizeof(n)) == sizeof(n);
}

bool client_wait_irq(struct client *c, unsigned int v, int ms)
{
	for (;;) {
		struct pollfd p[2] = {{.fd = c->sock, .events = POLLIN},
				      {.fd = c->irq[v], .events = POLLIN}};

		if (poll(p, 2, ms) <= 0)
			return false;
		if (p[0].revents)
			client_serve_one(c);
		else if (client_irq(c, v))
			return true;
	}
}

void client_ring(struct client *c)
{
	const uint64_t one = 1;

	assert_int_equal(write(c->doorbell, &one, sizeof(one)), sizeof(one));
}

unsigned int client_count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int nr = 0;

	assert_non_null(d);
	while (readdir(d))
		nr++;
	closedir(d);
	return nr;
}
