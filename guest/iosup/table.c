// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a table of level 1 to 3.
 *
 * A table of level 1 is handed out before it is linked, and may never be: a page fault that
 * lost a race frees it, and the kernel does not tell Xen about tables that were never linked.
 * So it keeps an extra reference, the mark PG_private_2 and a place on the list of unlinked
 * tables until it is linked. One on that list whose only reference is ours was freed.
 * Tables of level 2 and 3 are linked in the function that we replace.
 */
#include <asm/pgalloc.h>
#include "compat.h"
#include "iosup.h"
#include "kernel.h"

static struct {
	/* Taken before a pool's lock; guards the list and PG_private_2 of what is on it. */
	spinlock_t lock;
	struct list_head tables;
	unsigned long size;
} unlinked = {
	.lock = __SPIN_LOCK_UNLOCKED(unlinked.lock),
	.tables = LIST_HEAD_INIT(unlinked.tables),
};

static void (*release_of(enum iosup_level level))(unsigned long pfn)
{
	switch (level) {
	case IOSUP_PTE:
		return iosup_kernel.release_pte;
	case IOSUP_PMD:
		return iosup_kernel.release_pmd;
	default:
		return iosup_kernel.release_pud;
	}
}

void iosup_table_free(struct page *table, enum iosup_level level)
{
	release_of(level)(page_to_pfn(table));
	put_page(table);
}

static void put_or_free(struct page *table, enum iosup_level level)
{
	if (iosup_enabled() && iosup_pool_put(table, level))
		return;
	iosup_count_level(level, discarded);
	iosup_table_free(table, level);
}

/* Tables that were freed without having been linked go back to the pool. */
static void collect_unlinked(void)
{
	struct page *table, *next;
	LIST_HEAD(freed);

	spin_lock(&unlinked.lock);
	list_for_each_entry_safe (table, next, &unlinked.tables, lru) {
		if (page_count(table) == 1) {
			iosup_unmark(table);
			list_move(&table->lru, &freed);
			unlinked.size--;
		}
	}
	spin_unlock(&unlinked.lock);
	list_for_each_entry_safe (table, next, &freed, lru) {
		list_del(&table->lru);
		iosup_uncharge(table, IOSUP_PTE);
		put_or_free(table, IOSUP_PTE);
	}
}

unsigned long iosup_unlinked(void)
{
	if (READ_ONCE(unlinked.size))
		collect_unlinked();
	return READ_ONCE(unlinked.size);
}

/* A pinned address space takes tables of ours. It stays pinned until it has no users. */
static bool takes_ours(struct mm_struct *mm)
{
	return iosup_enabled() && mm != iosup_kernel.init_mm && PagePinned(virt_to_page(mm->pgd));
}

static struct page *table_get(struct mm_struct *mm, enum iosup_level level)
{
	struct page *table;

	if (!takes_ours(mm))
		return NULL;
	table = iosup_pool_get(level);
	if (!table && level == IOSUP_PTE && READ_ONCE(unlinked.size)) {
		collect_unlinked();
		table = iosup_pool_get(level);
	}
	if (table && !iosup_charge(table, level)) {
		/* The kernel's own way knows what to do at a memcg's limit. */
		put_or_free(table, level);
		table = NULL;
	}
	if (table)
		iosup_count_level(level, reused);
	else
		iosup_count_level(level, missed);
	return table;
}

static void table_unget(struct page *table, enum iosup_level level)
{
	iosup_uncharge(table, level);
	put_or_free(table, level);
}

pgtable_t iosup_pte_alloc_one(struct mm_struct *mm)
{
	struct page *table = table_get(mm, IOSUP_PTE);

	if (!table)
		return iosup_kernel.pte_alloc_one(mm);
	if (!iosup_pte_ctor(table)) {
		table_unget(table, IOSUP_PTE);
		return NULL;
	}
	get_page(table);
	spin_lock(&unlinked.lock);
	iosup_mark(table);
	list_add(&table->lru, &unlinked.tables);
	unlinked.size++;
	spin_unlock(&unlinked.lock);
	return table;
}

/* Stands for xen_alloc_pte(), which is called when a table is about to be linked. */
void iosup_link_pte(struct mm_struct *mm, unsigned long pfn)
{
	struct page *table = pfn_to_page(pfn);

	if (!iosup_marked(table)) {
		iosup_kernel.alloc_pte(mm, pfn);
		return;
	}
	spin_lock(&unlinked.lock);
	list_del(&table->lru);
	iosup_unmark(table);
	unlinked.size--;
	spin_unlock(&unlinked.lock);
	put_page(table);
}

/* Stands for __pmd_alloc(), and does what that does. */
int iosup_pmd_alloc(struct mm_struct *mm, pud_t *pud, unsigned long address)
{
	struct page *table = table_get(mm, IOSUP_PMD);
	spinlock_t *lock;
	bool ours = false;

	if (!table)
		return iosup_kernel.pmd_alloc(mm, pud, address);
	if (!iosup_pmd_ctor(table)) {
		table_unget(table, IOSUP_PMD);
		return -ENOMEM;
	}
	lock = pud_lock(mm, pud);
	if (!pud_present(*pud)) {
		mm_inc_nr_pmds(mm);
		smp_wmb(); /* See pmd_install() of the kernel. */
		set_pud(pud, __pud(_PAGE_TABLE | __pa(page_address(table))));
		ours = true;
	}
	spin_unlock(lock);
	if (!ours) {
		iosup_pmd_dtor(table);
		table_unget(table, IOSUP_PMD);
	}
	return 0;
}

/* Stands for __pud_alloc(), and does what that does. */
int iosup_pud_alloc(struct mm_struct *mm, p4d_t *p4d, unsigned long address)
{
	struct page *table = table_get(mm, IOSUP_PUD);
	bool ours = false;

	if (!table)
		return iosup_kernel.pud_alloc(mm, p4d, address);
	iosup_pud_ctor(table);
	spin_lock(&mm->page_table_lock);
	if (!p4d_present(*p4d)) {
		mm_inc_nr_puds(mm);
		smp_wmb(); /* See pmd_install() of the kernel. */
		set_p4d(p4d, __p4d(_PAGE_TABLE | __pa(page_address(table))));
		ours = true;
	}
	spin_unlock(&mm->page_table_lock);
	if (!ours) {
		iosup_pud_dtor(table);
		table_unget(table, IOSUP_PUD);
	}
	return 0;
}

/*
 * Ends the account of the owner's memcg. Of level 2 the kernel runs the destructor after
 * this, of the others before; its statistics must be taken from the memcg that they went to.
 */
static void end_account(struct page *table, enum iosup_level level)
{
	if (level != IOSUP_PMD) {
		iosup_uncharge(table, level);
	} else if (iosup_memcg_online() && PageMemcgKmem(table)) {
		iosup_pmd_dtor(table);
		iosup_uncharge(table, level);
		iosup_pmd_ctor(table);
	}
}

/* Stands for xen_release_pte() and so on: an unlinked table is about to be freed. */
void iosup_release(unsigned long pfn, enum iosup_level level)
{
	struct page *table = pfn_to_page(pfn);

	if (PagePinned(table)) {
		if (iosup_enabled() && iosup_pool_room()) {
			end_account(table, level);
			get_page(table);
			if (iosup_pool_put(table, level))
				return;
			put_page(table);
		}
		iosup_count_level(level, discarded);
	}
	release_of(level)(pfn);
}
