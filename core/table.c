// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The domain table: its life, and its readers. Memory ordering: table_priv.h. */
#include "core/table_priv.h"

int pvi_table_new(const struct pvi_table_caps *caps, struct pvi_table **ret)
{
	struct pvi_table *t = pvi_zalloc(sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	err = pvi_gate_init(&t->gate);
	if (err) {
		pvi_free(t);
		return err;
	}
	atomic_init(&t->root, 0);
	t->caps = *caps;
	*ret = t;
	return 0;
}

static void free_list(struct node *n)
{
	while (n) {
		struct node *next = n->next;

		pvi_free(n);
		n = next;
	}
}

void pvi_table_free(struct pvi_table *t)
{
	if (!t)
		return;
	pvi_table_clear(t);
	free_list(t->limbo);
	free_list(t->spare);
	pvi_gate_done(&t->gate);
	pvi_free(t);
}

unsigned int pvi_table_enter(struct pvi_table *t)
{
	return pvi_gate_enter(&t->gate);
}

void pvi_table_leave(struct pvi_table *t, unsigned int cookie)
{
	pvi_gate_leave(&t->gate, cookie);
}

void pvi_table_recycle(struct pvi_table *t, struct node *n)
{
	if (t->nr_spare < MAX_SPARE) {
		n->next = t->spare;
		t->spare = n;
		t->nr_spare++;
	} else {
		pvi_free(n);
		t->stats.table_bytes -= sizeof(*n);
	}
}

void pvi_table_synchronize(struct pvi_table *t)
{
	pvi_gate_synchronize(&t->gate);
	while (t->limbo) {
		struct node *n = t->limbo;

		t->limbo = n->next;
		pvi_table_recycle(t, n);
	}
}

/* Does @l carry on, at @page, a run whose next target page is @target? */
static bool carries_on(const struct leaf *l, uint64_t page, uint64_t target, unsigned int prot)
{
	return !(l->pte & PTE_START) && leaf_target(l->pte) + (page - l->first) == target &&
	       (leaf_prot(l->pte) & prot) == prot;
}

int pvi_table_translate(const struct pvi_table *t, uint64_t iova, uint64_t len, unsigned int prot,
			struct pvi_table_run *ret)
{
	uint64_t page = iova >> PVI_PAGE_SHIFT, in_page = iova & PVI_PAGE_MASK;
	uint64_t target, run, need;
	struct leaf l;
	bool more;

	if (!find_leaf(t, page, &l))
		return -ENOENT;
	if ((leaf_prot(l.pte) & prot) != prot)
		return -EACCES;
	target = leaf_target(l.pte) + (page - l.first);
	/* Pages that the access touches. */
	need = len > UINT64_MAX - PVI_PAGE_MASK - in_page
		       ? LAST_PAGE + 1
		       : (in_page + len + PVI_PAGE_MASK) >> PVI_PAGE_SHIFT;
	run = leaf_run(&l, page, &more);
	while (more && run < need) {
		if (!find_leaf(t, page + run, &l) ||
		    !carries_on(&l, page + run, target + run, prot))
			break;
		run += leaf_run(&l, page + run, &more);
	}
	ret->target = (target << PVI_PAGE_SHIFT) + in_page;
	/* Targets lie below TARGET_LIMIT, so a run in bytes fits. */
	run = (run << PVI_PAGE_SHIFT) - in_page;
	ret->len = len < run ? len : run;
	return 0;
}

void pvi_table_stats(const struct pvi_table *t, struct pvi_table_stats *ret)
{
	*ret = t->stats;
}
