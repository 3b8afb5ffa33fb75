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

/* Any leaf, any length, every error. */
static __attribute__((noinline)) int translate_slowly(const struct pvi_table *t, uint64_t iova,
						      uint64_t len, unsigned int prot,
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

/* The common case: @pte is a leaf of level 0 that knows all, with the rights asked for. */
static inline bool translate_by(uint64_t pte, uint64_t iova, uint64_t len, unsigned int prot,
				struct pvi_table_run *ret)
{
	uint64_t want = PTE_PRESENT | (uint64_t)prot << PTE_PROT_SHIFT;
	uint64_t in_page = iova & PVI_PAGE_MASK;
	uint64_t run = (leaf_left(pte) << PVI_PAGE_SHIFT) - in_page;

	if ((pte & want) != want || leaf_left(pte) == PTE_LEFT_MAX)
		return false;
	ret->target = leaf_target(pte) << PVI_PAGE_SHIFT | in_page;
	ret->len = len < run ? len : run;
	return true;
}

int pvi_table_translate(const struct pvi_table *t, uint64_t iova, uint64_t len, unsigned int prot,
			struct pvi_table_run *ret)
{
	const _Atomic uint64_t *entry = find_entry(t, iova >> PVI_PAGE_SHIFT);

	if (entry &&
	    translate_by(atomic_load_explicit(entry, memory_order_acquire), iova, len, prot, ret))
		return 0;
	return translate_slowly(t, iova, len, prot, ret);
}

/* How many walks go on side by side, so that one waits while others fetch. */
#define VEC 32

static unsigned int translate_some(const struct pvi_table *t, const struct pvi_table_access *access,
				   unsigned int nr, unsigned int prot, struct pvi_table_run *ret,
				   int *ret_err)
{
	const _Atomic uint64_t *entry[VEC];

	for (unsigned int i = 0; i < nr; i++) {
		entry[i] = find_entry(t, access[i].iova >> PVI_PAGE_SHIFT);
		__builtin_prefetch((const void *)entry[i]);
	}
	for (unsigned int i = 0; i < nr; i++) {
		int err;

		if (entry[i] && translate_by(atomic_load_explicit(entry[i], memory_order_acquire),
					     access[i].iova, access[i].len, prot, &ret[i]))
			continue;
		err = translate_slowly(t, access[i].iova, access[i].len, prot, &ret[i]);
		if (err) {
			*ret_err = err;
			return i;
		}
	}
	return nr;
}

unsigned int pvi_table_translate_vec(const struct pvi_table *t,
				     const struct pvi_table_access *access, unsigned int nr,
				     unsigned int prot, struct pvi_table_run *ret, int *ret_err)
{
	unsigned int done = 0;

	while (done < nr) {
		unsigned int some = nr - done < VEC ? nr - done : VEC;
		unsigned int n = translate_some(t, access + done, some, prot, ret + done, ret_err);

		done += n;
		if (n < some)
			return done;
	}
	*ret_err = 0;
	return done;
}

int pvi_table_translate_list(const struct pvi_table *t, struct pvi_range iova, unsigned int prot,
			     struct pvi_table_run *ret, unsigned int max, unsigned int *ret_nr)
{
	unsigned int nr = 0;

	for (;;) {
		uint64_t left = pvi_range_left_minus_one(iova, iova.first);
		int err;

		if (nr == max)
			return -E2BIG;
		/* No run is as long as all of the 64-bit space. */
		err = pvi_table_translate(t, iova.first, left == UINT64_MAX ? left : left + 1, prot,
					  &ret[nr]);
		if (err)
			return err;
		if (ret[nr++].len > left)
			break;
		iova.first += ret[nr - 1].len;
	}
	*ret_nr = nr;
	return 0;
}

void pvi_table_stats(const struct pvi_table *t, struct pvi_table_stats *ret)
{
	*ret = t->stats;
}
