/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Inside the domain table: the radix that its reader (table_read.h, table.c), its
 * writer (table_edit.c) and its walker (table_walk.c) share. Nobody else includes this.
 *
 * A node has 512 entries; the entry of a node at level k covers 2^(9k) pages.
 * An entry is empty, leads to a node one level below, or is a leaf. A leaf may
 * stand at any level: it holds the target page of its first page, so the target
 * needs no alignment. The root's level grows with the highest page mapped.
 *
 * A mapping is a run of leaves. The first carries PVI_PTE_START, and every leaf
 * knows how many pages of its mapping are left from its first page on, up to
 * PVI_PTE_LEFT_MAX, which stands for that many or more.
 *
 * What a reader may rely on, and why.
 *
 *  1. Entries are 64-bit atomics: a reader sees an old or a new entry, never a
 *     mixture; target, rights and length of a leaf come together.
 *  2. The writer fills a node before it stores the entry that leads there
 *     (release), and the reader loads that entry with acquire: it never sees a
 *     node that is not filled. root works the same; its level travels with the
 *     pointer. So does low, a short cut to a node of the tree, or to one that
 *     is empty for ever.
 *  3. A node that the writer has taken out of the tree, and out of low, goes to
 *     limbo. Only synchronize() takes it from there, after the gate has let out all
 *     who could have found it: a node in a reader's hands is not reused.
 *  4. An entry is cleared before synchronize() is called; by the argument in
 *     gate.c, a reader who enters after synchronize() has begun to look at its
 *     counter sees the entry cleared, and one who entered before has left when
 *     synchronize() returns. Hence after it nobody uses the old translation.
 *  5. A reader that needs several leaves for one range loads them one by one,
 *     while the writer may replace some. It goes on only into a leaf that leads
 *     to the very next target page with the rights asked for. So each page of
 *     the run it returns was mapped to that target at some time between enter
 *     and leave, which is all that is promised before synchronize().
 */
#ifndef PVI_CORE_TABLE_PRIV_H
#define PVI_CORE_TABLE_PRIV_H

#include "core/gate.h"
#include "core/table.h"

#define TOP_LEVEL	  5 /* 6 * 9 bits >= the 52 bits of a page number */
#define LOW_LEVEL	  2
#define NODE_BITMAP_WORDS (PVI_NODE_ENTRIES / 64)
#define LAST_PAGE	  (UINT64_MAX >> PVI_PAGE_SHIFT)
#define ROOT_LEVEL	  7ull

PVI_STATIC_ASSERT(sizeof(struct pvi_table_node) <= 9 * PVI_NODE_ENTRIES,
		  "at most 9 bytes a mapping when dense");

/* An empty node needs no clearing, so a few are kept for the next map. */
#define MAX_SPARE 16

struct pvi_table {
	struct pvi_table_head head; /* first: table_read.h */
	/* All below is the writer's. */
	_Alignas(PVI_CACHE_LINE) struct pvi_table_caps caps;
	/*
	 * What was ever added and removed, rather than what is there: a map and the unmap
	 * after it need not wait for each other's sum.
	 */
	uint64_t mappings_added, mappings_removed;
	uint64_t pages_added, pages_removed;
	uint64_t bytes;		      /* of nodes */
	struct pvi_table_node *limbo; /* out of the tree, maybe still read */
	struct pvi_table_node *spare; /* free and all empty */
	unsigned int nr_spare;
};

PVI_STATIC_ASSERT(offsetof(struct pvi_table, head) == 0, "table_read.h relies on it");

/* A leaf as found: it covers pages [first, first + pages). */
struct leaf {
	uint64_t pte;
	uint64_t first;
	uint64_t pages;
};

static inline uint64_t level_pages(int level)
{
	return 1ull << (PVI_NODE_SHIFT * level);
}

/* The last page that a node at @level reaches when its first is @first. */
static inline uint64_t node_last(uint64_t first, int level)
{
	return level == TOP_LEVEL ? LAST_PAGE : first + level_pages(level + 1) - 1;
}

static inline unsigned int node_index(uint64_t page, int level)
{
	return (unsigned int)(page >> (PVI_NODE_SHIFT * level)) & (PVI_NODE_ENTRIES - 1);
}

static inline struct pvi_table_node *root_node(uint64_t root)
{
	return (struct pvi_table_node *)(uintptr_t)(root & ~63ull);
}

static inline int root_level(uint64_t root)
{
	return (int)(root & ROOT_LEVEL);
}

static inline uint64_t load_pte(const struct pvi_table_node *n, unsigned int i)
{
	return pvi_load_pte(&n->pte[i]);
}

static inline uint64_t leaf_left(uint64_t pte)
{
	return pte >> PVI_PTE_LEFT_SHIFT & PVI_PTE_LEFT_MAX;
}

static inline uint64_t leaf_target(uint64_t pte)
{
	return pte >> PVI_PTE_TARGET_SHIFT;
}

static inline unsigned int leaf_prot(uint64_t pte)
{
	return (unsigned int)(pte >> PVI_PTE_PROT_SHIFT & PVI_PTE_PROT);
}

/* Writer. */
static inline uint64_t nr_mappings(const struct pvi_table *t)
{
	return t->mappings_added - t->mappings_removed;
}

/* Writer. */
static inline bool is_empty(const struct pvi_table_node *n)
{
	uint64_t any = 0;

	for (unsigned int i = 0; i < NODE_BITMAP_WORDS; i++)
		any |= n->used[i];
	return !any;
}

/* Writer. The first index at @i or behind that is in use; PVI_NODE_ENTRIES: none. */
static inline unsigned int next_used(const struct pvi_table_node *n, unsigned int i)
{
	while (i < PVI_NODE_ENTRIES) {
		uint64_t word = n->used[i / 64] >> (i % 64);

		if (word)
			return i + (unsigned int)__builtin_ctzll(word);
		i = (i / 64 + 1) * 64;
	}
	return PVI_NODE_ENTRIES;
}

/* The leaf that covers @page. Reader or writer. */
static inline bool find_leaf(const struct pvi_table *t, uint64_t page, struct leaf *ret)
{
	uint64_t root = atomic_load_explicit(&t->head.root, memory_order_acquire);
	int level = root_level(root);
	const struct pvi_table_node *n = root_node(root);

	if (!n || page > node_last(0, level))
		return false;
	for (;; level--) {
		uint64_t pte = load_pte(n, node_index(page, level));

		if (!(pte & PVI_PTE_PRESENT))
			return false;
		if (!(pte & PVI_PTE_NODE)) {
			ret->pte = pte;
			ret->pages = level_pages(level);
			ret->first = page & ~(ret->pages - 1);
			return true;
		}
		n = pvi_pte_node(pte);
	}
}

/*
 * Pages from @page on that @l alone shows to be in its mapping; at least 1.
 * *@ret_more: the mapping may go on behind them.
 */
static inline uint64_t leaf_run(const struct leaf *l, uint64_t page, bool *ret_more)
{
	uint64_t left = leaf_left(l->pte);

	*ret_more = left == PVI_PTE_LEFT_MAX;
	if (*ret_more && left < l->pages)
		left = l->pages;
	return left - (page - l->first);
}

/* The low node of a table that has none: it leads nowhere. */
extern const struct pvi_table_node pvi_table_no_node;

/* Gives back a node that no reader can find: empty, kept as a spare or freed. */
void pvi_table_recycle(struct pvi_table *t, struct pvi_table_node *n);

/* The first leaf that ends at @page or behind, for the writer. */
bool pvi_table_next_leaf(const struct pvi_table *t, uint64_t page, struct leaf *ret);

/* The last page of the mapping that @l belongs to, for the writer. */
uint64_t pvi_table_mapping_end(const struct pvi_table *t, const struct leaf *l);

#endif
