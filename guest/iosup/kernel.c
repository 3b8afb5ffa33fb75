// SPDX-License-Identifier: GPL-2.0-only
/* Finds what the kernel does not export, by name, and refuses to go on without it. */
#include <linux/kprobes.h>
#include "compat.h"
#include "iosup.h"
#include "kernel.h"

struct iosup_kernel iosup_kernel;

static unsigned long (*lookup)(const char *name);

/* The one function that finds all others is found by placing a probe on it. */
static int find_lookup(void)
{
	struct kprobe probe = {.symbol_name = "kallsyms_lookup_name"};
	int r = register_kprobe(&probe);

	if (r) {
		pr_err("iosup: cannot find kallsyms_lookup_name: %d\n", r);
		return r;
	}
	lookup = (void *)probe.addr;
	unregister_kprobe(&probe);
	return 0;
}

void *iosup_symbol(const char *name)
{
	void *address = (void *)lookup(name);

	if (!address)
		pr_err("iosup: this kernel has no symbol %s\n", name);
	return address;
}

static const struct {
	const char *name, *signature;
	void **where;
} needed[] = {
	{"__xen_pgd_pin", "void (mm_struct*, pgd_t*)", (void **)&iosup_kernel.pgd_pin},
	{"__xen_pgd_unpin", "void (mm_struct*, pgd_t*)", (void **)&iosup_kernel.pgd_unpin},
	{"__memcg_kmem_charge_page", "int (page*, gfp_t, int)",
	 (void **)&iosup_kernel.memcg_charge},
	{"__memcg_kmem_uncharge_page", "void (page*, int)", (void **)&iosup_kernel.memcg_uncharge},
	{"flush_tlb_mm_range",
	 "void (mm_struct*, long unsigned int, long unsigned int, unsigned int, bool)",
	 (void **)&iosup_kernel.flush_tlb_range},
	{"ftrace_location", "long unsigned int (long unsigned int)",
	 (void **)&iosup_kernel.ftrace_location},
#if IOSUP_GATHERS
	{IOSUP_NEXT_PAGE, IOSUP_NEXT_PAGE_TYPE, (void **)&iosup_kernel.next_page},
	{IOSUP_ADD_RMAP, IOSUP_ADD_RMAP_TYPE, (void **)&iosup_kernel.add_rmap},
#endif
	{"init_mm", NULL, (void **)&iosup_kernel.init_mm},
	{"pgd_lock", NULL, (void **)&iosup_kernel.pgd_lock},
	{"pgd_list", NULL, (void **)&iosup_kernel.pgd_list},
};

int iosup_kernel_init(void)
{
	int r = find_lookup();
	size_t i;

	if (!r)
		r = iosup_signature_init();
	for (i = 0; !r && i < ARRAY_SIZE(needed); i++) {
		*needed[i].where = iosup_symbol(needed[i].name);
		if (!*needed[i].where)
			r = -ENOENT;
		else if (needed[i].signature)
			r = iosup_signature_check(needed[i].name, needed[i].signature);
	}
	return r;
}

static int order_of(enum iosup_level level)
{
	return level == IOSUP_PGD ? IOSUP_PGD_ORDER : 0;
}

bool iosup_charge(struct page *table, enum iosup_level level)
{
	return !iosup_memcg_online() ||
	       !iosup_kernel.memcg_charge(table, GFP_KERNEL_ACCOUNT, order_of(level));
}

void iosup_uncharge(struct page *table, enum iosup_level level)
{
	if (iosup_memcg_online() && PageMemcgKmem(table))
		iosup_kernel.memcg_uncharge(table, order_of(level));
}
