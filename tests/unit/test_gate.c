// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <sched.h>
#include <cmocka.h>

#include "core/gate.h"

static struct pvi_gate gate;
static atomic_bool done;

static void *waiter(void *arg)
{
	pvi_gate_synchronize(&gate);
	atomic_store(&done, true);
	return NULL;
}

static void test_nobody_inside(void **state)
{
	assert_int_equal(pvi_gate_init(&gate), 0);
	for (int i = 0; i < 5; i++)
		pvi_gate_synchronize(&gate);
	pvi_gate_leave(&gate, pvi_gate_enter(&gate));
	pvi_gate_synchronize(&gate);
	pvi_gate_done(&gate);
}

/* In either phase: it waits for who is inside, not for who enters meanwhile. */
static void test_waits_for_those_inside(void **state)
{
	assert_int_equal(pvi_gate_init(&gate), 0);
	for (int round = 0; round < 4; round++) {
		unsigned int before = pvi_gate_enter(&gate), nested = pvi_gate_enter(&gate);
		unsigned int after = 0;
		pthread_t w;

		atomic_store(&done, false);
		assert_int_equal(pthread_create(&w, NULL, waiter, NULL), 0);
		while (atomic_load(&gate.phase) == (before & 1))
			sched_yield();
		after = pvi_gate_enter(&gate);
		pvi_gate_leave(&gate, before);
		for (int i = 0; i < 500; i++) {
			sched_yield();
			assert_false(atomic_load(&done));
		}
		pvi_gate_leave(&gate, nested);
		pthread_join(w, NULL);
		assert_true(atomic_load(&done));
		pvi_gate_leave(&gate, after);
		if (round & 1)
			pvi_gate_synchronize(&gate);
	}
	pvi_gate_done(&gate);
}

static atomic_uint nr_done;

static void *one_of_two(void *arg)
{
	pvi_gate_synchronize(&gate);
	atomic_fetch_add(&nr_done, 1);
	return NULL;
}

/* Two writers sleep for one visitor: its leaving wakes both. */
static void test_two_writers(void **state)
{
	assert_int_equal(pvi_gate_init(&gate), 0);
	for (int round = 0; round < 4; round++) {
		unsigned int inside = pvi_gate_enter(&gate);
		pthread_t w[2];

		atomic_store(&nr_done, 0);
		for (int i = 0; i < 2; i++)
			assert_int_equal(pthread_create(&w[i], NULL, one_of_two, NULL), 0);
		while (atomic_load(&gate.waiting) != 2)
			sched_yield();
		assert_int_equal(atomic_load(&nr_done), 0);
		pvi_gate_leave(&gate, inside);
		for (int i = 0; i < 2; i++)
			pthread_join(w[i], NULL);
		assert_int_equal(atomic_load(&nr_done), 2);
	}
	pvi_gate_done(&gate);
}

static void test_deadline(void **state)
{
	unsigned int inside;

	assert_int_equal(pvi_gate_init(&gate), 0);
	assert_int_equal(pvi_gate_synchronize_for(&gate, 1), 0);
	for (int round = 0; round < 3; round++) {
		inside = pvi_gate_enter(&gate);
		assert_int_equal(pvi_gate_synchronize_for(&gate, 5), -ETIMEDOUT);
		assert_int_equal(pvi_gate_synchronize_for(&gate, 1), -ETIMEDOUT);
		assert_int_equal(atomic_load(&gate.waiting), 0);
		pvi_gate_leave(&gate, inside);
		assert_int_equal(pvi_gate_synchronize_for(&gate, 1), 0);
	}
	pvi_gate_done(&gate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_inside),
		cmocka_unit_test(test_waits_for_those_inside),
		cmocka_unit_test(test_two_writers),
		cmocka_unit_test(test_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
