// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault-around: the entries of the pages around a fault, in one hypercall.
 *
 * Where a page of a file is touched that is in memory, the kernel maps up to 15 neighbours with
 * it. Up to 6.5 it sets their entries one by one, later those of each folio, which most file
 * systems have of one page: on Xen PV by a hypercall each, two of three of a compiler's. Here they
 * are gathered, and set before the table's lock is let go: whoever changes entries holds it, and
 * finds them all. Not by the kernel's lazy MMU mode, which does the same: by a clock that
 * counts instructions it takes back most of what is gained.
 *
 * Who looks without that lock may see no entry yet where the kernel alone would have one
 * already. GUP-fast and a fault on another CPU take the slow way then, behind the lock. The
 * reverse map's walkers may pass over a mapping of a page that is counted as mapped already:
 * they find that it still is, as they do while a fork, which the kernel makes in lazy MMU mode,
 * counts pages before it sets the entries. Truncation goes through tables by address, with
 * the lock. And we look at each entry once, in ascending order, before its turn.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pgtable.h>
#include <linux/xarray.h>
#include <asm/xen/hypercall.h>
#include <asm/xen/page.h>
#include "compat.h"
#include "iosup.h"
#include "kernel.h"

#if IOSUP_GATHERS
struct gathered {
	struct vm_fault *vmf;
	/* The entry of the fault, and its machine address. */
	pte_t *fault;
	phys_addr_t machine;
	unsigned int hits, all, n;
	struct mmu_update update[16];
};

static void set_gathered(struct gathered *g)
{
	if (g->n && HYPERVISOR_mmu_update(g->update, g->n, NULL, DOMID_SELF))
		BUG();
	if (g->n)
		this_cpu_add(iosup_counts.gathered, g->n - 1);
	g->all += g->n;
	g->n = 0;
}

static bool map_page(struct gathered *g, struct folio *folio, pgoff_t index)
{
	struct vm_area_struct *vma = g->vmf->vma;
	struct page *page = folio_file_page(folio, index);
	long at = (long)(index - g->vmf->pgoff);

	if (PageHWPoison(page))
		return false;
	g->hits += iosup_speaks_for_read_ahead(folio);
	if (!pte_none(g->fault[at]))
		return false;
	/* The entry has a reference, as what found the folio has one. */
	folio_get(folio);
	iosup_add_rmap(iosup_kernel.add_rmap, folio, page, vma);
	g->update[g->n].ptr = g->machine + at * sizeof(pte_t);
	g->update[g->n++].val = pte_val_ma(mk_pte(page, vma->vm_page_prot));
	if (g->n == ARRAY_SIZE(g->update))
		set_gathered(g);
	return true;
}

/* The pages of a folio from index on. Was that of the fault among those that it mapped? */
static bool map_folio(struct gathered *g, struct folio *folio, pgoff_t index, pgoff_t last)
{
	bool found = false;

	for (last = min(last, folio_next_index(folio) - 1); index <= last; index++)
		found |= map_page(g, folio, index) && index == g->vmf->pgoff;
	return found;
}

static void count_hits(struct file *file, unsigned int hits)
{
	unsigned int misses = READ_ONCE(file->f_ra.mmap_miss);

	WRITE_ONCE(file->f_ra.mmap_miss, misses - min(misses, hits));
}

/* No page of what is not in the file, which the last folio may have. */
static pgoff_t last_of(struct address_space *mapping, pgoff_t last)
{
	return min(last, DIV_ROUND_UP((pgoff_t)i_size_read(mapping->host), PAGE_SIZE) - 1);
}

/*
 * The table is there, and stays while faults are allowed here: no huge page takes its place under
 * Xen PV. The first page is found and locked.
 */
static vm_fault_t map_pages(struct gathered *g, struct folio *folio, struct xa_state *xas,
			    pgoff_t last)
{
	struct mm_struct *mm = g->vmf->vma->vm_mm;
	struct file *file = g->vmf->vma->vm_file;
	spinlock_t *lock = pte_lockptr(mm, g->vmf->pmd);
	int counter = iosup_counter_of(folio);
	vm_fault_t r = 0;

	g->fault = pte_offset_kernel(g->vmf->pmd, g->vmf->address);
	g->machine = virt_to_machine(g->fault).maddr;
	last = last_of(file->f_mapping, last);
	spin_lock(lock);
	do {
		if (map_folio(g, folio, xas->xa_index, last))
			r = VM_FAULT_NOPAGE;
		folio_unlock(folio);
		folio_put(folio);
		/* Of a folio of more pages it skips the rest. */
		folio = iosup_next_page(iosup_kernel.next_page, xas, file->f_mapping, last);
	} while (folio);
	set_gathered(g);
	iosup_count_pages(mm, counter, g->all);
	spin_unlock(lock);
	count_hits(file, g->hits);
	return r;
}

/* Stands for filemap_map_pages(), and does what that does. */
vm_fault_t iosup_map_around(struct vm_fault *vmf, pgoff_t first, pgoff_t last)
{
	struct address_space *mapping = vmf->vma->vm_file->f_mapping;
	struct gathered g = {.vmf = vmf};
	XA_STATE(xas, &mapping->i_pages, first);
	struct folio *folio;
	vm_fault_t r = 0;

	/* The first fault in a table has to link it, too. And only reads are expected here. */
	if (!iosup_enabled() || pmd_none(*vmf->pmd) || pmd_bad(*vmf->pmd) ||
	    vmf->flags & FAULT_FLAG_WRITE)
		return iosup_kernel.map_around(vmf, first, last);
	rcu_read_lock();
	folio = iosup_first_page(iosup_kernel.next_page, &xas, mapping, last);
	if (folio)
		r = map_pages(&g, folio, &xas, last);
	rcu_read_unlock();
	return r;
}
#endif
