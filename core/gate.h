/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A gate knows who is inside and lets a writer wait until all who were inside
 * have left. Entering and leaving never blocks; those who enter while a writer
 * waits do not hold it up. A signal handler must not visit a gate that its thread visits,
 * too: it may find the thread between two stores of one visit.
 *
 * Every thread has a slot of its own in a gate, which it marks in plain stores:
 * a visit costs no locked instruction, but for one in some hundreds, which lets a writer
 * know that what was before is over. The writer waits for that of who comes all the time, for
 * the next visit of who comes often, and pays for the others by a membarrier (man 2 membarrier),
 * unless it comes so often that these had better pay: gate.c. The first gate registers the process
 * with the kernel; whoever confines the process by seccomp must allow membarrier, or forbid it
 * before the first gate is made.
 */
#ifndef PVI_CORE_GATE_H
#define PVI_CORE_GATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/alloc.h"

/* Threads that visit cheaply; those who find no slot left share a counter. */
#define PVI_GATE_SLOTS 16

/* A slot's marks, beside its owner's name. */
#define PVI_GATE_INSIDE 1u /* the owner is */
#define PVI_GATE_FENCED 2u /* the owner's visits order themselves */
#define PVI_GATE_MARKS	3u

/* Of a slot's stops: full barriers so far, between two visits each, and PVI_GATE_STOPS. */
#define PVI_GATE_STOPS 1u /* the owner makes them: it is not fenced */
#define PVI_GATE_STOP  2u /* one of them */

/* For a slot's waiting; more than any left. */
#define PVI_GATE_WAITING (1u << 16)

/* One thread's. gate.c has the argument. */
struct pvi_gate_slot {
	/*
	 * Touched at every visit. Writers keep away from this line while they can.
	 */
	/* The owner and its marks, which the owner alone changes. 0: nobody's. Never given back. */
	_Alignas(PVI_CACHE_LINE) atomic_uintptr_t state;
	/* The owner's. */
	atomic_uint_fast64_t seen; /* the gate's epoch at the last entering */
	unsigned int left;	   /* visits until pvi_gate_stop(); at least 1 */
	unsigned int period;	   /* visits from one stop to the next */
	unsigned int visits;	   /* since it is fenced */
	bool near;		   /* the next stop has been prepared */
	/* The writer's; the owner lowers it. */
	atomic_uint waiting; /* PVI_GATE_WAITING: a writer sleeps till it leaves; or 0 */

	/*
	 * Where owner and writer meet.
	 */
	/* The owner's. */
	_Alignas(PVI_CACHE_LINE) atomic_uint_fast64_t stops; /* see PVI_GATE_STOP */
	atomic_uintptr_t owner;				     /* as in state, for ever */
	/* The writer's. */
	atomic_bool ask;     /* the owner to be fenced, when it next sees a new epoch */
	atomic_bool shorten; /* the owner to stop more often */
	/* Under the gate's lock. */
	unsigned int sleepers; /* writers, for this slot */
	unsigned int passed;   /* visits that ended while one slept */
	unsigned int missed;   /* waits, one after the other, that saw no stop in time */
	unsigned int skip;     /* so many do not look for one */
};

struct pvi_gate {
	struct pvi_gate_slot slot[PVI_GATE_SLOTS];
	/* Read at every visit: what changes more often than this is elsewhere. */
	atomic_uint_fast64_t epoch; /* waits so far that visitors had to notice */
	atomic_bool no_membarrier;  /* every slot is fenced for ever */
	/* Visitors without a slot, and nested visits. */
	_Alignas(PVI_CACHE_LINE) atomic_uint inside[2];
	atomic_uint phase;     /* which of inside[] newcomers use */
	atomic_bool waiting;   /* a writer sleeps till one is 0 */
	unsigned int sleepers; /* such writers; the lock */
	unsigned int empty[2]; /* looks of writers that found inside[] at 0; the lock */
	atomic_uint nr_owned;  /* slots */
	bool busy;	       /* an owner saw the last wait soon; the lock */
	pthread_mutex_t lock;  /* writers; taken by readers only to wake them */
	pthread_cond_t left;
};

int pvi_gate_init(struct pvi_gate *g);
void pvi_gate_done(struct pvi_gate *g);

/* ---- The short ways in and out; gate.c has the long ones and the argument. ---- */

/* Where in slot[], in bytes, this thread looks first; 0 until its first visit to any gate. */
extern _Thread_local unsigned int pvi_gate_first __attribute__((tls_model("initial-exec")));

unsigned int pvi_gate_enter_slowly(struct pvi_gate *g);
void pvi_gate_leave_slowly(struct pvi_gate *g, unsigned int cookie);
void pvi_gate_stop(struct pvi_gate *g, struct pvi_gate_slot *s);

/* No other living thread has this address. */
static inline uintptr_t pvi_gate_who(void)
{
	return (uintptr_t)&pvi_gate_first;
}

static inline struct pvi_gate_slot *pvi_gate_first_slot(struct pvi_gate *g)
{
	return (struct pvi_gate_slot *)((char *)g->slot + pvi_gate_first);
}

/*
 * The commonest visit: slot @s is this thread's, it is outside and not fenced, and no
 * wait has begun since it was here. Else false, and nothing has happened.
 */
static inline bool pvi_gate_enter_quickly(struct pvi_gate *g, struct pvi_gate_slot *s)
{
	uintptr_t who = pvi_gate_who();

	if (unlikely(atomic_load_explicit(&s->state, memory_order_relaxed) != who))
		return false;
	if (unlikely(atomic_load_explicit(&s->seen, memory_order_relaxed) !=
		     atomic_load_explicit(&g->epoch, memory_order_acquire)))
		return false;
	atomic_store_explicit(&s->state, who + PVI_GATE_INSIDE, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	return true;
}

static inline void pvi_gate_leave_quickly(struct pvi_gate *g, struct pvi_gate_slot *s)
{
	unsigned int left = s->left - 1;

	atomic_store_explicit(&s->state, pvi_gate_who(), memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
	s->left = left;
	/* One branch for both: a stop is due, or a writer sleeps. */
	if (unlikely(left <= atomic_load_explicit(&s->waiting, memory_order_relaxed)))
		pvi_gate_stop(g, s);
}

/* Returns a cookie for leave(), to be called by the same thread. Visits may nest. */
static inline unsigned int pvi_gate_enter(struct pvi_gate *g)
{
	struct pvi_gate_slot *s = pvi_gate_first_slot(g);

	return likely(pvi_gate_enter_quickly(g, s)) ? (unsigned int)(s - g->slot)
						    : pvi_gate_enter_slowly(g);
}

static inline void pvi_gate_leave(struct pvi_gate *g, unsigned int cookie)
{
	if (likely(cookie < PVI_GATE_SLOTS))
		pvi_gate_leave_quickly(g, &g->slot[cookie]);
	else
		pvi_gate_leave_slowly(g, cookie);
}

/*
 * On return everyone who entered before the call has left, and everyone who
 * enters later sees what the caller wrote before it. Any thread that is not
 * inside.
 */
void pvi_gate_synchronize(struct pvi_gate *g);

/*
 * The same, for at most @timeout_ms; 0: however long it takes. -ETIMEDOUT: someone is
 * still inside, and nothing is promised.
 */
int pvi_gate_synchronize_for(struct pvi_gate *g, unsigned int timeout_ms);

#endif
