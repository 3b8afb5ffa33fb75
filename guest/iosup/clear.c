// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of one entry of a pinned table, without a trap.
 *
 * The kernel takes an entry out by an atomic exchange, so that it has what the CPU noted in it
 * last. On a pinned table that is a store that traps into Xen: of all that processes cause the
 * most, one for each page that is copied on write. Where the entry does not permit writing,
 * the CPU can note no more than that the page was accessed, which nobody misses. So the entry
 * may be read first and cleared after that, by a hypercall, which costs less than a trap.
 */
#include <linux/mm.h>
#include "iosup.h"
#include "kernel.h"

/* Stands for ptep_clear_flush(), with the table's lock held. */
pte_t iosup_clear_flush(struct vm_area_struct *vma, unsigned long address, pte_t *entry)
{
	struct mm_struct *mm = vma->vm_mm;
	pte_t old = READ_ONCE(*entry);

	if ((pte_flags(old) & (_PAGE_PRESENT | _PAGE_RW)) != _PAGE_PRESENT || !iosup_enabled() ||
	    !PagePinned(virt_to_page(mm->pgd)))
		return iosup_kernel.clear_flush(vma, address, entry);
	iosup_count(traps_avoided);
	set_pte(entry, __pte(0));
	iosup_kernel.flush_tlb_range(mm, address, address + PAGE_SIZE, PAGE_SHIFT, false);
	return old;
}
