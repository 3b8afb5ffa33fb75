// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/mapcache.h"

/* Fibonacci hashing: pages come in runs, whose low bits alone would do, and in strides. */
static unsigned int chain_of(const struct pvi_mapcache *c, uint64_t v)
{
	return c->bits ? (unsigned int)((v * 0x9e3779b97f4a7c15ull) >> (64 - c->bits)) : 0;
}

static unsigned int key_chain(const struct pvi_mapcache *c, struct pvi_mc_key k)
{
	return chain_of(c, k.pfn ^ k.npages << 40 ^ (uint64_t)k.prot << 60);
}

static bool key_equal(struct pvi_mc_key a, struct pvi_mc_key b)
{
	return a.pfn == b.pfn && a.npages == b.npages && a.prot == b.prot;
}

static void lru_remove(struct pvi_mapcache *c, struct pvi_mc_entry *e)
{
	if (e->lru_prev)
		e->lru_prev->lru_next = e->lru_next;
	else
		c->lru_first = e->lru_next;
	if (e->lru_next)
		e->lru_next->lru_prev = e->lru_prev;
	else
		c->lru_last = e->lru_prev;
	e->lru_prev = NULL;
	e->lru_next = NULL;
	c->idle_pages -= e->key.npages;
	c->idle_entries--;
}

static void lru_append(struct pvi_mapcache *c, struct pvi_mc_entry *e)
{
	e->lru_prev = c->lru_last;
	e->lru_next = NULL;
	if (c->lru_last)
		c->lru_last->lru_next = e;
	else
		c->lru_first = e;
	c->lru_last = e;
	c->idle_pages += e->key.npages;
	c->idle_entries++;
}

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

struct pvi_mc_entry *pvi_mapcache_get(struct pvi_mapcache *c, struct pvi_mc_key key,
				      uint64_t last_pfn)
{
	struct pvi_mc_entry *e;

	for (e = c->by_key[key_chain(c, key)]; e; e = e->next_key) {
		if (key_equal(e->key, key) && e->iova_pfn + (key.npages - 1) <= last_pfn)
			break;
	}
	if (!e)
		return NULL;
	if (!e->refs++)
		lru_remove(c, e);
	return e;
}

void pvi_mapcache_add(struct pvi_mapcache *c, struct pvi_mc_entry *e, struct pvi_mc_key key,
		      uint64_t iova_pfn)
{
	struct pvi_mc_entry **k = &c->by_key[key_chain(c, key)];
	struct pvi_mc_entry **i = &c->by_iova[chain_of(c, iova_pfn)];

	e->key = key;
	e->iova_pfn = iova_pfn;
	e->refs = 1;
	e->lru_prev = NULL;
	e->lru_next = NULL;
	e->next_key = *k;
	*k = e;
	e->next_iova = *i;
	*i = e;
	c->pages += key.npages;
	c->entries++;
}

struct pvi_mc_entry *pvi_mapcache_find(const struct pvi_mapcache *c, uint64_t iova_pfn)
{
	struct pvi_mc_entry *e = c->by_iova[chain_of(c, iova_pfn)];

	while (e && e->iova_pfn != iova_pfn)
		e = e->next_iova;
	return e;
}

int pvi_mapcache_put(struct pvi_mapcache *c, struct pvi_mc_entry *e)
{
	if (!e->refs)
		return -EINVAL;
	if (!--e->refs)
		lru_append(c, e);
	return 0;
}

static void unindex(struct pvi_mapcache *c, struct pvi_mc_entry *e)
{
	struct pvi_mc_entry **p;

	for (p = &c->by_key[key_chain(c, e->key)]; *p != e; p = &(*p)->next_key)
		;
	*p = e->next_key;
	for (p = &c->by_iova[chain_of(c, e->iova_pfn)]; *p != e; p = &(*p)->next_iova)
		;
	*p = e->next_iova;
	c->pages -= e->key.npages;
	c->entries--;
}

/* The least recently used mapping, out of all indexes; NULL: none is idle. */
static struct pvi_mc_entry *take_one(struct pvi_mapcache *c)
{
	struct pvi_mc_entry *e = c->lru_first;

	if (e) {
		lru_remove(c, e);
		unindex(c, e);
	}
	return e;
}

struct pvi_mc_entry *pvi_mapcache_take(struct pvi_mapcache *c, uint64_t npages)
{
	struct pvi_mc_entry *list = NULL, **tail = &list, *e;
	uint64_t taken = 0;

	while (taken < npages && (e = take_one(c))) {
		taken += e->key.npages;
		*tail = e;
		tail = &e->lru_next;
	}
	return list;
}

static bool fits(const struct pvi_mapcache *c, uint64_t npages, uint64_t nentries)
{
	return c->pages + npages <= c->max_pages && c->entries + nentries <= c->max_entries;
}

struct pvi_mc_entry *pvi_mapcache_make_room(struct pvi_mapcache *c, uint64_t npages,
					    uint64_t nentries, uint64_t batch)
{
	struct pvi_mc_entry *list = NULL, **tail = &list, *e;
	uint64_t taken = 0;

	if (fits(c, npages, nentries))
		return NULL;
	while ((taken < batch || !fits(c, npages, nentries)) && (e = take_one(c))) {
		taken += e->key.npages;
		*tail = e;
		tail = &e->lru_next;
	}
	return list;
}

void pvi_mapcache_nomem(struct pvi_mapcache *c)
{
	uint64_t cap = c->entries > PVI_MC_MIN_ENTRIES ? c->entries : PVI_MC_MIN_ENTRIES;

	if (cap < c->max_entries)
		c->max_entries = cap;
}
