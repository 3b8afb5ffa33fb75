// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The domain table: its life, and its readers. Memory ordering: table_priv.h. */
#include "core/table_priv.h"

const struct pvi_table_node pvi_table_no_node;

int pvi_table_new(const struct pvi_table_caps *caps, struct pvi_table **ret)
{
	struct pvi_table *t = pvi_zalloc(sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	err = pvi_gate_init(&t->head.gate);
	if (err) {
		pvi_free(t);
		return err;
	}
	atomic_init(&t->head.low, &pvi_table_no_node);
	atomic_init(&t->head.root, 0);
	t->caps = *caps;
	*ret = t;
	return 0;
}

static void free_list(struct pvi_table_node *n)
{
	while (n) {
		struct pvi_table_node *next = n->next;

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
	pvi_gate_done(&t->head.gate);
	pvi_free(t);
}

void pvi_table_recycle(struct pvi_table *t, struct pvi_table_node *n)
{
	if (t->nr_spare < MAX_SPARE) {
		n->next = t->spare;
		t->spare = n;
		t->nr_spare++;
	} else {
		pvi_free(n);
		t->bytes -= sizeof(*n);
	}
}

void pvi_table_synchronize(struct pvi_table *t)
{
	pvi_gate_synchronize(&t->head.gate);
	while (t->limbo) {
		struct pvi_table_node *n = t->limbo;

		t->limbo = n->next;
		pvi_table_recycle(t, n);
	}
}

/* Does @l carry on, at @page, a run whose next target page is @target? */
static bool carries_on(const struct leaf *l, uint64_t page, uint64_t target, unsigned int prot)
{
	return !(l->pte & PVI_PTE_START) && leaf_target(l->pte) + (page - l->first) == target &&
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

static const struct pvi_table_node *descend(const struct pvi_table_node *n, int level,
					    uint64_t page)
{
	if (page > node_last(0, level))
		return &pvi_table_no_node;
	for (; level; level--) {
		uint64_t pte = load_pte(n, node_index(page, level));

		if (!(pte & PVI_PTE_NODE))
			return &pvi_table_no_node;
		n = pvi_pte_node(pte);
	}
	return n;
}

const struct pvi_table_node *pvi_table_find_node(const struct pvi_table *t, uint64_t iova)
{
	uint64_t root = atomic_load_explicit(&t->head.root, memory_order_acquire);
	const struct pvi_table_node *n = root_node(root);
	uint64_t page = iova >> PVI_PAGE_SHIFT;

	if (unlikely(!n))
		return &pvi_table_no_node;
	return descend(n, root_level(root), page);
}

static inline const _Atomic uint64_t *find_entry(const struct pvi_table *t, uint64_t iova)
{
	const struct pvi_table_node *n;

	if (unlikely(!pvi_table_find_low(&t->head, iova, &n)))
		n = pvi_table_find_node(t, iova);
	return &n->pte[pvi_node_index(iova, 0)];
}

int pvi_table_translate(const struct pvi_table *t, uint64_t iova, uint64_t len, unsigned int prot,
			struct pvi_table_run *ret)
{
	if (likely(pvi_pte_translate(pvi_load_pte(find_entry(t, iova)), iova, len, prot, ret)))
		return 0;
	return translate_slowly(t, iova, len, prot, ret);
}

int pvi_table_lookup_slowly(struct pvi_table *t, uint64_t iova, uint64_t len, unsigned int prot,
			    struct pvi_table_run *ret)
{
	unsigned int cookie = pvi_table_enter(t);
	int err = pvi_table_translate(t, iova, len, prot, ret);

	pvi_table_leave(t, cookie);
	return err;
}

/* How many walks go on side by side, so that one waits while others fetch. */
#define VEC 32

static unsigned int translate_some(const struct pvi_table *t, const struct pvi_table_access *access,
				   unsigned int nr, unsigned int prot, struct pvi_table_run *ret,
				   int *ret_err)
{
	const _Atomic uint64_t *entry[VEC];

	for (unsigned int i = 0; i < nr; i++) {
		entry[i] = find_entry(t, access[i].iova);
		__builtin_prefetch((const void *)entry[i]);
	}
	for (unsigned int i = 0; i < nr; i++) {
		int err;

		if (likely(pvi_pte_translate(pvi_load_pte(entry[i]), access[i].iova, access[i].len,
					     prot, &ret[i])))
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
	*ret = (struct pvi_table_stats){
		.mappings = nr_mappings(t),
		.pages = t->pages_added - t->pages_removed,
		.table_bytes = t->bytes,
	};
}
