// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keeps the walkers of the reverse map out of a range of a dying address space.
 *
 * Reclaim, migration, KSM, write-back, truncation and others reach the tables of an address
 * space without it: from a page, through the file's i_mmap or the anon_vma's tree, whose
 * lock they hold (for reading) as long as they are in the tables. Whoever holds all of those
 * locks for writing that belong to a range has the tables of that range to himself.
 *
 * Others take several of these locks too, in other orders (mm_take_all_locks()). So only one
 * is ever waited for, with no other one held; the others are tried. Where one cannot be had
 * all are let go, and it is the one to wait for next. Nothing that holds one of these locks
 * waits for our mmap_lock, which we hold: its order is before theirs.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/rmap.h>
#include <linux/rwsem.h>
#include <linux/xarray.h>
#include "iosup.h"

/* Neighbours share files and anon_vmas: the latest are the likeliest to be the same. */
static void add(struct iosup_rmap *r, struct rw_semaphore *lock)
{
	unsigned int i = r->held;

	while (i-- > 0)
		if (r->lock[i] == lock)
			return;
	if (!WARN_ON_ONCE(r->held == r->room))
		r->lock[r->held++] = lock;
}

static void collect(struct iosup_rmap *r, struct mm_struct *mm, unsigned long start,
		    unsigned long end)
{
	VMA_ITERATOR(vmi, mm, start);
	struct vm_area_struct *vma;

	r->held = 0;
	for_each_vma_range(vmi, vma, end)
	{
		/* Where a fork failed halfway the rest was never linked. */
		if (xa_is_zero(vma))
			break;
		if (vma->vm_file)
			add(r, &vma->vm_file->f_mapping->i_mmap_rwsem);
		if (vma->anon_vma)
			add(r, &vma->anon_vma->root->rwsem);
	}
}

/* Takes all but the one that is held. Returns its number where one cannot be had. */
static unsigned int try_others(struct iosup_rmap *r, unsigned int held)
{
	unsigned int i, j;

	for (i = 0; i < r->held; i++) {
		if (i == held || down_write_trylock(r->lock[i]))
			continue;
		for (j = 0; j < i; j++)
			if (j != held)
				up_write(r->lock[j]);
		up_write(r->lock[held]);
		return i;
	}
	return r->held;
}

void iosup_rmap_lock(struct iosup_rmap *r, struct mm_struct *mm, unsigned long start,
		     unsigned long end)
{
	unsigned int first = 0, failed;

	collect(r, mm, start, end);
	if (!r->held)
		return;
	for (;;) {
		down_write(r->lock[first]);
		failed = try_others(r, first);
		if (failed == r->held)
			return;
		iosup_count(waited_exits);
		first = failed;
	}
}

void iosup_rmap_unlock(struct iosup_rmap *r)
{
	while (r->held > 0)
		up_write(r->lock[--r->held]);
}
