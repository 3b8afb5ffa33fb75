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
 *    alone: newcomers use the counter that is not waited for. Where several writers
 *    wait, one may turn the phase back while another still sleeps for that counter: its
 *    look, under the lock and so later than what the other wrote, is the other's, too.
 *
 * 2. A fenced slot. The owner exchanges the slot's state for one with INSIDE and
 *    later for one without; the look adds 0. Again all are read-modify-writes of one
 *    object: as above.
 *
 * 3. A slot that is not fenced. The owner stores a state with INSIDE, visits, stores
 *    one without (release), with nothing but the compiler kept from reordering. There
 *    are three ways to know that it is done with what was:
 *
 *    a. Once in a while the owner stops: between two visits it raises stops (release)
 *       and then has a full barrier. The writer has one between its own writes and its
 *       first load of stops. If it loads a larger count later (acquire), the first stop
 *       that it had not seen lies in between. The visits before that stop are over,
 *       acquired from it. The ones after it see the writer's writes: of two threads
 *       that each write, have a full barrier, and read what the other wrote, one at
 *       least sees the other's, and the writer's first load saw the stop before.
 *
 *    b. The writer raises the epoch (release). Every visit loads the epoch (acquire),
 *       and the owner stores one that is new to it into seen (release). If the writer
 *       finds its epoch there, or a later one, the owner's older visits are over,
 *       acquired from that store; this visit and all later ones, which load that
 *       epoch or a later one, see the writer's writes.
 *
 *    c. The writer has membarrier put a full barrier into every thread of the
 *       process between its own writes and the look. The owner's store of INSIDE is
 *       before that barrier in the owner: the look finds it, or finds a later value,
 *       and one without INSIDE after it means that the visit is over, acquired from
 *       the leaving's release. Or it is after the barrier: then so are the visit's
 *       loads, and they see the writer's writes.
 *
 *    All hold for a fenced slot, too: an exchange orders no less than a store.
 *
 * Between 2 and 3 only the owner changes FENCED, between visits, by an exchange that
 * also enters. The writer's look reads it together with INSIDE. If the look is before
 * that exchange, all visits that follow see the writer's writes, and the ones before
 * are as the old value says. If it is after, the writer reads the new value or a later
 * one: FENCED tells it that all visits that did not exchange are over, and without
 * FENCED it goes by 3. So does it when a plain load finds no FENCED. The writer can
 * only ask: the owner looks at its wish when it sees a new epoch.
 *
 * Slots: a thread takes one by exchanging its state, names itself in owner, then adds 1
 * to nr_owned, then visits. The writer adds 0 to nr_owned first. If its look is before the adding,
 * the thread's visits follow the writer's writes; else the writer sees the owner.
 * An owner is named by the address of a thread's own storage, which two living
 * threads cannot share; a new thread that gets a dead one's address gets its slot.
 *
 * Sleeping: the writer raises the slot's waiting and looks. Nobody inside: that look is
 * as good as any, and the flag goes down again. Else, if that slot is not fenced, it has
 * another membarrier, and looks again: a visit that this look finds ends after the barrier.
 * (Without the barrier one could begin after the first look and end, unseen, before the
 * flag is.) Who leaves clears its mark and then looks at waiting. By the same arguments
 * (all other accesses are sequentially consistent) at least one sees the other. The writer holds
 * the lock from before it raises waiting until it sleeps, so the wake-up, given under the lock, is
 * not lost. Who gives it lowers waiting: until the writer runs, which may take long where others
 * want its CPU, the visits that follow pay for nothing. A writer that finds it raised needs no
 * membarrier: another one sleeps for this same visit, else it would have been lowered. Several
 * writers may sleep at once: all are woken. A thread may enter again before a writer runs: it
 * counted in passed, under the lock, that it had left, and its next visit follows what the writer
 * wrote, because it took the lock after the writer gave it up.
 *
 * What is cheaper: a stop costs its owner some ns, once in up to MAX_PERIOD visits,
 * whether anybody waits or not. It goes through a line that no visit touches and that is
 * fetched before, so that a thread that comes all the time pays nothing for being waited
 * for. The writer gives it STOP_NS. Who comes, but not as often as that, notices the next
 * epoch, at the price of a miss for the epoch and one for each look at its slot; who came
 * often gets time to notice before that. It is asked to stop more often; of itself it
 * stops more and more seldom. A membarrier costs the writer a system call and every
 * running thread an interrupt, some microseconds each. A slot whose owner was not seen in
 * time is asked to be fenced: it comes seldom, or is not running, and two exchanges are
 * nothing to it. MANY_VISITS of them later, which cost what a membarrier costs, it stops being
 * fenced, even if there are waits all the time: it may be running again, and may
 * come often.
 */
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/gate.h"

#define SPINS	     64
#define SEEN_SPINS   192 /* some us */
#define SEEN_LOOK    24	 /* so many of them between two looks at a slot */
#define STOP_LOOKS   4
#define STOP_NS	     4096u /* until the last of them */
#define MANY_VISITS  32
#define EVERY_CPU_NS 20000000u
#define MIN_PERIOD   8
#define MAX_PERIOD   512
#define NEAR_VISITS  32 /* before a stop */
#define MAX_MISSED   6

PVI_STATIC_ASSERT(MAX_PERIOD < PVI_GATE_WAITING, "leave looks at both at once");

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

		atomic_init(&s->state, 0);
		atomic_init(&s->seen, 0);
		atomic_init(&s->ask, false);
		atomic_init(&s->stops, 0);
		atomic_init(&s->owner, 0);
		atomic_init(&s->shorten, false);
		atomic_init(&s->waiting, 0);
		s->left = s->period = MAX_PERIOD;
		s->near = false;
		s->visits = 0;
		s->sleepers = s->passed = s->missed = s->skip = 0;
	}
	g->empty[0] = g->empty[1] = 0;
	atomic_init(&g->inside[0], 0);
	atomic_init(&g->inside[1], 0);
	atomic_init(&g->epoch, 0);
	atomic_init(&g->phase, 0);
	atomic_init(&g->nr_owned, 0);
	atomic_init(&g->waiting, false);
	g->sleepers = 0;
	g->busy = false;
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

_Thread_local unsigned int pvi_gate_first;

/* Threads' storage is pages apart, and more. */
static unsigned int first_slot(uintptr_t who)
{
	return (uint32_t)(who >> 6) * 0x9e3779b1u / (UINT32_MAX / PVI_GATE_SLOTS + 1);
}

static uintptr_t owner_of(uintptr_t state)
{
	return state & ~(uintptr_t)PVI_GATE_MARKS;
}

static unsigned int enter_shared(struct pvi_gate *g)
{
	unsigned int phase = atomic_load_explicit(&g->phase, memory_order_relaxed);

	atomic_fetch_add(&g->inside[phase], 1);
	return COOKIE_SHARED + phase;
}

/*
 * Somebody has left, the owner of @s (or NULL), and a writer sleeps. Once is enough: it may
 * be long until the writer runs, and the next visits shall not pay for that.
 */
static void wake(struct pvi_gate *g, struct pvi_gate_slot *s)
{
	pthread_mutex_lock(&g->lock);
	if (s) {
		atomic_store(&s->waiting, 0);
		s->passed++;
	} else {
		atomic_store(&g->waiting, false);
	}
	pthread_cond_broadcast(&g->left);
	pthread_mutex_unlock(&g->lock);
}

/* The owner's: as seldom as the writer bears. */
static unsigned int next_period(struct pvi_gate_slot *s)
{
	if (atomic_load_explicit(&s->shorten, memory_order_relaxed)) {
		atomic_store_explicit(&s->shorten, false, memory_order_relaxed);
		return s->period / 2 > MIN_PERIOD ? s->period / 2 : MIN_PERIOD;
	}
	return s->period + s->period / 8 < MAX_PERIOD ? s->period + s->period / 8 : MAX_PERIOD;
}

/* Has the line ready for a store that comes later. */
static void prefetch_to_write(void *p)
{
#if defined(__x86_64__)
	__asm__ volatile("prefetchw %0" : : "m"(*(char *)p));
#else
	__builtin_prefetch(p, 1);
#endif
}

/*
 * The next stop is far, near or here. A barrier waits for the stores before it; so that
 * the one to stops takes no time then, its line, which a writer looks at, is fetched before.
 */
static void come_to_stop(struct pvi_gate_slot *s)
{
	uint64_t stops;

	if (!s->near && s->period > NEAR_VISITS) {
		s->near = true;
		s->left = NEAR_VISITS;
		prefetch_to_write(&s->stops);
		return;
	}
	stops = atomic_load_explicit(&s->stops, memory_order_relaxed);
	atomic_store_explicit(&s->stops, stops + PVI_GATE_STOP, memory_order_release);
	atomic_thread_fence(memory_order_seq_cst);
	s->near = false;
	s->period = next_period(s);
	s->left = s->period > NEAR_VISITS ? s->period - NEAR_VISITS : s->period;
}

/* The owner of @s has left, and has come to the end of its period, or a writer sleeps. */
void pvi_gate_stop(struct pvi_gate *g, struct pvi_gate_slot *s)
{
	if (!s->left)
		come_to_stop(s);
	if (atomic_load(&s->waiting))
		wake(g, s);
}

/* This thread's slot, taken if need be; NULL: none is left. */
static struct pvi_gate_slot *find_slot(struct pvi_gate *g)
{
	uintptr_t who = pvi_gate_who();
	unsigned int first = first_slot(who);

	pvi_gate_first = first * (unsigned int)sizeof(struct pvi_gate_slot);
	for (unsigned int i = 0; i < PVI_GATE_SLOTS; i++) {
		struct pvi_gate_slot *s = &g->slot[(first + i) % PVI_GATE_SLOTS];
		uintptr_t state = atomic_load_explicit(&s->state, memory_order_relaxed);

		if (!state &&
		    atomic_compare_exchange_strong(&s->state, &state, who | PVI_GATE_FENCED)) {
			atomic_store_explicit(&s->owner, who, memory_order_relaxed);
			atomic_fetch_add(&g->nr_owned, 1);
			return s;
		}
		if (owner_of(state) == who)
			return s;
	}
	return NULL;
}

/* The owner, between visits: PVI_GATE_FENCED or 0. @waited: it has not seen the last wait. */
static unsigned int choose(struct pvi_gate *g, struct pvi_gate_slot *s, bool fenced, bool waited)
{
	if (!fenced) {
		if (!waited || !atomic_load_explicit(&s->ask, memory_order_relaxed))
			return 0;
		atomic_store_explicit(&s->ask, false, memory_order_relaxed);
		s->visits = 0;
		return PVI_GATE_FENCED;
	}
	if (++s->visits < MANY_VISITS ||
	    atomic_load_explicit(&g->no_membarrier, memory_order_relaxed))
		return PVI_GATE_FENCED;
	s->visits = 0;
	return 0;
}

/* The owner: tells writers whether to look for stops. */
static void set_stops(struct pvi_gate_slot *s, bool on)
{
	uint64_t stops = atomic_load_explicit(&s->stops, memory_order_relaxed);

	if ((bool)(stops & PVI_GATE_STOPS) != on)
		atomic_store_explicit(&s->stops, stops ^ PVI_GATE_STOPS, memory_order_release);
}

/* Everything but what pvi_gate_enter_quickly() does. */
unsigned int pvi_gate_enter_slowly(struct pvi_gate *g)
{
	struct pvi_gate_slot *s = find_slot(g);
	uint64_t now = atomic_load_explicit(&g->epoch, memory_order_acquire);
	uintptr_t old, new;

	if (!s)
		return enter_shared(g);
	old = atomic_load_explicit(&s->state, memory_order_relaxed);
	if (old & PVI_GATE_INSIDE)
		return enter_shared(g);
	new = owner_of(old) | PVI_GATE_INSIDE |
	      choose(g, s, old & PVI_GATE_FENCED,
		     atomic_load_explicit(&s->seen, memory_order_relaxed) != now);
	atomic_store_explicit(&s->seen, now, memory_order_release);
	if ((old | new) & PVI_GATE_FENCED) {
		atomic_exchange(&s->state, new);
		set_stops(s, !(new &PVI_GATE_FENCED));
		return COOKIE_FENCED + (unsigned int)(s - g->slot);
	}
	atomic_store_explicit(&s->state, new, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	return (unsigned int)(s - g->slot);
}

/* Of a visit that pvi_gate_leave_quickly() does not end. */
void pvi_gate_leave_slowly(struct pvi_gate *g, unsigned int cookie)
{
	if (cookie < COOKIE_SHARED) {
		struct pvi_gate_slot *s = &g->slot[cookie - COOKIE_FENCED];

		atomic_fetch_and(&s->state, ~(uintptr_t)PVI_GATE_INSIDE);
		if (atomic_load(&s->waiting))
			wake(g, s);
	} else if (atomic_fetch_sub(&g->inside[cookie - COOKIE_SHARED], 1) == 1 &&
		   atomic_load(&g->waiting)) {
		wake(g, NULL);
	}
}

static inline void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* A full barrier in every thread that may be inside. g->lock held. */
static void barrier_everywhere(struct pvi_gate *g)
{
	uint64_t begin;

	if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED))
		return;
	/*
	 * Somebody forbade what init() was allowed. There is no event to wait for, but
	 * every CPU takes an interrupt within this time, which is as good. By the clock: a
	 * signal would cut a sleep short, and who forbids the one call may forbid the other.
	 */
	atomic_store(&g->no_membarrier, true);
	for (int i = 0; i < PVI_GATE_SLOTS; i++)
		atomic_store(&g->slot[i].ask, true);
	begin = clock_ns();
	while (clock_ns() - begin < EVERY_CPU_NS)
		relax();
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

/* Who is waited for: the owner of @slot, or who inside[@counter] counts. */
struct visitor {
	struct pvi_gate_slot *slot; /* or NULL */
	unsigned int counter;
};

/* Changes when a sleeper for @v need not sleep on, whoever is inside by now. */
static unsigned int *passed(struct pvi_gate *g, const struct visitor *v)
{
	return v->slot ? &v->slot->passed : &g->empty[v->counter];
}

/* The look. *@ret_stores (or NULL): it will leave by a store. g->lock held. */
static bool is_inside(struct pvi_gate *g, const struct visitor *v, bool *ret_stores)
{
	uintptr_t state;

	if (!v->slot) {
		if (atomic_fetch_add(&g->inside[v->counter], 0))
			return true;
		g->empty[v->counter]++;
		return false;
	}
	state = atomic_fetch_add(&v->slot->state, 0);
	if (ret_stores)
		*ret_stores = !(state & PVI_GATE_FENCED);
	return state & PVI_GATE_INSIDE;
}

/* Has who leaves look for sleepers; is @v inside still? g->lock held. */
static bool raise_waiting(struct pvi_gate *g, const struct visitor *v)
{
	bool stores = false;

	if (!v->slot) {
		atomic_store(&g->waiting, true);
	} else if (!atomic_exchange(&v->slot->waiting, PVI_GATE_WAITING)) {
		if (!is_inside(g, v, &stores)) {
			/* Whoever slept for this slot has been woken, or it had not been down. */
			atomic_store(&v->slot->waiting, 0);
			return false;
		}
		if (stores)
			barrier_everywhere(g);
	}
	return is_inside(g, v, NULL);
}

static void lower_waiting(struct pvi_gate *g, const struct visitor *v)
{
	if (v->slot)
		atomic_store(&v->slot->waiting, 0);
	else
		atomic_store(&g->waiting, false);
}

/* Sleeps until @v is not inside, or has left once. g->lock held. */
static int sleep_while_inside(struct pvi_gate *g, const struct visitor *v, struct deadline *d)
{
	unsigned int *sleepers = v->slot ? &v->slot->sleepers : &g->sleepers;
	unsigned int before = *passed(g, v);
	bool over = false;
	int err = 0;

	++*sleepers;
	for (;;) {
		over = !raise_waiting(g, v) || *passed(g, v) != before;
		if (over || err)
			break;
		err = sleep_until(g, d);
	}
	if (!--*sleepers)
		lower_waiting(g, v);
	return over ? 0 : -ETIMEDOUT;
}

/* g->lock held. */
static int wait_for(struct pvi_gate *g, const struct visitor *v, struct deadline *d)
{
	for (int i = 0; i < SPINS; i++)
		if (!is_inside(g, v, NULL))
			return 0;
	return sleep_while_inside(g, v, d);
}

static bool has_seen(struct pvi_gate_slot *s, uint64_t now)
{
	return atomic_load_explicit(&s->seen, memory_order_acquire) >= now;
}

/* Is this wait seen by the owner of @s, which is not fenced? */
static bool is_seen_soon(struct pvi_gate_slot *s, uint64_t now)
{
	/* It was asked to be fenced and has not come since: it comes seldom. */
	if (atomic_load_explicit(&s->ask, memory_order_relaxed))
		return has_seen(s, now);
	for (int i = 0; i < SEEN_SPINS; i++) {
		/* Each look takes the line from the owner: not too many of them. */
		if (i % SEEN_LOOK == 0 && has_seen(s, now))
			return true;
		relax();
	}
	atomic_store_explicit(&s->ask, true, memory_order_relaxed);
	return false;
}

/* Is the owner of @s to be waited for? *@ret_barrier: behind a barrier everywhere. */
static bool is_pending(struct pvi_gate *g, struct pvi_gate_slot *s, uint64_t now, bool *ret_barrier)
{
	uintptr_t state = atomic_load_explicit(&s->state, memory_order_relaxed);

	if (!state)
		return false;
	if (owner_of(state) == pvi_gate_who()) {
		/* The caller's own visits are in order as they are. */
		if (!(state & PVI_GATE_INSIDE))
			atomic_store_explicit(&s->seen, now, memory_order_release);
		return state & PVI_GATE_INSIDE;
	}
	if (state & PVI_GATE_FENCED)
		state = atomic_fetch_add(&s->state, 0);
	if (state & PVI_GATE_FENCED)
		return state & PVI_GATE_INSIDE;
	if (is_seen_soon(s, now)) {
		g->busy = true;
		return false;
	}
	*ret_barrier = true;
	return true;
}

/* Will the owner of @s, which has made @stops, stop soon if it comes as often as before? */
static bool may_stop_soon(struct pvi_gate_slot *s, uint64_t stops)
{
	if (!(stops & PVI_GATE_STOPS) ||
	    atomic_load_explicit(&s->owner, memory_order_relaxed) == pvi_gate_who() ||
	    atomic_load_explicit(&s->ask, memory_order_relaxed))
		return false;
	if (!s->skip)
		return true;
	s->skip--;
	return false;
}

static void note_stop(struct pvi_gate_slot *s, bool stopped)
{
	if (stopped) {
		s->missed = 0;
		return;
	}
	if (s->missed < MAX_MISSED)
		s->missed++;
	s->skip = (1u << s->missed) - 1;
	atomic_store_explicit(&s->shorten, true, memory_order_relaxed);
}

static bool has_stopped(struct pvi_gate_slot *s, uint64_t before)
{
	uint64_t stops = atomic_load_explicit(&s->stops, memory_order_acquire);

	return (stops ^ before) >= PVI_GATE_STOP;
}

/* Gives those who come often time to stop. A bit for each slot whose owner did. g->lock held. */
static unsigned int wait_for_stops(struct pvi_gate *g)
{
	uint64_t before[PVI_GATE_SLOTS], begin;
	unsigned int wanted = 0, stopped = 0;

	atomic_thread_fence(memory_order_seq_cst);
	for (unsigned int i = 0; i < PVI_GATE_SLOTS; i++) {
		before[i] = atomic_load_explicit(&g->slot[i].stops, memory_order_relaxed);
		if (may_stop_soon(&g->slot[i], before[i]))
			wanted |= 1u << i;
	}
	/* Each look takes the line from the owner: at twice the time of the one before. */
	begin = wanted ? clock_ns() : 0;
	for (unsigned int look = 1; look <= STOP_LOOKS && stopped != wanted; look++) {
		while (clock_ns() - begin < STOP_NS >> (STOP_LOOKS - look))
			relax();
		for (unsigned int i = 0; i < PVI_GATE_SLOTS; i++)
			if ((wanted & ~stopped) >> i & 1 && has_stopped(&g->slot[i], before[i]))
				stopped |= 1u << i;
	}
	for (unsigned int i = 0; i < PVI_GATE_SLOTS; i++)
		if (wanted >> i & 1)
			note_stop(&g->slot[i], stopped >> i & 1);
	return stopped;
}

/* Are these all the slots with an owner? */
static bool is_all(const struct pvi_gate *g, unsigned int slots)
{
	for (unsigned int i = 0; i < PVI_GATE_SLOTS; i++)
		if (!(slots >> i & 1) &&
		    atomic_load_explicit(&g->slot[i].owner, memory_order_relaxed))
			return false;
	return true;
}

/* g->lock held. */
static int wait_for_slots(struct pvi_gate *g, struct deadline *d)
{
	bool pending[PVI_GATE_SLOTS] = {false}, barrier = false;
	unsigned int stopped;
	uint64_t now;
	int err = 0;

	if (!atomic_fetch_add(&g->nr_owned, 0))
		return 0;
	stopped = wait_for_stops(g);
	if (is_all(g, stopped))
		return 0;
	now = atomic_fetch_add(&g->epoch, 1) + 1;
	/* Somebody came often until now: time to see this wait before we look. */
	for (int i = 0; g->busy && i < SEEN_LOOK; i++)
		relax();
	g->busy = false;
	for (int i = 0; i < PVI_GATE_SLOTS; i++)
		pending[i] = !(stopped >> i & 1) && is_pending(g, &g->slot[i], now, &barrier);
	if (barrier)
		barrier_everywhere(g);
	for (int i = 0; i < PVI_GATE_SLOTS && !err; i++)
		if (pending[i])
			err = wait_for(g, &(struct visitor){.slot = &g->slot[i]}, d);
	return err;
}

/* g->lock held. */
static int wait_for_counters(struct pvi_gate *g, struct deadline *d)
{
	unsigned int phase = atomic_load_explicit(&g->phase, memory_order_relaxed);
	/* The idle counter may still have stragglers; then newcomers can have it. */
	int err = wait_for(g, &(struct visitor){.counter = phase ^ 1}, d);

	if (err)
		return err;
	atomic_store_explicit(&g->phase, phase ^ 1, memory_order_relaxed);
	return wait_for(g, &(struct visitor){.counter = phase}, d);
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
