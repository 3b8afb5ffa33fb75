// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a PGD, which Xen has pinned from its birth on: tables linked below it become
 * read-only one by one, and those of the pool already are.
 *
 * A pooled PGD stays on the kernel's pgd_list, as one of init_mm, so that changes of the
 * kernel's half reach it. Its page->lru is that list's; the pool runs through the page of
 * the user's view (page->private), whose index leads back.
 */
#include <asm/pgalloc.h>
#include "compat.h"
#include "iosup.h"
#include "kernel.h"

static struct {
	/* A leaf. */
	spinlock_t lock;
	struct list_head users;
} pool = {
	.lock = __SPIN_LOCK_UNLOCKED(pool.lock),
	.users = LIST_HEAD_INIT(pool.users),
};

/*
 * PGDs whose address space the kernel has not tried to pin yet, marked by PG_private_2: if
 * our hook were gone when it does, it would pin them a second time.
 */
static atomic_long_t newborn;

unsigned long iosup_pgd_newborn(void)
{
	return atomic_long_read(&newborn);
}

void iosup_pgd_activated(pgd_t *pgd)
{
	struct page *page = virt_to_page(pgd);

	/* Only the PGD's one owner comes here, so that test and clear need no lock. */
	if (PagePinned(page) && iosup_marked(page)) {
		iosup_unmark(page);
		atomic_long_dec(&newborn);
	}
}

static struct page *user_view(struct page *page)
{
	return virt_to_page((void *)page->private);
}

static void set_owner(struct page *page, struct mm_struct *mm)
{
	spin_lock(iosup_kernel.pgd_lock);
	iosup_set_pt_mm(page, mm);
	spin_unlock(iosup_kernel.pgd_lock);
}

static struct page *pool_get(void)
{
	struct page *user = NULL;

	if (!iosup_pool_size(IOSUP_PGD))
		return NULL;
	spin_lock(&pool.lock);
	if (!list_empty(&pool.users)) {
		user = list_first_entry(&pool.users, struct page, lru);
		list_del(&user->lru);
		iosup_pool_count(IOSUP_PGD, -1);
	}
	spin_unlock(&pool.lock);
	return user ? (struct page *)user->index : NULL;
}

static void pool_put(struct page *page)
{
	struct page *user = user_view(page);

	set_owner(page, iosup_kernel.init_mm);
	user->index = (unsigned long)page;
	spin_lock(&pool.lock);
	list_add(&user->lru, &pool.users);
	iosup_pool_count(IOSUP_PGD, 1);
	spin_unlock(&pool.lock);
}

/*
 * Is the user's half empty? (Above it are Xen's own entries. With four levels a PGD's entries
 * are p4ds, and pgd_none() knows nothing of them.)
 */
bool iosup_pgd_is_empty(pgd_t *pgd)
{
	unsigned int i;

	for (i = 0; i < PTRS_PER_PGD / 2; i++)
		if (!p4d_none(*(p4d_t *)&pgd[i]))
			return false;
	return true;
}

/* Makes a pinned PGD an ordinary one again, and frees it. */
static void unpin_and_free(pgd_t *pgd)
{
	set_owner(virt_to_page(pgd), iosup_kernel.init_mm);
	iosup_kernel.pgd_unpin(iosup_kernel.init_mm, pgd);
	iosup_kernel.pgd_free(iosup_kernel.init_mm, pgd);
}

static pgd_t *pinned_from_birth(struct mm_struct *mm)
{
	pgd_t *pgd = iosup_kernel.pgd_alloc(mm);

	iosup_count_level(IOSUP_PGD, missed);
	if (!pgd)
		return NULL;
	/* As whoever adds to the kernel's half, seen through pgd_list, expects. */
	spin_lock(&mm->page_table_lock);
	iosup_kernel.pgd_pin(mm, pgd);
	spin_unlock(&mm->page_table_lock);
	return pgd;
}

static pgd_t *reused(struct mm_struct *mm)
{
	struct page *page = pool_get();

	if (!page)
		return NULL;
	if (!iosup_charge(page, IOSUP_PGD)) {
		pool_put(page);
		return NULL;
	}
	if (iosup_verify && !iosup_pgd_is_empty(page_address(page))) {
		iosup_count(dirty);
		WARN_ONCE(1, "iosup: a PGD is not empty\n");
	}
	iosup_count_level(IOSUP_PGD, reused);
	mm->pgd = page_address(page);
	set_owner(page, mm);
	return mm->pgd;
}

/* Stands for pgd_alloc(). */
pgd_t *iosup_pgd_alloc(struct mm_struct *mm)
{
	pgd_t *pgd;

	if (!iosup_enabled())
		return iosup_kernel.pgd_alloc(mm);
	atomic_long_inc(&newborn);
	pgd = reused(mm);
	if (!pgd)
		pgd = pinned_from_birth(mm);
	if (pgd)
		iosup_mark(virt_to_page(pgd));
	else
		atomic_long_dec(&newborn);
	return pgd;
}

/* An empty pinned PGD that no CPU uses goes to the pool, or to the kernel. */
void iosup_pgd_pool(struct page *page)
{
	if (iosup_enabled() && iosup_pool_room()) {
		iosup_uncharge(page, IOSUP_PGD);
		iosup_count_level(IOSUP_PGD, returned);
		pool_put(page);
	} else {
		iosup_count_level(IOSUP_PGD, discarded);
		unpin_and_free(page_address(page));
	}
}

/* Stands for pgd_free(): the address space has no users, and no CPU has it loaded. */
void iosup_pgd_free(struct mm_struct *mm, pgd_t *pgd)
{
	struct page *page = virt_to_page(pgd);

	iosup_pgd_activated(pgd);
	if (PagePinned(page)) {
		iosup_pgd_pool(page);
		return;
	}
	if (iosup_marked(page))
		iosup_exit_finish(page);
	iosup_kernel.pgd_free(mm, pgd);
}

unsigned long iosup_pgd_drain(unsigned long most)
{
	unsigned long done = 0;
	struct page *page;

	while (done < most && (page = pool_get())) {
		iosup_count_level(IOSUP_PGD, shrunk);
		unpin_and_free(page_address(page));
		done++;
	}
	return done;
}
