/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The domain table as its readers see it, and the short way to look up one address,
 * inline: a call would cost about as much as the lookup. Included by table.h, which says
 * what it does; what makes it safe stands in table_priv.h. Nobody else relies on any of it.
 */
#ifndef PVI_CORE_TABLE_READ_H
#define PVI_CORE_TABLE_READ_H

#include "core/gate.h"

#define PVI_NODE_SHIFT	 9
#define PVI_NODE_ENTRIES (1u << PVI_NODE_SHIFT)

/* An entry. A node's address has its low six bits clear, like a leaf's PVI_PTE_LEFT. */
#define PVI_PTE_PRESENT	     1ull
#define PVI_PTE_NODE	     2ull
#define PVI_PTE_PROT_SHIFT   2 /* PVI_READ, PVI_WRITE, PVI_MMIO */
#define PVI_PTE_PROT	     7ull
#define PVI_PTE_START	     (1ull << 5)
#define PVI_PTE_LEFT_SHIFT   6
#define PVI_PTE_LEFT_MAX     0xfffull
#define PVI_PTE_TARGET_SHIFT 18 /* a page number of up to 46 bits */

struct pvi_table_node {
	_Atomic uint64_t pte[PVI_NODE_ENTRIES];
	/* The writer's own: which entries are not empty; one cache line. */
	uint64_t used[PVI_NODE_ENTRIES / 64];
	struct pvi_table_node *next; /* in limbo, or spare */
};

/* What a table begins with. Read at every visit, seldom written: in a line of its own. */
struct pvi_table_head {
	struct pvi_gate gate;
	/* The node of level 2 for the lowest 512 GiB, or one that is empty; never NULL. */
	_Alignas(PVI_CACHE_LINE) _Atomic(const struct pvi_table_node *) low;
	_Atomic uint64_t root; /* address of the node, and its level; 0: nothing is mapped */
};

/* Subtracted rather than masked: that is free, being part of an access's offset. */
static inline struct pvi_table_node *pvi_pte_node(uint64_t pte)
{
	return (struct pvi_table_node *)(uintptr_t)(pte - (PVI_PTE_NODE | PVI_PTE_PRESENT));
}

static inline uint64_t pvi_load_pte(const _Atomic uint64_t *entry)
{
	return atomic_load_explicit(entry, memory_order_acquire);
}

static inline unsigned int pvi_node_index(uint64_t iova, unsigned int level)
{
	return (unsigned int)(iova >> (PVI_PAGE_SHIFT + level * PVI_NODE_SHIFT)) &
	       (PVI_NODE_ENTRIES - 1);
}

/* Is there a node of level 0 for @iova, below 512 GiB? */
static inline bool pvi_table_find_low(const struct pvi_table_head *h, uint64_t iova,
				      const struct pvi_table_node **ret)
{
	const struct pvi_table_node *n = atomic_load_explicit(&h->low, memory_order_acquire);
	uint64_t i = iova >> (PVI_PAGE_SHIFT + 2 * PVI_NODE_SHIFT), pte;

	if (unlikely(i >= PVI_NODE_ENTRIES))
		return false;
	pte = pvi_load_pte(&n->pte[i]);
	if (unlikely(!(pte & PVI_PTE_NODE)))
		return false;
	pte = pvi_load_pte(&pvi_pte_node(pte)->pte[pvi_node_index(iova, 1)]);
	*ret = pvi_pte_node(pte);
	return likely(pte & PVI_PTE_NODE);
}

/* By @pte of level 0, if it tells all that is asked, and has the rights. */
static inline bool pvi_pte_translate(uint64_t pte, uint64_t iova, uint64_t len, unsigned int prot,
				     struct pvi_table_run *ret)
{
	uint64_t want = PVI_PTE_PRESENT | (uint64_t)prot << PVI_PTE_PROT_SHIFT;
	uint64_t in_page = iova & PVI_PAGE_MASK;

	if (unlikely((pte & want) != want))
		return false;
	if (len > PVI_PAGE_SIZE - in_page) {
		uint64_t left = pte >> PVI_PTE_LEFT_SHIFT & PVI_PTE_LEFT_MAX;
		uint64_t run = (left << PVI_PAGE_SHIFT) - in_page;

		if (unlikely(len > run && left == PVI_PTE_LEFT_MAX))
			return false;
		len = len < run ? len : run;
	}
	ret->target = pte >> PVI_PTE_TARGET_SHIFT << PVI_PAGE_SHIFT | in_page;
	ret->len = len;
	return true;
}

/* From the root on. Where there is no node of level 0 for @iova, one that is empty. */
const struct pvi_table_node *pvi_table_find_node(const struct pvi_table *t, uint64_t iova);
int pvi_table_lookup_slowly(struct pvi_table *t, uint64_t iova, uint64_t len, unsigned int prot,
			    struct pvi_table_run *ret);

static inline int pvi_table_lookup(struct pvi_table *t, uint64_t iova, uint64_t len,
				   unsigned int prot, struct pvi_table_run *ret)
{
	struct pvi_table_head *h = (struct pvi_table_head *)t;
	struct pvi_gate_slot *s = pvi_gate_first_slot(&h->gate);
	struct pvi_table_run run; /* so that *@ret may stay in registers */
	int err;

	if (likely(pvi_gate_enter_quickly(&h->gate, s))) {
		const struct pvi_table_node *n;
		bool found;

		if (unlikely(!pvi_table_find_low(h, iova, &n)))
			n = pvi_table_find_node(t, iova);
		found = pvi_pte_translate(pvi_load_pte(&n->pte[pvi_node_index(iova, 0)]), iova, len,
					  prot, ret);
		pvi_gate_leave_quickly(&h->gate, s);
		if (likely(found))
			return 0;
	}
	err = pvi_table_lookup_slowly(t, iova, len, prot, &run);
	if (!err)
		*ret = run;
	return err;
}

#endif
