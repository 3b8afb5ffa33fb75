/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SHIM_RCUPDATE_H
#define SHIM_RCUPDATE_H

#include <linux/compiler.h>

#define __rcu
#define rcu_assign_pointer(p, v) __atomic_store_n(&(p), v, __ATOMIC_RELEASE)
#define rcu_dereference_raw(p)	 __atomic_load_n(&(p), __ATOMIC_CONSUME)

#endif
