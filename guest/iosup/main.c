// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading, parameters, on and off.
 *
 * While the module is on, and until all that it changed is the kernel's again, it holds a
 * reference to itself: it can be unloaded once it is off. Switching off waits for what other
 * tasks have under way (a table handed out and not linked yet, a process's last breath), in
 * which an unhooked kernel would find things as it never leaves them; where that takes too
 * long, the write fails, the module is off but stays, and writing 0 again goes on.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <asm/cpufeature.h>
#include <xen/xen.h>
#include "iosup.h"
#include "kernel.h"

#define OFF_SECONDS 10
/* By default the pools may hold one page in so many of the machine's. */
#define CAP_PART 32

static bool enabled, loaded, holding;
static bool pool_only;
bool iosup_verify;
unsigned long iosup_cap;

bool iosup_enabled(void)
{
	return READ_ONCE(enabled);
}

bool iosup_pool_only(void)
{
	return READ_ONCE(pool_only);
}

static void switch_on(void)
{
	if (!holding)
		__module_get(THIS_MODULE);
	holding = true;
	WRITE_ONCE(enabled, true);
}

static unsigned long pooled(void)
{
	unsigned long n = 0;
	int l;

	for (l = 0; l < IOSUP_LEVELS; l++)
		n += iosup_pool_size(l);
	return n;
}

static int switch_off(void)
{
	unsigned long end = jiffies + OFF_SECONDS * HZ;
	unsigned long newborn, unlinked, exits;

	WRITE_ONCE(enabled, false);
	if (!holding)
		return 0;
	for (;;) {
		/* Who still saw it enabled has acted on it; batches of freed tables have gone. */
		iosup_hooks_settle();
		synchronize_rcu();
		newborn = iosup_pgd_newborn();
		unlinked = iosup_unlinked();
		exits = iosup_exit_settle();
		iosup_drain(ULONG_MAX);
		if (!newborn && !unlinked && !exits && !pooled())
			break;
		if (time_after(jiffies, end)) {
			pr_warn("iosup: off, but still waiting: %lu new address spaces, %lu tables "
				"not linked, %lu exits, %lu tables in use; write 0 to enabled "
				"again\n",
				newborn, unlinked, exits, pooled());
			return -EBUSY;
		}
		if (msleep_interruptible(10))
			return -EINTR;
	}
	holding = false;
	module_put(THIS_MODULE);
	return 0;
}

/* Parameters are set under the kernel's lock for them: one at a time. */
static int set_enabled(const char *text, const struct kernel_param *p)
{
	bool on;
	int r = kstrtobool(text, &on);

	if (r)
		return r;
	/* At load: iosup_init() acts on it. */
	if (!loaded) {
		enabled = on;
		return 0;
	}
	if (!on)
		return switch_off();
	switch_on();
	return 0;
}

static const struct kernel_param_ops enabled_ops = {
	.set = set_enabled,
	.get = param_get_bool,
};
module_param_cb(enabled, &enabled_ops, &enabled, 0644);
MODULE_PARM_DESC(enabled, "keep page tables' types (default 0); off gives all back");

static int set_mode(const char *text, const struct kernel_param *p)
{
	bool only = sysfs_streq(text, "pool-only");

	if (!only && !sysfs_streq(text, "full"))
		return -EINVAL;
	WRITE_ONCE(pool_only, only);
	return 0;
}

static int get_mode(char *text, const struct kernel_param *p)
{
	return sysfs_emit(text, "%s\n", pool_only ? "pool-only" : "full");
}

static const struct kernel_param_ops mode_ops = {.set = set_mode, .get = get_mode};
module_param_cb(mode, &mode_ops, NULL, 0644);
MODULE_PARM_DESC(mode, "full (default), or pool-only: exits in pinned tables, for comparison");

module_param_named(cap, iosup_cap, ulong, 0644);
MODULE_PARM_DESC(cap, "most pages in the pools (default 1/32 of memory)");
module_param_named(verify, iosup_verify, bool, 0644);
MODULE_PARM_DESC(verify, "check that each reused table is empty (default 0; costs time)");

static int check_machine(void)
{
	if (!xen_pv_domain()) {
		pr_err("iosup: this is no Xen PV domain, and has no use for it\n");
		return -ENODEV;
	}
	/* With huge pages page->lru of a table handed out would be the kernel's. */
	if (boot_cpu_has(X86_FEATURE_PSE) || boot_cpu_has(X86_FEATURE_LA57)) {
		pr_err("iosup: huge pages or five levels of tables: not as a PV domain is known\n");
		return -EOPNOTSUPP;
	}
	return 0;
}

static int __init iosup_init(void)
{
	int r = check_machine();
	bool on;

	if (r)
		return r;
	if (!iosup_cap)
		iosup_cap = totalram_pages() / CAP_PART;
	iosup_pool_init();
	r = iosup_kernel_init();
	if (r)
		return r;
	r = iosup_stats_init();
	if (r)
		return r;
	r = iosup_shrink_init();
	if (r)
		goto no_shrinker;
	/* On only when all hooks are there: none meets what another one should have seen. */
	on = enabled;
	enabled = false;
	loaded = true;
	r = iosup_hooks_attach();
	if (r)
		goto no_hooks;
	if (on)
		switch_on();
	pr_info("iosup: loaded, %s\n", on ? "on" : "off");
	return 0;

no_hooks:
	iosup_shrink_done();
no_shrinker:
	iosup_stats_done();
	return r;
}

static void __exit iosup_exit(void)
{
	/* It is off, and nothing is outstanding: else we would hold a reference. */
	iosup_hooks_detach();
	iosup_shrink_done();
	iosup_stats_done();
}

module_init(iosup_init);
module_exit(iosup_exit);
MODULE_DESCRIPTION("Page tables of a Xen PV guest that do not flush the IOTLB");
MODULE_AUTHOR("pviommu");
MODULE_LICENSE("GPL");
