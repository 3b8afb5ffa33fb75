// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Why synchronize() is enough.
 *
 * Take one visit: it adds 1 to one counter C on entering and subtracts 1 from
 * the same C on leaving. synchronize() looks at C with a read-modify-write
 * (adding 0) until it finds 0. All of these are read-modify-writes of one
 * object, so they have one modification order, in which the visit's entering is
 * either before or after the look that found 0.
 *
 *  - Before: the count was 0 again, so the visit's leaving is also before. The
 *    look acquires what the leaving released: all the visitor did happened
 *    before synchronize() returned.
 *  - After: the entering acquires what the look released: the visitor sees all
 *    that the writer wrote before synchronize().
 *
 * This holds for each counter by itself, so it does not matter that the
 * counters are looked at one by one, nor what value of phase a visitor saw. The
 * phase is for progress alone: newcomers use the counters that are not being
 * waited for, so only visitors who read the phase before it changed can delay
 * the wait, and each of those only once.
 *
 * Sleeping: the writer sets waiting and then looks at C; the last to leave
 * lowers C and then looks at waiting. All four are sequentially consistent, so
 * at least one sees the other. The writer holds the lock from before it sets
 * waiting until it sleeps, so the wake-up, given under the lock, is not lost.
 */
#include "core/gate.h"

#define SPINS 64

int pvi_gate_init(struct pvi_gate *g)
{
	int err;

	for (int i = 0; i < PVI_GATE_STRIPES; i++) {
		atomic_init(&g->stripe[i].inside[0], 0);
		atomic_init(&g->stripe[i].inside[1], 0);
	}
	atomic_init(&g->phase, 0);
	atomic_init(&g->waiting, false);
	err = pthread_mutex_init(&g->lock, NULL);
	if (err)
		return -err;
	err = pthread_cond_init(&g->left, NULL);
	if (err) {
		pthread_mutex_destroy(&g->lock);
		return -err;
	}
	return 0;
}

void pvi_gate_done(struct pvi_gate *g)
{
	pthread_cond_destroy(&g->left);
	pthread_mutex_destroy(&g->lock);
}

/* Any spread over the stripes is right; a thread's own storage has its own address. */
static unsigned int my_stripe(void)
{
	static _Thread_local char mark;
	uintptr_t a = (uintptr_t)&mark;

	return (unsigned int)((a >> 12) ^ (a >> 21) ^ (a >> 23)) % PVI_GATE_STRIPES;
}

unsigned int pvi_gate_enter(struct pvi_gate *g)
{
	unsigned int phase = atomic_load_explicit(&g->phase, memory_order_relaxed);
	unsigned int stripe = my_stripe();

	atomic_fetch_add(&g->stripe[stripe].inside[phase], 1);
	return stripe << 1 | phase;
}

void pvi_gate_leave(struct pvi_gate *g, unsigned int cookie)
{
	if (atomic_fetch_sub(&g->stripe[cookie >> 1].inside[cookie & 1], 1) != 1)
		return;
	if (!atomic_load(&g->waiting))
		return;
	pthread_mutex_lock(&g->lock);
	pthread_cond_signal(&g->left);
	pthread_mutex_unlock(&g->lock);
}

/* g->lock held. */
static void wait_for(struct pvi_gate *g, atomic_uint *inside)
{
	for (int i = 0; i < SPINS; i++)
		if (!atomic_fetch_add(inside, 0))
			return;
	atomic_store(&g->waiting, true);
	while (atomic_fetch_add(inside, 0))
		pthread_cond_wait(&g->left, &g->lock);
	atomic_store(&g->waiting, false);
}

void pvi_gate_synchronize(struct pvi_gate *g)
{
	unsigned int phase;

	pthread_mutex_lock(&g->lock);
	phase = atomic_load_explicit(&g->phase, memory_order_relaxed);
	/* The idle counters may still have stragglers; then newcomers can have them. */
	for (int i = 0; i < PVI_GATE_STRIPES; i++)
		wait_for(g, &g->stripe[i].inside[phase ^ 1]);
	atomic_store_explicit(&g->phase, phase ^ 1, memory_order_relaxed);
	for (int i = 0; i < PVI_GATE_STRIPES; i++)
		wait_for(g, &g->stripe[i].inside[phase]);
	pthread_mutex_unlock(&g->lock);
}
