/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The mapping cache of the persistent strategy: which mappings of one endpoint
 * are alive, who uses them, and which idle one goes first when room is needed.
 * Logic only: it makes no request, allocates nothing and takes no lock, so that
 * user space can run the very code of the kernel module.
 *
 * A mapping is keyed by (first page, number of pages, rights). Different rights,
 * or another extent, are another mapping at another IOVA: a live mapping is never
 * widened, and no page is mapped that the driver did not name. A buffer of several
 * contiguous pages is therefore contiguous in IOVA space by construction. The
 * price is that a page in buffers of several extents is mapped several times.
 *
 * A key may be present twice: two CPUs that miss at once each make a mapping. Both
 * are right; the one that lookups do not find ages out.
 *
 * Entries belong to the caller, who embeds struct pvi_mc_entry. An entry is either
 * in use (refs > 0) or idle (on the LRU list); what pvi_mapcache_take() returns is
 * in neither, and in no index: it cannot be hit while its UNMAP is under way.
 *
 * Callers serialise all calls on one cache.
 */
#ifndef PVI_CORE_MAPCACHE_H
#define PVI_CORE_MAPCACHE_H

#include "core/types.h"

struct pvi_mc_key {
	uint64_t pfn;	 /* first page of the target */
	uint64_t npages; /* at least 1 */
	uint32_t prot;	 /* PVI_READ | PVI_WRITE */
};

struct pvi_mc_entry {
	struct pvi_mc_key key;
	uint64_t iova_pfn; /* where the device sees its first page */
	uint64_t refs;
	struct pvi_mc_entry *next_key;
	struct pvi_mc_entry *next_iova;
	struct pvi_mc_entry *lru_prev; /* idle: neighbours; taken: lru_next chains the list */
	struct pvi_mc_entry *lru_next;
};

/* All counts are of 4 KiB pages unless they say otherwise. */
struct pvi_mapcache {
	struct pvi_mc_entry **by_key;
	struct pvi_mc_entry **by_iova;
	unsigned int bits;		/* both indexes have 1 << bits chains */
	struct pvi_mc_entry *lru_first; /* least recently used */
	struct pvi_mc_entry *lru_last;
	uint64_t pages; /* mapped, idle or in use */
	uint64_t idle_pages;
	uint64_t entries; /* mappings, idle or in use */
	uint64_t idle_entries;
	uint64_t max_pages;   /* the caps, on idle and in use together */
	uint64_t max_entries; /* lowered by pvi_mapcache_nomem() */
};

/* Fewest mappings that a refused MAP may leave as the cap. */
#define PVI_MC_MIN_ENTRIES 16u

/* @by_key, @by_iova: 1 << @bits zeroed pointers each, alive as long as the cache. */
void pvi_mapcache_init(struct pvi_mapcache *c, struct pvi_mc_entry **by_key,
		       struct pvi_mc_entry **by_iova, unsigned int bits, uint64_t max_pages);

/*
 * A live mapping of exactly @key whose last IOVA page is at most @last_pfn, now
 * with one more user; NULL: none.
 */
struct pvi_mc_entry *pvi_mapcache_get(struct pvi_mapcache *c, struct pvi_mc_key key,
				      uint64_t last_pfn);

/* Enters a mapping that has been made, with one user. Its IOVA is in no other entry. */
void pvi_mapcache_add(struct pvi_mapcache *c, struct pvi_mc_entry *e, struct pvi_mc_key key,
		      uint64_t iova_pfn);

/* The mapping that starts at page @iova_pfn, its users unchanged; NULL: none. */
struct pvi_mc_entry *pvi_mapcache_find(const struct pvi_mapcache *c, uint64_t iova_pfn);

/*
 * One user less; the last one makes it idle, as the most recently used.
 * -EINVAL: it has no user (nothing changed).
 */
int pvi_mapcache_put(struct pvi_mapcache *c, struct pvi_mc_entry *e);

/*
 * Removes idle mappings, least recently used first, until at least @npages pages
 * are gone or none is idle. Returns them chained by lru_next, for the caller to
 * unmap and free; NULL: nothing is idle. Never one in use.
 */
struct pvi_mc_entry *pvi_mapcache_take(struct pvi_mapcache *c, uint64_t npages);

/*
 * The same, to fit @npages more pages in @nentries more mappings into the caps (both
 * 0: what is there now). NULL when they fit; else what is removed is at least @batch
 * pages, so that not every miss has to make room. Caps yield to mappings in use.
 */
struct pvi_mc_entry *pvi_mapcache_make_room(struct pvi_mapcache *c, uint64_t npages,
					    uint64_t nentries, uint64_t batch);

/* A MAP was refused for lack of memory: what is live now is all that fits from now on. */
void pvi_mapcache_nomem(struct pvi_mapcache *c);

#endif
