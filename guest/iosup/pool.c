// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables between two lives. A table comes here while its last owner may still be giving it
 * up: the kernel's batch of freed tables (mmu_gather) holds a reference of its own until all
 * CPUs have flushed it and every lockless walker has gone. Our extra reference keeps the page
 * from the allocator then; once it is the only one, nobody can reach the table any more.
 * Somebody may hold a page he found by its number for a moment (compaction, for instance):
 * such a table is passed over.
 *
 * Lists run through page->lru, which is the owner's while a table is in use. PGDs are
 * counted here, and listed in pgd.c.
 */
#include "iosup.h"

/* How many tables, the longest here first, are looked at for one that is ready. */
#define MOST_TRIES 4
/* A PGD is two pages, and a third for the user's view of it. */
#define PGD_PAGES 3

static struct {
	/* A leaf, but for unlinked.lock of table.c, which is taken before it. */
	spinlock_t lock;
	struct list_head tables;
	unsigned long size;
} pools[IOSUP_LEVELS];

/* Pages in all pools. Read without a lock: cap may be passed by a table per CPU. */
static atomic_long_t pages;

void iosup_pool_init(void)
{
	int l;

	for (l = 0; l < IOSUP_LEVELS; l++) {
		spin_lock_init(&pools[l].lock);
		INIT_LIST_HEAD(&pools[l].tables);
	}
}

unsigned long iosup_pool_size(enum iosup_level level)
{
	return READ_ONCE(pools[level].size);
}

void iosup_pool_count(enum iosup_level level, long change)
{
	WRITE_ONCE(pools[level].size, pools[level].size + change);
	atomic_long_add(level == IOSUP_PGD ? change * PGD_PAGES : change, &pages);
}

bool iosup_pool_room(void)
{
	return atomic_long_read(&pages) < READ_ONCE(iosup_cap);
}

static struct page *get_ready(enum iosup_level level)
{
	struct page *table;
	int tries;

	for (tries = 0; tries < MOST_TRIES && !list_empty(&pools[level].tables); tries++) {
		table = list_first_entry(&pools[level].tables, struct page, lru);
		if (page_count(table) == 1) {
			list_del(&table->lru);
			iosup_pool_count(level, -1);
			return table;
		}
		list_move_tail(&table->lru, &pools[level].tables);
	}
	return NULL;
}

struct page *iosup_pool_get(enum iosup_level level)
{
	struct page *table;

	if (!iosup_pool_size(level))
		return NULL;
	spin_lock(&pools[level].lock);
	table = get_ready(level);
	spin_unlock(&pools[level].lock);
	/* Pairs with the full barrier in whoever dropped the last other reference. */
	smp_mb();
	if (table && iosup_verify && memchr_inv(page_address(table), 0, PAGE_SIZE)) {
		iosup_count(dirty);
		WARN_ONCE(1, "iosup: a table of level %d is not empty\n", level + 1);
	}
	return table;
}

bool iosup_pool_put(struct page *table, enum iosup_level level)
{
	if (!iosup_pool_room())
		return false;
	spin_lock(&pools[level].lock);
	list_add_tail(&table->lru, &pools[level].tables);
	iosup_pool_count(level, 1);
	spin_unlock(&pools[level].lock);
	iosup_count_level(level, returned);
	return true;
}

void iosup_pool_put_list(struct list_head *tables, enum iosup_level level)
{
	struct page *table, *next;

	list_for_each_entry_safe (table, next, tables, lru) {
		list_del(&table->lru);
		if (iosup_pool_put(table, level))
			continue;
		iosup_count_level(level, discarded);
		iosup_table_free(table, level);
	}
}
