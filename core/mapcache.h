/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The mapping cache of shared and persistent: which mappings of one endpoint are
 * alive, who uses them, and which idle one goes first when room is needed. Logic
 * only: it makes no request and allocates nothing, so that user space can run the
 * very code of the kernel module.
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
 * Locks. Finding a mapping, becoming one of its users and ceasing to be one take none:
 * get(), find() and put() are called in a read section (platform.h) and write to the
 * one entry alone. Everything else is called under the caller's lock of the cache. The
 * argument is in mapcache.c.
 *
 * Entries belong to the caller, who embeds struct pvi_mc_entry, and frees what it took
 * only when the read sections of that time have ended.
 */
#ifndef PVI_CORE_MAPCACHE_H
#define PVI_CORE_MAPCACHE_H

#include "core/platform.h"

struct pvi_mc_key {
	uint64_t pfn;	 /* first page of the target */
	uint64_t npages; /* at least 1 */
	uint32_t prot;	 /* PVI_READ | PVI_WRITE */
};

struct pvi_mc_entry {
	struct pvi_mc_key key;
	uint64_t iova_pfn; /* where the device sees its first page */
	uint64_t refs;	   /* atomic: 0 taken, 1 idle, n + 1 used by n */
	bool used;	   /* atomic: hit since the hand of the clock last passed */
	struct pvi_mc_entry *next_key;
	struct pvi_mc_entry *next_iova;
	struct pvi_mc_entry *prev; /* the neighbours in the clock */
	struct pvi_mc_entry *next; /* taken: chains the list */
	struct pvi_rcu rcu;	   /* the caller's, to free it later */
};

/* All counts are of 4 KiB pages unless they say otherwise. */
struct pvi_mapcache {
	struct pvi_mc_entry **by_key;
	struct pvi_mc_entry **by_iova;
	unsigned int bits; /* both indexes have 1 << bits chains */
	uint64_t max_pages;
	/* Written under the lock, also read without it. */
	uint64_t max_entries; /* lowered by pvi_mapcache_nomem() */
	uint64_t pages;	      /* mapped, idle or in use */
	uint64_t entries;     /* mappings, idle or in use */
	bool over;	      /* what is there and what is coming is more than the caps allow */
	/* Under the lock. */
	uint64_t coming_pages; /* promised room, not there yet */
	uint64_t coming_entries;
	struct pvi_mc_entry *hand; /* of the clock, all entries in a ring: whom to look at next */
	bool barren;		   /* two rounds of it found nothing idle */
};

/* Fewest mappings that a refused MAP may leave as the cap. */
#define PVI_MC_MIN_ENTRIES 16u

/* Mappings looked at under one hold of the lock. */
#define PVI_MC_LOOK 256u

/* @by_key, @by_iova: 1 << @bits zeroed pointers each, alive as long as the cache. */
void pvi_mapcache_init(struct pvi_mapcache *c, struct pvi_mc_entry **by_key,
		       struct pvi_mc_entry **by_iova, unsigned int bits, uint64_t max_pages);

/*
 * ---- in a read section, without the lock ----
 * Inline, for they are called for each DMA.
 */

/* Fibonacci hashing: pages come in runs, whose low bits alone would do, and in strides. */
static inline size_t pvi_mc_chain(const struct pvi_mapcache *c, uint64_t v)
{
	return (size_t)(v * 0x9e3779b97f4a7c15ull >> 1 >> (63 - c->bits));
}

static inline size_t pvi_mc_key_chain(const struct pvi_mapcache *c, struct pvi_mc_key k)
{
	return pvi_mc_chain(c, k.pfn ^ k.npages << 40 ^ (uint64_t)k.prot << 60);
}

static inline bool pvi_mc_key_equal(struct pvi_mc_key a, struct pvi_mc_key b)
{
	return a.pfn == b.pfn && a.npages == b.npages && a.prot == b.prot;
}

/* One more user, unless it is taken. */
static inline bool pvi_mc_try_use(struct pvi_mc_entry *e)
{
	uint64_t refs = pvi_load(&e->refs);

	while (refs) {
		if (pvi_cas(&e->refs, &refs, refs + 1))
			return true;
	}
	return false;
}

/*
 * A live mapping of exactly @key whose last IOVA page is at most @last_pfn, now
 * with one more user; NULL: none.
 */
static inline struct pvi_mc_entry *pvi_mapcache_get(struct pvi_mapcache *c, struct pvi_mc_key key,
						    uint64_t last_pfn)
{
	struct pvi_mc_entry *e;

	for (e = pvi_load_acquire(&c->by_key[pvi_mc_key_chain(c, key)]); e;
	     e = pvi_load_acquire(&e->next_key)) {
		if (pvi_mc_key_equal(e->key, key) && e->iova_pfn + (key.npages - 1) <= last_pfn &&
		    pvi_mc_try_use(e))
			break;
	}
	if (e && !pvi_load(&e->used))
		pvi_store(&e->used, true);
	return e;
}

/* The mapping that starts at page @iova_pfn, its users unchanged; NULL: none. */
static inline struct pvi_mc_entry *pvi_mapcache_find(const struct pvi_mapcache *c,
						     uint64_t iova_pfn)
{
	struct pvi_mc_entry *e = pvi_load_acquire(&c->by_iova[pvi_mc_chain(c, iova_pfn)]);

	while (e && (e->iova_pfn != iova_pfn || !pvi_load(&e->refs)))
		e = pvi_load_acquire(&e->next_iova);
	return e;
}

/* One user less. 1: that was the last one, 0: not. -EINVAL: it had none. */
static inline int pvi_mapcache_put(struct pvi_mc_entry *e)
{
	uint64_t refs = pvi_load(&e->refs);

	do {
		if (refs <= 1)
			return -EINVAL;
	} while (!pvi_cas(&e->refs, &refs, refs - 1));
	return refs == 2;
}

/* Are there more mappings than the caps allow? A look, good for the moment. */
static inline bool pvi_mapcache_over(const struct pvi_mapcache *c)
{
	return pvi_load(&c->over);
}

/* ---- under the lock ---- */

/* Enters a mapping that has been made, with one user. Its IOVA is in no other entry. */
void pvi_mapcache_add(struct pvi_mapcache *c, struct pvi_mc_entry *e, struct pvi_mc_key key,
		      uint64_t iova_pfn);

/*
 * Room for @pages pages in @entries mappings that are about to be made counts as taken
 * until it is given back, so that two who miss at once do not both take the last of it.
 */
void pvi_mapcache_promise(struct pvi_mapcache *c, uint64_t pages, uint64_t entries);
void pvi_mapcache_give_back(struct pvi_mapcache *c, uint64_t pages, uint64_t entries);

/*
 * Takes @e out, if it is still idle: then it is in no index and gets no user any more,
 * the caller's to unmap and free. In a read section that began before it became idle.
 */
bool pvi_mapcache_take(struct pvi_mapcache *c, struct pvi_mc_entry *e);

/* A search for idle mappings: what is wanted, and what has been found. */
struct pvi_mc_scan {
	bool room;		   /* none when all fits into the caps, else until it does; */
	uint64_t batch;		   /* and at least so many mappings */
	uint64_t left;		   /* still to be looked at */
	struct pvi_mc_entry *list; /* taken, chained by next */
	struct pvi_mc_entry **tail;
	uint64_t taken; /* mappings */
};

/* To fit what is there and what was promised into the caps. */
void pvi_mc_scan_room(struct pvi_mc_scan *s, const struct pvi_mapcache *c);
/* At most @n idle mappings. */
void pvi_mc_scan_idle(struct pvi_mc_scan *s, const struct pvi_mapcache *c, uint64_t n);

/*
 * Takes idle mappings, not recently hit ones first, never one in use; a call looks at
 * PVI_MC_LOOK of them at most. True: call again for more, after letting go of the lock.
 * Caps yield to mappings in use.
 */
bool pvi_mapcache_scan(struct pvi_mapcache *c, struct pvi_mc_scan *s);

/* A walk over all mappings, begun as {0}: where it is, and what it has found. */
struct pvi_mc_sweep {
	size_t chain;		   /* of by_key, the next one to be looked at */
	struct pvi_mc_entry *list; /* taken, chained by next; the caller empties it */
};

/*
 * Takes all idle mappings, recently hit or not. A call takes about @batch and looks at about
 * PVI_MC_LOOK, whole chains. True: call again for more, after letting go of the lock. What is
 * idle from the first call to the last is taken, by this walk or by whoever searches meanwhile.
 */
bool pvi_mapcache_sweep(struct pvi_mapcache *c, struct pvi_mc_sweep *s, unsigned int batch);

/* A MAP was refused for lack of memory: what is live now is all that fits from now on. */
void pvi_mapcache_nomem(struct pvi_mapcache *c);

#endif
