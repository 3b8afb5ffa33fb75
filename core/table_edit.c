// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The domain table: its writer. Memory ordering: table_priv.h. */
#include "core/table_priv.h"

#define TARGET_LIMIT (1ull << 52)

static void set_pte(struct node *n, unsigned int i, uint64_t pte)
{
	n->used[i / 64] |= 1ull << (i % 64);
	atomic_store_explicit(&n->pte[i], pte, memory_order_release);
}

static void clear_pte(struct node *n, unsigned int i)
{
	n->used[i / 64] &= ~(1ull << (i % 64));
	atomic_store_explicit(&n->pte[i], 0, memory_order_release);
}

static void retire(struct pvi_table *t, struct node *n)
{
	n->next = t->limbo;
	t->limbo = n;
}

static struct node *take_node(struct pvi_table *t)
{
	bool full = t->stats.table_bytes > t->caps.max_table_bytes ||
		    t->caps.max_table_bytes - t->stats.table_bytes < sizeof(struct node);
	struct node *n;

	if (!t->spare && full && t->limbo)
		pvi_table_synchronize(t);
	n = t->spare;
	if (n) {
		t->spare = n->next;
		t->nr_spare--;
	} else if (full) {
		return NULL;
	} else {
		n = pvi_zalloc(sizeof(*n));
		if (!n)
			return NULL;
		t->stats.table_bytes += sizeof(*n);
	}
	n->next = NULL;
	return n;
}

/* Takes @count nodes before anything is changed, so that nothing need be undone. */
static int reserve_nodes(struct pvi_table *t, unsigned int count, struct node **ret)
{
	struct node *list = NULL;

	while (count--) {
		struct node *n = take_node(t);

		if (!n) {
			while (list) {
				n = list;
				list = n->next;
				pvi_table_recycle(t, n);
			}
			return -ENOMEM;
		}
		n->next = list;
		list = n;
	}
	*ret = list;
	return 0;
}

/* A mapping being made, in pages. */
struct filling {
	uint64_t first;
	uint64_t last;
	uint64_t target;
	unsigned int prot;
	struct node *reserve;
};

static bool fills(const struct filling *f, uint64_t at, int level)
{
	return f->first <= at && at + level_pages(level) - 1 <= f->last;
}

/*
 * How many nodes are missing below @n (NULL: not there yet) at @level, whose
 * first page is @at. Only the two edges of the mapping need nodes below: what it
 * fills is empty now and becomes a leaf.
 */
static unsigned int nodes_missing(const struct filling *f, const struct node *n, int level,
				  uint64_t at)
{
	uint64_t from = f->first > at ? f->first : at;
	uint64_t to = f->last < node_last(at, level) ? f->last : node_last(at, level);
	unsigned int edge[2] = {node_index(from, level), node_index(to, level)};
	unsigned int count = 0;

	for (int e = 0; e < (edge[0] == edge[1] ? 1 : 2); e++) {
		uint64_t below = at + edge[e] * level_pages(level);
		uint64_t pte = n ? load_pte(n, edge[e]) : 0;
		const struct node *child = pte ? pte_node(pte) : NULL;

		if (fills(f, below, level))
			continue;
		count += (child ? 0 : 1) + nodes_missing(f, child, level - 1, below);
	}
	return count;
}

static uint64_t make_leaf(const struct filling *f, uint64_t page)
{
	uint64_t left = f->last - page + 1;

	if (left > PTE_LEFT_MAX)
		left = PTE_LEFT_MAX;
	return PTE_PRESENT | (uint64_t)f->prot << PTE_PROT_SHIFT |
	       (page == f->first ? PTE_START : 0) | left << PTE_LEFT_SHIFT |
	       (f->target + (page - f->first)) << PTE_TARGET_SHIFT;
}

/* Enters the part of the mapping that lies below @n. Cannot fail. */
static void fill(struct filling *f, struct node *n, int level, uint64_t at)
{
	uint64_t from = f->first > at ? f->first : at;
	uint64_t to = f->last < node_last(at, level) ? f->last : node_last(at, level);
	unsigned int last = node_index(to, level);

	for (unsigned int i = node_index(from, level); i <= last; i++) {
		uint64_t below = at + i * level_pages(level);
		uint64_t pte = load_pte(n, i);
		struct node *child;

		if (fills(f, below, level)) {
			set_pte(n, i, make_leaf(f, below));
		} else if (pte) {
			fill(f, pte_node(pte), level - 1, below);
		} else {
			child = f->reserve;
			f->reserve = child->next;
			fill(f, child, level - 1, below);
			set_pte(n, i, (uintptr_t)child | PTE_NODE | PTE_PRESENT);
		}
	}
}

static int level_for(uint64_t last)
{
	int level = 0;

	while (node_last(0, level) < last)
		level++;
	return level;
}

static void store_root(struct pvi_table *t, struct node *n, int level)
{
	atomic_store_explicit(&t->root, (uintptr_t)n | (uint64_t)level, memory_order_release);
}

/*
 * Puts new roots above the old one until page @last is within reach. The old
 * root is not empty, so neither are they; translations stay as they are.
 */
static int grow(struct pvi_table *t, uint64_t last)
{
	uint64_t root = atomic_load_explicit(&t->root, memory_order_relaxed);
	struct node *n = root_node(root), *reserve;
	int level = root_level(root), want = level_for(last), err;

	if (!n || want <= level)
		return 0;
	err = reserve_nodes(t, (unsigned int)(want - level), &reserve);
	if (err)
		return err;
	while (level < want) {
		struct node *up = reserve;

		reserve = up->next;
		set_pte(up, 0, (uintptr_t)n | PTE_NODE | PTE_PRESENT);
		n = up;
		level++;
	}
	store_root(t, n, level);
	return 0;
}

static int enter_mapping(struct pvi_table *t, struct filling *f)
{
	uint64_t root;
	struct node *n;
	int level, err;

	err = grow(t, f->last);
	if (err)
		return err;
	root = atomic_load_explicit(&t->root, memory_order_relaxed);
	n = root_node(root);
	level = n ? root_level(root) : level_for(f->last);
	err = reserve_nodes(t, (n ? 0 : 1) + nodes_missing(f, n, level, 0), &f->reserve);
	if (err)
		return err;
	if (n) {
		fill(f, n, level, 0);
	} else {
		n = f->reserve;
		f->reserve = n->next;
		fill(f, n, level, 0);
		store_root(t, n, level);
	}
	return 0;
}

/*
 * The node of level 0 in which both @first and @last are; NULL if there is none.
 * What most requests name lies within one that exists: no other node is touched.
 */
static struct node *common_node(const struct pvi_table *t, uint64_t first, uint64_t last)
{
	uint64_t root = atomic_load_explicit(&t->root, memory_order_relaxed);
	struct node *n = root_node(root);

	if (!n || (first ^ last) >> NODE_SHIFT || last > node_last(0, root_level(root)))
		return NULL;
	for (int level = root_level(root); level; level--) {
		uint64_t pte = load_pte(n, node_index(first, level));

		if (!(pte & PTE_NODE))
			return NULL;
		n = pte_node(pte);
	}
	return n;
}

static void count_mapping(struct pvi_table *t, const struct filling *f)
{
	t->stats.mappings++;
	t->stats.pages += f->last - f->first + 1;
}

int pvi_table_map(struct pvi_table *t, struct pvi_range iova, uint64_t target, unsigned int prot)
{
	struct filling f = {
		.first = iova.first >> PVI_PAGE_SHIFT,
		.last = iova.last >> PVI_PAGE_SHIFT,
		.target = target >> PVI_PAGE_SHIFT,
		.prot = prot,
	};
	struct node *n;
	struct leaf l;
	int err;

	if (!pvi_range_valid(iova) || (iova.first & PVI_PAGE_MASK) || (target & PVI_PAGE_MASK) ||
	    (iova.last & PVI_PAGE_MASK) != PVI_PAGE_MASK || prot > PTE_PROT)
		return -EINVAL;
	if (target >= TARGET_LIMIT || iova.last - iova.first > TARGET_LIMIT - 1 - target)
		return -EINVAL;
	n = common_node(t, f.first, f.last);
	if (n ? next_used(n, node_index(f.first, 0)) <= node_index(f.last, 0)
	      : pvi_table_next_leaf(t, f.first, &l) && l.first <= f.last)
		return -EEXIST;
	if (t->stats.mappings >= t->caps.max_mappings)
		return -ENOMEM;
	if (n) {
		for (uint64_t page = f.first; page <= f.last; page++)
			set_pte(n, node_index(page, 0), make_leaf(&f, page));
	} else {
		err = enter_mapping(t, &f);
		if (err)
			return err;
	}
	count_mapping(t, &f);
	return 0;
}

/* Clears the leaves below @n in [first, last], which no leaf straddles. */
static uint64_t clear_below(struct pvi_table *t, struct node *n, int level, uint64_t at,
			    uint64_t first, uint64_t last)
{
	unsigned int i = first > at ? node_index(first, level) : 0;
	unsigned int end = last < node_last(at, level) ? node_index(last, level) : NODE_ENTRIES - 1;
	uint64_t removed = 0;

	for (i = next_used(n, i); i <= end; i = next_used(n, i + 1)) {
		uint64_t pte = load_pte(n, i);

		if (pte & PTE_NODE) {
			struct node *child = pte_node(pte);

			removed += clear_below(t, child, level - 1, at + i * level_pages(level),
					       first, last);
			if (!is_empty(child))
				continue;
			clear_pte(n, i);
			retire(t, child);
		} else {
			clear_pte(n, i);
			t->stats.pages -= level_pages(level);
			removed += !!(pte & PTE_START);
		}
	}
	return removed;
}

static uint64_t clear_pages(struct pvi_table *t, uint64_t first, uint64_t last)
{
	uint64_t root = atomic_load_explicit(&t->root, memory_order_relaxed);
	struct node *n = root_node(root);
	uint64_t removed;

	if (!n || first > node_last(0, root_level(root)))
		return 0;
	removed = clear_below(t, n, root_level(root), 0, first, last);
	if (is_empty(n)) {
		atomic_store_explicit(&t->root, 0, memory_order_release);
		retire(t, n);
	}
	t->stats.mappings -= removed;
	return removed;
}

/* Would a cut before @page leave every mapping whole? */
static bool is_border(const struct pvi_table *t, uint64_t page)
{
	struct leaf l;

	return !find_leaf(t, page, &l) || (l.first == page && (l.pte & PTE_START));
}

/* Removes the mapping of exactly these pages, if there is one: what most UNMAPs want. */
static bool unmap_exactly(struct pvi_table *t, uint64_t first, uint64_t last)
{
	struct node *n = common_node(t, first, last);
	uint64_t pages = last - first + 1, pte;

	if (!n)
		return false;
	/* A mapping of less than a node's pages knows how long it is. */
	pte = load_pte(n, node_index(first, 0));
	if (!(pte & PTE_START) || leaf_left(pte) != pages)
		return false;
	for (uint64_t page = first; page <= last; page++)
		clear_pte(n, node_index(page, 0));
	if (is_empty(n))
		(void)clear_pages(t, first, last);
	t->stats.mappings--;
	t->stats.pages -= pages;
	return true;
}

int pvi_table_unmap(struct pvi_table *t, struct pvi_range iova, uint64_t *ret_removed)
{
	uint64_t first = iova.first >> PVI_PAGE_SHIFT, last = iova.last >> PVI_PAGE_SHIFT;
	bool cut_first = iova.first & PVI_PAGE_MASK;
	bool cut_last = (iova.last & PVI_PAGE_MASK) != PVI_PAGE_MASK;
	uint64_t removed = 0;
	struct leaf l;

	if (!pvi_range_valid(iova))
		return -EINVAL;
	/* A page that is only partly in the range belongs to no mapping within it. */
	if (cut_first && find_leaf(t, first, &l))
		return -ERANGE;
	if (cut_last && find_leaf(t, last, &l))
		return -ERANGE;
	if (!cut_first && !cut_last && unmap_exactly(t, first, last)) {
		if (ret_removed)
			*ret_removed = 1;
		return 0;
	}
	/* Nothing is ever found behind the last page. */
	if (!is_border(t, first) || !is_border(t, last + 1))
		return -ERANGE;
	removed = clear_pages(t, first, last);
	if (ret_removed)
		*ret_removed = removed;
	return 0;
}

void pvi_table_clear(struct pvi_table *t)
{
	(void)clear_pages(t, 0, LAST_PAGE);
}
