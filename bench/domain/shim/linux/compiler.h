/* SPDX-License-Identifier: BSD-2-Clause */
/* Just what the kernel's tree needs outside of a kernel. */
#ifndef SHIM_COMPILER_H
#define SHIM_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define __always_inline			inline __attribute__((always_inline))
#define unlikely(x)			__builtin_expect(!!(x), 0)
#define likely(x)			__builtin_expect(!!(x), 1)
#define WRITE_ONCE(x, v)		(*(volatile __typeof__(x) *)&(x) = (v))
#define READ_ONCE(x)			(*(const volatile __typeof__(x) *)&(x))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
