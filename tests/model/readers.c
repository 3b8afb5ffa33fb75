// SPDX-License-Identifier: BSD-2-Clause
#include <stdlib.h>

#include "core/gate.h"
#include "core/platform.h"
#include "readers.h"

static struct pvi_gate gate;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of late */
static struct pvi_rcu *late;

unsigned int pvi_read_begin(void)
{
	return pvi_gate_enter(&gate);
}

void pvi_read_end(unsigned int cookie)
{
	pvi_gate_leave(&gate, cookie);
}

void pvi_free_after_readers(struct pvi_rcu *rcu, void *p)
{
	pthread_mutex_lock(&lock);
	rcu->memory = p;
	rcu->next = late;
	late = rcu;
	pthread_mutex_unlock(&lock);
}

void readers_collect(void)
{
	struct pvi_rcu *list, *next;

	pthread_mutex_lock(&lock);
	list = late;
	late = NULL;
	pthread_mutex_unlock(&lock);
	if (!list)
		return;
	pvi_gate_synchronize(&gate);
	for (; list; list = next) {
		next = list->next;
		pvi_free(list->memory);
	}
}

void readers_init(void)
{
	if (pvi_gate_init(&gate))
		abort();
}

void readers_done(void)
{
	readers_collect();
	pvi_gate_done(&gate);
}
