/* SPDX-License-Identifier: GPL-2.0-only */
/* Everything that differs between kernel versions. */
#ifndef IOSUP_COMPAT_H
#define IOSUP_COMPAT_H

#include <linux/version.h>
#include <linux/ftrace.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/shrinker.h>
#include <asm/tlbflush.h>

/* 6.3 gave enter_mmap the work of activate_mm and dup_mmap. */
#define IOSUP_HAVE_ENTER_MMAP (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0))

/*
 * Fault-around sets each entry by itself, from 6.6 on those of each folio. What stands for it is
 * for the kernels that it was tested on.
 */
#define IOSUP_GATHERS                                       \
	(LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0) ||    \
	 (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0) && \
	  LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)))

/* A PGD is two pages where page-table isolation was built in, also where it is off. */
#if IS_ENABLED(CONFIG_PAGE_TABLE_ISOLATION) || IS_ENABLED(CONFIG_MITIGATION_PAGE_TABLE_ISOLATION)
#define IOSUP_PGD_ORDER 1
#else
#define IOSUP_PGD_ORDER 0
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#define iosup_memcg_online memcg_kmem_online
#else
#define iosup_memcg_online memcg_kmem_enabled
#endif

/*
 * The pages of a file that are in memory, one after the other, referenced and locked; one mapping
 * more of such a page; and the count of those of an address space, of which the kernel's function
 * would have a tracepoint know.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#define IOSUP_NEXT_PAGE	     "next_uptodate_folio"
#define IOSUP_NEXT_PAGE_TYPE "folio* (xa_state*, address_space*, long unsigned int)"
typedef struct folio *iosup_next_page_fn(struct xa_state *xas, struct address_space *mapping,
					 pgoff_t last);
#define IOSUP_ADD_RMAP	    "folio_add_file_rmap_ptes"
#define IOSUP_ADD_RMAP_TYPE "void (folio*, page*, int, vm_area_struct*)"
typedef void iosup_add_rmap_fn(struct folio *folio, struct page *page, int n,
			       struct vm_area_struct *vma);

static inline struct folio *iosup_first_page(iosup_next_page_fn *find, struct xa_state *xas,
					     struct address_space *mapping, pgoff_t last)
{
	return find(xas, mapping, last);
}

static inline struct folio *iosup_next_page(iosup_next_page_fn *find, struct xa_state *xas,
					    struct address_space *mapping, pgoff_t last)
{
	return find(xas, mapping, last);
}

static inline void iosup_add_rmap(iosup_add_rmap_fn *add, struct folio *folio, struct page *page,
				  struct vm_area_struct *vma)
{
	add(folio, page, 1, vma);
}

static inline int iosup_counter_of(struct folio *folio)
{
	return mm_counter_file(folio);
}

static inline void iosup_count_pages(struct mm_struct *mm, int counter, unsigned int n)
{
	percpu_counter_add(&mm->rss_stat[counter], n);
}

/* A page that was evicted before says nothing for reading ahead. */
static inline bool iosup_speaks_for_read_ahead(struct folio *folio)
{
	return !folio_test_workingset(folio);
}
#else
#define IOSUP_NEXT_PAGE	     "next_uptodate_page"
#define IOSUP_NEXT_PAGE_TYPE "folio* (folio*, address_space*, xa_state*, long unsigned int)"
typedef struct folio *iosup_next_page_fn(struct folio *folio, struct address_space *mapping,
					 struct xa_state *xas, pgoff_t last);
#define IOSUP_ADD_RMAP	     "page_add_file_rmap"
#define IOSUP_ADD_RMAP_TYPE  "void (page*, vm_area_struct*, bool)"
typedef void iosup_add_rmap_fn(struct page *page, struct vm_area_struct *vma, bool compound);

static inline struct folio *iosup_first_page(iosup_next_page_fn *find, struct xa_state *xas,
					     struct address_space *mapping, pgoff_t last)
{
	return find(xas_find(xas, last), mapping, xas, last);
}

static inline struct folio *iosup_next_page(iosup_next_page_fn *find, struct xa_state *xas,
					    struct address_space *mapping, pgoff_t last)
{
	return find(xas_next_entry(xas, last), mapping, xas, last);
}

static inline void iosup_add_rmap(iosup_add_rmap_fn *add, struct folio *folio, struct page *page,
				  struct vm_area_struct *vma)
{
	add(page, vma, false);
}

static inline int iosup_counter_of(struct folio *folio)
{
	return mm_counter_file(&folio->page);
}

static inline void iosup_count_pages(struct mm_struct *mm, int counter, unsigned int n)
{
	atomic_long_add(n, &mm->rss_stat.count[counter]);
}

static inline bool iosup_speaks_for_read_ahead(struct folio *folio)
{
	return true;
}
#endif

/* A table's constructor makes its lock, and counts it for its memcg and its node. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
static inline bool iosup_pte_ctor(struct page *p)
{
	return pagetable_pte_ctor(page_ptdesc(p));
}

static inline void iosup_pte_dtor(struct page *p)
{
	pagetable_pte_dtor(page_ptdesc(p));
}

static inline bool iosup_pmd_ctor(struct page *p)
{
	return pagetable_pmd_ctor(page_ptdesc(p));
}

static inline void iosup_pmd_dtor(struct page *p)
{
	pagetable_pmd_dtor(page_ptdesc(p));
}

static inline void iosup_pud_ctor(struct page *p)
{
	pagetable_pud_ctor(page_ptdesc(p));
}

static inline void iosup_pud_dtor(struct page *p)
{
	pagetable_pud_dtor(page_ptdesc(p));
}

static inline spinlock_t *iosup_pte_lock_of(struct page *p)
{
	return ptlock_ptr(page_ptdesc(p));
}
#else
static inline bool iosup_pte_ctor(struct page *p)
{
	return pgtable_pte_page_ctor(p);
}

static inline void iosup_pte_dtor(struct page *p)
{
	pgtable_pte_page_dtor(p);
}

static inline bool iosup_pmd_ctor(struct page *p)
{
	return pgtable_pmd_page_ctor(p);
}

static inline void iosup_pmd_dtor(struct page *p)
{
	pgtable_pmd_page_dtor(p);
}

static inline void iosup_pud_ctor(struct page *p)
{
}

static inline void iosup_pud_dtor(struct page *p)
{
}

static inline spinlock_t *iosup_pte_lock_of(struct page *p)
{
	return ptlock_ptr(p);
}
#endif

/* PG_private_2, which is free in tables: what it says depends on the table (table.c, pgd.c). */
static inline bool iosup_marked(struct page *p)
{
	return test_bit(PG_private_2, &p->flags);
}

static inline void iosup_mark(struct page *p)
{
	set_bit(PG_private_2, &p->flags);
}

static inline void iosup_unmark(struct page *p)
{
	clear_bit(PG_private_2, &p->flags);
}

/* Which address space a PGD on pgd_list belongs to. */
static inline void iosup_set_pt_mm(struct page *p, struct mm_struct *mm)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
	page_ptdesc(p)->pt_mm = mm;
#else
	p->pt_mm = mm;
#endif
}

static inline void iosup_set_ip(struct ftrace_regs *regs, unsigned long ip)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	ftrace_regs_set_instruction_pointer(regs, ip);
#else
	ftrace_instruction_pointer_set(regs, ip);
#endif
}

/* The shrinker of iosup: made by iosup_shrinker_new(), which returns NULL on failure. */
typedef unsigned long iosup_shrinker_fn(struct shrinker *s, struct shrink_control *sc);

static inline struct shrinker *iosup_shrinker_new(iosup_shrinker_fn *count, iosup_shrinker_fn *scan)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	struct shrinker *s = shrinker_alloc(0, "iosup");

	if (!s)
		return NULL;
	s->count_objects = count;
	s->scan_objects = scan;
	shrinker_register(s);
	return s;
#else
	static struct shrinker only;

	only.count_objects = count;
	only.scan_objects = scan;
	only.seeks = DEFAULT_SEEKS;
	return register_shrinker(&only, "iosup") ? NULL : &only;
#endif
}

static inline void iosup_shrinker_free(struct shrinker *s)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	shrinker_free(s);
#else
	unregister_shrinker(s);
#endif
}

#endif
