// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Why no lock is needed for a hit and for its end.
 *
 * refs says it all: a mapping may be used while refs > 0, and gets a user only by a
 * compare-and-exchange from a value > 0. It is taken only by one from 1 to 0, under the
 * lock, and 0 is never left. All are read-modify-writes of one word, so either the hit
 * comes first, and the taking fails, or the taking does, and the hit finds 0 and goes
 * on looking. UNMAP follows the taking, MAP precedes pvi_mapcache_add(): who has a user
 * has a live mapping.
 *
 * Chains are changed under the lock. An entry enters by a release store of a pointer to
 * it, after its fields; whoever reads the pointer (acquire) sees them, and they never
 * change again, but refs, used and the chain. Leaving, it is bypassed and keeps its own
 * pointers; a reader that stands on it finds its way on. It is freed when the read
 * sections of that time have ended, so nobody stands on freed memory, and no entry
 * comes back while somebody may stand on it.
 *
 * A reader may miss an entry that is entered, or taken, while it looks: for get() that
 * is a miss, which is always right. find() looks for a mapping of which the caller is
 * a user: it was entered before the caller got its address, by this chain before by that
 * of its key, where a hit comes from; and it cannot be taken. Nor can it find an older
 * mapping of the same IOVA: that one was bypassed before its IOVA was free to be used
 * again.
 *
 * The clock: a hit marks its entry; the hand takes the mark of an idle entry away and
 * comes back for it a round later, if it was not hit again. That is an approximation of
 * least-recently-used that writes to no other entry, and prefers what was used once.
 *
 * The hand is every search's, so none of them comes to all entries while others move it, or
 * while it has marks to take away. A sweep has to, and goes along the chains of by_key: an
 * entry never changes its chain, and a place among chains is nobody's but the sweep's.
 */
#include "core/mapcache.h"

void pvi_mapcache_init(struct pvi_mapcache *c, struct pvi_mc_entry **by_key,
		       struct pvi_mc_entry **by_iova, unsigned int bits, uint64_t max_pages)
{
	memset(c, 0, sizeof(*c));
	c->by_key = by_key;
	c->by_iova = by_iova;
	c->bits = bits;
	c->max_pages = max_pages;
	c->max_entries = UINT64_MAX;
}

/* Pages, entries or caps are others now. */
static void update_over(struct pvi_mapcache *c)
{
	pvi_store(&c->over, c->pages + c->coming_pages > c->max_pages ||
				    c->entries + c->coming_entries > c->max_entries);
}

void pvi_mapcache_add(struct pvi_mapcache *c, struct pvi_mc_entry *e, struct pvi_mc_key key,
		      uint64_t iova_pfn)
{
	struct pvi_mc_entry **k = &c->by_key[pvi_mc_key_chain(c, key)];
	struct pvi_mc_entry **i = &c->by_iova[pvi_mc_chain(c, iova_pfn)];

	e->key = key;
	e->iova_pfn = iova_pfn;
	e->refs = 2;
	e->used = false;
	e->next_key = *k;
	e->next_iova = *i;
	/* Just behind the hand: it is the last that the hand comes to. */
	if (c->hand) {
		e->next = c->hand;
		e->prev = c->hand->prev;
		e->prev->next = e;
		e->next->prev = e;
	} else {
		e->next = e;
		e->prev = e;
		c->hand = e;
	}
	pvi_store(&c->pages, c->pages + key.npages);
	pvi_store(&c->entries, c->entries + 1);
	update_over(c);
	/* In this order: who finds it by its key may look for it by its IOVA at once. */
	pvi_store_release(i, e);
	pvi_store_release(k, e);
}

void pvi_mapcache_promise(struct pvi_mapcache *c, uint64_t pages, uint64_t entries)
{
	c->coming_pages += pages;
	c->coming_entries += entries;
	update_over(c);
}

void pvi_mapcache_give_back(struct pvi_mapcache *c, uint64_t pages, uint64_t entries)
{
	c->coming_pages -= pages;
	c->coming_entries -= entries;
	update_over(c);
}

static void unindex(struct pvi_mapcache *c, struct pvi_mc_entry *e)
{
	struct pvi_mc_entry **p;

	for (p = &c->by_key[pvi_mc_key_chain(c, e->key)]; *p != e; p = &(*p)->next_key)
		;
	pvi_store_release(p, e->next_key);
	for (p = &c->by_iova[pvi_mc_chain(c, e->iova_pfn)]; *p != e; p = &(*p)->next_iova)
		;
	pvi_store_release(p, e->next_iova);
	if (c->hand == e)
		c->hand = e->next == e ? NULL : e->next;
	e->prev->next = e->next;
	e->next->prev = e->prev;
	e->next = NULL;
	e->prev = NULL;
	pvi_store(&c->pages, c->pages - e->key.npages);
	pvi_store(&c->entries, c->entries - 1);
	update_over(c);
}

bool pvi_mapcache_take(struct pvi_mapcache *c, struct pvi_mc_entry *e)
{
	uint64_t idle = 1;

	if (!pvi_cas(&e->refs, &idle, 0))
		return false;
	unindex(c, e);
	return true;
}

/* The first round may do no more than take marks away. */
#define ROUNDS 2

void pvi_mc_scan_room(struct pvi_mc_scan *s, const struct pvi_mapcache *c)
{
	/* A few at a time, so that making room is not each miss's affair; of a small cache less. */
	uint64_t batch = c->entries / 8 < 64 ? c->entries / 8 : 64;

	*s = (struct pvi_mc_scan){.room = true, .batch = batch};
	s->left = c->barren && c->entries > PVI_MC_LOOK ? PVI_MC_LOOK : ROUNDS * c->entries;
}

void pvi_mc_scan_idle(struct pvi_mc_scan *s, const struct pvi_mapcache *c, uint64_t n)
{
	*s = (struct pvi_mc_scan){.batch = n, .left = ROUNDS * c->entries};
}

static bool enough(const struct pvi_mapcache *c, const struct pvi_mc_scan *s)
{
	if (s->room)
		return (!s->taken || s->taken >= s->batch) && !pvi_mapcache_over(c);
	return s->taken >= s->batch;
}

/* Takes whom the hand points at, or moves it on. */
static void look(struct pvi_mapcache *c, struct pvi_mc_scan *s)
{
	struct pvi_mc_entry *e = c->hand;

	c->hand = e->next;
	if (pvi_load(&e->refs) > 1)
		return;
	if (pvi_load(&e->used)) {
		pvi_store(&e->used, false);
		return;
	}
	if (!pvi_mapcache_take(c, e))
		return;
	s->taken++;
	c->barren = false;
	if (!s->tail)
		s->tail = &s->list;
	*s->tail = e;
	s->tail = &e->next;
}

bool pvi_mapcache_scan(struct pvi_mapcache *c, struct pvi_mc_scan *s)
{
	unsigned int n;

	for (n = 0; n < PVI_MC_LOOK; n++) {
		if (enough(c, s))
			return false;
		if (!c->hand || !s->left) {
			/* All in use: no search of all for each miss from now on. */
			c->barren = !s->taken;
			return false;
		}
		s->left--;
		look(c, s);
	}
	return true;
}

/* Of one chain: how many were looked at, and of them *@taken more are in the list. */
static unsigned int sweep_chain(struct pvi_mapcache *c, struct pvi_mc_sweep *s, unsigned int *taken)
{
	struct pvi_mc_entry *e, *next;
	unsigned int n = 0;

	for (e = c->by_key[s->chain]; e; e = next) {
		next = e->next_key;
		n++;
		if (!pvi_mapcache_take(c, e))
			continue;
		e->next = s->list;
		s->list = e;
		c->barren = false;
		++*taken;
	}
	return n;
}

bool pvi_mapcache_sweep(struct pvi_mapcache *c, struct pvi_mc_sweep *s, unsigned int batch)
{
	unsigned int looked = 0, taken = 0;

	/* An empty chain is a look, too: the time that the lock is held has to end. */
	for (; s->chain < (size_t)1 << c->bits; s->chain++) {
		if (looked >= PVI_MC_LOOK || taken >= batch)
			return true;
		looked += 1 + sweep_chain(c, s, &taken);
	}
	return false;
}

void pvi_mapcache_nomem(struct pvi_mapcache *c)
{
	uint64_t cap = c->entries > PVI_MC_MIN_ENTRIES ? c->entries : PVI_MC_MIN_ENTRIES;

	if (cap < c->max_entries)
		pvi_store(&c->max_entries, cap);
	update_over(c);
}
