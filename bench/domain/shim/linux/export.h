/* SPDX-License-Identifier: BSD-2-Clause */
#define EXPORT_SYMBOL(name)
#define EXPORT_SYMBOL_GPL(name)
