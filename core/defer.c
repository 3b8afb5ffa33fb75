// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/defer.h"

void pvi_defer_init(struct pvi_defer *q, struct pvi_late *nodes, unsigned int n, unsigned int batch,
		    unsigned int ms)
{
	unsigned int i;

	q->free = NULL;
	for (i = 0; i < n; i++) {
		nodes[i].next = q->free;
		q->free = &nodes[i];
	}
	q->first = NULL;
	q->tail = &q->first;
	q->pending = 0;
	q->batch = batch;
	q->ms = ms;
}

int pvi_defer_add(struct pvi_defer *q, uint64_t pfn, uint64_t npages, uint64_t mapped, uint64_t now)
{
	struct pvi_late *n = q->free;

	if (!n)
		return -ENOSPC;
	q->free = n->next;
	n->pfn = pfn;
	n->npages = npages;
	n->mapped = mapped;
	n->since = now;
	n->next = NULL;
	*q->tail = n;
	q->tail = &n->next;
	return (int)++q->pending;
}

bool pvi_defer_due(const struct pvi_defer *q, uint64_t now)
{
	return q->first && (q->pending >= (q->batch + 1) / 2 || now - q->first->since >= q->ms / 2);
}

unsigned int pvi_defer_left(const struct pvi_defer *q, uint64_t now)
{
	uint64_t waited;

	if (!q->first)
		return UINT32_MAX;
	waited = now - q->first->since;
	return waited < q->ms ? (unsigned int)(q->ms - waited) : 0;
}

struct pvi_late *pvi_defer_take(struct pvi_defer *q)
{
	struct pvi_late *list = q->first;

	q->first = NULL;
	q->tail = &q->first;
	q->pending = 0;
	return list;
}

void pvi_defer_give_back(struct pvi_defer *q, struct pvi_late *list)
{
	struct pvi_late *next;

	for (; list; list = next) {
		next = list->next;
		list->next = q->free;
		q->free = list;
	}
}
