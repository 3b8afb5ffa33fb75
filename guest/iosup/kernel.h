/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's functions and data that we use and that it does not export. Functions that we
 * hook are called past their ftrace site: a call never comes back to the hook.
 */
#ifndef IOSUP_KERNEL_H
#define IOSUP_KERNEL_H

#include <linux/mm_types.h>
#include <linux/spinlock.h>
#include "compat.h"

struct iosup_kernel {
	/* Hooked; hooks.c fills them in. */
	pgd_t *(*pgd_alloc)(struct mm_struct *mm);
	void (*pgd_free)(struct mm_struct *mm, pgd_t *pgd);
	pgtable_t (*pte_alloc_one)(struct mm_struct *mm);
	int (*pmd_alloc)(struct mm_struct *mm, pud_t *pud, unsigned long address);
	int (*pud_alloc)(struct mm_struct *mm, p4d_t *p4d, unsigned long address);
	void (*alloc_pte)(struct mm_struct *mm, unsigned long pfn);
	void (*release_pte)(unsigned long pfn);
	void (*release_pmd)(unsigned long pfn);
	void (*release_pud)(unsigned long pfn);
	void (*exit_mmap)(struct mm_struct *mm);
	void (*activate_mm)(struct mm_struct *prev, struct mm_struct *next);
	void (*dup_mmap)(struct mm_struct *from, struct mm_struct *mm);
	void (*enter_mmap)(struct mm_struct *mm);
	void (*alloc_ldt)(void *ldt, unsigned int entries);
	pte_t (*clear_flush)(struct vm_area_struct *vma, unsigned long address, pte_t *entry);
	vm_fault_t (*map_around)(struct vm_fault *vmf, pgoff_t first, pgoff_t last);

	/* Called only. */
	void (*pgd_pin)(struct mm_struct *mm, pgd_t *pgd);
	void (*pgd_unpin)(struct mm_struct *mm, pgd_t *pgd);
	int (*memcg_charge)(struct page *page, gfp_t gfp, int order);
	void (*memcg_uncharge)(struct page *page, int order);
	void (*flush_tlb_range)(struct mm_struct *mm, unsigned long start, unsigned long end,
				unsigned int shift, bool freed_tables);
	unsigned long (*ftrace_location)(unsigned long ip);
#if IOSUP_GATHERS
	iosup_next_page_fn *next_page;
	iosup_add_rmap_fn *add_rmap;
#endif

	struct mm_struct *init_mm;
	/* Guards pgd_list and, for readers of that list, each pgd's pt_mm. */
	spinlock_t *pgd_lock;
	struct list_head *pgd_list;
};

extern struct iosup_kernel iosup_kernel;

#endif
