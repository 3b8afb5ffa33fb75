// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of an address space, without a flip and without a trap.
 *
 * The kernel unpins a dying tree of tables first, which makes each of its pages writable (a
 * flip), and then tears it down with ordinary stores. On pinned tables each of those stores
 * would trap into Xen. So here the tree is copied into plain pages, the pinned one emptied by
 * batched hypercalls and kept, and the copy is what the kernel tears down.
 *
 * Who else can be in these tables? No thread, nor anyone who borrows the address space
 * (mm_users is 0: GUP, ptrace, /proc, userfaultfd, swapoff, KSM's scan), nor devices' notifiers
 * (released before). Of those who are content with mm_count, the OOM reaper and
 * process_mrelease() hold mmap_lock for reading while they walk: we hold it for writing. And
 * the reverse map's walkers hold a lock of rmap.c. They may start at any time, from mm->pgd:
 *
 *  1. The levels above 1 are copied, the copy leading to the same tables of level 1, and
 *     mm->pgd is switched to it. Walkers in the old tree and in the new one meet in level 1.
 *  2. Range by range, with the range's walkers out, each table of level 1 is moved: entries to
 *     a plain page, the copy of level 2 made to lead there, the old table emptied. A walker
 *     that starts after that finds the plain page; none is left that saw the old one.
 *  3. Every range with tables has been locked once since the switch, so no walker is left in
 *     the old levels above but ones that pass through to where there is no table at all. The
 *     old levels are emptied, from below, so that Xen keeps each page's type.
 *  4. The emptied tables are reused only when the address space itself is freed (pgd_free()):
 *     by then every VMA has left the reverse map, and the last late walker with it.
 *
 * Suspending (save, migration) rewrites tables by type and must not meet a plain page that
 * has entries: it freezes all user tasks first, and none can freeze between here and the end
 * of exit_mmap(). Kernel threads are not frozen, so their exits are the kernel's own.
 */
#include <linux/sched.h>
#include <linux/slab.h>
#include <asm/pgalloc.h>
#include <asm/tlbflush.h>
#include <asm/xen/hypercall.h>
#include <asm/xen/page.h>
#include "compat.h"
#include "iosup.h"
#include "kernel.h"

/* Nobody waits for memory here: without it the exit is the kernel's own. */
#define GFP_COPY (GFP_NOWAIT | __GFP_NOWARN | __GFP_NOMEMALLOC)
/* Tables of level 1 moved under one taking of locks, and VMAs that these may have. */
#define MOST_TABLES  32
#define MOST_VMAS    512
#define USER_ENTRIES (PTRS_PER_PGD / 2)
#define MOST_UPDATES (PAGE_SIZE / sizeof(struct mmu_update))

/* From the copy until pgd_free(), which is reached through the copy's PGD (page->mapping). */
struct exit_copy {
	struct list_head node; /* on exits.list */
	struct mm_struct *mm;
	struct page *pgd;		    /* the emptied one */
	struct list_head tables[IOSUP_PGD]; /* the emptied ones */
	struct list_head plain;		    /* pages for the copy */
	struct page *copy;		    /* its PGD */
	struct mmu_update *updates;	    /* a page of plain's, for hypercalls */
	unsigned long plain_left, pte_tables;
	unsigned int most_tables;
	struct iosup_rmap rmap;
};

/* Exits whose tables have not come back. An exit's mm is alive as long as it is listed. */
static struct {
	/* Taken before a pool's lock. */
	spinlock_t lock;
	struct list_head list;
} exits = {
	.lock = __SPIN_LOCK_UNLOCKED(exits.lock),
	.list = LIST_HEAD_INIT(exits.list),
};

/* The first entry in use from number i on, or PTRS_PER_PTE. All tables have as many. */
static unsigned int next_used(const void *table, unsigned int i)
{
	const u64 *entry = table;

	while (i + 4 <= PTRS_PER_PTE && !(entry[i] | entry[i + 1] | entry[i + 2] | entry[i + 3]))
		i += 4;
	while (i < PTRS_PER_PTE && !entry[i])
		i++;
	return i;
}

#define for_each_used(i, table) \
	for (i = next_used(table, 0); i < PTRS_PER_PTE; i = next_used(table, i + 1))

/* Those that are left, and the one for hypercalls. */
static void free_plain(struct exit_copy *c)
{
	struct page *page, *next;

	if (c->updates)
		__free_page(virt_to_page(c->updates));
	c->updates = NULL;
	list_for_each_entry_safe (page, next, &c->plain, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
	c->plain_left = 0;
}

static struct page *take_plain(struct exit_copy *c)
{
	struct page *page = list_first_entry(&c->plain, struct page, lru);

	list_del(&page->lru);
	c->plain_left--;
	return page;
}

static bool get_plain(struct exit_copy *c, unsigned long n)
{
	struct page *page;

	INIT_LIST_HEAD(&c->plain);
	c->updates = NULL;
	for (c->plain_left = 0; c->plain_left < n; c->plain_left++) {
		page = alloc_page(GFP_COPY);
		if (!page) {
			free_plain(c);
			return false;
		}
		list_add(&page->lru, &c->plain);
	}
	return true;
}

/*
 * Empties a pinned table; content, it or a copy of it, says which entries are in use. Here and
 * not by set_pte(): that looks up each entry's machine address, and makes batches of 32.
 */
static void empty(struct exit_copy *c, void *table, const void *content)
{
	phys_addr_t base = virt_to_machine(table).maddr;
	unsigned int i = next_used(content, 0), n;

	while (i < PTRS_PER_PTE) {
		for (n = 0; n < MOST_UPDATES && i < PTRS_PER_PTE; i = next_used(content, i + 1)) {
			c->updates[n].ptr = base + i * sizeof(u64);
			c->updates[n++].val = 0;
		}
		if (HYPERVISOR_mmu_update(c->updates, n, NULL, DOMID_SELF))
			BUG();
	}
}

static struct exit_copy *copy_new(struct mm_struct *mm)
{
	unsigned long n = mm_pgtables_bytes(mm) / PAGE_SIZE;
	unsigned int room = 2 * clamp(mm->map_count, 1, MOST_VMAS);
	struct exit_copy *c;
	int l;

	if (!n)
		return NULL;
	c = kmalloc(struct_size(c, rmap.lock, room), GFP_COPY);
	if (!c)
		return NULL;
	c->mm = mm;
	c->pgd = virt_to_page(mm->pgd);
	c->pte_tables = 0;
	c->rmap.room = room;
	c->rmap.held = 0;
	/* A table's 2 MiB can have MOST_VMAS; so where there are more, one at a time. */
	c->most_tables = mm->map_count <= MOST_VMAS ? MOST_TABLES : 1;
	for (l = 0; l < IOSUP_PGD; l++)
		INIT_LIST_HEAD(&c->tables[l]);
	c->copy = alloc_pages(GFP_COPY, IOSUP_PGD_ORDER);
	if (c->copy && get_plain(c, n + 1)) {
		c->updates = page_address(take_plain(c));
		return c;
	}
	if (c->copy)
		__free_pages(c->copy, IOSUP_PGD_ORDER);
	kfree(c);
	return NULL;
}

/* The copy of a table of level 3: new tables of level 2 that lead to the old ones of level 1. */
static bool copy_pud_table(struct exit_copy *c, const pud_t *from, pud_t *to)
{
	unsigned int i, j;

	clear_page(to);
	for_each_used(i, from)
	{
		struct page *table;
		pmd_t *pmds;

		if (!c->plain_left)
			return false;
		table = take_plain(c);
		pmds = page_address(table);
		copy_page(pmds, pud_pgtable(from[i]));
		iosup_pmd_ctor(table);
		set_pud(&to[i], __pud(_PAGE_TABLE | __pa(pmds)));
		for_each_used(j, pmds) c->pte_tables++;
	}
	return true;
}

/* Step 1. True when all is copied and there are pages for what is below. */
static bool copy_upper(struct exit_copy *c)
{
	pgd_t *from = page_address(c->pgd), *to = page_address(c->copy);
	unsigned int i;

	clear_page(to);
	for (i = 0; i < USER_ENTRIES; i++) {
		p4d_t *p4d = (p4d_t *)&from[i];
		struct page *table;

		if (!p4d_present(*p4d))
			continue;
		if (!c->plain_left)
			return false;
		table = take_plain(c);
		iosup_pud_ctor(table);
		set_p4d((p4d_t *)&to[i], __p4d(_PAGE_TABLE | __pa(page_address(table))));
		if (!copy_pud_table(c, p4d_pgtable(*p4d), page_address(table)))
			return false;
	}
	return c->pte_tables <= c->plain_left;
}

/* Nobody has seen the copy yet. */
static void uncopy_upper(struct exit_copy *c)
{
	pgd_t *pgd = page_address(c->copy);
	unsigned int i, j;

	for (i = 0; i < USER_ENTRIES; i++) {
		p4d_t *p4d = (p4d_t *)&pgd[i];
		pud_t *puds;

		if (!p4d_present(*p4d))
			continue;
		puds = p4d_pgtable(*p4d);
		for_each_used(j, puds)
		{
			struct page *table = virt_to_page(pud_pgtable(puds[j]));

			iosup_pmd_dtor(table);
			list_add(&table->lru, &c->plain);
		}
		iosup_pud_dtor(virt_to_page(puds));
		list_add(&virt_to_page(puds)->lru, &c->plain);
	}
	free_plain(c);
	__free_pages(c->copy, IOSUP_PGD_ORDER);
	kfree(c);
}

/* A table that is emptied and unlinked leaves its owner's account. */
static void keep(struct exit_copy *c, struct page *table, enum iosup_level level)
{
	switch (level) {
	case IOSUP_PTE:
		iosup_pte_dtor(table);
		break;
	case IOSUP_PMD:
		iosup_pmd_dtor(table);
		break;
	default:
		iosup_pud_dtor(table);
		break;
	}
	iosup_uncharge(table, level);
	list_add(&table->lru, &c->tables[level]);
}

/* Moves a table of level 1. The walkers are out; its lock is what all who write entries hold. */
static void move_pte_table(struct exit_copy *c, pmd_t *pmd)
{
	struct page *old = pmd_page(*pmd), *plain = take_plain(c);
	pte_t *from = page_address(old), *to = page_address(plain);
	spinlock_t *lock = iosup_pte_lock_of(old);

	iosup_pte_ctor(plain);
	spin_lock(lock);
	copy_page(to, from);
	empty(c, from, to);
	set_pmd(pmd, __pmd(_PAGE_TABLE | __pa(to)));
	spin_unlock(lock);
	keep(c, old, IOSUP_PTE);
}

/* Step 2, for the tables below one of level 2, which begins at address. */
static void move_pte_tables(struct exit_copy *c, pmd_t *pmds, unsigned long address)
{
	unsigned int first, last, i, n;

	for (first = next_used(pmds, 0); first < PTRS_PER_PMD; first = next_used(pmds, last + 1)) {
		for (i = last = first, n = 1; n < c->most_tables; n++) {
			i = next_used(pmds, i + 1);
			if (i == PTRS_PER_PMD)
				break;
			last = i;
		}
		iosup_rmap_lock(&c->rmap, c->mm, address + first * PMD_SIZE,
				address + (last + 1) * PMD_SIZE);
		for (i = first; i <= last; i = next_used(pmds, i + 1))
			move_pte_table(c, &pmds[i]);
		iosup_rmap_unlock(&c->rmap);
		cond_resched();
	}
}

static void move_level_1(struct exit_copy *c)
{
	pgd_t *pgd = page_address(c->copy);
	unsigned int i, j;

	for (i = 0; i < USER_ENTRIES; i++) {
		p4d_t *p4d = (p4d_t *)&pgd[i];
		pud_t *puds;

		if (!p4d_present(*p4d))
			continue;
		puds = p4d_pgtable(*p4d);
		for_each_used(j, puds)
			move_pte_tables(c, pud_pgtable(puds[j]), i * PGDIR_SIZE + j * PUD_SIZE);
	}
}

/* Step 3, for a table of level 3. A table is emptied while it is linked: then it has a type. */
static void empty_pud_table(struct exit_copy *c, pud_t *puds)
{
	unsigned int i;

	for_each_used(i, puds)
	{
		pmd_t *pmds = pud_pgtable(puds[i]);

		empty(c, pmds, pmds);
		set_pud(&puds[i], __pud(0));
		keep(c, virt_to_page(pmds), IOSUP_PMD);
	}
}

static void empty_upper(struct exit_copy *c)
{
	pgd_t *pgd = page_address(c->pgd);
	unsigned int i;

	for (i = 0; i < USER_ENTRIES; i++) {
		p4d_t *p4d = (p4d_t *)&pgd[i];
		pud_t *puds;

		if (!p4d_present(*p4d))
			continue;
		puds = p4d_pgtable(*p4d);
		empty_pud_table(c, puds);
		set_p4d(p4d, __p4d(0));
		keep(c, virt_to_page(puds), IOSUP_PUD);
	}
}

/*
 * No CPU may have the old tables loaded. The kernel's own function sees to that, and would
 * unpin them too if they were marked as pinned. pgd_lock keeps out whoever writes PGDs by
 * that mark.
 */
static void drop_from_cpus(struct exit_copy *c)
{
	spin_lock(iosup_kernel.pgd_lock);
	ClearPagePinned(c->pgd);
	iosup_kernel.exit_mmap(c->mm);
	SetPagePinned(c->pgd);
	spin_unlock(iosup_kernel.pgd_lock);
}

/* The copy's PGD is from here on the address space's, as good as any that is not pinned. */
static void switch_pgd(struct exit_copy *c)
{
	struct page *page = c->copy;

	set_page_private(page, 0); /* no user's view */
	page->mapping = (void *)c;
	iosup_mark(page);
	spin_lock(iosup_kernel.pgd_lock);
	iosup_set_pt_mm(page, c->mm);
	list_add(&page->lru, iosup_kernel.pgd_list);
	spin_unlock(iosup_kernel.pgd_lock);
	spin_lock(&exits.lock);
	list_add(&c->node, &exits.list);
	spin_unlock(&exits.lock);
	smp_wmb(); /* The copy is complete when a walker sees it. */
	WRITE_ONCE(c->mm->pgd, page_address(page));
}

static bool exit_by_copy(struct mm_struct *mm)
{
	struct exit_copy *c = copy_new(mm);
	bool done;

	if (!c)
		return false;
	/* exit_mmap() depends on nothing that it read before it called us. */
	mmap_read_unlock(mm);
	mmap_write_lock(mm);
	done = copy_upper(c);
	if (done) {
		drop_from_cpus(c);
		switch_pgd(c);
		move_level_1(c);
		empty_upper(c);
		free_plain(c);
	} else {
		uncopy_upper(c);
	}
	mmap_write_downgrade(mm);
	return done;
}

/* Stands for xen_exit_mmap(), with mmap_lock held for reading. */
void iosup_exit_mmap(struct mm_struct *mm)
{
	iosup_pgd_activated(mm->pgd);
	if (PagePinned(virt_to_page(mm->pgd)) && iosup_enabled()) {
		if (iosup_pool_only()) {
			iosup_count(kept_exits);
			return;
		}
		if (!(current->flags & PF_KTHREAD) && exit_by_copy(mm)) {
			iosup_count(shadow_exits);
			return;
		}
	}
	iosup_count(stock_exits);
	iosup_kernel.exit_mmap(mm);
}

static void give_back(struct exit_copy *c)
{
	int l;

	for (l = 0; l < IOSUP_PGD; l++)
		iosup_pool_put_list(&c->tables[l], l);
	iosup_pgd_pool(c->pgd);
}

/* The address space's PGD is from here on one of the kernel's. With exits.lock held. */
static void let_go(struct exit_copy *c)
{
	list_del(&c->node);
	c->copy->mapping = NULL;
	iosup_unmark(c->copy);
}

/* Step 4: the address space is freed, and with it the copy's PGD. */
void iosup_exit_finish(struct page *pgd)
{
	struct exit_copy *c = NULL;

	spin_lock(&exits.lock);
	/* iosup_exit_settle() may have been first. */
	if (iosup_marked(pgd)) {
		c = (void *)pgd->mapping;
		let_go(c);
	}
	spin_unlock(&exits.lock);
	if (!c)
		return;
	give_back(c);
	kfree(c);
}

/*
 * Has exit_mmap() freed the tables? Until it has, the copy has entries, and as it frees them
 * it holds mmap_lock for writing.
 */
static bool is_over(struct exit_copy *c)
{
	bool empty;

	if (!mmap_read_trylock(c->mm))
		return false;
	empty = iosup_pgd_is_empty(page_address(c->copy));
	mmap_read_unlock(c->mm);
	return empty;
}

/*
 * An idle CPU keeps the last address space it has seen from being freed. Takes the tables
 * back from such ones. Returns how many exits are not over.
 */
unsigned long iosup_exit_settle(void)
{
	struct exit_copy *c, *next;
	unsigned long left = 0;
	LIST_HEAD(over);

	spin_lock(&exits.lock);
	list_for_each_entry_safe (c, next, &exits.list, node) {
		if (is_over(c)) {
			let_go(c);
			list_add(&c->node, &over);
		} else {
			left++;
		}
	}
	spin_unlock(&exits.lock);
	list_for_each_entry_safe (c, next, &over, node) {
		give_back(c);
		kfree(c);
	}
	return left;
}
