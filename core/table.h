/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The domain table: which IOVA pages of one domain lead where, and with which
 * rights. The representation is private to table.c.
 *
 * Writers (map, unmap, clear, synchronize, walk, stats) are serialised by the caller. Readers need
 * no lock: they run between pvi_table_enter() and pvi_table_leave(). What unmap removed is no
 * longer in use by any reader after pvi_table_synchronize(), and not before; the caller reports
 * completion only then.
 */
#ifndef PVI_CORE_TABLE_H
#define PVI_CORE_TABLE_H

#include "core/gate.h"
#include "core/range.h"

struct pvi_table;

struct pvi_table_caps {
	uint64_t max_mappings;	  /* live mappings */
	uint64_t max_table_bytes; /* memory of the table itself */
};

struct pvi_table_stats {
	uint64_t mappings;
	uint64_t pages; /* 4 KiB pages reachable */
	uint64_t table_bytes;
};

/* One of several to be translated together. */
struct pvi_table_access {
	uint64_t iova;
	uint64_t len; /* at least 1 */
};

/* A piece of a translation: @len bytes at @target, all within one mapping. */
struct pvi_table_run {
	uint64_t target;
	uint64_t len;
};

int pvi_table_new(const struct pvi_table_caps *caps, struct pvi_table **ret);
void pvi_table_free(struct pvi_table *t); /* no reader may be inside; NULL is allowed */

/*
 * One mapping: @iova (page-aligned ends: first at a page's first byte, last at a
 * page's last) to @target, with PVI_READ / PVI_WRITE / PVI_MMIO rights.
 * -EINVAL: not aligned, not a right, or the target ends beyond 2^52 bytes (no
 * machine has memory there); -EEXIST: overlaps a mapping; -ENOMEM: a cap or
 * memory. On failure no translation has changed. At its cap of bytes it may wait
 * for readers, as synchronize does: don't call it between enter and leave.
 */
int pvi_table_map(struct pvi_table *t, struct pvi_range iova, uint64_t target, unsigned int prot);

/*
 * Removes every mapping that lies within @iova (any ends; none there is fine).
 * -ERANGE when one lies partly outside: nothing is removed then (5.13.6.6);
 * -EINVAL when the range is none.
 * O(log n + k). Readers may still use the old translation until synchronize.
 */
int pvi_table_unmap(struct pvi_table *t, struct pvi_range iova, uint64_t *ret_removed);

/* Removes all mappings. */
void pvi_table_clear(struct pvi_table *t);

/*
 * Readers. enter() returns a cookie for leave(), which the same thread calls. Never
 * blocks, and costs no locked instruction (core/gate.h). The gate is all that is
 * known here of a table: calls would cost about as much as what they do.
 */
static inline unsigned int pvi_table_enter(struct pvi_table *t)
{
	return pvi_gate_enter((struct pvi_gate *)t);
}

static inline void pvi_table_leave(struct pvi_table *t, unsigned int cookie)
{
	pvi_gate_leave((struct pvi_gate *)t, cookie);
}

/* Waits until every reader that entered before this call has left, then frees what it may. */
void pvi_table_synchronize(struct pvi_table *t);

/*
 * Between enter and leave. Translates @iova for an access of up to @len bytes
 * with all rights in @prot: *@ret gets the target and how many bytes from @iova
 * on (at most @len) lie within the same mapping.
 * -ENOENT: nothing is mapped there; -EACCES: mapped without that right.
 */
int pvi_table_translate(const struct pvi_table *t, uint64_t iova, uint64_t len, unsigned int prot,
			struct pvi_table_run *ret);

/*
 * enter, translate and leave in one call, which costs less: what is found may be out
 * of date at once. For who is kept from that by other means, like the DMA path.
 */
static inline int pvi_table_lookup(struct pvi_table *t, uint64_t iova, uint64_t len,
				   unsigned int prot, struct pvi_table_run *ret);

/*
 * The same for @nr accesses side by side, so that cache misses overlap: *@ret gets
 * as many runs. Returns how many were translated; the first that cannot be ends it
 * with its error in *@ret_err, else 0 is there. Worth it from two accesses on.
 */
unsigned int pvi_table_translate_vec(const struct pvi_table *t,
				     const struct pvi_table_access *access, unsigned int nr,
				     unsigned int prot, struct pvi_table_run *ret, int *ret_err);

/*
 * All of @iova (valid) as a scatter list: *@ret_nr runs in @ret, one for each
 * mapping that it touches. On failure @ret holds nothing of use.
 * -ENOENT, -EACCES: as above, for any byte of it; -E2BIG: takes more than @max runs.
 */
int pvi_table_translate_list(const struct pvi_table *t, struct pvi_range iova, unsigned int prot,
			     struct pvi_table_run *ret, unsigned int max, unsigned int *ret_nr);

/*
 * Writer side. Calls @fn for each mapping that touches @iova (valid), in order; stops at
 * and returns the first non-zero result.
 */
int pvi_table_walk(const struct pvi_table *t, struct pvi_range iova,
		   int (*fn)(void *ctx, struct pvi_range iova, uint64_t target, unsigned int prot),
		   void *ctx);

void pvi_table_stats(const struct pvi_table *t, struct pvi_table_stats *ret);

#include "core/table_read.h"

#endif
