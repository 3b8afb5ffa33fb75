// SPDX-License-Identifier: BSD-2-Clause
/* The runtime's server: what it answers, what it refuses, and DMA under way. */
#include "tests/unit/vfu_client.h"

#include <fcntl.h>
#include <linux/vfio.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * A device whose register 0 starts a transfer: written with a length, it reads
 * that much from the RAM's base into its buffer and writes it back 256 KiB on.
 */
struct toy {
	struct dev *dev;
	uint32_t last_result; /* register 4: errno of the last transfer */
	unsigned int resets, doorbells;
	bool work; /* register 16 was written: reads a word and interrupts */
	uint8_t buf[256u << 10];
};

#define BASE 0x80000000u

static int toy_read(void *ctx, unsigned int bar, uint64_t off, void *buf, uint32_t len)
{
	struct toy *t = ctx;

	memset(buf, 0x5a, len);
	if (off == 4 && len == 4)
		memcpy(buf, &t->last_result, 4);
	return off == 8 ? -EPERM : 0;
}

static int toy_write(void *ctx, unsigned int bar, uint64_t off, const void *buf, uint32_t len)
{
	struct toy *t = ctx;
	uint32_t value = 0;
	int err;

	memcpy(&value, buf, len < 4 ? len : 4);
	if (off == 16)
		t->work = true;
	if (off)
		return 0;
	err = dev_dma_read(t->dev, BASE, t->buf, value);
	if (!err)
		err = dev_dma_write(t->dev, BASE + (256u << 10), t->buf, value);
	if (!err)
		dev_interrupt(t->dev, 0);
	t->last_result = (uint32_t)-err;
	return 0;
}

static void toy_doorbell(void *ctx, unsigned int n)
{
	struct toy *t = ctx;

	t->doorbells++;
	dev_interrupt(t->dev, 1);
}

static void toy_reset(void *ctx)
{
	struct toy *t = ctx;

	t->resets++;
}

static bool toy_work(void *ctx)
{
	struct toy *t = ctx;

	if (!t->work)
		return false;
	t->work = false;
	dev_dma_read(t->dev, BASE, t->buf, 4);
	dev_interrupt(t->dev, 1);
	return false;
}

static const struct dev_ops toy_ops = {
	.read = toy_read,
	.write = toy_write,
	.doorbell = toy_doorbell,
	.work = toy_work,
	.reset = toy_reset,
};

static const struct dev_type toy_type = {
	.name = "toy",
	.vendor = 0x1234,
	.device = 0x5678,
	.class_rev = 0xff000001,
	.bar = {{.size = 4096}, {.size = 4096}, {.size = 1 << 20, .is64 = true}},
	.nr_vectors = 2,
	.msix_bar = 1,
	.doorbell = {{.bar = 0, .off = 0x100, .size = 4}},
	.nr_doorbells = 1,
	.ops = &toy_ops,
};

static struct ring_ram ram;
static struct toy toy;
static struct client c;
static uint8_t reply[4096];

static int set_up(void **state)
{
	memset(&ram, 0, sizeof(ram));
	ram.base = BASE;
	ram.fail_after = -1;
	memset(&toy, 0, sizeof(toy));
	client_start(&c, &ram, &toy_type, &toy);
	return 0;
}

static int tear_down(void **state)
{
	dev_free(c.dev);
	return 0;
}

static void negotiate(void)
{
	assert_true(client_version(&c, "{\"capabilities\":{\"max_data_xfer_size\":1048576}}") > 0);
}

static void end_well(void)
{
	assert_int_equal(client_join(&c), 0);
}

static void test_version(void **state)
{
	const uint32_t info[4] = {16};
	const struct vfu_version v2 = {1, 0}, v01 = {0, 9};

	assert_int_equal(client_call(&c, VFU_DEVICE_GET_INFO, info, 16, reply, 64), -ENOTCONN);
	assert_int_equal(client_call(&c, VFU_VERSION, &v2, 4, reply, 64), -EPROTONOSUPPORT);
	assert_int_equal(client_call(&c, VFU_VERSION, &v01, 3, reply, 64), -EINVAL);
	assert_int_equal(client_call(&c, VFU_VERSION, "\0\0\1\0{}", 6, reply, 64), -EINVAL);
	assert_int_equal(client_version(&c, "{"), -EINVAL);
	assert_int_equal(client_version(&c, ""), -EINVAL);
	assert_int_equal(client_version(&c, "[]"), -EINVAL);
	assert_int_equal(client_version(&c, "{\"capabilities\":7}"), -EINVAL);
	assert_int_equal(client_version(&c, "{\"capabilities\":{\"max_data_xfer_size\":0}}"),
			 -EINVAL);
	assert_int_equal(client_version(&c, "{\"capabilities\":{\"max_data_xfer_size\":\"1\"}}"),
			 -EINVAL);
	assert_int_equal(client_version(&c, "[[[[[[[[[[[[[[[[[[[[[["), -EINVAL);

	/* A newer minor version of the client comes down to ours; no JSON is fine. */
	assert_true(client_call(&c, VFU_VERSION, &v01, 4, reply, sizeof(reply)) > 4);
	assert_int_equal(reply[2], VFU_VERSION_MINOR);
	assert_non_null(strstr((char *)reply + 4, "max_data_xfer_size"));
	assert_int_equal(client_version(&c, "{}"), -EINVAL); /* once */
	end_well();
}

static void test_description(void **state)
{
	struct vfio_region_info region = {.argsz = sizeof(region)};
	struct vfio_irq_info irq = {.argsz = sizeof(irq)};
	struct vfu_io_fds io = {.argsz = 4096};
	struct vfu_io_fd sub;
	uint32_t info[4] = {16};
	uint8_t cfg[256];

	negotiate();
	assert_int_equal(client_call(&c, VFU_DEVICE_GET_INFO, info, 16, info, 16), 16);
	assert_int_equal(info[1], VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET);
	info[0] = 15;
	assert_int_equal(client_call(&c, VFU_DEVICE_GET_INFO, info, 16, info, 16), -EINVAL);

	for (region.index = 0; region.index < VFIO_PCI_NUM_REGIONS; region.index++) {
		static const uint64_t sizes[VFIO_PCI_NUM_REGIONS] = {
			4096, 4096, 1 << 20, 0, 0, 0, 0, DEV_CONFIG_SIZE};
		struct vfio_region_info r;

		assert_int_equal(client_call(&c, VFU_DEVICE_GET_REGION_INFO, &region, 32, &r, 32),
				 32);
		assert_int_equal(r.size, sizes[region.index]);
		assert_int_equal(r.flags, r.size ? 3 : 0);
	}
	assert_int_equal(client_call(&c, VFU_DEVICE_GET_REGION_INFO, &region, 32, reply, 64),
			 -EINVAL);

	irq.index = VFIO_PCI_MSIX_IRQ_INDEX;
	assert_int_equal(client_call(&c, VFU_DEVICE_GET_IRQ_INFO, &irq, 16, &irq, 16), 16);
	assert_int_equal(irq.count, 2);
	irq = (struct vfio_irq_info){.argsz = 16, .index = VFIO_PCI_NUM_IRQS};
	assert_int_equal(client_call(&c, VFU_DEVICE_GET_IRQ_INFO, &irq, 16, &irq, 16), -EINVAL);

	assert_int_equal(client_call(&c, VFU_DEVICE_GET_REGION_IO_FDS, &io, 16, reply, 512), 56);
	assert_true(c.doorbell >= 0);
	memcpy(&io, reply, sizeof(io));
	memcpy(&sub, reply + sizeof(io), sizeof(sub));
	assert_int_equal(io.count, 1);
	assert_int_equal(sub.offset, 0x100);
	assert_int_equal(sub.size, 4);
	io = (struct vfu_io_fds){.argsz = 16};
	assert_int_equal(client_call(&c, VFU_DEVICE_GET_REGION_IO_FDS, &io, 16, &io, 16), 16);
	assert_int_equal(io.argsz, 56);
	assert_int_equal(io.count, 0);

	assert_int_equal(client_read(&c, VFIO_PCI_CONFIG_REGION_INDEX, 0, cfg, 256), 0);
	assert_int_equal(pvi_get32(cfg), 0x56781234);
	assert_int_equal(cfg[0x34], DEV_MSIX_CAP);
	assert_int_equal(pvi_get32(cfg + 0x18), 4); /* 64 bits wide */
	end_well();
}

static void test_region_bounds(void **state)
{
	static const struct vfu_region_access bad[] = {
		{0, 0, 0},
		{4096, 0, 1},
		{4095, 0, 2},
		{UINT64_MAX, 0, 1},
		{UINT64_MAX, 0, UINT32_MAX},
		{0, 0, 3},
		{0, 0, 16},
		{0, 3, 4},
		{0, 6, 4},
		{0, 8, 4},
		{0, 9, 4},
		{0, UINT32_MAX, 4},
		{0, 7, 257},
		{256, 7, 1},
		{0, 7, UINT32_MAX},
		{1 << 20, 2, 4},
		{8, 0, 4},
	};
	uint8_t buf[64] = {0}, msg[sizeof(struct vfu_region_access) + 4] = {0};
	struct vfu_region_access a = {.offset = 0x10, .count = 4};

	negotiate();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_true(client_call(&c, VFU_REGION_READ, &bad[i], sizeof(bad[i]), reply,
					sizeof(reply)) < 0);
		memcpy(msg, &bad[i], sizeof(bad[i]));
		if (bad[i].offset != 8)
			assert_true(client_call(&c, VFU_REGION_WRITE, msg, sizeof(msg), reply,
						sizeof(reply)) < 0);
	}
	/* Announced and sent lengths must agree. */
	memcpy(msg, &a, sizeof(a));
	assert_int_equal(client_call(&c, VFU_REGION_WRITE, msg, sizeof(msg) - 1, reply, 64),
			 -EINVAL);
	assert_int_equal(client_call(&c, VFU_REGION_READ, msg, sizeof(msg), reply, 64), -EINVAL);
	assert_int_equal(client_call(&c, VFU_REGION_READ, msg, 15, reply, 64), -EINVAL);

	assert_int_equal(client_read(&c, 0, 4088, buf, 8), 0);
	assert_int_equal(buf[7], 0x5a);
	assert_int_equal(client_read(&c, 1, 0, buf, 4), 0); /* the VMM's own table */
	assert_int_equal(pvi_get32(buf), 0);
	end_well();
}

static void test_unknown_and_unanswered(void **state)
{
	uint16_t id;

	negotiate();
	assert_int_equal(client_call(&c, 0, NULL, 0, reply, 64), -EOPNOTSUPP);
	assert_int_equal(client_call(&c, VFU_DMA_READ, "0123456789abcdef", 16, reply, 64),
			 -EOPNOTSUPP);
	assert_int_equal(client_call(&c, VFU_REGION_WRITE_MULTI, reply, 64, reply, 64),
			 -EOPNOTSUPP);
	assert_int_equal(client_call(&c, 0xffff, NULL, 0, reply, 64), -EOPNOTSUPP);
	client_send(&c, VFU_DEVICE_RESET, VFU_F_NO_REPLY, NULL, 0, NULL, 0);
	id = client_send(&c, VFU_DEVICE_RESET, 0, NULL, 0, NULL, 0);
	assert_int_equal(client_reply(&c, id, reply, 0), 0);
	assert_int_equal(toy.resets, 2);
	end_well();
}

/* Fds of guest memory are closed unused; nothing is ever mapped. */
static void test_dma_map_keeps_no_fd(void **state)
{
	struct vfu_dma_map map = {.argsz = sizeof(map), .flags = 3, .address = BASE, .size = 4096};
	struct vfu_dma_unmap unmap = {.argsz = sizeof(unmap), .address = BASE, .size = 4096};
	int fds[VFU_MAX_FDS];
	unsigned int before;
	uint16_t id;

	negotiate();
	fds[0] = memfd_create("ram", MFD_CLOEXEC);
	assert_true(fds[0] >= 0);
	for (unsigned int i = 1; i < VFU_MAX_FDS; i++)
		fds[i] = fds[0];
	before = client_count_fds();
	for (int i = 0; i < 20; i++) {
		id = client_send(&c, VFU_DMA_MAP, 0, &map, sizeof(map), fds, VFU_MAX_FDS);
		assert_int_equal(client_reply(&c, id, reply, 0), 0);
	}
	id = client_send(&c, 0xffff, 0, NULL, 0, fds, VFU_MAX_FDS);
	assert_int_equal(client_reply(&c, id, reply, 0), -EOPNOTSUPP);
	assert_int_equal(client_count_fds(), before);
	assert_int_equal(client_call(&c, VFU_DMA_UNMAP, &unmap, sizeof(unmap), reply, 64), 24);
	map.argsz = 31;
	assert_int_equal(client_call(&c, VFU_DMA_MAP, &map, sizeof(map), reply, 64), -EINVAL);
	close(fds[0]);
	end_well();
}

static int set_irqs(uint32_t flags, uint32_t index, uint32_t start, uint32_t count, int nr_fds)
{
	struct vfio_irq_set set = {.argsz = sizeof(set),
				   .flags = flags,
				   .index = index,
				   .start = start,
				   .count = count};
	int fds[4] = {c.irq[0], c.irq[1], c.irq[0], c.irq[1]};

	return client_reply(&c,
			    client_send(&c, VFU_DEVICE_SET_IRQS, 0, &set, sizeof(set), fds,
					(unsigned int)nr_fds),
			    reply, 0);
}

static void test_irqs(void **state)
{
	const uint32_t fd = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	const uint32_t none = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER;
	unsigned int before;

	negotiate();
	client_wire(&c);
	before = client_count_fds();
	assert_int_equal(set_irqs(fd, 2, 0, 3, 3), -EINVAL);
	assert_int_equal(set_irqs(fd, 2, 2, 1, 1), -EINVAL);
	assert_int_equal(set_irqs(fd, 2, UINT32_MAX, 2, 2), -EINVAL);
	assert_int_equal(set_irqs(fd, 2, 1, UINT32_MAX, 1), -EINVAL);
	assert_int_equal(set_irqs(fd, 2, 0, 2, 1), -EINVAL);
	assert_int_equal(set_irqs(fd, 0, 0, 1, 1), -EINVAL);
	assert_int_equal(set_irqs(VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, 2, 0, 1, 0),
			 -EOPNOTSUPP);
	assert_int_equal(set_irqs(VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER, 2, 0, 2, 0),
			 -EINVAL);		       /* no bytes sent */
	assert_int_equal(set_irqs(fd, 2, 0, 2, 2), 0); /* again: the old ones go */
	assert_int_equal(client_count_fds(), before);

	assert_int_equal(set_irqs(none, 2, 1, 1, 0), 0);
	assert_true(client_irq(&c, 1));
	assert_false(client_irq(&c, 0));
	client_ring(&c);
	assert_true(client_wait_irq(&c, 1, 5000));
	assert_int_equal(set_irqs(fd, 2, 1, 1, 0), 0); /* taken away */
	assert_int_equal(set_irqs(none, 2, 0, 2, 0), 0);
	assert_true(client_irq(&c, 0));
	assert_false(client_irq(&c, 1));
	assert_int_equal(set_irqs(none, 2, 0, 0, 0), 0);
	assert_int_equal(client_count_fds(), before - 2);
	end_well();
}

static void start_transfer(uint32_t len)
{
	client_put(&c, 0, len, 4);
}

static void test_dma_is_split(void **state)
{
	assert_true(client_version(&c, "{\"capabilities\":{\"max_data_xfer_size\":4096}}") > 0);
	client_wire(&c);
	for (uint32_t i = 0; i < 256u << 10; i++)
		ram.mem[i] = (uint8_t)(i * 7 + (i >> 8));
	start_transfer(256u << 10);
	assert_int_equal(client_get(&c, 4, 4), 0);
	assert_memory_equal(ram.mem, ram.mem + (256u << 10), 256u << 10);
	assert_int_equal(c.largest_dma, 4096);
	assert_int_equal(c.dma_reads, 64);
	assert_int_equal(c.dma_writes, 64);
	assert_true(client_irq(&c, 0));
	end_well();
}

static void test_dma_refused(void **state)
{
	negotiate();
	client_wire(&c);
	ram.base = BASE + 4096;
	start_transfer(100);
	assert_int_equal(client_get(&c, 4, 4), EFAULT);
	assert_false(client_irq(&c, 0));
	ram.base = BASE;
	start_transfer(100); /* and all is well again */
	assert_int_equal(client_get(&c, 4, 4), 0);
	end_well();
}

/* Starts a transfer and returns with its DMA_READ received, not answered. */
static uint16_t hold_dma(uint32_t len, struct vfu_header *ret_hdr, struct vfu_dma *ret_dma)
{
	struct vfu_region_access a = {.count = 4};
	uint8_t msg[sizeof(a) + 4];
	uint16_t id;

	memcpy(msg, &a, sizeof(a));
	pvi_put32(msg + sizeof(a), len);
	id = client_send(&c, VFU_REGION_WRITE, 0, msg, sizeof(msg), NULL, 0);
	assert_int_equal(recv(c.sock, ret_hdr, sizeof(*ret_hdr), MSG_WAITALL), sizeof(*ret_hdr));
	assert_int_equal(ret_hdr->command, VFU_DMA_READ);
	assert_int_equal(recv(c.sock, ret_dma, sizeof(*ret_dma), MSG_WAITALL), sizeof(*ret_dma));
	return id;
}

static void answer(const struct vfu_header *req, const struct vfu_dma *dma, uint32_t len)
{
	struct vfu_header hdr = {.size = (uint32_t)(sizeof(hdr) + sizeof(*dma) + len),
				 .id = req->id,
				 .command = req->command,
				 .flags = VFU_F_REPLY};

	assert_int_equal(send(c.sock, &hdr, sizeof(hdr), 0), sizeof(hdr));
	assert_int_equal(send(c.sock, dma, sizeof(*dma), 0), sizeof(*dma));
	if (len)
		assert_int_equal(send(c.sock, ram.mem, len, 0), len);
}

/* A register access that comes while DMA is awaited is answered, in order, after it. */
static void test_requests_during_dma(void **state)
{
	const struct vfu_region_access a = {.offset = 4, .count = 4};
	struct vfu_header hdr;
	struct vfu_dma dma;
	uint16_t write_id, ids[20];

	negotiate();
	write_id = hold_dma(64, &hdr, &dma);
	for (int i = 0; i < 20; i++)
		ids[i] = client_send(&c, VFU_REGION_READ, 0, &a, sizeof(a), NULL, 0);
	answer(&hdr, &dma, 64);
	assert_int_equal(client_reply(&c, write_id, reply, 16), 16);
	for (int i = 0; i < 20; i++)
		assert_int_equal(client_reply(&c, ids[i], reply, 20), 20);
	end_well();
}

/* A register that gives the device work, written while it waits for DMA: not slept over. */
static void test_work_during_dma(void **state)
{
	const struct vfu_region_access a = {.offset = 16, .region = 0, .count = 4};
	uint8_t write[sizeof(a) + 4] = {0};
	uint16_t id;

	negotiate();
	client_wire(&c);
	memcpy(write, &a, sizeof(a));
	client_put(&c, 16, 1, 4);
	id = client_send(&c, VFU_REGION_WRITE, 0, write, sizeof(write), NULL, 0);
	assert_true(client_reply(&c, id, reply, sizeof(reply)) > 0);
	assert_true(client_wait_irq(&c, 1, 5000));
	/* Both interrupts may have come by now. */
	if (c.dma_reads < 2)
		assert_true(client_wait_irq(&c, 1, 5000));
	assert_int_equal(c.dma_reads, 2);
	end_well();
}

/* A waiting reset ends what the device does: it starts no more DMA. */
static void test_reset_during_dma(void **state)
{
	struct vfu_header hdr;
	struct vfu_dma dma;
	uint16_t write_id, reset_id;

	negotiate();
	write_id = hold_dma(64, &hdr, &dma);
	reset_id = client_send(&c, VFU_DEVICE_RESET, 0, NULL, 0, NULL, 0);
	answer(&hdr, &dma, 64);
	assert_int_equal(client_reply(&c, write_id, reply, 16), 16);
	assert_int_equal(client_reply(&c, reset_id, reply, 0), 0);
	assert_int_equal(toy.last_result, ECANCELED);
	assert_int_equal(c.dma_writes, 0);
	start_transfer(64); /* after it, DMA works again */
	assert_int_equal(client_get(&c, 4, 4), 0);
	end_well();
}

static void test_end_during_dma(void **state)
{
	struct vfu_header hdr;
	struct vfu_dma dma;

	negotiate();
	hold_dma(64, &hdr, &dma);
	end_well();
	assert_int_equal(toy.last_result, ENOTCONN);
}

/* The client sees the end of the connection, the server calls it a broken protocol. */
static void ends_badly(int err)
{
	char byte;

	assert_int_equal(shutdown(c.sock, SHUT_WR), 0);
	while (recv(c.sock, &byte, 1, MSG_DONTWAIT) > 0)
		;
	pthread_join(c.thread, NULL);
	assert_int_equal(c.served, err);
	close(c.sock);
}

static void test_too_many_requests_during_dma(void **state)
{
	const struct vfu_region_access a = {.offset = 4, .count = 4};
	struct vfu_header hdr;
	struct vfu_dma dma;

	negotiate();
	hold_dma(64, &hdr, &dma);
	for (int i = 0; i < 65; i++)
		client_send(&c, VFU_REGION_READ, 0, &a, sizeof(a), NULL, 0);
	ends_badly(-EPROTO);
}

static void spoil_reply(void (*spoil)(struct vfu_header *hdr, struct vfu_dma *dma, uint32_t *len))
{
	struct vfu_header hdr;
	struct vfu_dma dma;
	uint32_t len = 64;

	negotiate();
	hold_dma(64, &hdr, &dma);
	spoil(&hdr, &dma, &len);
	answer(&hdr, &dma, len);
	ends_badly(-EPROTO);
}

static void wrong_id(struct vfu_header *hdr, struct vfu_dma *dma, uint32_t *len)
{
	hdr->id++;
}

static void wrong_command(struct vfu_header *hdr, struct vfu_dma *dma, uint32_t *len)
{
	hdr->command = VFU_DMA_WRITE;
}

static void wrong_address(struct vfu_header *hdr, struct vfu_dma *dma, uint32_t *len)
{
	dma->address++;
}

static void wrong_count(struct vfu_header *hdr, struct vfu_dma *dma, uint32_t *len)
{
	dma->count = 63;
}

static void too_much(struct vfu_header *hdr, struct vfu_dma *dma, uint32_t *len)
{
	*len = 65;
}

static void too_little(struct vfu_header *hdr, struct vfu_dma *dma, uint32_t *len)
{
	*len = 0;
}

static void test_reply_wrong_id(void **state)
{
	spoil_reply(wrong_id);
}

static void test_reply_wrong_command(void **state)
{
	spoil_reply(wrong_command);
}

static void test_reply_wrong_address(void **state)
{
	spoil_reply(wrong_address);
}

static void test_reply_wrong_count(void **state)
{
	spoil_reply(wrong_count);
}

static void test_reply_too_much(void **state)
{
	spoil_reply(too_much);
}

static void test_reply_too_little(void **state)
{
	spoil_reply(too_little);
}

static void bad_header(uint32_t size, uint32_t flags)
{
	const struct vfu_header hdr = {.command = VFU_DEVICE_RESET, .size = size, .flags = flags};

	negotiate();
	assert_int_equal(send(c.sock, &hdr, sizeof(hdr), 0), sizeof(hdr));
}

static void test_header_too_small(void **state)
{
	bad_header(15, 0);
	ends_badly(-EPROTO);
}

static void test_header_too_large(void **state)
{
	bad_header(UINT32_MAX, 0);
	ends_badly(-EPROTO);
}

static void test_header_odd_type(void **state)
{
	bad_header(16, 2);
	ends_badly(-EPROTO);
}

static void test_reply_to_nothing(void **state)
{
	bad_header(16, VFU_F_REPLY);
	ends_badly(-EPROTO);
}

static void test_body_too_long(void **state)
{
	bad_header(16 + 4097, 0);
	ends_badly(-EMSGSIZE);
}

static void test_body_cut_short(void **state)
{
	bad_header(32, 0);
	ends_badly(-EPROTO);
}

static void test_header_cut_short(void **state)
{
	negotiate();
	assert_int_equal(send(c.sock, "1234567", 7, 0), 7);
	ends_badly(-EPROTO);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_version),
		TEST(test_description),
		TEST(test_region_bounds),
		TEST(test_unknown_and_unanswered),
		TEST(test_dma_map_keeps_no_fd),
		TEST(test_irqs),
		TEST(test_dma_is_split),
		TEST(test_dma_refused),
		TEST(test_requests_during_dma),
		TEST(test_work_during_dma),
		TEST(test_reset_during_dma),
		TEST(test_end_during_dma),
		TEST(test_too_many_requests_during_dma),
		TEST(test_reply_wrong_id),
		TEST(test_reply_wrong_command),
		TEST(test_reply_wrong_address),
		TEST(test_reply_wrong_count),
		TEST(test_reply_too_much),
		TEST(test_reply_too_little),
		TEST(test_header_too_small),
		TEST(test_header_too_large),
		TEST(test_header_odd_type),
		TEST(test_reply_to_nothing),
		TEST(test_body_too_long),
		TEST(test_body_cut_short),
		TEST(test_header_cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
