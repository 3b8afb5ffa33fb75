// SPDX-License-Identifier: BSD-2-Clause
/* The domain table, case by case; the model test compares it at random. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/table.h"
#include "fake_alloc.h"

#define PAGE	       0x1000ull
#define MIB	       (1ull << 20)
#define GIB	       (1ull << 30)
#define R(a, b)	       ((struct pvi_range){(a), (b)})
#define RW	       (PVI_READ | PVI_WRITE)
#define NODE_BYTES_MAX (9 * 512)

static struct pvi_table *t;

static struct pvi_table *new_table(uint64_t mappings, uint64_t bytes)
{
	const struct pvi_table_caps caps = {.max_mappings = mappings, .max_table_bytes = bytes};
	struct pvi_table *table;

	assert_int_equal(pvi_table_new(&caps, &table), 0);
	return table;
}

static int set_up(void **state)
{
	fail_in = -1;
	t = new_table(1 << 20, 64 * MIB);
	return 0;
}

static int tear_down(void **state)
{
	pvi_table_free(t);
	assert_int_equal(live, 0);
	return 0;
}

static struct pvi_table_stats stats(void)
{
	struct pvi_table_stats s;

	pvi_table_stats(t, &s);
	return s;
}

static void assert_run(uint64_t iova, uint64_t len, uint64_t target, uint64_t run_len)
{
	struct pvi_table_run run;
	unsigned int cookie = pvi_table_enter(t);

	assert_int_equal(pvi_table_translate(t, iova, len, PVI_READ, &run), 0);
	pvi_table_leave(t, cookie);
	assert_int_equal(run.target, target);
	assert_int_equal(run.len, run_len);
}

static void assert_no(uint64_t iova, unsigned int prot, int err)
{
	struct pvi_table_run run = {7, 8};

	assert_int_equal(pvi_table_translate(t, iova, 1, prot, &run), err);
	assert_int_equal(run.target, 7);
	assert_int_equal(run.len, 8);
}

static void assert_unmap(uint64_t first, uint64_t last, int err, uint64_t removed)
{
	uint64_t got = 99;

	assert_int_equal(pvi_table_unmap(t, R(first, last), &got), err);
	assert_int_equal(got, err ? 99 : removed);
}

static void test_map_arguments(void **state)
{
	assert_int_equal(pvi_table_map(t, R(1, 0xfff), 0, RW), -EINVAL);
	assert_int_equal(pvi_table_map(t, R(0, 0xffe), 0, RW), -EINVAL);
	assert_int_equal(pvi_table_map(t, R(0, 0x1000), 0, RW), -EINVAL);
	assert_int_equal(pvi_table_map(t, R(0, 0xfff), 0x800, RW), -EINVAL);
	assert_int_equal(pvi_table_map(t, R(0x1000, 0xfff), 0, RW), -EINVAL);
	assert_int_equal(pvi_table_map(t, R(0, 0xfff), 0, 8), -EINVAL);
	assert_int_equal(pvi_table_map(t, R(0, 0xfff), 1ull << 52, RW), -EINVAL);
	assert_int_equal(pvi_table_map(t, R(0, 0x1fff), (1ull << 52) - PAGE, RW), -EINVAL);
	assert_int_equal(pvi_table_map(t, R(0, UINT64_MAX), 0, RW), -EINVAL);
	assert_int_equal(stats().mappings, 0);
	assert_int_equal(pvi_table_map(t, R(0, 0xfff), (1ull << 52) - PAGE, RW), 0);
	assert_run(0xfff, 1, (1ull << 52) - 1, 1);
}

static void test_both_ends_of_the_space(void **state)
{
	assert_int_equal(pvi_table_map(t, R(0, 0xfff), 0x5000, RW), 0);
	assert_int_equal(pvi_table_map(t, R(UINT64_MAX - 0x1fff, UINT64_MAX), 0x8000, PVI_READ), 0);
	assert_run(0, 0x2000, 0x5000, 0x1000);
	assert_run(UINT64_MAX, 1, 0x9fff, 1);
	assert_run(UINT64_MAX, UINT64_MAX, 0x9fff, 1);
	assert_run(UINT64_MAX - 0x1fff, UINT64_MAX, 0x8000, 0x2000);
	assert_no(0x1000, PVI_READ, -ENOENT);
	assert_no(UINT64_MAX - 0x2000, PVI_READ, -ENOENT);
	assert_unmap(1, UINT64_MAX, -ERANGE, 0);
	assert_unmap(0, UINT64_MAX - 1, -ERANGE, 0);
	assert_int_equal(stats().mappings, 2);
	assert_unmap(0, UINT64_MAX, 0, 2);
	assert_int_equal(stats().pages, 0);
}

static void test_rights(void **state)
{
	for (unsigned int prot = 0; prot < 8; prot++)
		assert_int_equal(pvi_table_map(t, R(prot * PAGE, prot * PAGE + 0xfff), 0, prot), 0);
	for (unsigned int prot = 0; prot < 8; prot++)
		for (unsigned int want = 0; want < 8; want++) {
			struct pvi_table_run run;

			assert_int_equal(pvi_table_translate(t, prot * PAGE, 1, want, &run),
					 (prot & want) == want ? 0 : -EACCES);
		}
	assert_no(8 * PAGE, 0, -ENOENT);
}

static void test_overlap(void **state)
{
	assert_int_equal(pvi_table_map(t, R(4 * PAGE, 8 * PAGE - 1), 0, RW), 0);
	for (uint64_t first = 0; first < 10; first++)
		for (uint64_t last = first; last < 10; last++) {
			bool overlaps = first < 8 && last >= 4;
			struct pvi_range r = R(first * PAGE, last * PAGE + 0xfff);

			assert_int_equal(pvi_table_map(t, r, 0, RW), overlaps ? -EEXIST : 0);
			if (!overlaps)
				assert_unmap(r.first, r.last, 0, 1);
		}
	/* Over a huge leaf, and a huge one over a page. */
	assert_int_equal(pvi_table_map(t, R(GIB, 2 * GIB - 1), 0, RW), 0);
	assert_int_equal(pvi_table_map(t, R(GIB + PAGE, GIB + 2 * PAGE - 1), 0, RW), -EEXIST);
	assert_int_equal(pvi_table_map(t, R(0, GIB - 1), 0, RW), -EEXIST);
	assert_int_equal(stats().mappings, 2);
}

/* The seven examples of 5.13.6.6, an address of theirs being one page. */
static void test_unmap_examples(void **state)
{
#define P(n)		    ((n)*PAGE)
#define MAP(a, b)	    assert_int_equal(pvi_table_map(t, R(P(a), P((b) + 1) - 1), P(a), RW), 0)
#define UNMAP(a, b, err, n) assert_unmap(P(a), P((b) + 1) - 1, err, n)
	UNMAP(0, 4, 0, 0); /* 1 */
	MAP(0, 9);
	UNMAP(0, 9, 0, 1); /* 2 */
	MAP(0, 4);
	MAP(5, 9);
	UNMAP(0, 9, 0, 2); /* 3 */
	MAP(0, 9);
	UNMAP(0, 4, -ERANGE, 0); /* 4 */
	assert_int_equal(stats().pages, 10);
	UNMAP(0, 9, 0, 1);
	MAP(0, 4);
	MAP(5, 9);
	UNMAP(0, 4, 0, 1); /* 5 */
	assert_run(P(5), 1, P(5), 1);
	UNMAP(0, 9, 0, 1);
	MAP(0, 4);
	UNMAP(0, 9, 0, 1); /* 6 */
	MAP(0, 4);
	MAP(10, 14);
	UNMAP(0, 14, 0, 2); /* 7 */
	assert_int_equal(stats().mappings, 0);
}

static void test_unmap_any_ends(void **state)
{
	MAP(2, 3);
	assert_unmap(P(2) + 1, P(9), -ERANGE, 0);
	assert_unmap(0, P(4) - 2, -ERANGE, 0);
	assert_unmap(P(3), P(3), -ERANGE, 0);
	assert_unmap(P(2) - 1, P(4), 0, 1);
	assert_unmap(P(5), P(4), -EINVAL, 0);
	assert_int_equal(pvi_table_unmap(t, R(0, UINT64_MAX), NULL), 0);
}

/* A run must end with its mapping, whatever lies behind it. */
static void test_run_ends_with_its_mapping(void **state)
{
	static const uint64_t pages[] = {1, 2, 511, 512, 513, 4094, 4095, 4096, 4097, 9000};

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		uint64_t first = 3 * PAGE, end = first + pages[i] * PAGE;

		assert_int_equal(pvi_table_map(t, R(first, end - 1), GIB, RW), 0);
		/* Goes on where the other stops, in both spaces. */
		assert_int_equal(
			pvi_table_map(t, R(end, end + PAGE - 1), GIB + pages[i] * PAGE, RW), 0);
		assert_run(first + 5, UINT64_MAX, GIB + 5, pages[i] * PAGE - 5);
		assert_run(first + 5, UINT64_MAX - 5, GIB + 5, pages[i] * PAGE - 5);
		assert_run(first, pages[i] * PAGE + 1, GIB, pages[i] * PAGE);
		assert_run(end - 1, 2, GIB + pages[i] * PAGE - 1, 1);
		assert_run(first, 0, GIB, 0);
		assert_unmap(first, end - 1, 0, 1);
		assert_unmap(end, end + PAGE - 1, 0, 1);
	}
}

/* 1 GiB takes few nodes, and any target will do. */
static void test_large_mappings_are_cheap(void **state)
{
	static const uint64_t target[] = {0, 3 * PAGE, 5 * GIB + 7 * PAGE};

	for (int i = 0; i < 3; i++) {
		uint64_t base = stats().table_bytes;

		assert_int_equal(pvi_table_map(t, R(GIB, 2 * GIB - 1), target[i], RW), 0);
		assert_true(stats().table_bytes - base <= 3 * NODE_BYTES_MAX);
		assert_run(GIB + 12345, 2 * GIB, target[i] + 12345, GIB - 12345);
		assert_unmap(GIB, 2 * GIB - 1, 0, 1);
		assert_int_equal(pvi_table_map(t, R(GIB + PAGE, 2 * GIB + PAGE - 1), target[i], RW),
				 0);
		assert_true(stats().table_bytes - base <= 7 * NODE_BYTES_MAX);
		assert_run(GIB + PAGE, 2 * GIB, target[i], GIB);
		assert_unmap(GIB + PAGE, 2 * GIB + PAGE - 1, 0, 1);
		pvi_table_synchronize(t);
	}
}

static void test_memory_when_dense(void **state)
{
	for (uint64_t i = 0; i < 128 * 512; i++)
		assert_int_equal(pvi_table_map(t, R(i * PAGE, i * PAGE + 0xfff), i * PAGE, RW), 0);
	assert_true(stats().table_bytes <= 128 * 512 * 9);
}

static void test_one_low_page_takes_one_node(void **state)
{
	MAP(0, 0);
	assert_true(stats().table_bytes <= NODE_BYTES_MAX);
	/* Growing to the top of the space and back. */
	assert_int_equal(pvi_table_map(t, R(UINT64_MAX - 0xfff, UINT64_MAX), 0, RW), 0);
	assert_run(0, 1, 0, 1);
	assert_unmap(0, UINT64_MAX, 0, 2);
	MAP(1, 1);
	assert_run(P(1), 1, P(1), 1);
}

static void test_cap_on_mappings(void **state)
{
	pvi_table_free(t);
	t = new_table(2, MIB);
	MAP(0, 0);
	MAP(1, 1);
	assert_int_equal(pvi_table_map(t, R(P(2), P(3) - 1), 0, RW), -ENOMEM);
	assert_no(P(2), 0, -ENOENT);
	UNMAP(0, 0, 0, 1);
	MAP(2, 2);
}

/* The guest can ask for a node per page: that ends at the cap, and can be undone. */
static void test_cap_on_bytes(void **state)
{
	uint64_t n = 0;
	int err;

	pvi_table_free(t);
	t = new_table(1 << 20, 100 * NODE_BYTES_MAX);
	while (!(err = pvi_table_map(t, R(n * GIB, n * GIB + 0xfff), 0, RW)))
		n++;
	assert_int_equal(err, -ENOMEM);
	assert_true(n > 20 && n < 100);
	assert_true(stats().table_bytes <= 100 * NODE_BYTES_MAX);
	assert_int_equal(stats().mappings, n);
	assert_no(n * GIB, 0, -ENOENT);
	/* What was unmapped and not yet waited for is taken back when needed. */
	for (int round = 0; round < 3; round++) {
		assert_unmap(0, UINT64_MAX, 0, n);
		for (uint64_t i = 0; i < n; i++)
			assert_int_equal(pvi_table_map(t, R(i * GIB, i * GIB + 0xfff), 0, RW), 0);
	}
	pvi_table_free(t);
	t = new_table(10, 0);
	assert_int_equal(pvi_table_map(t, R(0, 0xfff), 0, RW), -ENOMEM);
}

/* Until synchronize a reader may stand in a removed node: it is not used again. */
static void test_removed_nodes_rest(void **state)
{
	uint64_t bytes;

	MAP(0, 0);
	MAP(512, 512);
	bytes = stats().table_bytes;
	UNMAP(512, 512, 0, 1);
	MAP(1024, 1024);
	assert_true(stats().table_bytes > bytes);
	bytes = stats().table_bytes;
	pvi_table_synchronize(t);
	MAP(1536, 1536);
	assert_int_equal(stats().table_bytes, bytes);
}

static void test_nth_allocation_fails(void **state)
{
	const struct pvi_table_caps caps = {10, MIB};
	const struct pvi_range far = R(512 * GIB - PAGE, (1ull << 60) + PAGE - 1);
	struct pvi_table *other = NULL;
	int err = -ENOMEM;

	fail_in = 0;
	assert_int_equal(pvi_table_new(&caps, &other), -ENOMEM);
	assert_null(other);

	MAP(0, 0);
	for (int n = 0; err; n++) {
		assert_true(n < 30);
		fail_in = n;
		err = pvi_table_map(t, R(far.first, far.first + 3 * GIB - 1), P(7), RW);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_no(far.first, 0, -ENOENT);
		assert_no(far.first + GIB, 0, -ENOENT);
		assert_run(0, PAGE, 0, PAGE);
		assert_int_equal(stats().mappings, 1);
		assert_int_equal(stats().pages, 1);
		/* Whatever it had taken is usable, not lost. */
		assert_unmap(0, UINT64_MAX, 0, 1);
		pvi_table_free(t);
		t = new_table(10, MIB);
		fail_in = -1;
		MAP(0, 0);
	}
	assert_run(far.first, UINT64_MAX, P(7), 3 * GIB);
}

struct seen {
	int n, stop_at;
	struct pvi_range last;
};

static int see(void *ctx, struct pvi_range iova, uint64_t target, unsigned int prot)
{
	struct seen *s = ctx;

	s->last = iova;
	assert_int_equal(target, iova.first);
	assert_int_equal(prot, RW);
	return ++s->n == s->stop_at ? -ECANCELED : 0;
}

static void test_walk(void **state)
{
	struct seen s = {0};

	MAP(1, 2);
	MAP(3, 3);
	MAP(600, 5000);
	assert_int_equal(pvi_table_walk(t, R(0, UINT64_MAX), see, &s), 0);
	assert_int_equal(s.n, 3);
	s = (struct seen){.stop_at = 2};
	assert_int_equal(pvi_table_walk(t, R(0, UINT64_MAX), see, &s), -ECANCELED);
	assert_int_equal(s.last.first, P(3));
	/* From the middle of a large one: the whole of it. */
	s = (struct seen){0};
	assert_int_equal(pvi_table_walk(t, R(P(4800), P(4800)), see, &s), 0);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.last.first, P(600));
	assert_int_equal(s.last.last, P(5001) - 1);
	s = (struct seen){0};
	assert_int_equal(pvi_table_walk(t, R(P(4), P(600) - 1), see, &s), 0);
	assert_int_equal(s.n, 0);
}

/* More than are walked side by side, the last ones bad. */
static void test_translate_vec(void **state)
{
	struct pvi_table_access access[40];
	struct pvi_table_run run[40];
	unsigned int cookie, n;
	int err = 77;

	MAP(0, 4999); /* huge leaves, and a run that no entry tells */
	MAP(6000, 6000);
	for (unsigned int i = 0; i < 40; i++)
		access[i] = (struct pvi_table_access){P(i * 100) + 5, UINT64_MAX};
	access[7] = (struct pvi_table_access){P(6000), 12};
	cookie = pvi_table_enter(t);
	assert_int_equal(pvi_table_translate_vec(t, access, 0, PVI_READ, run, &err), 0);
	assert_int_equal(err, 0);
	assert_int_equal(pvi_table_translate_vec(t, access, 40, PVI_READ, run, &err), 40);
	assert_int_equal(err, 0);
	assert_int_equal(run[7].target, P(6000));
	assert_int_equal(run[7].len, 12);
	assert_int_equal(run[39].target, P(3900) + 5);
	assert_int_equal(run[39].len, P(5000) - P(3900) - 5);
	access[35].iova = P(5000);
	n = pvi_table_translate_vec(t, access, 40, PVI_READ, run, &err);
	assert_int_equal(n, 35);
	assert_int_equal(err, -ENOENT);
	n = pvi_table_translate_vec(t, access, 40, PVI_MMIO, run, &err);
	assert_int_equal(n, 0);
	assert_int_equal(err, -EACCES);
	pvi_table_leave(t, cookie);
}

static void assert_lookup(uint64_t iova, uint64_t len, unsigned int prot, int err, uint64_t target,
			  uint64_t run_len)
{
	struct pvi_table_run run = {7, 8};

	assert_int_equal(pvi_table_lookup(t, iova, len, prot, &run), err);
	assert_int_equal(run.target, err ? 7 : target);
	assert_int_equal(run.len, err ? 8 : run_len);
}

/* By who comes for the first time and by who comes often, below 512 GiB and above. */
static void test_lookup(void **state)
{
	const uint64_t far = 1ull << 40, above = 4 * GIB + 2 * MIB;

	assert_int_equal(pvi_table_map(t, R(above, above + 3 * PAGE - 1), P(8), PVI_READ), 0);
	assert_int_equal(pvi_table_map(t, R(above + 4 * MIB, above + 36 * MIB - 1), P(9), RW), 0);
	for (int often = 0; often < 2; often++) {
		assert_lookup(above + 5, 7, PVI_READ, 0, P(8) + 5, 7);
		assert_lookup(above + 5, PAGE, PVI_READ, 0, P(8) + 5, PAGE);
		assert_lookup(above + 5, UINT64_MAX, PVI_READ, 0, P(8) + 5, 3 * PAGE - 5);
		assert_lookup(above, 1, PVI_WRITE, -EACCES, 0, 0);
		assert_lookup(above - 1, 1, PVI_READ, -ENOENT, 0, 0);
		assert_lookup(above + 3 * PAGE, 1, PVI_READ, -ENOENT, 0, 0);
		assert_lookup(above + 4 * MIB + 1, 64 * MIB, RW, 0, P(9) + 1, 32 * MIB - 1);
		assert_lookup(far, 1, PVI_READ, -ENOENT, 0, 0);
		assert_lookup(UINT64_MAX, UINT64_MAX, PVI_READ, -ENOENT, 0, 0);
		for (int i = 0; i < 1000; i++)
			assert_lookup(above + PAGE, PAGE, PVI_READ, 0, P(9), PAGE);
	}
	/* The root grows; what is low comes and goes. */
	assert_int_equal(pvi_table_map(t, R(far, far + PAGE - 1), P(6), PVI_READ), 0);
	assert_lookup(far + 1, 1, PVI_READ, 0, P(6) + 1, 1);
	assert_lookup(above, PAGE, PVI_READ, 0, P(8), PAGE);
	assert_unmap(0, far - 1, 0, 2);
	assert_lookup(above, PAGE, PVI_READ, -ENOENT, 0, 0);
	assert_lookup(far, PAGE, PVI_READ, 0, P(6), PAGE);
	assert_int_equal(pvi_table_map(t, R(0, PAGE - 1), P(5), PVI_READ), 0);
	assert_lookup(0, PAGE, PVI_READ, 0, P(5), PAGE);
	pvi_table_clear(t);
	assert_lookup(0, PAGE, PVI_READ, -ENOENT, 0, 0);
}

static void test_translate_list(void **state)
{
	struct pvi_table_run run[4];
	unsigned int cookie, nr = 77;

	MAP(1, 2);
	MAP(3, 3);
	MAP(4, 2000);
	cookie = pvi_table_enter(t);
	assert_int_equal(pvi_table_translate_list(t, R(P(1) + 9, P(9) + 1), PVI_READ, run, 3, &nr),
			 0);
	assert_int_equal(nr, 3);
	assert_int_equal(run[0].target, P(1) + 9);
	assert_int_equal(run[0].len, 2 * PAGE - 9);
	assert_int_equal(run[1].len, PAGE);
	assert_int_equal(run[2].len, 5 * PAGE + 2);
	nr = 77;
	assert_int_equal(pvi_table_translate_list(t, R(P(1), P(9)), PVI_READ, run, 2, &nr), -E2BIG);
	assert_int_equal(pvi_table_translate_list(t, R(P(1), P(2001)), PVI_READ, run, 4, &nr),
			 -ENOENT);
	assert_int_equal(pvi_table_translate_list(t, R(P(1), P(9)), PVI_MMIO, run, 4, &nr),
			 -EACCES);
	assert_int_equal(nr, 77);
	pvi_table_leave(t, cookie);
}

/* Removing the last of a node's mappings gives the node back, whichever way it goes. */
static void test_exact_unmap_frees_nodes(void **state)
{
	uint64_t bytes;

	MAP(0, 0);
	bytes = stats().table_bytes;
	MAP(600, 610);
	MAP(700, 700);
	UNMAP(600, 610, 0, 1);
	UNMAP(700, 700, 0, 1);
	assert_int_equal(stats().mappings, 1);
	assert_int_equal(stats().pages, 1);
	pvi_table_synchronize(t);
	/* Spares count; they serve a mapping elsewhere without more memory. */
	MAP(1200, 1200);
	assert_true(stats().table_bytes <= bytes + 2 * NODE_BYTES_MAX);
	UNMAP(0, 0, 0, 1);
	UNMAP(1200, 1200, 0, 1);
	assert_int_equal(stats().mappings, 0);
	MAP(0, 5);
}

static void test_clear(void **state)
{
	MAP(1, 2);
	MAP(600, 5000);
	pvi_table_clear(t);
	assert_int_equal(stats().mappings, 0);
	assert_int_equal(stats().pages, 0);
	assert_no(P(1), 0, -ENOENT);
	pvi_table_synchronize(t);
	pvi_table_free(NULL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_map_arguments),
		T(test_both_ends_of_the_space),
		T(test_rights),
		T(test_overlap),
		T(test_unmap_examples),
		T(test_unmap_any_ends),
		T(test_run_ends_with_its_mapping),
		T(test_large_mappings_are_cheap),
		T(test_memory_when_dense),
		T(test_one_low_page_takes_one_node),
		T(test_cap_on_mappings),
		T(test_cap_on_bytes),
		T(test_removed_nodes_rest),
		T(test_nth_allocation_fails),
		T(test_walk),
		T(test_translate_vec),
		T(test_lookup),
		T(test_translate_list),
		T(test_exact_unmap_frees_nodes),
		T(test_clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
