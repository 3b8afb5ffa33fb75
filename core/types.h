/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one file of core/ that knows whether it is built into the kernel or into
 * user space: fixed-width integers, bool, errno values, memcpy and friends; and
 * which of the two platforms platform.h stands for.
 */
#ifndef PVI_CORE_TYPES_H
#define PVI_CORE_TYPES_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/string.h>
#include <linux/stddef.h>
#include <linux/build_bug.h>
#include <asm/byteorder.h>
#ifndef UINT64_MAX
#define UINT64_MAX U64_MAX
#endif
#ifndef UINT32_MAX
#define UINT32_MAX U32_MAX
#endif
#define PVI_STATIC_ASSERT(cond, why) static_assert(cond, why)
#define PVI_PLATFORM_HEADER	     "core/platform_kernel.h"
#else
#include <stdint.h>
#include <stdbool.h>
#include <stddef.h>
#include <errno.h>
#include <string.h>
#define likely(x)		     __builtin_expect(!!(x), 1)
#define unlikely(x)		     __builtin_expect(!!(x), 0)
#define PVI_STATIC_ASSERT(cond, why) _Static_assert(cond, why)
#define PVI_PLATFORM_HEADER	     "core/platform_user.h"
#endif

#define PVI_PAGE_SHIFT 12
#define PVI_PAGE_SIZE  ((uint64_t)1 << PVI_PAGE_SHIFT)
#define PVI_PAGE_MASK  (PVI_PAGE_SIZE - 1)

/* Rights of a mapping or of an access; the values of the wire's MAP flags. */
#define PVI_READ  1u
#define PVI_WRITE 2u
#define PVI_MMIO  4u

#endif
