// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The domain table: its writer. Memory ordering: table_priv.h. */
#include "core/table_priv.h"

#define TARGET_LIMIT (1ull << 52)

static void set_pte(struct pvi_table_node *n, unsigned int i, uint64_t pte)
{
	n->used[i / 64] |= 1ull << (i % 64);
	atomic_store_explicit(&n->pte[i], pte, memory_order_release);
}

static void clear_pte(struct pvi_table_node *n, unsigned int i)
{
	n->used[i / 64] &= ~(1ull << (i % 64));
	atomic_store_explicit(&n->pte[i], 0, memory_order_release);
}

static void set_low(struct pvi_table *t, const struct pvi_table_node *n)
{
	atomic_store_explicit(&t->head.low, n, memory_order_release);
}

/* @n is empty and out of the tree. */
static void retire(struct pvi_table *t, struct pvi_table_node *n)
{
	if (atomic_load_explicit(&t->head.low, memory_order_relaxed) == n)
		set_low(t, &pvi_table_no_node);
	n->next = t->limbo;
	t->limbo = n;
}

static struct pvi_table_node *take_node(struct pvi_table *t)
{
	bool full = t->bytes > t->caps.max_table_bytes ||
		    t->caps.max_table_bytes - t->bytes < sizeof(struct pvi_table_node);
	struct pvi_table_node *n;

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
		t->bytes += sizeof(*n);
	}
	n->next = NULL;
	return n;
}

/* Takes @count nodes before anything is changed, so that nothing need be undone. */
static int reserve_nodes(struct pvi_table *t, unsigned int count, struct pvi_table_node **ret)
{
	struct pvi_table_node *list = NULL;

	while (count--) {
		struct pvi_table_node *n = take_node(t);

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
	struct pvi_table_node *reserve;
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
static unsigned int nodes_missing(const struct filling *f, const struct pvi_table_node *n,
				  int level, uint64_t at)
{
	uint64_t from = f->first > at ? f->first : at;
	uint64_t to = f->last < node_last(at, level) ? f->last : node_last(at, level);
	unsigned int edge[2] = {node_index(from, level), node_index(to, level)};
	unsigned int count = 0;

	for (int e = 0; e < (edge[0] == edge[1] ? 1 : 2); e++) {
		uint64_t below = at + edge[e] * level_pages(level);
		uint64_t pte = n ? load_pte(n, edge[e]) : 0;
		const struct pvi_table_node *child = pte ? pvi_pte_node(pte) : NULL;

		if (fills(f, below, level))
			continue;
		count += (child ? 0 : 1) + nodes_missing(f, child, level - 1, below);
	}
	return count;
}

static uint64_t make_leaf(const struct filling *f, uint64_t page)
{
	uint64_t left = f->last - page + 1;

	if (left > PVI_PTE_LEFT_MAX)
		left = PVI_PTE_LEFT_MAX;
	return PVI_PTE_PRESENT | (uint64_t)f->prot << PVI_PTE_PROT_SHIFT |
	       (page == f->first ? PVI_PTE_START : 0) | left << PVI_PTE_LEFT_SHIFT |
	       (f->target + (page - f->first)) << PVI_PTE_TARGET_SHIFT;
}

/* Enters the part of the mapping that lies below @n. Cannot fail. */
static void fill(struct filling *f, struct pvi_table_node *n, int level, uint64_t at)
{
	uint64_t from = f->first > at ? f->first : at;
	uint64_t to = f->last < node_last(at, level) ? f->last : node_last(at, level);
	unsigned int last = node_index(to, level);

	for (unsigned int i = node_index(from, level); i <= last; i++) {
		uint64_t below = at + i * level_pages(level);
		uint64_t pte = load_pte(n, i);
		struct pvi_table_node *child;

		if (fills(f, below, level)) {
			set_pte(n, i, make_leaf(f, below));
		} else if (pte) {
			fill(f, pvi_pte_node(pte), level - 1, below);
		} else {
			child = f->reserve;
			f->reserve = child->next;
			fill(f, child, level - 1, below);
			set_pte(n, i, (uintptr_t)child | PVI_PTE_NODE | PVI_PTE_PRESENT);
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

static void store_root(struct pvi_table *t, struct pvi_table_node *n, int level)
{
	atomic_store_explicit(&t->head.root, (uintptr_t)n | (uint64_t)level, memory_order_release);
}

/*
 * Puts new roots above the old one until page @last is within reach. The old
 * root is not empty, so neither are they; translations stay as they are.
 */
static int grow(struct pvi_table *t, uint64_t last)
{
	uint64_t root = atomic_load_explicit(&t->head.root, memory_order_relaxed);
	struct pvi_table_node *n = root_node(root), *reserve;
	int level = root_level(root), want = level_for(last), err;

	if (!n || want <= level)
		return 0;
	err = reserve_nodes(t, (unsigned int)(want - level), &reserve);
	if (err)
		return err;
	while (level < want) {
		struct pvi_table_node *up = reserve;

		reserve = up->next;
		set_pte(up, 0, (uintptr_t)n | PVI_PTE_NODE | PVI_PTE_PRESENT);
		n = up;
		level++;
	}
	store_root(t, n, level);
	return 0;
}

/* Nodes have come: is a low one among them? */
static void update_low(struct pvi_table *t)
{
	uint64_t root = atomic_load_explicit(&t->head.root, memory_order_relaxed);
	const struct pvi_table_node *n = root_node(root);
	int level = root_level(root);

	for (; level > LOW_LEVEL; level--) {
		uint64_t pte = load_pte(n, 0);

		if (!(pte & PVI_PTE_NODE))
			return;
		n = pvi_pte_node(pte);
	}
	if (level == LOW_LEVEL && atomic_load_explicit(&t->head.low, memory_order_relaxed) != n)
		set_low(t, n);
}

static int enter_mapping(struct pvi_table *t, struct filling *f)
{
	uint64_t root;
	struct pvi_table_node *n;
	int level, err;

	err = grow(t, f->last);
	if (err)
		return err;
	root = atomic_load_explicit(&t->head.root, memory_order_relaxed);
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
	update_low(t);
	return 0;
}

/* The tree is the writer's to change. */
static inline struct pvi_table_node *own(const struct pvi_table_node *n)
{
	return (struct pvi_table_node *)n;
}

/*
 * The node of level 0 in which both @first and @last are; NULL if there is none.
 * What most requests name lies within one that exists: no other node is touched.
 */
static inline struct pvi_table_node *common_node(const struct pvi_table *t, uint64_t first,
						 uint64_t last)
{
	uint64_t iova = first << PVI_PAGE_SHIFT;
	const struct pvi_table_node *n;

	if (unlikely((first ^ last) >> PVI_NODE_SHIFT))
		return NULL;
	if (unlikely(!pvi_table_find_low(&t->head, iova, &n))) {
		n = pvi_table_find_node(t, iova);
		if (n == &pvi_table_no_node)
			return NULL;
	}
	return own(n);
}

/* One page, in a node that exists: what most requests want. */
static inline int map_page(struct pvi_table *t, struct pvi_table_node *n, uint64_t page,
			   uint64_t target, unsigned int prot)
{
	unsigned int i = node_index(page, 0);

	/* By the bitmap: one may wait for an entry, but need not to write it. */
	if (unlikely(n->used[i / 64] >> (i % 64) & 1))
		return -EEXIST;
	if (unlikely(nr_mappings(t) >= t->caps.max_mappings))
		return -ENOMEM;
	set_pte(n, i,
		PVI_PTE_PRESENT | (uint64_t)prot << PVI_PTE_PROT_SHIFT | PVI_PTE_START |
			1ull << PVI_PTE_LEFT_SHIFT | target << PVI_PTE_TARGET_SHIFT);
	t->mappings_added++;
	t->pages_added++;
	return 0;
}

static __attribute__((noinline)) int map_pages(struct pvi_table *t, struct pvi_range iova,
					       uint64_t target, unsigned int prot)
{
	struct filling f = {
		.first = iova.first >> PVI_PAGE_SHIFT,
		.last = iova.last >> PVI_PAGE_SHIFT,
		.target = target >> PVI_PAGE_SHIFT,
		.prot = prot,
	};
	struct pvi_table_node *n = common_node(t, f.first, f.last);
	struct leaf l;
	int err;

	if (n && f.first == f.last)
		return map_page(t, n, f.first, f.target, prot);
	if (n ? next_used(n, node_index(f.first, 0)) <= node_index(f.last, 0)
	      : pvi_table_next_leaf(t, f.first, &l) && l.first <= f.last)
		return -EEXIST;
	if (nr_mappings(t) >= t->caps.max_mappings)
		return -ENOMEM;
	if (n) {
		for (uint64_t page = f.first; page <= f.last; page++)
			set_pte(n, node_index(page, 0), make_leaf(&f, page));
	} else {
		err = enter_mapping(t, &f);
		if (err)
			return err;
	}
	t->mappings_added++;
	t->pages_added += f.last - f.first + 1;
	return 0;
}

int pvi_table_map(struct pvi_table *t, struct pvi_range iova, uint64_t target, unsigned int prot)
{
	const struct pvi_table_node *n;

	if (unlikely(!pvi_range_valid(iova) ||
		     ((iova.first | target | (iova.last + 1)) & PVI_PAGE_MASK) ||
		     prot > PVI_PTE_PROT))
		return -EINVAL;
	if (unlikely(target >= TARGET_LIMIT || iova.last - iova.first > TARGET_LIMIT - 1 - target))
		return -EINVAL;
	if (iova.last - iova.first < PVI_PAGE_SIZE &&
	    likely(pvi_table_find_low(&t->head, iova.first, &n)))
		return map_page(t, own(n), iova.first >> PVI_PAGE_SHIFT, target >> PVI_PAGE_SHIFT,
				prot);
	return map_pages(t, iova, target, prot);
}

/* Clears the leaves below @n in [first, last], which no leaf straddles. */
static uint64_t clear_below(struct pvi_table *t, struct pvi_table_node *n, int level, uint64_t at,
			    uint64_t first, uint64_t last)
{
	unsigned int i = first > at ? node_index(first, level) : 0;
	unsigned int end =
		last < node_last(at, level) ? node_index(last, level) : PVI_NODE_ENTRIES - 1;
	uint64_t removed = 0;

	for (i = next_used(n, i); i <= end; i = next_used(n, i + 1)) {
		uint64_t pte = load_pte(n, i);

		if (pte & PVI_PTE_NODE) {
			struct pvi_table_node *child = pvi_pte_node(pte);

			removed += clear_below(t, child, level - 1, at + i * level_pages(level),
					       first, last);
			if (!is_empty(child))
				continue;
			clear_pte(n, i);
			retire(t, child);
		} else {
			clear_pte(n, i);
			t->pages_removed += level_pages(level);
			removed += !!(pte & PVI_PTE_START);
		}
	}
	return removed;
}

static uint64_t clear_pages(struct pvi_table *t, uint64_t first, uint64_t last)
{
	uint64_t root = atomic_load_explicit(&t->head.root, memory_order_relaxed);
	struct pvi_table_node *n = root_node(root);
	uint64_t removed;

	if (!n || first > node_last(0, root_level(root)))
		return 0;
	removed = clear_below(t, n, root_level(root), 0, first, last);
	if (is_empty(n)) {
		atomic_store_explicit(&t->head.root, 0, memory_order_release);
		retire(t, n);
	}
	t->mappings_removed += removed;
	return removed;
}

/* Would a cut before @page leave every mapping whole? */
static bool is_border(const struct pvi_table *t, uint64_t page)
{
	struct leaf l;

	return !find_leaf(t, page, &l) || (l.first == page && (l.pte & PVI_PTE_START));
}

/* The first entries of the mapping of exactly @pages from @page on in @n, of level 0. */
static inline bool is_whole(const struct pvi_table_node *n, uint64_t page, uint64_t pages)
{
	/* A mapping of less than a node's pages knows how long it is. */
	const uint64_t mask = PVI_PTE_START | PVI_PTE_LEFT_MAX << PVI_PTE_LEFT_SHIFT;

	return (load_pte(n, node_index(page, 0)) & mask) ==
	       (PVI_PTE_START | pages << PVI_PTE_LEFT_SHIFT);
}

/* Removes the mapping of exactly these pages, if there is one: what most UNMAPs want. */
static inline bool unmap_exactly(struct pvi_table *t, struct pvi_table_node *n, uint64_t first,
				 uint64_t last)
{
	if (unlikely(!is_whole(n, first, last - first + 1)))
		return false;
	for (uint64_t page = first; page <= last; page++)
		clear_pte(n, node_index(page, 0));
	/* One of its words tells that most nodes are not empty. */
	if (unlikely(!n->used[node_index(first, 0) / 64]) && is_empty(n))
		(void)clear_pages(t, first, last);
	t->mappings_removed++;
	t->pages_removed += last - first + 1;
	return true;
}

static __attribute__((noinline)) int unmap_pages(struct pvi_table *t, struct pvi_range iova,
						 uint64_t *ret_removed)
{
	uint64_t first = iova.first >> PVI_PAGE_SHIFT, last = iova.last >> PVI_PAGE_SHIFT;
	bool cut_first = iova.first & PVI_PAGE_MASK;
	bool cut_last = (iova.last & PVI_PAGE_MASK) != PVI_PAGE_MASK;
	struct pvi_table_node *n;
	uint64_t removed = 1;
	struct leaf l;

	/* A page that is only partly in the range belongs to no mapping within it. */
	if (cut_first && find_leaf(t, first, &l))
		return -ERANGE;
	if (cut_last && find_leaf(t, last, &l))
		return -ERANGE;
	n = cut_first || cut_last ? NULL : common_node(t, first, last);
	if (!n || !unmap_exactly(t, n, first, last)) {
		/* Nothing is ever found behind the last page. */
		if (!is_border(t, first) || !is_border(t, last + 1))
			return -ERANGE;
		removed = clear_pages(t, first, last);
	}
	if (ret_removed)
		*ret_removed = removed;
	return 0;
}

int pvi_table_unmap(struct pvi_table *t, struct pvi_range iova, uint64_t *ret_removed)
{
	uint64_t page = iova.first >> PVI_PAGE_SHIFT;
	const struct pvi_table_node *n;

	if (unlikely(!pvi_range_valid(iova)))
		return -EINVAL;
	if (iova.last - iova.first == PVI_PAGE_SIZE - 1 && !(iova.first & PVI_PAGE_MASK) &&
	    likely(pvi_table_find_low(&t->head, iova.first, &n)) &&
	    likely(unmap_exactly(t, own(n), page, page))) {
		if (ret_removed)
			*ret_removed = 1;
		return 0;
	}
	return unmap_pages(t, iova, ret_removed);
}

void pvi_table_clear(struct pvi_table *t)
{
	(void)clear_pages(t, 0, LAST_PAGE);
}
