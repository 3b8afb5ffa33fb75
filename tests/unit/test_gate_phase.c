// SPDX-License-Identifier: BSD-2-Clause
/*
 * Two writers that wait for the shared counters: what the one saw is the other's, too, though
 * newcomers have come in between. As that moment is under the gate's lock, this is built with
 * gate.c in it and does a writer's part itself.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <sched.h>
#include <cmocka.h>

#include "../../core/gate.c"

#define LONG_MS 20000

static struct pvi_gate gate;

static void *waiter(void *arg)
{
	*(int *)arg = pvi_gate_synchronize_for(&gate, LONG_MS);
	return NULL;
}

static void lock_when_one_sleeps(void)
{
	pthread_mutex_lock(&gate.lock);
	while (!gate.sleepers) {
		pthread_mutex_unlock(&gate.lock);
		sched_yield();
		pthread_mutex_lock(&gate.lock);
	}
}

static void start(pthread_t *w, int *ret_result)
{
	*ret_result = 1;
	assert_int_equal(pthread_create(w, NULL, waiter, ret_result), 0);
	lock_when_one_sleeps();
}

static void test_what_another_saw_is_enough(void **state)
{
	struct deadline d = {.timeout_ms = LONG_MS};
	unsigned int first, next;
	pthread_t w;
	int result;

	assert_int_equal(pvi_gate_init(&gate), 0);
	first = enter_shared(&gate);
	start(&w, &result);

	/* It leaves; before the sleeper runs, another writer sees that, and turns the phase. */
	atomic_fetch_sub(&gate.inside[first - COOKIE_SHARED], 1);
	assert_int_equal(wait_for_counters(&gate, &d), 0);
	next = enter_shared(&gate);
	assert_int_equal(next, first);
	pthread_cond_broadcast(&gate.left);
	pthread_mutex_unlock(&gate.lock);

	pthread_join(w, NULL);
	assert_int_equal(result, 0);
	pvi_gate_leave_slowly(&gate, next);
	pvi_gate_synchronize(&gate);
	pvi_gate_done(&gate);
}

/* What was seen before it came says nothing to a writer. */
static void test_what_another_saw_before_is_not(void **state)
{
	struct deadline d = {.timeout_ms = LONG_MS};
	unsigned int first;
	pthread_t w;
	int result;

	assert_int_equal(pvi_gate_init(&gate), 0);
	pthread_mutex_lock(&gate.lock);
	assert_int_equal(wait_for_counters(&gate, &d), 0);
	pthread_mutex_unlock(&gate.lock);
	first = enter_shared(&gate);
	start(&w, &result);
	pthread_cond_broadcast(&gate.left);
	pthread_mutex_unlock(&gate.lock);
	for (int i = 0; i < 1000; i++)
		sched_yield();
	lock_when_one_sleeps();
	assert_int_equal(result, 1);
	pthread_mutex_unlock(&gate.lock);

	pvi_gate_leave_slowly(&gate, first);
	pthread_join(w, NULL);
	assert_int_equal(result, 0);
	pvi_gate_done(&gate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_another_saw_is_enough),
		cmocka_unit_test(test_what_another_saw_before_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
