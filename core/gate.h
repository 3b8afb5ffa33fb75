/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A gate counts who is inside and lets a writer wait until all who were inside
 * have left. Entering and leaving never blocks; those who enter while a writer
 * waits do not hold it up.
 */
#ifndef PVI_CORE_GATE_H
#define PVI_CORE_GATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/alloc.h"

#define PVI_GATE_STRIPES 8

/* One cache line, so that threads on different stripes do not share it. */
struct pvi_gate_stripe {
	_Alignas(PVI_CACHE_LINE) atomic_uint inside[2];
};

struct pvi_gate {
	struct pvi_gate_stripe stripe[PVI_GATE_STRIPES];
	atomic_uint phase;    /* which of inside[] newcomers use */
	atomic_uint waiting;  /* writers that sleep on @left */
	pthread_mutex_t lock; /* writers; taken by readers only to wake them */
	pthread_cond_t left;
};

int pvi_gate_init(struct pvi_gate *g);
void pvi_gate_done(struct pvi_gate *g);

/* Returns a cookie for leave(), which may be called from another thread. */
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
