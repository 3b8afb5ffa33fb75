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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_inside),
		cmocka_unit_test(test_waits_for_those_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
