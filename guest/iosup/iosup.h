/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * iosup: page-table pages of a Xen PV guest keep their type between two lives.
 *
 * Xen changes a page's IOMMU mapping, and flushes the IOTLB, when the page passes to or from
 * being writable. A stock kernel makes each page-table page read-only for its one life, and
 * writable again after it. Here it stays read-only: tables go from their owner to a pool, and
 * from there to the next owner. docs/iosup.md has the argument for every lock and reader.
 *
 *   hooks.c   where the kernel's functions lead to ours, and how that is undone
 *   table.c   the life of a table of level 1 to 3: birth, link, release
 *   clear.c   an entry's end, without a trap
 *   around.c  the entries of pages around a fault, in one hypercall
 *   pgd.c     the life of a PGD (level 4), which is pinned from birth
 *   exit.c    a process's end: its tables are emptied and kept, a plain copy is torn down
 *   rmap.c    keeps the walkers of the reverse map out of a range of an address space
 *   pool.c    tables between two lives
 *   shrink.c  gives pooled tables back to the kernel
 *   stats.c   /sys/kernel/iosup
 *   kernel.c, signature.c   what we need of the kernel, and whether it is what we expect
 */
#ifndef IOSUP_H
#define IOSUP_H

#include <linux/mm.h>
#include <linux/mm_types.h>
#include <linux/list.h>
#include <linux/percpu.h>

enum iosup_level { IOSUP_PTE, IOSUP_PMD, IOSUP_PUD, IOSUP_PGD, IOSUP_LEVELS };

/* Counters of one level; all only grow. */
struct iosup_level_counts {
	unsigned long reused;	 /* lives begun by a pooled table */
	unsigned long missed;	 /* lives begun by a page of the kernel's */
	unsigned long returned;	 /* lives that ended in the pool */
	unsigned long discarded; /* lives that ended outside, the pool being full or off */
	unsigned long shrunk;	 /* given back to the kernel out of the pool */
};

struct iosup_counts {
	struct iosup_level_counts level[IOSUP_LEVELS];
	unsigned long shadow_exits;  /* processes that ended by a copy */
	unsigned long stock_exits;   /* processes that ended as the kernel does it */
	unsigned long kept_exits;    /* mode=pool-only: in the pinned tables themselves */
	unsigned long waited_exits;  /* that met another holder of a lock they needed */
	unsigned long traps_avoided; /* entries cleared by a hypercall, which would have trapped */
	unsigned long gathered;	     /* entries set by a hypercall that was made for another one */
	unsigned long ldt_pages;     /* pages that became descriptor tables: a flip each way */
	unsigned long dirty;	     /* verify=1: tables that were not empty when reused; a bug */
};

DECLARE_PER_CPU(struct iosup_counts, iosup_counts);

#define iosup_count(field)	this_cpu_inc(iosup_counts.field)
#define iosup_count_level(l, f) this_cpu_inc(iosup_counts.level[l].f)

/* main.c */
extern bool iosup_verify;
extern unsigned long iosup_cap;
bool iosup_enabled(void);
bool iosup_pool_only(void);

/* hooks.c */
int iosup_hooks_attach(void);
void iosup_hooks_detach(void);
/* Waits for all calls that are in a hook now. */
void iosup_hooks_settle(void);

/* kernel.c */
int iosup_kernel_init(void);
void *iosup_symbol(const char *name);
/* Accounts a table to the memcg of its new owner, and ends that. */
bool iosup_charge(struct page *table, enum iosup_level level);
void iosup_uncharge(struct page *table, enum iosup_level level);

/* signature.c: 0, or -ENOENT or -EPROTO after a line that says what is not as expected */
int iosup_signature_init(void);
int iosup_signature_check(const char *function, const char *expected);

/* table.c */
pgtable_t iosup_pte_alloc_one(struct mm_struct *mm);
int iosup_pmd_alloc(struct mm_struct *mm, pud_t *pud, unsigned long address);
int iosup_pud_alloc(struct mm_struct *mm, p4d_t *p4d, unsigned long address);
void iosup_link_pte(struct mm_struct *mm, unsigned long pfn);
void iosup_release(unsigned long pfn, enum iosup_level level);
unsigned long iosup_unlinked(void);
/* Makes an unpooled table an ordinary free page again. */
void iosup_table_free(struct page *table, enum iosup_level level);

/* clear.c */
pte_t iosup_clear_flush(struct vm_area_struct *vma, unsigned long address, pte_t *entry);

/* around.c */
vm_fault_t iosup_map_around(struct vm_fault *vmf, pgoff_t first, pgoff_t last);

/* pgd.c */
pgd_t *iosup_pgd_alloc(struct mm_struct *mm);
void iosup_pgd_free(struct mm_struct *mm, pgd_t *pgd);
void iosup_pgd_activated(pgd_t *pgd);
void iosup_pgd_pool(struct page *pgd);
bool iosup_pgd_is_empty(pgd_t *pgd);
unsigned long iosup_pgd_newborn(void);
unsigned long iosup_pgd_drain(unsigned long most);

/* exit.c */
void iosup_exit_mmap(struct mm_struct *mm);
void iosup_exit_finish(struct page *pgd);
unsigned long iosup_exit_settle(void);

/* rmap.c: at most so many locks are held at once */
struct iosup_rmap {
	unsigned int held, room;
	struct rw_semaphore *lock[];
};
void iosup_rmap_lock(struct iosup_rmap *r, struct mm_struct *mm, unsigned long start,
		     unsigned long end);
void iosup_rmap_unlock(struct iosup_rmap *r);

/* pool.c */
void iosup_pool_init(void);
struct page *iosup_pool_get(enum iosup_level level);
bool iosup_pool_put(struct page *table, enum iosup_level level);
void iosup_pool_put_list(struct list_head *tables, enum iosup_level level);
bool iosup_pool_room(void);
unsigned long iosup_pool_size(enum iosup_level level);
void iosup_pool_count(enum iosup_level level, long change);

/* shrink.c */
int iosup_shrink_init(void);
void iosup_shrink_done(void);
unsigned long iosup_drain(unsigned long most);

/* stats.c */
int iosup_stats_init(void);
void iosup_stats_done(void);

#endif
