/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A gate knows who is inside and lets a writer wait until all who were inside
 * have left. Entering and leaving never blocks; those who enter while a writer
 * waits do not hold it up.
 *
 * Every thread has a slot of its own in a gate, which it marks in plain stores:
 * a visit costs no locked instruction. The writer waits for the next visit of who
 * comes often, and pays for the others by a membarrier (man 2 membarrier), unless it
 * comes so often that these had better pay: gate.c. The first gate registers the process with the
 * kernel; whoever confines the process by seccomp must allow membarrier, or forbid it before the
 * first gate is made.
 */
#ifndef PVI_CORE_GATE_H
#define PVI_CORE_GATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/alloc.h"

/* Threads that visit cheaply; those who find no slot left share a counter. */
#define PVI_GATE_SLOTS 16

/* One thread's, in a cache line of its own. gate.c has the argument. */
struct pvi_gate_slot {
	/* 0: nobody's. Never given back. */
	_Alignas(PVI_CACHE_LINE) atomic_uintptr_t owner;
	/* The owner's. */
	atomic_uint inside;	   /* 0 or 1 */
	atomic_uint_fast64_t seen; /* the gate's epoch at the last entering */
	atomic_bool fenced;	   /* visits order themselves */
	unsigned int visits;	   /* since the last wait that was seen; while fenced */
	/* The writer's. */
	atomic_bool ask;     /* the owner to be fenced; set while it is */
	unsigned int passed; /* visits that ended while a writer slept; the gate's lock */
};

struct pvi_gate {
	struct pvi_gate_slot slot[PVI_GATE_SLOTS];
	atomic_uint inside[2];	    /* visitors without a slot, and nested visits */
	atomic_uint_fast64_t epoch; /* waits so far */
	atomic_uint phase;	    /* which of inside[] newcomers use */
	atomic_uint nr_owned;	    /* slots */
	atomic_uint waiting;	    /* writers that sleep on @left */
	atomic_bool no_membarrier;  /* every slot is fenced for ever */
	pthread_mutex_t lock;	    /* writers; taken by readers only to wake them */
	pthread_cond_t left;
};

int pvi_gate_init(struct pvi_gate *g);
void pvi_gate_done(struct pvi_gate *g);

/* ---- The short ways in and out; gate.c has the long ones and the argument. ---- */

extern _Thread_local char pvi_gate_self __attribute__((tls_model("initial-exec")));

unsigned int pvi_gate_enter_slowly(struct pvi_gate *g);
void pvi_gate_leave_slowly(struct pvi_gate *g, unsigned int cookie);

/* No other living thread has this address. */
static inline uintptr_t pvi_gate_who(void)
{
	return (uintptr_t)&pvi_gate_self;
}

/* Threads' storage is pages apart, and more. */
static inline unsigned int pvi_gate_first_slot(uintptr_t who)
{
	return (uint32_t)(who >> 6) * 0x9e3779b1u / (UINT32_MAX / PVI_GATE_SLOTS + 1);
}

static inline void pvi_gate_mark(struct pvi_gate_slot *s, uint64_t seen)
{
	atomic_store_explicit(&s->seen, seen, memory_order_release);
	atomic_store_explicit(&s->inside, 1, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
}

/* Returns a cookie for leave(), to be called by the same thread. Visits may nest. */
static inline unsigned int pvi_gate_enter(struct pvi_gate *g)
{
	uintptr_t who = pvi_gate_who();
	unsigned int i = pvi_gate_first_slot(who);
	struct pvi_gate_slot *s = &g->slot[i];

	if (atomic_load_explicit(&s->owner, memory_order_relaxed) != who ||
	    atomic_load_explicit(&s->ask, memory_order_relaxed) ||
	    atomic_load_explicit(&s->inside, memory_order_relaxed))
		return pvi_gate_enter_slowly(g);
	pvi_gate_mark(s, atomic_load_explicit(&g->epoch, memory_order_acquire));
	return i;
}

static inline void pvi_gate_leave(struct pvi_gate *g, unsigned int cookie)
{
	if (cookie < PVI_GATE_SLOTS) {
		atomic_store_explicit(&g->slot[cookie].inside, 0, memory_order_release);
		atomic_signal_fence(memory_order_seq_cst);
		if (!atomic_load_explicit(&g->waiting, memory_order_relaxed))
			return;
	}
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
