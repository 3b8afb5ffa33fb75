// SPDX-License-Identifier: GPL-2.0-only
/* The pages that a test aims at. */
#include <linux/sched.h>
#include <asm/desc.h>
#include <asm/mmu_context.h>
#include <asm/xen/page.h>
#include "ptdma_module.h"

/* Pages tried to get one that was freed just now. */
#define MOST_TRIES (1ul << 15)

int ptdma_tables(struct ptdma_tables *t)
{
	struct mm_struct *mm = current->mm;
	int r = -ENOENT;
	pgd_t *pgd;
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;

	if (t->address >= TASK_SIZE)
		return -EINVAL;
	mmap_read_lock(mm);
	pgd = pgd_offset(mm, t->address);
	p4d = p4d_offset(pgd, t->address);
	if (!p4d_present(*p4d))
		goto out;
	pud = pud_offset(p4d, t->address);
	if (!pud_present(*pud))
		goto out;
	pmd = pmd_offset(pud, t->address);
	if (!pmd_present(*pmd))
		goto out;
	t->pfn[0] = pmd_pfn(*pmd);
	t->pfn[1] = page_to_pfn(virt_to_page(pmd));
	t->pfn[2] = page_to_pfn(virt_to_page(pud));
	t->pfn[3] = page_to_pfn(virt_to_page(mm->pgd));
	r = 0;
out:
	mmap_read_unlock(mm);
	return r;
}

static u64 pfn_of(void *address)
{
	return mfn_to_pfn(arbitrary_virt_to_machine(address).maddr >> PAGE_SHIFT);
}

int ptdma_descriptors(struct ptdma_descriptors *d)
{
	/* The caller is the only thread of its address space: nobody changes its table. */
	struct ldt_struct *ldt = current->mm->context.ldt;

	if (!ldt)
		return -ENOENT;
	d->ldt_pfn = pfn_of(ldt->entries);
	d->gdt_pfn = pfn_of(get_cpu_gdt_rw(get_cpu()));
	put_cpu();
	return 0;
}

void ptdma_look(struct ptdma_page *l)
{
	struct page *page = pfn_to_page(l->pfn);
	unsigned long address = (unsigned long)page_address(page);
	unsigned int level;
	pte_t *pte = lookup_address(address, &level);

	l->references = page_count(page);
	l->is_table = PageTable(page);
	l->is_pinned = PagePinned(page);
	l->is_writable = pte && pte_write(*pte);
	memcpy(l->bytes, (void *)address, PTDMA_PAGE);
}

int ptdma_any(struct ptdma *p, u64 *ret_pfn)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);

	if (!page)
		return -ENOMEM;
	list_add(&page->lru, &p->pages);
	*ret_pfn = page_to_pfn(page);
	return 0;
}

static bool has(struct page *page, unsigned int order, u64 pfn)
{
	return pfn - page_to_pfn(page) < 1u << order;
}

/* Takes free blocks of this size until one has the page. */
static struct page *take_block(u64 pfn, unsigned int order)
{
	struct page *page, *found = NULL, *next;
	unsigned long tries;
	LIST_HEAD(others);

	for (tries = 0; !found && tries < MOST_TRIES; tries++) {
		page = alloc_pages(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN, order);
		if (!page)
			break;
		if (has(page, order, pfn))
			found = page;
		else
			list_add(&page->lru, &others);
	}
	list_for_each_entry_safe (page, next, &others, lru) {
		list_del(&page->lru);
		__free_pages(page, order);
	}
	return found;
}

int ptdma_this(struct ptdma *p, u64 pfn)
{
	/* As the kernel frees PGDs where it was built with page-table isolation. */
	unsigned int order = 1, i;
	struct page *block = take_block(pfn, order);

	if (!block)
		block = take_block(pfn, order = 0);
	if (!block)
		return -ENOENT;
	split_page(block, order);
	for (i = 0; i < 1u << order; i++)
		list_add(&block[i].lru, &p->pages);
	return 0;
}

void ptdma_free_pages(struct ptdma *p)
{
	struct page *page, *next;

	list_for_each_entry_safe (page, next, &p->pages, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
}
