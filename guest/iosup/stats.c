// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/iosup: one number a file. Folders pte, pmd, pud and pgd (levels 1 to 4) have
 * reused, missed, returned, discarded, shrunk and pooled; beside them is what is of no level.
 */
#include <linux/kobject.h>
#include <linux/sysfs.h>
#include "iosup.h"

DEFINE_PER_CPU(struct iosup_counts, iosup_counts);

static unsigned long sum(size_t offset)
{
	unsigned long total = 0;
	int cpu;

	for_each_possible_cpu(cpu) total +=
		READ_ONCE(*(unsigned long *)((char *)per_cpu_ptr(&iosup_counts, cpu) + offset));
	return total;
}

static struct kobject *top, *folders[IOSUP_LEVELS];

static enum iosup_level level_of(struct kobject *folder)
{
	int l = 0;

	while (folders[l] != folder)
		l++;
	return l;
}

#define LEVEL_FILE(field)                                                                   \
	static ssize_t field##_show(struct kobject *k, struct kobj_attribute *a, char *buf) \
	{                                                                                   \
		size_t at = offsetof(struct iosup_counts, level) +                          \
			    level_of(k) * sizeof(struct iosup_level_counts);                \
                                                                                            \
		return sysfs_emit(buf, "%lu\n",                                             \
				  sum(at + offsetof(struct iosup_level_counts, field)));    \
	}                                                                                   \
	static struct kobj_attribute field##_file = __ATTR_RO(field)

LEVEL_FILE(reused);
LEVEL_FILE(missed);
LEVEL_FILE(returned);
LEVEL_FILE(discarded);
LEVEL_FILE(shrunk);

static ssize_t pooled_show(struct kobject *k, struct kobj_attribute *a, char *buf)
{
	return sysfs_emit(buf, "%lu\n", iosup_pool_size(level_of(k)));
}
static struct kobj_attribute pooled_file = __ATTR_RO(pooled);

static struct attribute *level_files[] = {
	&reused_file.attr,
	&missed_file.attr,
	&returned_file.attr,
	&discarded_file.attr,
	&shrunk_file.attr,
	&pooled_file.attr,
	NULL,
};
static const struct attribute_group level_group = {.attrs = level_files};

#define TOP_FILE(field)                                                                     \
	static ssize_t field##_show(struct kobject *k, struct kobj_attribute *a, char *buf) \
	{                                                                                   \
		return sysfs_emit(buf, "%lu\n", sum(offsetof(struct iosup_counts, field))); \
	}                                                                                   \
	static struct kobj_attribute field##_file = __ATTR_RO(field)

TOP_FILE(shadow_exits);
TOP_FILE(stock_exits);
TOP_FILE(kept_exits);
TOP_FILE(waited_exits);
TOP_FILE(traps_avoided);
TOP_FILE(gathered);
TOP_FILE(ldt_pages);
TOP_FILE(dirty);

/* A table that is reused was not made read-only; one that was returned, not writable. */
static ssize_t flips_avoided_show(struct kobject *k, struct kobj_attribute *a, char *buf)
{
	unsigned long total = 0;
	int l;

	for (l = 0; l < IOSUP_LEVELS; l++) {
		size_t at = offsetof(struct iosup_counts, level) +
			    l * sizeof(struct iosup_level_counts);

		total += sum(at + offsetof(struct iosup_level_counts, reused)) +
			 sum(at + offsetof(struct iosup_level_counts, returned));
	}
	return sysfs_emit(buf, "%lu\n", total);
}
static struct kobj_attribute flips_avoided_file = __ATTR_RO(flips_avoided);

static struct attribute *top_files[] = {
	&shadow_exits_file.attr,  &stock_exits_file.attr,
	&kept_exits_file.attr,	  &waited_exits_file.attr,
	&traps_avoided_file.attr, &gathered_file.attr,
	&ldt_pages_file.attr,	  &dirty_file.attr,
	&flips_avoided_file.attr, NULL,
};
static const struct attribute_group top_group = {.attrs = top_files};

int iosup_stats_init(void)
{
	static const char *const names[] = {"pte", "pmd", "pud", "pgd"};
	int r = -ENOMEM, l;

	top = kobject_create_and_add("iosup", kernel_kobj);
	if (!top)
		return r;
	for (l = 0; l < IOSUP_LEVELS; l++) {
		folders[l] = kobject_create_and_add(names[l], top);
		if (!folders[l])
			goto fail;
	}
	r = sysfs_create_group(top, &top_group);
	for (l = 0; !r && l < IOSUP_LEVELS; l++)
		r = sysfs_create_group(folders[l], &level_group);
	if (!r)
		return 0;
fail:
	iosup_stats_done();
	return r;
}

void iosup_stats_done(void)
{
	int l;

	/* Takes the files with it, and waits for their readers. */
	for (l = 0; l < IOSUP_LEVELS; l++) {
		kobject_put(folders[l]);
		folders[l] = NULL;
	}
	kobject_put(top);
	top = NULL;
}
