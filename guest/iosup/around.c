// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault-around: the entries of the pages around a fault, in one hypercall.
 *
 * Where a page of a file is touched that is in memory, the kernel maps up to 15 neighbours with
 * it. Up to 6.5 it sets their entries one by one, on Xen PV by a hypercall each: two of three
 * hypercalls of a compiler. (Later kernels set those of a folio together.) Here they are set in
 * the kernel's lazy MMU mode, which gathers them. Its end, which makes the hypercall, comes
 * before the table's lock is let go: whoever changes entries finds them all set.
 *
 * Who looks without that lock may see no entry yet where the kernel alone would have one
 * already. GUP-fast and a fault on another CPU take the slow way then, behind the lock. The
 * reverse map's walkers may pass over a mapping of a page that is counted as mapped already:
 * they find that it still is, as they do while a fork, which the kernel itself makes in lazy
 * MMU mode, counts pages before it sets the entries. Truncation goes through tables by address,
 * with the lock. And we look at each entry once, in ascending order, before its turn.
 *
 * Nothing sleeps here, so the mode stays with this CPU and task; an interrupt's own stores are
 * not delayed, as lazy modes are not for interrupts.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pgtable.h>
#include <linux/xarray.h>
#include "compat.h"
#include "iosup.h"
#include "kernel.h"

#if IOSUP_SETS_ONE_BY_ONE
static bool map_page(struct vm_fault *vmf, struct folio *folio, pgoff_t index, unsigned int *misses)
{
	struct page *page = folio_file_page(folio, index);

	if (PageHWPoison(page))
		return false;
	if (*misses)
		(*misses)--;
	if (!pte_none(*vmf->pte))
		return false;
	/* It takes over a reference. */
	folio_get(folio);
	iosup_kernel.set_entry(vmf, page, vmf->address + (index - vmf->pgoff) * PAGE_SIZE);
	return true;
}

/* The pages of a folio from index on. Returns how many were mapped. */
static unsigned int map_folio(struct vm_fault *vmf, pte_t *fault, struct folio *folio,
			      pgoff_t index, pgoff_t last, unsigned int *misses, vm_fault_t *r)
{
	unsigned int mapped = 0;

	for (last = min(last, folio_next_index(folio) - 1); index <= last; index++) {
		vmf->pte = fault + (long)(index - vmf->pgoff);
		if (!map_page(vmf, folio, index, misses))
			continue;
		if (index == vmf->pgoff)
			*r = VM_FAULT_NOPAGE;
		mapped++;
	}
	return mapped;
}

/* The table is there, the first page is found and locked. */
static vm_fault_t map_pages(struct vm_fault *vmf, struct folio *folio, struct xa_state *xas,
			    pgoff_t last)
{
	struct file *file = vmf->vma->vm_file;
	unsigned int misses = READ_ONCE(file->f_ra.mmap_miss), mapped = 0;
	vm_fault_t r = 0;
	pte_t *fault;

	fault = pte_offset_map_lock(vmf->vma->vm_mm, vmf->pmd, vmf->address, &vmf->ptl);
	arch_enter_lazy_mmu_mode();
	do {
		mapped += map_folio(vmf, fault, folio, xas->xa_index, last, &misses, &r);
		folio_unlock(folio);
		folio_put(folio);
		/* Of a folio of more pages it skips the rest. */
		folio = iosup_kernel.next_page(xas_next_entry(xas, last), file->f_mapping, xas,
					       last);
	} while (folio);
	arch_leave_lazy_mmu_mode();
	pte_unmap_unlock(vmf->pte, vmf->ptl);
	WRITE_ONCE(file->f_ra.mmap_miss, misses);
	if (mapped)
		this_cpu_add(iosup_counts.gathered, mapped - 1);
	return r;
}

/* Stands for filemap_map_pages(), and does what that does. */
vm_fault_t iosup_map_around(struct vm_fault *vmf, pgoff_t first, pgoff_t last)
{
	struct address_space *mapping = vmf->vma->vm_file->f_mapping;
	XA_STATE(xas, &mapping->i_pages, first);
	struct folio *folio;
	vm_fault_t r = 0;

	/* The first fault in a table has to link it, too. */
	if (!iosup_enabled() || pmd_none(*vmf->pmd) || pmd_bad(*vmf->pmd))
		return iosup_kernel.map_around(vmf, first, last);
	rcu_read_lock();
	folio = iosup_kernel.next_page(xas_find(&xas, last), mapping, &xas, last);
	if (folio)
		r = map_pages(vmf, folio, &xas, last);
	rcu_read_unlock();
	return r;
}
#endif
