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
 * Sleeping: the writer raises waiting and then looks at C; the last to leave
 * lowers C and then looks at waiting. All four are sequentially consistent, so
 * at least one sees the other. The writer holds the lock from before it raises
 * waiting until it sleeps, so the wake-up, given under the lock, is not lost.
 * Several writers may sleep at once, for different counters: all are woken.
 */
#include "core/gate.h"

#include <time.h>

#define SPINS 64

/* The deadline's clock must not jump. */
static int init_left(struct pvi_gate *g)
{
	pthread_condattr_t attr;
	int err = pthread_condattr_init(&attr);

	if (err)
		return err;
	err = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (!err)
		err = pthread_cond_init(&g->left, &attr);
	pthread_condattr_destroy(&attr);
	return err;
}

int pvi_gate_init(struct pvi_gate *g)
{
	int err;

	for (int i = 0; i < PVI_GATE_STRIPES; i++) {
		atomic_init(&g->stripe[i].inside[0], 0);
		atomic_init(&g->stripe[i].inside[1], 0);
	}
	atomic_init(&g->phase, 0);
	atomic_init(&g->waiting, 0);
	err = pthread_mutex_init(&g->lock, NULL);
	if (err)
		return -err;
	err = init_left(g);
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
	pthread_cond_broadcast(&g->left);
	pthread_mutex_unlock(&g->lock);
}

struct deadline {
	unsigned int timeout_ms; /* 0: none */
	bool known;		 /* @at is set: most waits never need it */
	struct timespec at;
};

/* g->lock held; 0 or ETIMEDOUT. */
static int sleep_until(struct pvi_gate *g, struct deadline *d)
{
	if (!d->timeout_ms)
		return pthread_cond_wait(&g->left, &g->lock);
	if (!d->known) {
		clock_gettime(CLOCK_MONOTONIC, &d->at);
		d->at.tv_sec += d->timeout_ms / 1000;
		d->at.tv_nsec += (long)(d->timeout_ms % 1000) * 1000000;
		if (d->at.tv_nsec >= 1000000000) {
			d->at.tv_nsec -= 1000000000;
			d->at.tv_sec++;
		}
		d->known = true;
	}
	return pthread_cond_timedwait(&g->left, &g->lock, &d->at);
}

/* g->lock held. */
static int wait_for(struct pvi_gate *g, atomic_uint *inside, struct deadline *d)
{
	int err = 0;

	for (int i = 0; i < SPINS; i++)
		if (!atomic_fetch_add(inside, 0))
			return 0;
	atomic_fetch_add(&g->waiting, 1);
	while (atomic_fetch_add(inside, 0)) {
		if (err) {
			err = -ETIMEDOUT;
			break;
		}
		err = sleep_until(g, d);
	}
	atomic_fetch_sub(&g->waiting, 1);
	return err < 0 ? err : 0;
}

/* g->lock held. */
static int synchronize(struct pvi_gate *g, struct deadline *d)
{
	unsigned int phase = atomic_load_explicit(&g->phase, memory_order_relaxed);
	int err;

	/* The idle counters may still have stragglers; then newcomers can have them. */
	for (int i = 0; i < PVI_GATE_STRIPES; i++) {
		err = wait_for(g, &g->stripe[i].inside[phase ^ 1], d);
		if (err)
			return err;
	}
	atomic_store_explicit(&g->phase, phase ^ 1, memory_order_relaxed);
	for (int i = 0; i < PVI_GATE_STRIPES; i++) {
		err = wait_for(g, &g->stripe[i].inside[phase], d);
		if (err)
			return err;
	}
	return 0;
}

int pvi_gate_synchronize_for(struct pvi_gate *g, unsigned int timeout_ms)
{
	struct deadline d = {.timeout_ms = timeout_ms};
	int err;

	pthread_mutex_lock(&g->lock);
	err = synchronize(g, &d);
	pthread_mutex_unlock(&g->lock);
	return err;
}

void pvi_gate_synchronize(struct pvi_gate *g)
{
	(void)pvi_gate_synchronize_for(g, 0);
}
