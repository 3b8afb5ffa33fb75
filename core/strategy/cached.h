/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The strategies that reuse mappings. shared: all DMAs under way to the same pages
 * use one mapping, which goes with the last of them. persistent: it is kept, until
 * the cap, a refused MAP or a lack of memory takes idle ones back, in batches. Which
 * mapping serves which buffer is core/mapcache's business. Both use one cache: they
 * differ in what becomes of an idle mapping.
 *
 * A hit makes no request and takes no lock, and neither does the end of one (under
 * shared: of any but the last); a miss is one kick, in which the mappings that have to
 * go for it go too.
 */
#ifndef PVI_CORE_STRATEGY_CACHED_H
#define PVI_CORE_STRATEGY_CACHED_H

#include "core/mapcache.h"
#include "core/strategy/mapping.h"

struct pvi_cache {
	struct pvi_endpoint *ep;
	struct pvi_space *space;
	struct pvi_spin lock; /* of mc; held for table work only, never for a request */
	struct pvi_mapcache mc;
	bool keep; /* persistent is chosen; else what becomes idle goes at once. Atomic */
};

/* @index: 2 << @bits zeroed pointers, alive as long as the cache. */
void pvi_cache_init(struct pvi_cache *c, struct pvi_endpoint *ep, struct pvi_space *sp,
		    struct pvi_mc_entry **index, unsigned int bits, uint64_t max_pages);
/*
 * Frees the entries. The domain is detached and nothing is called any more: what a driver
 * left in use has no IOVA, just memory.
 */
void pvi_cache_done(struct pvi_cache *c);

/* persistent is chosen (true), or not any more: then what is idle goes, now and later. */
void pvi_cache_keep(struct pvi_cache *c, bool keep);

/* Gives back at most @n idle mappings, not recently used ones first. How many it did. */
uint64_t pvi_cache_reclaim(struct pvi_cache *c, uint64_t n);

/* Gives back all that are idle, whatever else is given back meanwhile. */
void pvi_cache_sweep(struct pvi_cache *c);

/* A MAP was refused for lack of memory: remembers how many there are, gives some back. */
bool pvi_cache_shrink(struct pvi_cache *c);

/* Mapped now, in pages. */
uint64_t pvi_cache_pages_mapped(const struct pvi_cache *c);

/*
 * The domain has been emptied: what is there is mapped again, at the same IOVAs. Nothing is
 * idle, and nothing else is called meanwhile. 0 or -errno.
 */
int pvi_cache_remap(struct pvi_cache *c);

uint64_t pvi_cache_map(struct pvi_cache *c, uint64_t phys, size_t size, const struct pvi_how *how);
/* All entries or none: 0 or -errno. */
int pvi_cache_map_sg(struct pvi_cache *c, struct pvi_seg *sgl, int nents,
		     const struct pvi_how *how);
bool pvi_cache_unmap_sg(struct pvi_cache *c, struct pvi_seg *sgl, int nents);

/*
 * ---- each DMA's ----
 * A hit, and the end of one that stays: inline, so that whoever does DMA has them in a function
 * of his own, and what is rare is a jump out of it.
 */

/* What serves a buffer, and where the device sees it in that. */
static inline struct pvi_mc_key pvi_cache_key(uint64_t phys, size_t size, uint32_t prot)
{
	return (struct pvi_mc_key){phys >> PVI_PAGE_SHIFT, pvi_span_pages(phys, size), prot};
}

static inline uint64_t pvi_cache_addr(const struct pvi_mc_entry *e, uint64_t phys)
{
	return (e->iova_pfn << PVI_PAGE_SHIFT) + (phys & PVI_PAGE_MASK);
}

/*
 * The address of a live mapping of these @size bytes (not 0) that ends at most at @limit, now
 * with one more user; PVI_NO_ADDR: there is none. The caller counts it. Of bounds that never
 * change @limit need not know: no mapping was made beyond them.
 */
static inline uint64_t pvi_cache_hit(struct pvi_cache *c, uint64_t phys, size_t size, uint32_t prot,
				     uint64_t limit)
{
	unsigned int cookie = pvi_read_begin();
	struct pvi_mc_entry *e =
		pvi_mapcache_get(&c->mc, pvi_cache_key(phys, size, prot), limit >> PVI_PAGE_SHIFT);
	uint64_t addr = e ? pvi_cache_addr(e, phys) : PVI_NO_ADDR;

	pvi_read_end(cookie);
	return addr;
}

/* Does a mapping go as soon as it is idle? */
static inline bool pvi_cache_lets_go(const struct pvi_cache *c)
{
	return !pvi_load(&c->keep) || pvi_mapcache_over(&c->mc);
}

/*
 * The rest of the end of a DMA at @addr, of which @e was the mapping: @left is what putting it
 * returned. Ends the read section of @cookie. True.
 */
bool pvi_cache_end_rare(struct pvi_cache *c, struct pvi_mc_entry *e, int left, uint64_t addr,
			unsigned int cookie);

/* False: not a mapping of the cache, nothing done. */
static inline bool pvi_cache_unmap(struct pvi_cache *c, uint64_t addr)
{
	unsigned int cookie = pvi_read_begin();
	struct pvi_mc_entry *e = pvi_mapcache_find(&c->mc, addr >> PVI_PAGE_SHIFT);
	int left = e ? pvi_mapcache_put(e) : 0;

	if (left < 0 || (left && pvi_cache_lets_go(c)))
		return pvi_cache_end_rare(c, e, left, addr, cookie);
	pvi_read_end(cookie);
	return e != NULL;
}

#endif
