// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Why synchronize() is enough: for each of the three ways to be inside, a visit
 * is either over when synchronize() returns, or it sees all that the writer wrote
 * before. "The look" is the writer's load of the mark or counter that lets it go on.
 *
 * 1. The shared counters (nested visits, and threads that found no slot). A visit
 *    adds 1 to a counter and subtracts 1 from the same. The look adds 0. All are
 *    read-modify-writes of one object, in one modification order. Entered before
 *    the look that found 0: left before it too, and the look acquires what the
 *    leaving released. Entered after it: the entering acquires what the look
 *    released. This holds for each counter by itself; the phase is for progress
 *    alone: newcomers use the counter that is not waited for.
 *
 * 2. A fenced slot. The owner exchanges the mark for 1 and later for 0; the look
 *    adds 0. Again all are read-modify-writes of one object: as above.
 *
 * 3. A slot that is not fenced. The owner stores 1, visits, stores 0 (release),
 *    with nothing but the compiler kept from reordering. There are two ways to know
 *    that it is done with what was:
 *
 *    a. The writer raises the epoch (release), and the owner stores the epoch that
 *       it loads (acquire) on entering into seen (release). If the writer finds its
 *       epoch there, or a later one, the owner's older visits are over, acquired
 *       from that store; this visit and all later ones see the writer's writes. A
 *       thread that comes often says so soon, and neither side pays.
 *
 *    b. The writer has membarrier put a full barrier into every thread of the
 *       process between its own writes and the look. The owner's store of 1 is
 *       before that barrier in the owner: the look finds it, or finds a later value,
 *       and a 0 after it means that the visit is over, acquired from the leaving's
 *       release. Or it is after the barrier: then so are the visit's loads, and they
 *       see the writer's writes.
 *
 * Between 2 and 3 only the owner changes fenced, between visits, and enters by an
 * exchange after it; the writer reads fenced after a look that adds 0. If that look
 * is before the exchange, all visits that follow see the writer's writes, and the
 * ones before are as the old value says. If it is after, the writer reads the new
 * value or a later one. Reading set (acquire) tells it that all visits which did
 * not exchange are over, reading clear makes it do the membarrier. The writer can
 * only ask: a visit may have read its wish before and make its mark long after.
 *
 * Slots: a thread takes one by exchanging its owner, then adds 1 to nr_owned, then
 * visits. The writer adds 0 to nr_owned first. If its look is before the adding,
 * the thread's visits follow the writer's writes; else the writer sees the owner.
 * An owner is named by the address of a thread's own storage, which two living
 * threads cannot share; a new thread that gets a dead one's address gets its slot.
 *
 * Sleeping: the writer raises waiting, has another membarrier where there is one,
 * and looks again; who leaves clears its mark and then looks at waiting. By the same
 * arguments (all accesses are sequentially consistent where there is no membarrier)
 * at least one sees the other. The writer holds the lock from before it raises
 * waiting until it sleeps, so the wake-up, given under the lock, is not lost.
 * Several writers may sleep at once, for different visits: all are woken. A thread
 * may enter again before a writer runs: it counted in passed, under the lock, that it
 * had left, and its next visit follows what the writer wrote, because it took the
 * lock after the writer gave it up.
 *
 * What is cheaper: a membarrier costs the writer a system call and every running
 * thread an interrupt, some microseconds each. A slot whose owner was not seen in
 * time is asked to be fenced: it comes seldom, and two exchanges are nothing to it.
 * One with MANY_VISITS visits between two waits stops being fenced.
 */
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/gate.h"

#define SPINS	    64
#define SEEN_SPINS  200 /* about 2 us */
#define MANY_VISITS 512

/* Cookies: a slot left by a store, a slot left by an exchange, a shared counter. */
#define COOKIE_FENCED PVI_GATE_SLOTS
#define COOKIE_SHARED (2 * PVI_GATE_SLOTS)

static bool membarrier(int command)
{
	return !syscall(SYS_membarrier, command, 0, 0);
}

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

	for (int i = 0; i < PVI_GATE_SLOTS; i++) {
		struct pvi_gate_slot *s = &g->slot[i];

		atomic_init(&s->owner, 0);
		atomic_init(&s->inside, 0);
		atomic_init(&s->seen, 0);
		atomic_init(&s->fenced, true);
		atomic_init(&s->ask, true);
		s->visits = 0;
		s->passed = 0;
	}
	atomic_init(&g->inside[0], 0);
	atomic_init(&g->inside[1], 0);
	atomic_init(&g->epoch, 0);
	atomic_init(&g->phase, 0);
	atomic_init(&g->nr_owned, 0);
	atomic_init(&g->waiting, 0);
	atomic_init(&g->no_membarrier, !membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED));
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

_Thread_local char pvi_gate_self;

static unsigned int enter_shared(struct pvi_gate *g)
{
	unsigned int phase = atomic_load_explicit(&g->phase, memory_order_relaxed);

	atomic_fetch_add(&g->inside[phase], 1);
	return COOKIE_SHARED + phase;
}

static __attribute__((noinline)) void wake(struct pvi_gate *g, struct pvi_gate_slot *s)
{
	pthread_mutex_lock(&g->lock);
	if (s)
		s->passed++;
	pthread_cond_broadcast(&g->left);
	pthread_mutex_unlock(&g->lock);
}

/* This thread's slot, taken if need be; NULL: none is left. */
static struct pvi_gate_slot *find_slot(struct pvi_gate *g, uintptr_t who)
{
	for (unsigned int i = 0; i < PVI_GATE_SLOTS; i++) {
		struct pvi_gate_slot *s = &g->slot[(pvi_gate_first_slot(who) + i) % PVI_GATE_SLOTS];
		uintptr_t owner = atomic_load_explicit(&s->owner, memory_order_relaxed);

		if (!owner && atomic_compare_exchange_strong(&s->owner, &owner, who)) {
			atomic_fetch_add(&g->nr_owned, 1);
			return s;
		}
		if (owner == who)
			return s;
	}
	return NULL;
}

/* The owner, between visits. Is the next one to exchange its mark? */
static bool choose(struct pvi_gate *g, struct pvi_gate_slot *s, bool waited)
{
	if (!atomic_load_explicit(&s->fenced, memory_order_relaxed)) {
		if (!atomic_load_explicit(&s->ask, memory_order_relaxed))
			return false;
		atomic_store_explicit(&s->fenced, true, memory_order_release);
		s->visits = 0;
		return true;
	}
	s->visits = waited ? 0 : s->visits + 1;
	if (s->visits >= MANY_VISITS &&
	    !atomic_load_explicit(&g->no_membarrier, memory_order_relaxed)) {
		atomic_store_explicit(&s->ask, false, memory_order_relaxed);
		atomic_store_explicit(&s->fenced, false, memory_order_relaxed);
	}
	return true;
}

/* Everything but a visit to a slot at its first place that exchanges nothing. */
unsigned int pvi_gate_enter_slowly(struct pvi_gate *g)
{
	struct pvi_gate_slot *s = find_slot(g, pvi_gate_who());
	uint64_t now = atomic_load_explicit(&g->epoch, memory_order_acquire);

	if (!s || atomic_load_explicit(&s->inside, memory_order_relaxed))
		return enter_shared(g);
	if (choose(g, s, atomic_load_explicit(&s->seen, memory_order_relaxed) != now)) {
		atomic_store_explicit(&s->seen, now, memory_order_release);
		atomic_exchange(&s->inside, 1);
		return COOKIE_FENCED + (unsigned int)(s - g->slot);
	}
	pvi_gate_mark(s, now);
	return (unsigned int)(s - g->slot);
}

void pvi_gate_leave_slowly(struct pvi_gate *g, unsigned int cookie)
{
	struct pvi_gate_slot *s = NULL;

	if (cookie < COOKIE_FENCED) {
		/* The mark is gone already. */
		s = &g->slot[cookie];
	} else if (cookie < COOKIE_SHARED) {
		s = &g->slot[cookie - COOKIE_FENCED];
		atomic_exchange(&s->inside, 0);
	} else if (atomic_fetch_sub(&g->inside[cookie - COOKIE_SHARED], 1) != 1) {
		return;
	}
	if (atomic_load(&g->waiting))
		wake(g, s);
}

/* A full barrier in every thread that may be inside. g->lock held. */
static void barrier_everywhere(struct pvi_gate *g)
{
	const struct timespec rest = {.tv_nsec = 20000000};

	if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED))
		return;
	/*
	 * Somebody forbade what init() was allowed. There is no event to wait for, but
	 * every CPU takes an interrupt within this time, which is as good.
	 */
	atomic_store(&g->no_membarrier, true);
	for (int i = 0; i < PVI_GATE_SLOTS; i++)
		atomic_store(&g->slot[i].ask, true);
	nanosleep(&rest, NULL);
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

/* Sleeps until @inside is 0 or *@passed (NULL: never) has changed. g->lock held. */
static int sleep_while(struct pvi_gate *g, atomic_uint *inside, const unsigned int *passed,
		       struct deadline *d)
{
	unsigned int before = passed ? *passed : 0;
	int err = 0;

	atomic_fetch_add(&g->waiting, 1);
	if (!atomic_load(&g->no_membarrier))
		barrier_everywhere(g);
	while (atomic_fetch_add(inside, 0) && (!passed || *passed == before)) {
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
static int wait_for_counter(struct pvi_gate *g, atomic_uint *inside, struct deadline *d)
{
	for (int i = 0; i < SPINS; i++)
		if (!atomic_fetch_add(inside, 0))
			return 0;
	return sleep_while(g, inside, NULL, d);
}

/* g->lock held. */
static int wait_for_slot(struct pvi_gate *g, struct pvi_gate_slot *s, struct deadline *d)
{
	for (int i = 0; i < SPINS; i++)
		if (!atomic_load_explicit(&s->inside, memory_order_acquire))
			return 0;
	return sleep_while(g, &s->inside, &s->passed, d);
}

/* The first look at a slot: is its owner to be waited for by other means than 3a? */
static bool is_fenced(struct pvi_gate_slot *s)
{
	(void)atomic_fetch_add(&s->inside, 0);
	return atomic_load_explicit(&s->fenced, memory_order_acquire);
}

static inline void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

static bool has_seen(struct pvi_gate_slot *s, uint64_t now)
{
	return atomic_load_explicit(&s->seen, memory_order_acquire) >= now;
}

static bool is_seen_soon(struct pvi_gate_slot *s, uint64_t now)
{
	for (int i = 0; i < SEEN_SPINS; i++) {
		/* Each look takes the line from the owner: not too many of them. */
		if (i % 8 == 0 && has_seen(s, now))
			return true;
		relax();
	}
	return false;
}

/* g->lock held. */
static int wait_for_slots(struct pvi_gate *g, struct deadline *d)
{
	bool pending[PVI_GATE_SLOTS] = {false}, barrier = false;
	uint64_t now = atomic_fetch_add(&g->epoch, 1) + 1;
	int err = 0;

	if (!atomic_fetch_add(&g->nr_owned, 0))
		return 0;
	for (int i = 0; i < PVI_GATE_SLOTS; i++) {
		struct pvi_gate_slot *s = &g->slot[i];
		uintptr_t owner = atomic_load_explicit(&s->owner, memory_order_relaxed);

		pending[i] = owner;
		/* The caller's own visits are in order as they are. */
		if (owner == pvi_gate_who() &&
		    !atomic_load_explicit(&s->inside, memory_order_relaxed))
			atomic_store_explicit(&s->seen, now, memory_order_release);
		if (!owner || owner == pvi_gate_who() || is_fenced(s))
			continue;
		pending[i] = !is_seen_soon(s, now);
		barrier |= pending[i];
		if (pending[i])
			atomic_store_explicit(&s->ask, true, memory_order_relaxed);
	}
	if (barrier)
		barrier_everywhere(g);
	for (int i = 0; i < PVI_GATE_SLOTS && !err; i++)
		if (pending[i])
			err = wait_for_slot(g, &g->slot[i], d);
	return err;
}

/* g->lock held. */
static int wait_for_counters(struct pvi_gate *g, struct deadline *d)
{
	unsigned int phase = atomic_load_explicit(&g->phase, memory_order_relaxed);
	/* The idle counter may still have stragglers; then newcomers can have it. */
	int err = wait_for_counter(g, &g->inside[phase ^ 1], d);

	if (err)
		return err;
	atomic_store_explicit(&g->phase, phase ^ 1, memory_order_relaxed);
	return wait_for_counter(g, &g->inside[phase], d);
}

int pvi_gate_synchronize_for(struct pvi_gate *g, unsigned int timeout_ms)
{
	struct deadline d = {.timeout_ms = timeout_ms};
	int err;

	pthread_mutex_lock(&g->lock);
	err = wait_for_slots(g, &d);
	if (!err)
		err = wait_for_counters(g, &d);
	pthread_mutex_unlock(&g->lock);
	return err;
}

void pvi_gate_synchronize(struct pvi_gate *g)
{
	(void)pvi_gate_synchronize_for(g, 0);
}
