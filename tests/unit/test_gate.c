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

static unsigned int sleepers(void)
{
	unsigned int n;

	pthread_mutex_lock(&gate.lock);
	n = gate.sleepers;
	for (int i = 0; i < PVI_GATE_SLOTS; i++)
		n += gate.slot[i].sleepers;
	pthread_mutex_unlock(&gate.lock);
	return n;
}

static bool somebody_is_told_to_wake(void)
{
	bool any = atomic_load(&gate.waiting);

	for (int i = 0; i < PVI_GATE_SLOTS; i++)
		any |= atomic_load(&gate.slot[i].waiting) != 0;
	return any;
}

static void start_waiter(pthread_t *w)
{
	atomic_store(&done, false);
	assert_int_equal(pthread_create(w, NULL, waiter, NULL), 0);
	while (!sleepers())
		sched_yield();
}

static void assert_still_waiting(void)
{
	for (int i = 0; i < 500; i++) {
		sched_yield();
		assert_false(atomic_load(&done));
	}
}

/* It waits for who is inside, not for who enters meanwhile. */
static void waits_for_those_inside(void)
{
	unsigned int before = pvi_gate_enter(&gate), nested = pvi_gate_enter(&gate), after;
	pthread_t w;

	start_waiter(&w);
	pvi_gate_leave(&gate, nested);
	assert_still_waiting();
	pvi_gate_leave(&gate, before);
	after = pvi_gate_enter(&gate);
	pthread_join(w, NULL);
	pvi_gate_leave(&gate, after);

	/* A nested visit may outlive the one around it. */
	before = pvi_gate_enter(&gate);
	nested = pvi_gate_enter(&gate);
	start_waiter(&w);
	pvi_gate_leave(&gate, before);
	assert_still_waiting();
	after = pvi_gate_enter(&gate);
	pvi_gate_leave(&gate, nested);
	pthread_join(w, NULL);
	pvi_gate_leave(&gate, after);
}

static void visit(int times)
{
	while (times--)
		pvi_gate_leave(&gate, pvi_gate_enter(&gate));
}

static void wait_elsewhere(void)
{
	pthread_t w;

	assert_int_equal(pthread_create(&w, NULL, waiter, NULL), 0);
	pthread_join(w, NULL);
}

/* A cookie below PVI_GATE_SLOTS: the visit made no exchange. */
static bool visits_plainly(void)
{
	unsigned int cookie = pvi_gate_enter(&gate);

	pvi_gate_leave(&gate, cookie);
	return cookie < PVI_GATE_SLOTS;
}

static void test_fresh_slot(void **state)
{
	assert_int_equal(pvi_gate_init(&gate), 0);
	for (int i = 0; i < 4; i++) {
		assert_false(visits_plainly());
		waits_for_those_inside();
	}
	pvi_gate_done(&gate);
}

/* Who comes often pays nothing, until the writer comes as often. */
static void test_visitor_is_relieved_and_asked(void **state)
{
	assert_int_equal(pvi_gate_init(&gate), 0);
	if (atomic_load(&gate.no_membarrier))
		skip();
	for (int i = 0; i < 4; i++) {
		visit(1000);
		assert_true(visits_plainly());
		waits_for_those_inside();
		wait_elsewhere();
		wait_elsewhere();
		assert_false(visits_plainly());
		waits_for_those_inside();
	}
	pvi_gate_done(&gate);
}

static void test_kernel_without_membarrier(void **state)
{
	assert_int_equal(pvi_gate_init(&gate), 0);
	atomic_store(&gate.no_membarrier, true);
	visit(1000);
	assert_false(visits_plainly());
	waits_for_those_inside();
	wait_elsewhere();
	pvi_gate_done(&gate);
}

#define CROWD (2 * PVI_GATE_SLOTS)

static pthread_barrier_t all_inside, may_leave;

static void *visitor(void *arg)
{
	unsigned int cookie = pvi_gate_enter(&gate);

	pthread_barrier_wait(&all_inside);
	if (arg)
		pthread_barrier_wait(&may_leave);
	pvi_gate_leave(&gate, cookie);
	return NULL;
}

/* More threads than slots; the last to leave is one with a slot, or one without. */
static void test_crowd(void **state)
{
	pthread_t t[CROWD], w;

	for (int last = 0; last < CROWD; last++) {
		assert_int_equal(pvi_gate_init(&gate), 0);
		pthread_barrier_init(&all_inside, NULL, CROWD + 1);
		pthread_barrier_init(&may_leave, NULL, 2);
		for (int i = 0; i < CROWD; i++)
			assert_int_equal(
				pthread_create(&t[i], NULL, visitor, i == last ? &gate : NULL), 0);
		pthread_barrier_wait(&all_inside);
		start_waiter(&w);
		assert_still_waiting();
		pthread_barrier_wait(&may_leave);
		pthread_join(w, NULL);
		for (int i = 0; i < CROWD; i++)
			pthread_join(t[i], NULL);
		pthread_barrier_destroy(&all_inside);
		pthread_barrier_destroy(&may_leave);
		pvi_gate_done(&gate);
	}
}

static atomic_uint nr_done;

/* A writer that was woken, and waits for a CPU, costs later visits nothing. */
static void test_wakes_once(void **state)
{
	assert_int_equal(pvi_gate_init(&gate), 0);
	for (int round = 0; round < 4; round++) {
		unsigned int inside;
		pthread_t w;

		/* A slot that is fenced, then one that is not. */
		visit(round & 1 ? 1000 : 0);
		inside = pvi_gate_enter(&gate);
		start_waiter(&w);
		assert_true(somebody_is_told_to_wake());
		pvi_gate_leave(&gate, inside);
		assert_false(somebody_is_told_to_wake());
		pthread_join(w, NULL);
	}
	pvi_gate_done(&gate);
}

static atomic_bool enough;

static void *comer(void *arg)
{
	while (!atomic_load_explicit(&enough, memory_order_relaxed))
		visit(1);
	return NULL;
}

/* The slot of the only other thread. */
static struct pvi_gate_slot *comers_slot(void)
{
	for (int i = 0; i < PVI_GATE_SLOTS; i++)
		if (atomic_load(&gate.slot[i].owner))
			return &gate.slot[i];
	return NULL;
}

/* Who comes all the time need not notice a wait: it stops of itself. */
static void test_stops(void **state)
{
	uint64_t epoch;
	pthread_t t;
	bool seen = false;

	assert_int_equal(pvi_gate_init(&gate), 0);
	if (atomic_load(&gate.no_membarrier))
		skip();
	atomic_store(&enough, false);
	assert_int_equal(pthread_create(&t, NULL, comer, NULL), 0);
	while (!comers_slot() || atomic_load(&comers_slot()->stops) < 4 * PVI_GATE_STOP)
		sched_yield();
	/* Unless it is kept from running just then. */
	while (!seen) {
		epoch = atomic_load(&gate.epoch);
		pvi_gate_synchronize(&gate);
		seen = atomic_load(&gate.epoch) == epoch;
	}
	atomic_store(&enough, true);
	pthread_join(t, NULL);

	/* It has gone: no stop comes, and that is noticed, and not tried every time. */
	epoch = atomic_load(&gate.epoch);
	for (int i = 0; i < 10; i++)
		pvi_gate_synchronize(&gate);
	assert_int_equal(atomic_load(&gate.epoch), epoch + 10);
	pvi_gate_done(&gate);
}

static unsigned int stops_of(struct pvi_gate_slot *s, int visits)
{
	uint64_t before = atomic_load(&s->stops);

	visit(visits);
	return (unsigned int)((atomic_load(&s->stops) - before) / PVI_GATE_STOP);
}

/* Asked to stop more often it does, and then more seldom again by itself. */
static void test_period(void **state)
{
	struct pvi_gate_slot *s;
	assert_int_equal(pvi_gate_init(&gate), 0);
	if (atomic_load(&gate.no_membarrier))
		skip();
	visit(1000);
	s = comers_slot();
	assert_non_null(s);
	assert_in_range(stops_of(s, 4096), 7, 9);
	for (int i = 0; i < 8; i++) {
		atomic_store(&s->shorten, true);
		while (!stops_of(s, 1))
			;
	}
	assert_in_range(stops_of(s, 64), 4, 8);
	visit(100000);
	assert_in_range(stops_of(s, 4096), 7, 9);
	pvi_gate_done(&gate);
}

/* A thread that was asked to be fenced comes often again, with a wait at each visit. */
static void test_waits_all_the_time(void **state)
{
	int visits = 0;

	assert_int_equal(pvi_gate_init(&gate), 0);
	if (atomic_load(&gate.no_membarrier))
		skip();
	visit(1000);
	wait_elsewhere();
	wait_elsewhere();
	assert_false(visits_plainly());
	while (!visits_plainly()) {
		atomic_fetch_add(&gate.epoch, 1);
		assert_true(++visits < 1000);
	}
	pvi_gate_done(&gate);
}

static atomic_bool granted, reused;
static atomic_uint nr_bad;

static void spend(int loops)
{
	while (loops--)
		atomic_signal_fence(memory_order_seq_cst);
}

/* Nothing here orders anything but the gate. Most visits are short, some are not. */
static void *user(void *arg)
{
	for (unsigned int n = 0; !atomic_load_explicit(&enough, memory_order_relaxed); n++) {
		unsigned int cookie = pvi_gate_enter(&gate);

		if (atomic_load_explicit(&granted, memory_order_relaxed))
			for (int i = 0; i < (n % 64 ? 16 : 8192); i++)
				if (atomic_load_explicit(&reused, memory_order_relaxed))
					atomic_fetch_add(&nr_bad, 1);
		pvi_gate_leave(&gate, cookie);
	}
	return NULL;
}

/* At full speed, by every way to wait: what was taken away is reused, and nobody sees it. */
static void test_use_after_wait(void **state)
{
	pthread_t t[2];

	for (int i = 0; i < 2; i++) {
		assert_int_equal(pvi_gate_init(&gate), 0);
		atomic_store(&gate.no_membarrier, i ? true : atomic_load(&gate.no_membarrier));
		atomic_store(&enough, false);
		for (int k = 0; k < 2; k++)
			assert_int_equal(pthread_create(&t[k], NULL, user, NULL), 0);
		for (int round = 0; round < 10000; round++) {
			atomic_store_explicit(&granted, true, memory_order_relaxed);
			/* Sometimes they come often between two waits, sometimes not. */
			spend(round / 1000 % 2 ? 2000 : 0);
			atomic_store_explicit(&granted, false, memory_order_relaxed);
			pvi_gate_synchronize(&gate);
			atomic_store_explicit(&reused, true, memory_order_relaxed);
			spend(1000);
			/* Before the next grant: that one may be used at once. */
			atomic_store_explicit(&reused, false, memory_order_release);
			pvi_gate_synchronize(&gate);
		}
		atomic_store(&enough, true);
		for (int k = 0; k < 2; k++)
			pthread_join(t[k], NULL);
		assert_int_equal(atomic_load(&nr_bad), 0);
		pvi_gate_done(&gate);
	}
}

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
		while (sleepers() != 2)
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
		assert_int_equal(sleepers(), 0);
		assert_false(somebody_is_told_to_wake());
		pvi_gate_leave(&gate, inside);
		assert_int_equal(pvi_gate_synchronize_for(&gate, 1), 0);
	}
	pvi_gate_done(&gate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_inside),
		cmocka_unit_test(test_fresh_slot),
		cmocka_unit_test(test_visitor_is_relieved_and_asked),
		cmocka_unit_test(test_kernel_without_membarrier),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_wakes_once),
		cmocka_unit_test(test_stops),
		cmocka_unit_test(test_period),
		cmocka_unit_test(test_waits_all_the_time),
		cmocka_unit_test(test_use_after_wait),
		cmocka_unit_test(test_two_writers),
		cmocka_unit_test(test_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
