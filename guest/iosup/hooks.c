// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the kernel's functions lead to ours. ftrace calls redirect() at the entry of a
 * function, which returns to our function instead of the one called. Ours calls the original
 * past that entry, so that it never comes back here.
 *
 * Leaving: after unregistration no call begins here, but some may still be under way, asleep
 * even. Each is inside an SRCU section, but for its first and last instructions, in which it
 * cannot sleep. So: a grace period of tasks (no task is in those first instructions), one of
 * SRCU, one more of tasks (nor in the last ones). Then the module's text is nobody's.
 */
#include <linux/ftrace.h>
#include <linux/rcupdate.h>
#include <linux/srcu.h>
#include <asm/cpufeature.h>
#include "compat.h"
#include "iosup.h"
#include "kernel.h"

DEFINE_STATIC_SRCU(inside);

#define INSIDE(statement)                             \
	do {                                          \
		int cookie = srcu_read_lock(&inside); \
		statement;                            \
		srcu_read_unlock(&inside, cookie);    \
	} while (0)

static pgd_t *on_pgd_alloc(struct mm_struct *mm)
{
	pgd_t *pgd;

	INSIDE(pgd = iosup_pgd_alloc(mm));
	return pgd;
}

static void on_pgd_free(struct mm_struct *mm, pgd_t *pgd)
{
	INSIDE(iosup_pgd_free(mm, pgd));
}

static pgtable_t on_pte_alloc_one(struct mm_struct *mm)
{
	pgtable_t table;

	INSIDE(table = iosup_pte_alloc_one(mm));
	return table;
}

static int on_pmd_alloc(struct mm_struct *mm, pud_t *pud, unsigned long address)
{
	int r;

	INSIDE(r = iosup_pmd_alloc(mm, pud, address));
	return r;
}

static int on_pud_alloc(struct mm_struct *mm, p4d_t *p4d, unsigned long address)
{
	int r;

	INSIDE(r = iosup_pud_alloc(mm, p4d, address));
	return r;
}

static void on_alloc_pte(struct mm_struct *mm, unsigned long pfn)
{
	INSIDE(iosup_link_pte(mm, pfn));
}

static void on_release_pte(unsigned long pfn)
{
	INSIDE(iosup_release(pfn, IOSUP_PTE));
}

static void on_release_pmd(unsigned long pfn)
{
	INSIDE(iosup_release(pfn, IOSUP_PMD));
}

static void on_release_pud(unsigned long pfn)
{
	INSIDE(iosup_release(pfn, IOSUP_PUD));
}

static void on_exit_mmap(struct mm_struct *mm)
{
	INSIDE(iosup_exit_mmap(mm));
}

/* The kernel pins a new address space once, when it is filled. Ours are pinned already. */
static bool pinned_from_birth(struct mm_struct *mm)
{
	iosup_pgd_activated(mm->pgd);
	return PagePinned(virt_to_page(mm->pgd));
}

#if IOSUP_HAVE_ENTER_MMAP
static void on_enter_mmap(struct mm_struct *mm)
{
	INSIDE(if (!pinned_from_birth(mm)) iosup_kernel.enter_mmap(mm));
}
#else
static void on_activate_mm(struct mm_struct *prev, struct mm_struct *next)
{
	INSIDE(if (!pinned_from_birth(next)) iosup_kernel.activate_mm(prev, next));
}

static void on_dup_mmap(struct mm_struct *from, struct mm_struct *mm)
{
	INSIDE(if (!pinned_from_birth(mm)) iosup_kernel.dup_mmap(from, mm));
}
#endif

static pte_t on_clear_flush(struct vm_area_struct *vma, unsigned long address, pte_t *entry)
{
	pte_t old;

	INSIDE(old = iosup_clear_flush(vma, address, entry));
	return old;
}

#if IOSUP_GATHERS
static vm_fault_t on_map_around(struct vm_fault *vmf, pgoff_t first, pgoff_t last)
{
	vm_fault_t r;

	INSIDE(r = iosup_map_around(vmf, first, last));
	return r;
}
#endif

/* A descriptor table is a page type of its own: one flip when it is made, one at its end. */
static void on_alloc_ldt(void *ldt, unsigned int entries)
{
	INSIDE(this_cpu_add(iosup_counts.ldt_pages, DIV_ROUND_UP(entries * 8, PAGE_SIZE));
	       iosup_kernel.alloc_ldt(ldt, entries));
}

struct hook {
	const char *name, *signature;
	void *ours;
	void **original;
	unsigned long site;
	struct ftrace_ops ops;
	bool attached;
};

#define HOOK(function, short_name, text)                                      \
	{                                                                     \
		.name = function, .signature = text, .ours = on_##short_name, \
		.original = (void **)&iosup_kernel.short_name,                \
	}

static struct hook hooks[] = {
/* Those that let a new address space be first: what is pinned then must be known. */
#if IOSUP_HAVE_ENTER_MMAP
	HOOK("xen_enter_mmap", enter_mmap, "void (mm_struct*)"),
#else
	HOOK("xen_activate_mm", activate_mm, "void (mm_struct*, mm_struct*)"),
	HOOK("xen_dup_mmap", dup_mmap, "void (mm_struct*, mm_struct*)"),
#endif
	HOOK("pgd_free", pgd_free, "void (mm_struct*, pgd_t*)"),
	HOOK("xen_exit_mmap", exit_mmap, "void (mm_struct*)"),
	HOOK("xen_alloc_pte", alloc_pte, "void (mm_struct*, long unsigned int)"),
	HOOK("xen_release_pte", release_pte, "void (long unsigned int)"),
	HOOK("xen_release_pmd", release_pmd, "void (long unsigned int)"),
	HOOK("xen_release_pud", release_pud, "void (long unsigned int)"),
	HOOK("xen_alloc_ldt", alloc_ldt, "void (desc_struct*, unsigned int)"),
	HOOK("pte_alloc_one", pte_alloc_one, "pgtable_t (mm_struct*)"),
	HOOK("__pmd_alloc", pmd_alloc, "int (mm_struct*, pud_t*, long unsigned int)"),
	HOOK("__pud_alloc", pud_alloc, "int (mm_struct*, p4d_t*, long unsigned int)"),
	HOOK("ptep_clear_flush", clear_flush, "pte_t (vm_area_struct*, long unsigned int, pte_t*)"),
#if IOSUP_GATHERS
	HOOK("filemap_map_pages", map_around,
	     "vm_fault_t (vm_fault*, long unsigned int, long unsigned int)"),
#endif
	HOOK("pgd_alloc", pgd_alloc, "pgd_t* (mm_struct*)"),
};

static void notrace redirect(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
			     struct ftrace_regs *regs)
{
	iosup_set_ip(regs, (unsigned long)container_of(ops, struct hook, ops)->ours);
}

static int prepare(struct hook *h)
{
	unsigned long address = (unsigned long)iosup_symbol(h->name);
	int r;

	if (!address)
		return -ENOENT;
	r = iosup_signature_check(h->name, h->signature);
	if (r)
		return r;
	h->site = iosup_kernel.ftrace_location(address);
	if (!h->site) {
		pr_err("iosup: %s cannot be traced in this kernel\n", h->name);
		return -ENOENT;
	}
	*h->original = (void *)(h->site + MCOUNT_INSN_SIZE);
	h->ops.func = redirect;
	/* redirect() calls nothing, so it cannot recur. */
	h->ops.flags = FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_RECURSION;
	return 0;
}

static int attach(struct hook *h)
{
	int r = ftrace_set_filter_ip(&h->ops, h->site, 0, 0);

	if (!r)
		r = register_ftrace_function(&h->ops);
	if (r)
		pr_err("iosup: cannot hook %s: %d%s\n", h->name, r,
		       r == -EBUSY ? " (somebody else, a live patch perhaps, has it)" : "");
	h->attached = !r;
	return r;
}

int iosup_hooks_attach(void)
{
	size_t i;
	int r = 0;

	/* Originals are entered past their landing pad. A PV guest has no IBT to object. */
	if (cpu_feature_enabled(X86_FEATURE_IBT)) {
		pr_err("iosup: indirect branch tracking is on\n");
		return -EOPNOTSUPP;
	}
	for (i = 0; !r && i < ARRAY_SIZE(hooks); i++)
		r = prepare(&hooks[i]);
	for (i = 0; !r && i < ARRAY_SIZE(hooks); i++)
		r = attach(&hooks[i]);
	if (r)
		iosup_hooks_detach();
	return r;
}

void iosup_hooks_settle(void)
{
	synchronize_srcu(&inside);
}

void iosup_hooks_detach(void)
{
	size_t i = ARRAY_SIZE(hooks);

	while (i-- > 0) {
		if (hooks[i].attached)
			unregister_ftrace_function(&hooks[i].ops);
		hooks[i].attached = false;
	}
	synchronize_rcu_tasks();
	synchronize_srcu(&inside);
	synchronize_rcu_tasks();
}
