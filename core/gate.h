/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A gate knows who is inside and lets a writer wait until all who were inside
 * have left. Entering and leaving never blocks; those who enter while a writer
 * waits do not hold it up.
 *
 * Every thread has a slot of its own in a gate, which it marks in plain stores:
 * a visit costs no locked instruction. The writer pays instead, by a membarrier
 * (man 2 membarrier), unless it comes so often that the visitors had better pay:
 * gate.c. The first gate registers the process with the kernel; whoever confines
 * the process by seccomp must allow membarrier, or forbid it before the first
 * gate is made.
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
	_Alignas(PVI_CACHE_LINE) atomic_uintptr_t owner; /* 0: nobody's; never given back */
	atomic_uint inside;				 /* 0 or 1; the owner's */
	atomic_uint visits;				 /* begun so far; the owner's */
	atomic_bool fenced;				 /* visits order themselves; the owner's */
	atomic_bool ask;				 /* that they do so; set while fenced */
	atomic_uint visits_at_last_wait;		 /* the writer's */
	unsigned int passed; /* visits that ended while a writer slept; gate's lock */
};

struct pvi_gate {
	struct pvi_gate_slot slot[PVI_GATE_SLOTS];
	atomic_uint inside[2];	   /* visitors without a slot, and nested visits */
	atomic_uint phase;	   /* which of inside[] newcomers use */
	atomic_uint nr_owned;	   /* slots */
	atomic_uint waiting;	   /* writers that sleep on @left */
	atomic_bool no_membarrier; /* every slot is fenced for ever */
	pthread_mutex_t lock;	   /* writers; taken by readers only to wake them */
	pthread_cond_t left;
};

int pvi_gate_init(struct pvi_gate *g);
void pvi_gate_done(struct pvi_gate *g);

/* Returns a cookie for leave(), to be called by the same thread. Visits may nest. */
unsigned int pvi_gate_enter(struct pvi_gate *g);
void pvi_gate_leave(struct pvi_gate *g, unsigned int cookie);

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
