/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the strategies need of the place they run in: the same names in the kernel
 * (platform_kernel.h) and in user space (platform_user.h), where tests run them.
 *
 * Atomic accesses, to integers, bools and pointers:
 *   pvi_load(p), pvi_store(p, v)		  no tearing, no order
 *   pvi_load_acquire(p), pvi_store_release(p, v)
 *   pvi_cas(p, old, new)			  true: was *old, now new; full order. Else
 *						  *old is what it is
 *   pvi_store_mb(p, v)			  full order
 * Locks, with interrupts off while one is held:
 *   struct pvi_spin, pvi_spin_init(l), flags = pvi_spin_lock(l), pvi_spin_unlock(l, flags),
 *   pvi_assert_held(l)
 * Counting users, cheaply (a CPU each for itself):
 *   struct pvi_ref, pvi_ref_init(r, release), pvi_ref_done(r)	  nobody's; these may sleep, as do
 *   pvi_ref_begin(r)				  was nobody's: its owner's, and others can get
 *						  it
 *   pvi_ref_end(r)				  nobody gets it from now on, and it isn't its
 *						  owner's. With the last user gone: release(r)
 *   pvi_ref_get(r), pvi_ref_put(r)		  any context. False: not to be had
 * Reading what others remove:
 *   cookie = pvi_read_begin(), pvi_read_end(cookie)   any context; a section never waits
 *   struct pvi_rcu, pvi_free_later(p, member)	  frees @p, which pvi_zalloc() made, when
 *						  all sections of now have ended
 * Memory, in any context: pvi_zalloc(size), zeroed, NULL when there is none; pvi_free(p)
 *   pvi_pages_alloc(order), pvi_pages_free(p, order)   whole pages, zeroed, contiguous
 *   pvi_phys_of(p), pvi_virt_of(phys)		  where such memory, or a driver's, is
 * What each CPU has for itself:
 *   PVI_PERCPU type *v				  a variable of each CPU's, by the address of
 *						  which one is reached in one of these ways:
 *   pvi_percpu_alloc(type), zeroed; may sleep, as the next two; pvi_percpu_free(v)
 *   pvi_percpu_each(v, fn, data)		  fn(one, data) for each, with that CPU's interrupts
 *						  off, after all sections there that began before
 *   one = pvi_cpu_begin(v, &flags), pvi_cpu_end(flags)	  this CPU's, with interrupts off between
 * Time: pvi_clock_ms(), coarse
 * Scatter lists: struct pvi_seg, an entry of a list of them:
 *   pvi_seg_phys(s), pvi_seg_len(s)		  the driver's memory
 *   pvi_seg_addr(s), pvi_seg_addr_len(s), pvi_seg_set(s, addr, len)   what the device uses
 *   pvi_seg_next(s)
 */
#ifndef PVI_CORE_PLATFORM_H
#define PVI_CORE_PLATFORM_H

#include "core/types.h"
#include PVI_PLATFORM_HEADER

#endif
