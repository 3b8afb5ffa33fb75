// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The domain table: finding whole mappings, on the writer's side. */
#include "core/table_priv.h"

static bool next_leaf_in(const struct pvi_table_node *n, int level, uint64_t first, uint64_t page,
			 struct leaf *ret)
{
	unsigned int i = page > first ? node_index(page, level) : 0;

	for (i = next_used(n, i); i < PVI_NODE_ENTRIES; i = next_used(n, i + 1)) {
		uint64_t pte = load_pte(n, i);
		uint64_t at = first + i * level_pages(level);

		if (!(pte & PVI_PTE_NODE)) {
			*ret = (struct leaf){.pte = pte, .first = at, .pages = level_pages(level)};
			return true;
		}
		if (next_leaf_in(pvi_pte_node(pte), level - 1, at, page, ret))
			return true;
	}
	return false;
}

bool pvi_table_next_leaf(const struct pvi_table *t, uint64_t page, struct leaf *ret)
{
	uint64_t root = atomic_load_explicit(&t->head.root, memory_order_relaxed);
	int level = root_level(root);

	if (!root || page > node_last(0, level))
		return false;
	return next_leaf_in(root_node(root), level, 0, page, ret);
}

uint64_t pvi_table_mapping_end(const struct pvi_table *t, const struct leaf *l)
{
	struct leaf next = *l;
	uint64_t page = l->first;
	bool more;

	do {
		page += leaf_run(&next, page, &more);
	} while (more && find_leaf(t, page, &next) && !(next.pte & PVI_PTE_START));
	return page - 1;
}

/* The first leaf of the mapping that @l belongs to. */
static void mapping_start(const struct pvi_table *t, struct leaf *l)
{
	while (!(l->pte & PVI_PTE_START))
		(void)find_leaf(t, l->first - 1, l);
}

int pvi_table_walk(const struct pvi_table *t, struct pvi_range iova,
		   int (*fn)(void *ctx, struct pvi_range iova, uint64_t target, unsigned int prot),
		   void *ctx)
{
	uint64_t page = iova.first >> PVI_PAGE_SHIFT;
	uint64_t last = iova.last >> PVI_PAGE_SHIFT;
	struct leaf l;

	while (pvi_table_next_leaf(t, page, &l) && l.first <= last) {
		struct pvi_range r;
		uint64_t end;
		int err;

		mapping_start(t, &l);
		end = pvi_table_mapping_end(t, &l);
		r.first = l.first << PVI_PAGE_SHIFT;
		r.last = end << PVI_PAGE_SHIFT | PVI_PAGE_MASK;
		err = fn(ctx, r, leaf_target(l.pte) << PVI_PAGE_SHIFT, leaf_prot(l.pte));
		if (err)
			return err;
		page = end + 1;
	}
	return 0;
}
