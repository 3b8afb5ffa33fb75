// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/ring.h"

#define SIZE 8

static struct ring_ram ram;
static struct pvi_vq vq;
static struct pvi_vq_chain chain;

static void start(uint16_t size, bool event_idx, bool indirect)
{
	const struct pvi_vq_mem mem = {.read = ring_read, .write = ring_write, .ctx = &ram};
	const struct pvi_vq_config cfg = {
		.size = size,
		.desc = RING_DESC,
		.avail = RING_AVAIL,
		.used = RING_USED,
		.event_idx = event_idx,
		.indirect = indirect,
	};

	memset(&ram, 0, sizeof(ram));
	ram.fail_after = -1;
	assert_int_equal(pvi_vq_init(&vq, &mem, &cfg), 0);
}

static void assert_broken(void)
{
	bool notify = true;

	assert_int_equal(pvi_vq_pop(&vq, &chain), -EIO);
	assert_true(vq.broken);
	assert_int_equal(pvi_vq_pop(&vq, &chain), -EIO);
	assert_int_equal(pvi_vq_push(&vq, 0, 0), -EIO);
	assert_int_equal(pvi_vq_publish(&vq, &notify), -EIO);
	assert_int_equal(pvi_vq_kicks(&vq, true), -EIO);
	assert_int_equal(ring_used_idx(&ram), 0);
}

static void test_init_refuses(void **state)
{
	const struct pvi_vq_mem mem = {.read = ring_read, .write = ring_write, .ctx = &ram};
	const struct pvi_vq_config good = {
		.size = 8, .desc = 0x1000, .avail = 0x2000, .used = 0x3000};
	struct pvi_vq_config c;

	for (uint32_t size = 0; size <= UINT16_MAX; size++) {
		bool ok = size && size <= PVI_VQ_MAX_SIZE && !(size & (size - 1));

		c = good;
		c.size = (uint16_t)size;
		c.avail = 0x100000;
		c.used = 0x200000;
		assert_int_equal(pvi_vq_init(&vq, &mem, &c), ok ? 0 : -EINVAL);
	}
	c = good, c.desc = 0x1008;
	assert_int_equal(pvi_vq_init(&vq, &mem, &c), -EINVAL);
	c = good, c.avail = 0x2001;
	assert_int_equal(pvi_vq_init(&vq, &mem, &c), -EINVAL);
	c = good, c.used = 0x3002;
	assert_int_equal(pvi_vq_init(&vq, &mem, &c), -EINVAL);
	c = good, c.desc = UINT64_MAX - 127; /* its last byte is the last address */
	assert_int_equal(pvi_vq_init(&vq, &mem, &c), 0);
	c = good, c.desc = UINT64_MAX - 111;
	assert_int_equal(pvi_vq_init(&vq, &mem, &c), -EINVAL);
	c = good, c.avail = UINT64_MAX - 1;
	assert_int_equal(pvi_vq_init(&vq, &mem, &c), -EINVAL);
	c = good, c.used = UINT64_MAX - 3;
	assert_int_equal(pvi_vq_init(&vq, &mem, &c), -EINVAL);
}

static void test_chain(void **state)
{
	bool notify = false;

	start(SIZE, false, false);
	assert_int_equal(pvi_vq_pop(&vq, &chain), 0);

	ring_desc(&ram, 7, 0x10000, 16, RING_NEXT, 2);
	ring_desc(&ram, 2, 0x20000, 512, RING_NEXT, 3);
	ring_desc(&ram, 3, 0x30000, 100, RING_NEXT | RING_WRITE, 0);
	ring_desc(&ram, 0, 0x40000, 1, RING_WRITE, 77);
	ring_offer(&ram, SIZE, 7);
	assert_int_equal(pvi_vq_pop(&vq, &chain), 1);
	assert_int_equal(chain.head, 7);
	assert_int_equal(chain.nr_out, 2);
	assert_int_equal(chain.nr_in, 2);
	assert_int_equal(chain.out_len, 528);
	assert_int_equal(chain.in_len, 101);
	assert_int_equal(chain.seg[1].addr, 0x20000);
	assert_int_equal(chain.seg[3].addr, 0x40000);
	assert_int_equal(pvi_vq_pop(&vq, &chain), 0);

	assert_int_equal(pvi_vq_push(&vq, 7, 101), 0);
	assert_int_equal(ring_used_idx(&ram), 0);
	assert_int_equal(pvi_vq_publish(&vq, &notify), 0);
	assert_true(notify);
	assert_int_equal(ring_used_idx(&ram), 1);
	assert_int_equal(ring_used_id(&ram, 0), 7);
	assert_int_equal(ring_used_len(&ram, 0), 101);

	notify = true;
	assert_int_equal(pvi_vq_publish(&vq, &notify), 0);
	assert_false(notify);
}

static void test_copy_spans_segments(void **state)
{
	uint8_t buf[32], *a = ram.mem + 0x10000, *b = ram.mem + 0x20000;

	start(SIZE, false, false);
	ring_desc(&ram, 0, 0x10000, 4, RING_NEXT, 1);
	ring_desc(&ram, 1, 0x20000, 6, RING_NEXT, 2);
	ring_desc(&ram, 2, 0x10100, 3, RING_NEXT | RING_WRITE, 3);
	ring_desc(&ram, 3, 0x20100, 5, RING_WRITE, 0);
	ring_offer(&ram, SIZE, 0);
	assert_int_equal(pvi_vq_pop(&vq, &chain), 1);

	memcpy(a, "abcd", 4);
	memcpy(b, "efghij", 6);
	assert_int_equal(pvi_vq_copy_out(&vq, &chain, 0, buf, 10), 0);
	assert_memory_equal(buf, "abcdefghij", 10);
	assert_int_equal(pvi_vq_copy_out(&vq, &chain, 3, buf, 2), 0);
	assert_memory_equal(buf, "de", 2);
	assert_int_equal(pvi_vq_copy_out(&vq, &chain, 4, buf, 6), 0);
	assert_memory_equal(buf, "efghij", 6);
	assert_int_equal(pvi_vq_copy_out(&vq, &chain, 10, buf, 0), 0);
	assert_int_equal(pvi_vq_copy_out(&vq, &chain, 10, buf, 1), -EINVAL);
	assert_int_equal(pvi_vq_copy_out(&vq, &chain, UINT64_MAX, buf, 2), -EINVAL);

	assert_int_equal(pvi_vq_copy_in(&vq, &chain, 2, "XYZ", 3), 0);
	assert_memory_equal(ram.mem + 0x10102, "X", 1);
	assert_memory_equal(ram.mem + 0x20100, "YZ\0", 3);
	assert_int_equal(pvi_vq_copy_in(&vq, &chain, 7, "12", 2), -EINVAL);

	/* A refused data access is the request's failure, not the queue's. */
	ram.fail_after = 1;
	assert_int_equal(pvi_vq_copy_out(&vq, &chain, 0, buf, 10), -EFAULT);
	assert_false(vq.broken);
}

static void test_indirect(void **state)
{
	start(SIZE, false, true);
	ring_desc(&ram, 0, 0x10000, 16, RING_NEXT, 4);
	ring_desc(&ram, 4, 0x50000, 48, RING_INDIRECT | RING_WRITE, 0);
	ring_desc_at(&ram, 0x50000, 0, 0x20000, 8, RING_NEXT, 2);
	ring_desc_at(&ram, 0x50000, 2, 0x30000, 8, RING_NEXT | RING_WRITE, 1);
	ring_desc_at(&ram, 0x50000, 1, 0x40000, 1, RING_WRITE, 0);
	ring_offer(&ram, SIZE, 0);
	ram.reads = 0;
	assert_int_equal(pvi_vq_pop(&vq, &chain), 1);
	assert_int_equal(ram.reads, 4); /* index, heads, descriptors, indirect table */
	assert_int_equal(chain.nr_out, 2);
	assert_int_equal(chain.nr_in, 2);
	assert_int_equal(chain.seg[3].addr, 0x40000);
}

static void test_largest_indirect(void **state)
{
	start(SIZE, false, true);
	ring_desc(&ram, 0, 0x50000, 16 * PVI_VQ_MAX_SEGS, RING_INDIRECT, 0);
	for (uint16_t i = 0; i < PVI_VQ_MAX_SEGS; i++)
		ring_desc_at(&ram, 0x50000, i, 0x1000u * i, 4096,
			     i + 1 < PVI_VQ_MAX_SEGS ? RING_NEXT : 0, i + 1);
	ring_offer(&ram, SIZE, 0);
	assert_int_equal(pvi_vq_pop(&vq, &chain), 1);
	assert_int_equal(chain.nr_out, PVI_VQ_MAX_SEGS);
	assert_int_equal(chain.out_len, 4096 * PVI_VQ_MAX_SEGS);

	/* One direct segment before it is one too many. */
	start(SIZE, false, true);
	ring_desc(&ram, 1, 0x1000, 1, RING_NEXT, 0);
	ring_desc(&ram, 0, 0x50000, 16 * PVI_VQ_MAX_SEGS, RING_INDIRECT, 0);
	for (uint16_t i = 0; i < PVI_VQ_MAX_SEGS; i++)
		ring_desc_at(&ram, 0x50000, i, 0x1000u * i, 4096,
			     i + 1 < PVI_VQ_MAX_SEGS ? RING_NEXT : 0, i + 1);
	ring_offer(&ram, SIZE, 1);
	assert_broken();
}

struct bad_chain {
	const char *what;
	struct {
		uint64_t addr;
		uint32_t len;
		uint16_t flags, next;
	} d[4], ind[4];
	uint16_t head;
	bool no_indirect; /* not negotiated */
};

#define TABLE 0x50000

static const struct bad_chain bad_chains[] = {
	{"head past the table", .head = SIZE},
	{"next past the table", .d = {{0x1000, 1, RING_NEXT, SIZE}}},
	{"loop to itself", .d = {{0x1000, 1, RING_NEXT, 0}}},
	{"loop of two", .d = {{0x1000, 1, RING_NEXT, 1}, {0x1000, 1, RING_NEXT, 0}}},
	{"empty buffer", .d = {{0x1000, 0, 0, 0}}},
	{"wrapping buffer", .d = {{UINT64_MAX, 2, 0, 0}}},
	{"readable after writable",
	 .d = {{0x1000, 1, RING_NEXT | RING_WRITE, 1}, {0x1000, 1, 0, 0}}},
	{"more than 4 GiB", .d = {{0, UINT32_MAX, RING_NEXT, 1}, {0, 2, 0, 0}}},
	{"indirect not negotiated", .d = {{TABLE, 16, RING_INDIRECT, 0}},
	 .ind = {{0x1000, 1, 0, 0}}, .no_indirect = true},
	{"indirect and next", .d = {{TABLE, 16, RING_INDIRECT | RING_NEXT, 1}, {0x1000, 1, 0, 0}},
	 .ind = {{0x1000, 1, 0, 0}}},
	{"empty indirect table", .d = {{TABLE, 0, RING_INDIRECT, 0}}},
	{"odd indirect table", .d = {{TABLE, 17, RING_INDIRECT, 0}}, .ind = {{0x1000, 1, 0, 0}}},
	{"indirect table too long", .d = {{TABLE, 16 * (PVI_VQ_MAX_SEGS + 1), RING_INDIRECT, 0}},
	 .ind = {{0x1000, 1, 0, 0}}},
	{"indirect table wraps", .d = {{UINT64_MAX - 15, 32, RING_INDIRECT, 0}}},
	{"indirect table unreadable", .d = {{RING_RAM_SIZE, 16, RING_INDIRECT, 0}}},
	{"nested indirect", .d = {{TABLE, 32, RING_INDIRECT, 0}},
	 .ind = {{TABLE, 16, RING_INDIRECT, 0}}},
	{"nested indirect, second", .d = {{TABLE, 32, RING_INDIRECT, 0}},
	 .ind = {{0x1000, 1, RING_NEXT, 1}, {TABLE, 16, RING_INDIRECT, 0}}},
	{"next past the indirect table", .d = {{TABLE, 32, RING_INDIRECT, 0}},
	 .ind = {{0x1000, 1, RING_NEXT, 2}, {0x1000, 1, 0, 0}, {0x1000, 1, 0, 0}}},
	{"loop in the indirect table", .d = {{TABLE, 32, RING_INDIRECT, 0}},
	 .ind = {{0x1000, 1, RING_NEXT, 1}, {0x1000, 1, RING_NEXT, 0}}},
	{"indirect readable after direct writable",
	 .d = {{0x1000, 1, RING_NEXT | RING_WRITE, 1}, {TABLE, 16, RING_INDIRECT, 0}},
	 .ind = {{0x1000, 1, 0, 0}}},
};

static void test_bad_chains(void **state)
{
	for (size_t n = 0; n < sizeof(bad_chains) / sizeof(bad_chains[0]); n++) {
		const struct bad_chain *b = &bad_chains[n];

		start(SIZE, false, !b->no_indirect);
		for (uint16_t i = 0; i < 4; i++) {
			ring_desc(&ram, i, b->d[i].addr, b->d[i].len, b->d[i].flags, b->d[i].next);
			ring_desc_at(&ram, TABLE, i, b->ind[i].addr, b->ind[i].len, b->ind[i].flags,
				     b->ind[i].next);
		}
		ring_offer(&ram, SIZE, b->head);
		if (pvi_vq_pop(&vq, &chain) != -EIO)
			fail_msg("accepted: %s", b->what);
		assert_broken();
	}
}

static void test_exactly_4_gib_is_allowed(void **state)
{
	start(SIZE, false, false);
	ring_desc(&ram, 0, 0, UINT32_MAX, RING_NEXT, 1);
	ring_desc(&ram, 1, UINT64_MAX, 1, RING_WRITE, 0);
	ring_offer(&ram, SIZE, 0);
	assert_int_equal(pvi_vq_pop(&vq, &chain), 1);
	assert_int_equal(chain.out_len + chain.in_len, (uint64_t)1 << 32);
}

static void test_avail_index_jumps(void **state)
{
	start(SIZE, false, false);
	ring_set_avail_idx(&ram, SIZE + 1);
	assert_broken();

	/* An index that moves backwards is one that jumps ahead. */
	start(SIZE, false, false);
	ring_desc(&ram, 0, 0x1000, 1, 0, 0);
	ring_offer(&ram, SIZE, 0);
	assert_int_equal(pvi_vq_pop(&vq, &chain), 1);
	ring_set_avail_idx(&ram, 0);
	assert_int_equal(pvi_vq_pop(&vq, &chain), -EIO);
}

static void test_more_chains_than_descriptors(void **state)
{
	start(SIZE, false, false);
	for (uint16_t i = 0; i < SIZE; i++) {
		ring_desc(&ram, i, 0x1000, 1, 0, 0);
		ring_offer(&ram, SIZE, i);
	}
	for (uint16_t i = 0; i < SIZE; i++) {
		assert_int_equal(pvi_vq_pop(&vq, &chain), 1);
		assert_int_equal(chain.head, i);
	}
	/* None is returned yet, and one more is offered. */
	ring_offer(&ram, SIZE, 0);
	assert_int_equal(pvi_vq_pop(&vq, &chain), -EIO);
}

/* Every access of a pop and a completion may be refused: the queue breaks, cleanly. */
static void test_refused_ring_accesses(void **state)
{
	bool done = false;

	for (int works = 0; !done; works++) {
		bool notify;
		int r;

		start(SIZE, true, true);
		ring_desc(&ram, 0, 0x50000, 16, RING_INDIRECT, 0);
		ring_desc_at(&ram, 0x50000, 0, 0x1000, 1, RING_WRITE, 0);
		ring_offer(&ram, SIZE, 0);
		ram.fail_after = works;
		r = pvi_vq_pop(&vq, &chain);
		if (r == 1)
			r = pvi_vq_push(&vq, 0, 1);
		if (!r)
			r = pvi_vq_publish(&vq, &notify);
		if (!r)
			r = pvi_vq_kicks(&vq, true);
		if (r < 0)
			assert_int_equal(r, -EIO);
		assert_int_equal(vq.broken, r < 0);
		done = !r;
		assert_true(works < 20);
	}
}

/* 70,000 requests: indices wrap at 16 bits, slots at the ring's size. */
static void test_wraps(void **state)
{
	start(4, false, false);
	ring_desc(&ram, 0, 0x1000, 4, RING_WRITE, 0);
	ring_desc(&ram, 3, 0x2000, 4, RING_WRITE, 0);
	for (uint32_t i = 0; i < 70000; i++) {
		bool notify;

		ring_offer(&ram, 4, i & 1 ? 3 : 0);
		assert_int_equal(pvi_vq_pop(&vq, &chain), 1);
		assert_int_equal(chain.head, i & 1 ? 3 : 0);
		assert_int_equal(pvi_vq_push(&vq, chain.head, i), 0);
		assert_int_equal(pvi_vq_publish(&vq, &notify), 0);
		assert_int_equal(ring_used_idx(&ram), (uint16_t)(i + 1));
		assert_int_equal(ring_used_len(&ram, i % 4), i);
	}
}

static void test_batched_heads_are_fetched_once(void **state)
{
	start(64, false, false);
	for (uint16_t i = 0; i < 16; i++) {
		ring_desc(&ram, i, 0x1000, 1, 0, 0);
		ring_offer(&ram, 64, i);
	}
	ram.reads = 0;
	assert_int_equal(pvi_vq_pop(&vq, &chain), 1);
	for (uint16_t i = 0; i < 16; i++) /* a later change must not be seen */
		pvi_put16(ram.mem + RING_AVAIL + 4 + 2 * i, 60);
	for (uint16_t i = 1; i < 16; i++) {
		assert_int_equal(pvi_vq_pop(&vq, &chain), 1);
		assert_int_equal(chain.head, i);
	}
	assert_int_equal(ram.reads, 2 + 16);
}

static bool complete(uint16_t head)
{
	bool notify;

	assert_int_equal(pvi_vq_pop(&vq, &chain), 1);
	assert_int_equal(pvi_vq_push(&vq, head, 0), 0);
	assert_int_equal(pvi_vq_publish(&vq, &notify), 0);
	return notify;
}

static void test_interrupt_suppression(void **state)
{
	start(SIZE, false, false);
	ring_desc(&ram, 0, 0x1000, 1, 0, 0);
	pvi_put16(ram.mem + RING_AVAIL, 1); /* NO_INTERRUPT */
	ring_offer(&ram, SIZE, 0);
	assert_false(complete(0));
	pvi_put16(ram.mem + RING_AVAIL, 0);
	ring_offer(&ram, SIZE, 0);
	assert_true(complete(0));

	start(SIZE, true, false);
	ring_desc(&ram, 0, 0x1000, 1, 0, 0);
	pvi_put16(ram.mem + RING_AVAIL + 4 + 2 * SIZE, 2); /* after the third */
	for (int i = 0; i < 6; i++) {
		ring_offer(&ram, SIZE, 0);
		assert_int_equal(complete(0), i == 2);
	}
}

static void test_kick_suppression(void **state)
{
	start(SIZE, false, false);
	assert_int_equal(pvi_vq_kicks(&vq, false), 0);
	assert_int_equal(pvi_get16(ram.mem + RING_USED), 1);
	assert_int_equal(pvi_vq_kicks(&vq, true), 0);
	assert_int_equal(pvi_get16(ram.mem + RING_USED), 0);

	start(SIZE, true, false);
	ring_desc(&ram, 0, 0x1000, 1, 0, 0);
	ring_offer(&ram, SIZE, 0);
	assert_int_equal(pvi_vq_kicks(&vq, false), 0);
	assert_int_equal(pvi_vq_kicks(&vq, true), 1);
	complete(0);
	assert_int_equal(pvi_vq_kicks(&vq, true), 0);
	assert_int_equal(pvi_get16(ram.mem + RING_USED + 4 + 8 * SIZE), 1);
	ring_set_avail_idx(&ram, 100);
	assert_int_equal(pvi_vq_kicks(&vq, true), -EIO);
	assert_true(vq.broken);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init_refuses),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_copy_spans_segments),
		cmocka_unit_test(test_indirect),
		cmocka_unit_test(test_largest_indirect),
		cmocka_unit_test(test_bad_chains),
		cmocka_unit_test(test_exactly_4_gib_is_allowed),
		cmocka_unit_test(test_avail_index_jumps),
		cmocka_unit_test(test_more_chains_than_descriptors),
		cmocka_unit_test(test_refused_ring_accesses),
		cmocka_unit_test(test_wraps),
		cmocka_unit_test(test_batched_heads_are_fetched_once),
		cmocka_unit_test(test_interrupt_suppression),
		cmocka_unit_test(test_kick_suppression),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
