// SPDX-License-Identifier: BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/defer.h"

#define NODES 8
#define BATCH 3
#define MS    20

static void test_batch_in_order(void **state)
{
	struct pvi_late nodes[NODES], *list;
	struct pvi_defer q;

	pvi_defer_init(&q, nodes, NODES, BATCH, MS);
	assert_null(pvi_defer_take(&q));
	assert_int_equal(pvi_defer_add(&q, 10, 2, 1, 0), 1);
	assert_int_equal(pvi_defer_add(&q, 20, 1, 1, 0), 2);
	assert_int_equal(pvi_defer_add(&q, 5, 4, 3, 0), BATCH);
	list = pvi_defer_take(&q);
	assert_int_equal(list->pfn, 10);
	assert_int_equal(list->npages, 2);
	assert_int_equal(list->mapped, 1);
	assert_int_equal(list->next->pfn, 20);
	assert_int_equal(list->next->next->pfn, 5);
	assert_null(list->next->next->next);
	assert_null(pvi_defer_take(&q));
	/* What is under way counts no more: the next one starts a batch. */
	assert_int_equal(pvi_defer_add(&q, 30, 1, 1, 0), 1);
}

/* A node under way is not used for another range before it is given back. */
static void test_bounded(void **state)
{
	struct pvi_late nodes[NODES], *list;
	struct pvi_defer q;
	unsigned int i;

	pvi_defer_init(&q, nodes, NODES, BATCH, MS);
	for (i = 0; i < NODES - 1; i++)
		assert_int_equal(pvi_defer_add(&q, i, 1, 1, 0), i + 1);
	list = pvi_defer_take(&q);
	assert_int_equal(pvi_defer_add(&q, 100, 1, 1, 0), 1);
	assert_int_equal(pvi_defer_add(&q, 101, 1, 1, 0), -ENOSPC);
	for (i = 0; list; i++) {
		struct pvi_late *next = list->next;

		assert_int_equal(list->pfn, i);
		list->next = NULL;
		pvi_defer_give_back(&q, list);
		list = next;
	}
	assert_int_equal(i, NODES - 1);
	for (i = 0; i < NODES - 1; i++)
		assert_int_equal(pvi_defer_add(&q, 200 + i, 1, 1, 0), i + 2);
	assert_int_equal(pvi_defer_add(&q, 300, 1, 1, 0), -ENOSPC);
	list = pvi_defer_take(&q);
	assert_int_equal(list->pfn, 100);
	pvi_defer_give_back(&q, list);
	assert_null(pvi_defer_take(&q));
	assert_int_equal(pvi_defer_add(&q, 400, 1, 1, 0), 1);
}

static void test_time(void **state)
{
	struct pvi_late nodes[NODES];
	struct pvi_defer q;

	pvi_defer_init(&q, nodes, NODES, 4, MS);
	assert_int_equal(pvi_defer_left(&q, 1000), UINT32_MAX);
	assert_false(pvi_defer_due(&q, 1000));
	pvi_defer_add(&q, 1, 1, 1, 1000);
	assert_int_equal(pvi_defer_left(&q, 1000), MS);
	assert_false(pvi_defer_due(&q, 1009));
	assert_true(pvi_defer_due(&q, 1010));
	/* Half of a batch goes along at any time; the oldest sets the limit. */
	pvi_defer_add(&q, 2, 1, 1, 1005);
	assert_true(pvi_defer_due(&q, 1005));
	assert_int_equal(pvi_defer_left(&q, 1005), MS - 5);
	assert_int_equal(pvi_defer_left(&q, 1000 + MS - 1), 1);
	assert_int_equal(pvi_defer_left(&q, 1000 + MS), 0);
	assert_int_equal(pvi_defer_left(&q, UINT64_MAX), 0);
	pvi_defer_give_back(&q, pvi_defer_take(&q));
	assert_int_equal(pvi_defer_left(&q, 5000), UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batch_in_order),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
