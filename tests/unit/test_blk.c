// SPDX-License-Identifier: BSD-2-Clause
/* The virtio disk behind its socket, driven by a small virtio-blk driver. */
#include "tests/unit/vfu_client.h"

#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/virtio_pci.h"
#include "devices/blk/blk.h"

#define BASE	  0x40000000u
#define QSIZE	  64
#define DISK_SIZE (8u << 20)
#define SECTORS	  (DISK_SIZE / 512)

/* Where requests live, from the RAM's base on. */
#define HEADER	 0x10000u
#define STATUS	 0x11000u
#define RANGES	 0x12000u
#define TABLE	 0x13000u
#define DATA	 0x20000u

#define F(n)	 ((uint64_t)1 << (n))
#define F_NEEDED (F(PVI_VIRTIO_F_VERSION_1) | F(PVI_VIRTIO_F_ACCESS_PLATFORM))

static struct ring_ram ram;
static struct client c;
static struct disk disk;
static struct blk *blk;
static int image;
static uint8_t model[DISK_SIZE]; /* what the disk should hold */
static uint16_t last_used;

static void drive(uint64_t features)
{
	uint64_t all;

	client_put(&c, 0x14, 0, 1);
	client_put(&c, 0x14, 3, 1);
	client_put(&c, 0, 0, 4);
	all = client_get(&c, 4, 4);
	client_put(&c, 0, 1, 4);
	all |= client_get(&c, 4, 4) << 32;
	features = (features & all) | F_NEEDED;
	client_put(&c, 8, 0, 4);
	client_put(&c, 12, (uint32_t)features, 4);
	client_put(&c, 8, 1, 4);
	client_put(&c, 12, features >> 32, 4);
	client_put(&c, 0x14, 11, 1);
	assert_int_equal(client_get(&c, 0x14, 1), 11);
	memset(ram.mem, 0, 0x10000);
	last_used = 0;
	client_put(&c, 0x16, 0, 2);
	client_put(&c, 0x18, QSIZE, 2);
	client_put(&c, 0x1a, 1, 2);
	client_put(&c, 0x10, 0, 2);
	client_put(&c, 0x20, BASE + RING_DESC, 8);
	client_put(&c, 0x28, BASE + RING_AVAIL, 8);
	client_put(&c, 0x30, BASE + RING_USED, 8);
	client_put(&c, 0x1c, 1, 2);
	client_put(&c, 0x14, 15, 1);
	assert_int_equal(client_get(&c, 0x14, 1), 15);
}

static void serve_disk(int fd, bool read_only)
{
	int sock;

	memset(&ram, 0, sizeof(ram));
	ram.base = BASE;
	ram.fail_after = -1;
	image = fd;
	assert_int_equal(disk_init(&disk, fd, read_only), 0);
	assert_int_equal(blk_new(&disk, "serial number 1", &blk), 0);
	sock = client_pair(&c, &ram);
	assert_int_equal(blk_connect(blk, sock), 0);
	client_run(&c, blk->v.dev);
	assert_true(client_version(&c, "{\"capabilities\":{\"max_data_xfer_size\":1048576}}") > 0);
	client_wire(&c);
}

static int memory_image(void)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_true(fd >= 0);
	for (uint32_t i = 0; i < DISK_SIZE; i++)
		model[i] = (uint8_t)(i * 31 + (i >> 9));
	assert_int_equal(pwrite(fd, model, DISK_SIZE, 0), DISK_SIZE);
	return fd;
}

static int set_up(void **state)
{
	serve_disk(memory_image(), false);
	drive(~(uint64_t)0);
	return 0;
}

static int set_up_read_only(void **state)
{
	serve_disk(memory_image(), true);
	drive(~(uint64_t)0);
	return 0;
}

static int tear_down(void **state)
{
	assert_int_equal(client_join(&c), 0);
	blk_free(blk);
	close(image);
	return 0;
}

static void put_header(uint32_t type, uint64_t sector)
{
	uint8_t *h = ram.mem + HEADER;

	pvi_put32(h, type);
	pvi_put32(h + 4, 0);
	pvi_put64(h + 8, sector);
	ram.mem[STATUS] = 0xaa;
}

/* Offers the chain at @head, kicks, waits; the used length. */
static uint32_t submit(uint16_t head)
{
	uint32_t len;

	ring_offer(&ram, QSIZE, head);
	client_ring(&c);
	assert_true(client_wait_irq(&c, 1, 5000));
	assert_int_equal(ring_used_idx(&ram), (uint16_t)(last_used + 1));
	assert_int_equal(ring_used_id(&ram, last_used % QSIZE), head);
	len = ring_used_len(&ram, last_used % QSIZE);
	last_used++;
	/* Interrupt for the next one, kick seen. */
	pvi_put16(ram.mem + RING_AVAIL + 4 + 2 * QSIZE, last_used);
	return len;
}

/* A request with @nr data segments of @len bytes each, DATA on. Its status. */
static uint8_t request(uint32_t type, uint64_t sector, unsigned int nr, uint32_t len, bool in)
{
	uint16_t d = 0;
	uint32_t used;

	put_header(type, sector);
	ring_desc(&ram, d, BASE + HEADER, 16, RING_NEXT, 1);
	for (unsigned int i = 0; i < nr; i++) {
		d++;
		ring_desc(&ram, d, BASE + DATA + i * len, len, RING_NEXT | (in ? RING_WRITE : 0),
			  d + 1);
	}
	d++;
	ring_desc(&ram, d, BASE + STATUS, 1, RING_WRITE, 0);
	used = submit(0);
	if (ram.mem[STATUS] == VIRTIO_BLK_S_OK && type != VIRTIO_BLK_T_GET_ID)
		assert_int_equal(used, 1 + (in ? nr * len : 0));
	return ram.mem[STATUS];
}

static void check_image(void)
{
	static uint8_t now[DISK_SIZE];

	assert_int_equal(pread(image, now, DISK_SIZE, 0), DISK_SIZE);
	assert_memory_equal(now, model, DISK_SIZE);
}

static void test_config(void **state)
{
	assert_int_equal(client_get(&c, 0x2000, 8), SECTORS);
	assert_int_equal(client_get(&c, 0x2000 + 20, 4), 512);
	assert_int_equal(client_get(&c, 0x2000 + 12, 4), 254);
}

static void test_read_write(void **state)
{
	for (uint32_t i = 0; i < 8192; i++)
		ram.mem[DATA + i] = (uint8_t)(i * 3);
	memcpy(model + 100 * 512, ram.mem + DATA, 8192);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 100, 2, 4096, false), VIRTIO_BLK_S_OK);
	check_image();
	assert_int_equal(request(VIRTIO_BLK_T_FLUSH, 0, 0, 0, false), VIRTIO_BLK_S_OK);

	memset(ram.mem + DATA, 0, 8192);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 99, 3, 512, true), VIRTIO_BLK_S_OK);
	assert_memory_equal(ram.mem + DATA, model + 99 * 512, 1536);
	assert_int_equal(request(VIRTIO_BLK_T_IN, SECTORS - 1, 1, 512, true), VIRTIO_BLK_S_OK);
	assert_memory_equal(ram.mem + DATA, model + DISK_SIZE - 512, 512);
}

/* Longer than the bounce buffer, in segments that don't match sectors. */
static void test_large_and_odd_segments(void **state)
{
	const uint32_t seg = 12288 + 256;

	assert_int_equal(request(VIRTIO_BLK_T_IN, 3, 50, seg, true), VIRTIO_BLK_S_OK);
	assert_memory_equal(ram.mem + DATA, model + 3 * 512, 50 * seg);
	for (uint32_t i = 0; i < 50 * seg; i++)
		ram.mem[DATA + i] ^= (uint8_t)(i >> 3);
	memcpy(model + 1000 * 512, ram.mem + DATA, 50 * seg);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 1000, 50, seg, false), VIRTIO_BLK_S_OK);
	check_image();
}

static void test_indirect(void **state)
{
	put_header(VIRTIO_BLK_T_IN, 5);
	ring_desc(&ram, 9, BASE + TABLE, 48, RING_INDIRECT, 0);
	ring_desc_at(&ram, TABLE, 0, BASE + HEADER, 16, RING_NEXT, 1);
	ring_desc_at(&ram, TABLE, 1, BASE + DATA, 1024, RING_NEXT | RING_WRITE, 2);
	ring_desc_at(&ram, TABLE, 2, BASE + STATUS, 1, RING_WRITE, 0);
	assert_int_equal(submit(9), 1025);
	assert_int_equal(ram.mem[STATUS], VIRTIO_BLK_S_OK);
	assert_memory_equal(ram.mem + DATA, model + 5 * 512, 1024);
}

/* All free descriptors at once, one kick; then one interrupt suffices. */
static void test_many_at_once(void **state)
{
	for (uint16_t i = 0; i < 16; i++) {
		uint16_t d = i * 3;

		pvi_put32(ram.mem + HEADER + 16 * i, VIRTIO_BLK_T_IN);
		pvi_put64(ram.mem + HEADER + 16 * i + 8, 7u * i);
		ram.mem[STATUS + i] = 0xaa;
		ring_desc(&ram, d, BASE + HEADER + 16 * i, 16, RING_NEXT, d + 1);
		ring_desc(&ram, d + 1, BASE + DATA + 512 * i, 512, RING_NEXT | RING_WRITE, d + 2);
		ring_desc(&ram, d + 2, BASE + STATUS + i, 1, RING_WRITE, 0);
		ring_offer(&ram, QSIZE, d);
	}
	pvi_put16(ram.mem + RING_AVAIL + 4 + 2 * QSIZE, 15); /* after the last */
	client_ring(&c);
	assert_true(client_wait_irq(&c, 1, 5000));
	assert_int_equal(ring_used_idx(&ram), 16);
	for (uint16_t i = 0; i < 16; i++) {
		assert_int_equal(ram.mem[STATUS + i], VIRTIO_BLK_S_OK);
		assert_memory_equal(ram.mem + DATA + 512 * i, model + 512 * 7u * i, 512);
	}
}

static void test_serial(void **state)
{
	uint8_t want[20] = "serial number 1";

	memset(ram.mem + DATA, 0xff, 64);
	assert_int_equal(request(VIRTIO_BLK_T_GET_ID, 0, 1, 20, true), VIRTIO_BLK_S_OK);
	assert_memory_equal(ram.mem + DATA, want, 20);
	assert_int_equal(ram.mem[DATA + 20], 0xff);
	memset(ram.mem + DATA, 0xff, 64);
	assert_int_equal(request(VIRTIO_BLK_T_GET_ID, 0, 1, 6, true), VIRTIO_BLK_S_OK);
	assert_memory_equal(ram.mem + DATA, "serial\xff", 7);
	assert_int_equal(request(VIRTIO_BLK_T_GET_ID, 0, 1, 64, true), VIRTIO_BLK_S_OK);
	assert_int_equal(ram.mem[DATA + 20], 0xff);
}

static void test_out_of_bounds(void **state)
{
	static const uint64_t bad[] = {SECTORS - 1,    SECTORS,		  UINT64_MAX,
				       UINT64_MAX - 1, (uint64_t)1 << 55, UINT64_MAX >> 9};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(request(VIRTIO_BLK_T_IN, bad[i], 1, 1024, true),
				 VIRTIO_BLK_S_IOERR);
		assert_int_equal(request(VIRTIO_BLK_T_OUT, bad[i], 1, 1024, false),
				 VIRTIO_BLK_S_IOERR);
	}
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, 1, 513, true), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 0, 1, 100, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(99, 0, 1, 512, true), VIRTIO_BLK_S_UNSUPP);
	check_image();
}

static uint8_t ranges(uint32_t type, unsigned int nr, const uint64_t *sector, const uint32_t *count,
		      uint32_t flags)
{
	for (unsigned int i = 0; i < nr; i++) {
		pvi_put64(ram.mem + RANGES + 16 * i, sector[i]);
		pvi_put32(ram.mem + RANGES + 16 * i + 8, count[i]);
		pvi_put32(ram.mem + RANGES + 16 * i + 12, flags);
	}
	put_header(type, 0);
	ring_desc(&ram, 0, BASE + HEADER, 16, RING_NEXT, 1);
	ring_desc(&ram, 1, BASE + RANGES, nr * 16, RING_NEXT, 2);
	ring_desc(&ram, 2, BASE + STATUS, 1, RING_WRITE, 0);
	submit(0);
	return ram.mem[STATUS];
}

static void test_discard_and_zeroes(void **state)
{
	const uint64_t at[2] = {64, 1024}, past[1] = {SECTORS - 1}, huge[1] = {UINT64_MAX};
	const uint32_t nr[2] = {8, 100}, two[1] = {2}, most[1] = {UINT32_MAX};
	const uint32_t discard = VIRTIO_BLK_T_DISCARD, zero = VIRTIO_BLK_T_WRITE_ZEROES;

	assert_int_equal(ranges(discard, 2, at, nr, 0), VIRTIO_BLK_S_OK);
	memset(model + 64 * 512, 0, 8 * 512);
	memset(model + 1024 * 512, 0, 100 * 512);
	check_image();

	/* In shared memory ZERO_RANGE is not to be had: written; unmapping it is. */
	assert_int_equal(ranges(zero, 1, (const uint64_t[]){3001}, (const uint32_t[]){1500}, 0),
			 VIRTIO_BLK_S_OK);
	memset(model + 3001 * 512, 0, 1500 * 512);
	assert_int_equal(ranges(zero, 1, (const uint64_t[]){5000}, (const uint32_t[]){7}, 1),
			 VIRTIO_BLK_S_OK);
	memset(model + 5000 * 512, 0, 7 * 512);
	check_image();

	assert_int_equal(ranges(discard, 1, past, two, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ranges(discard, 1, huge, two, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ranges(zero, 1, past, two, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ranges(zero, 1, at, most, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ranges(discard, 1, at, nr, 1), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(ranges(zero, 1, at, nr, 2), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(ranges(zero, 2, at, nr, 0), VIRTIO_BLK_S_IOERR); /* one range only */
	assert_int_equal(request(discard, 0, 1, 15, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(discard, 0, 0, 0, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(discard, 0, 1, 17 * 16, false), VIRTIO_BLK_S_IOERR);
	check_image();
}

static void test_read_only(void **state)
{
	const uint64_t at[1] = {0};
	const uint32_t nr[1] = {1};

	assert_int_equal(request(VIRTIO_BLK_T_OUT, 0, 1, 512, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ranges(VIRTIO_BLK_T_DISCARD, 1, at, nr, 0), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(ranges(VIRTIO_BLK_T_WRITE_ZEROES, 1, at, nr, 0), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, 1, 512, true), VIRTIO_BLK_S_OK);
	client_put(&c, 0, 0, 4);
	assert_true(client_get(&c, 4, 4) & (1u << VIRTIO_BLK_F_RO));
	check_image();
}

static void test_io_errors(void **state)
{
	/* The file is cut short behind our back: reads fail, the device goes on. */
	assert_int_equal(ftruncate(image, DISK_SIZE / 2), 0);
	assert_int_equal(request(VIRTIO_BLK_T_IN, SECTORS - 8, 1, 512, true), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_IN, SECTORS / 2 - 1, 1, 1024, true),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, 1, 512, true), VIRTIO_BLK_S_OK);
}

static void test_refused_dma(void **state)
{
	/* Data beyond RAM, or data that may not be written: an error, and on it goes. */
	put_header(VIRTIO_BLK_T_IN, 0);
	ring_desc(&ram, 0, BASE + HEADER, 16, RING_NEXT, 1);
	ring_desc(&ram, 1, BASE + RING_RAM_SIZE, 512, RING_NEXT | RING_WRITE, 2);
	ring_desc(&ram, 2, BASE + STATUS, 1, RING_WRITE, 0);
	assert_int_equal(submit(0), 0);
	assert_int_equal(ram.mem[STATUS], VIRTIO_BLK_S_IOERR);

	c.no_write_first = BASE + DATA + 512;
	c.no_write_last = BASE + DATA + 1023;
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, 3, 512, true), VIRTIO_BLK_S_IOERR);
	c.no_write_last = 0;

	put_header(VIRTIO_BLK_T_OUT, 0);
	ring_desc(&ram, 1, BASE + RING_RAM_SIZE - 256, 512, RING_NEXT, 2);
	submit(0);
	assert_int_equal(ram.mem[STATUS], VIRTIO_BLK_S_IOERR);
	check_image();
	assert_int_equal(client_get(&c, 0x14, 1), 15);
}

/* No status can be written: no used entry either, and the queue lives. */
static void test_refused_status(void **state)
{
	put_header(VIRTIO_BLK_T_FLUSH, 0);
	ring_desc(&ram, 10, BASE + HEADER, 16, RING_NEXT, 11);
	ring_desc(&ram, 11, BASE + RING_RAM_SIZE, 1, RING_WRITE, 0);
	ring_offer(&ram, QSIZE, 10);
	client_ring(&c);
	assert_false(client_wait_irq(&c, 1, 200));
	assert_int_equal(ring_used_idx(&ram), 0);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, 1, 512, true), VIRTIO_BLK_S_OK);
	assert_int_equal(client_get(&c, 0x14, 1), 15);
}

static void test_no_header_or_status(void **state)
{
	ring_desc(&ram, 0, BASE + HEADER, 15, RING_NEXT, 1);
	ring_desc(&ram, 1, BASE + STATUS, 1, RING_WRITE, 0);
	assert_int_equal(submit(0), 0);
	ring_desc(&ram, 0, BASE + HEADER, 16, 0, 0);
	assert_int_equal(submit(0), 0);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, 1, 512, true), VIRTIO_BLK_S_OK);
}

/* A broken ring: NEEDS_RESET and a configuration interrupt; reset heals it. */
static void test_ring_attacks(void **state)
{
	for (int attack = 0; attack < 5; attack++) {
		drive(~(uint64_t)0);
		client_irq(&c, 0);
		ring_desc(&ram, 0, BASE + HEADER, 16, RING_NEXT, 0);
		switch (attack) {
		case 0:
			ring_offer(&ram, QSIZE, 0); /* a loop */
			break;
		case 1:
			ring_offer(&ram, QSIZE, QSIZE); /* no such descriptor */
			break;
		case 2:
			ring_set_avail_idx(&ram, QSIZE + 1);
			break;
		case 3:
			ring_desc(&ram, 1, BASE + RING_RAM_SIZE - 16, 64, RING_INDIRECT, 0);
			ring_offer(&ram, QSIZE, 1);
			break;
		case 4:
			c.no_write_first = BASE + RING_USED;
			c.no_write_last = BASE + RING_USED + 4095;
			ring_desc(&ram, 0, BASE + HEADER, 16, RING_NEXT, 1);
			ring_desc(&ram, 1, BASE + STATUS, 1, RING_WRITE, 0);
			put_header(VIRTIO_BLK_T_FLUSH, 0);
			ring_offer(&ram, QSIZE, 0);
			break;
		}
		client_ring(&c);
		assert_true(client_wait_irq(&c, 0, 5000));
		assert_int_equal(client_get(&c, 0x14, 1), 15 | 64);
		c.no_write_last = 0;
	}
	drive(~(uint64_t)0);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, 1, 512, true), VIRTIO_BLK_S_OK);
}

static void test_device_reset(void **state)
{
	uint8_t none[1];

	assert_int_equal(client_call(&c, VFU_DEVICE_RESET, NULL, 0, none, 0), 0);
	assert_int_equal(client_get(&c, 0x14, 1), 0);
	c.dma_reads = 0;
	client_ring(&c);
	client_get(&c, 0x14, 1);
	assert_int_equal(c.dma_reads, 0);
	drive(~(uint64_t)0);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, 1, 512, true), VIRTIO_BLK_S_OK);
}

/* A driver that takes no optional feature: no event index, no indirect tables, no flush. */
static void test_plain_driver(void **state)
{
	drive(0);
	memset(ram.mem + DATA, 0x77, 512);
	memset(model + 512, 0x77, 512);
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 1, 1, 512, false), VIRTIO_BLK_S_OK);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 1, 1, 512, true), VIRTIO_BLK_S_OK);
	assert_int_equal(ranges(VIRTIO_BLK_T_DISCARD, 1, (const uint64_t[]){0},
				(const uint32_t[]){1}, 0),
			 VIRTIO_BLK_S_UNSUPP);
	check_image();
}

/* A driver that would not use the DMA API is turned away. */
static void test_platform_access_required(void **state)
{
	client_put(&c, 0x14, 0, 1);
	client_put(&c, 0x14, 3, 1);
	client_put(&c, 8, 1, 4);
	client_put(&c, 12, 1, 4);
	client_put(&c, 0x14, 11, 1);
	assert_int_equal(client_get(&c, 0x14, 1), 3);
}

static void test_what_can_be_a_disk(void **state)
{
	int fd = memfd_create("image", MFD_CLOEXEC), other, pipefd[2];
	char path[64];
	struct disk d;

	assert_int_equal(disk_init(&d, fd, false), -ENODATA);
	assert_int_equal(ftruncate(fd, 1000), 0);
	assert_int_equal(disk_init(&d, fd, false), 0);
	assert_int_equal(d.sectors, 1);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	other = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(other >= 0);
	assert_int_equal(disk_init(&d, other, false), -EBADF);
	assert_int_equal(disk_init(&d, other, true), -EBUSY); /* has a writer */
	close(fd);
	assert_int_equal(disk_init(&d, other, true), 0);
	close(other);

	assert_int_equal(pipe(pipefd), 0);
	assert_int_equal(disk_init(&d, pipefd[0], true), -ENOTBLK);
	close(pipefd[0]);
	close(pipefd[1]);
	fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(disk_init(&d, fd, true), -EISDIR);
	close(fd);
	assert_int_equal(disk_init(&d, -1, true), -EBADF);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_config),
		TEST(test_read_write),
		TEST(test_large_and_odd_segments),
		TEST(test_indirect),
		TEST(test_many_at_once),
		TEST(test_serial),
		TEST(test_out_of_bounds),
		TEST(test_discard_and_zeroes),
		cmocka_unit_test_setup_teardown(test_read_only, set_up_read_only, tear_down),
		TEST(test_io_errors),
		TEST(test_refused_dma),
		TEST(test_refused_status),
		TEST(test_no_header_or_status),
		TEST(test_ring_attacks),
		TEST(test_device_reset),
		TEST(test_plain_driver),
		TEST(test_platform_access_required),
		cmocka_unit_test(test_what_can_be_a_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
