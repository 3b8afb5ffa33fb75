// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/strategy/cached.h"

/* Mappings given back together when there is no memory. */
#define RECLAIM_BATCH 64u

void pvi_cache_init(struct pvi_cache *c, struct pvi_endpoint *ep, struct pvi_space *sp,
		    struct pvi_mc_entry **index, unsigned int bits, uint64_t max_pages)
{
	c->ep = ep;
	c->space = sp;
	c->keep = false;
	pvi_spin_init(&c->lock);
	pvi_mapcache_init(&c->mc, index, index + ((size_t)1 << bits), bits, max_pages);
}

void pvi_cache_done(struct pvi_cache *c)
{
	struct pvi_mc_entry *e, *next;
	unsigned int i;

	for (i = 0; i < 1u << c->mc.bits; i++) {
		for (e = c->mc.by_key[i]; e; e = next) {
			next = e->next_key;
			pvi_free(e);
		}
		c->mc.by_key[i] = NULL;
	}
}

/* ---- what goes ---- */

static void request_unmaps(struct pvi_batch *b, const struct pvi_mc_entry *list)
{
	for (; list; list = list->next)
		pvi_batch_unmap(b, pvi_pages(list->iova_pfn, list->key.npages));
}

static void request_map(struct pvi_batch *b, const struct pvi_mc_entry *e)
{
	pvi_batch_map(b, pvi_pages(e->iova_pfn, e->key.npages), e->key.pfn << PVI_PAGE_SHIFT,
		      e->key.prot);
}

static void request_maps(struct pvi_batch *b, const struct pvi_mc_entry *list)
{
	for (; list; list = list->next)
		request_map(b, list);
}

/* Taken, and their UNMAPs have been waited for: @err. The number that went. */
static uint64_t bury(struct pvi_cache *c, struct pvi_mc_entry *list, int err)
{
	uint64_t pages = 0, n = 0;
	struct pvi_mc_entry *next;

	for (; list; list = next) {
		next = list->next;
		if (!err)
			pvi_iova_free(c->space, list->iova_pfn, list->key.npages);
		pages += list->key.npages;
		n++;
		pvi_free_later(list, rcu);
	}
	if (err && n)
		pvi_report_lost(c->ep, pages, err);
	pvi_count_mapped(c->ep, -(long)pages);
	return err ? 0 : n;
}

static uint64_t unmap_list(struct pvi_cache *c, struct pvi_mc_entry *list)
{
	struct pvi_batch b;

	if (!list)
		return 0;
	pvi_batch_init(&b, c->ep);
	request_unmaps(&b, list);
	return bury(c, list, pvi_batch_wait(&b));
}

/* The lock is held for a bounded time, and taken again until the search is over. */
static struct pvi_mc_entry *search(struct pvi_cache *c, struct pvi_mc_scan *s)
{
	unsigned long flags;
	bool more;

	do {
		flags = pvi_spin_lock(&c->lock);
		more = pvi_mapcache_scan(&c->mc, s);
		pvi_spin_unlock(&c->lock, flags);
	} while (more);
	return s->list;
}

/* What has to go for @pages more in @entries more mappings, which are promised that room. */
static struct pvi_mc_entry *take_for_room(struct pvi_cache *c, uint64_t pages, uint64_t entries)
{
	struct pvi_mc_scan s;
	unsigned long flags;

	flags = pvi_spin_lock(&c->lock);
	pvi_mapcache_promise(&c->mc, pages, entries);
	pvi_mc_scan_room(&s, &c->mc);
	pvi_spin_unlock(&c->lock, flags);
	return search(c, &s);
}

static void give_room_back(struct pvi_cache *c, uint64_t pages, uint64_t entries)
{
	unsigned long flags = pvi_spin_lock(&c->lock);

	pvi_mapcache_give_back(&c->mc, pages, entries);
	pvi_spin_unlock(&c->lock, flags);
}

/* At most a batch of idle mappings; how many were found, and *@ret_gone of them are gone. */
static uint64_t reclaim_batch(struct pvi_cache *c, uint64_t n, uint64_t *ret_gone)
{
	struct pvi_mc_scan s;
	unsigned long flags;

	flags = pvi_spin_lock(&c->lock);
	pvi_mc_scan_idle(&s, &c->mc, n < RECLAIM_BATCH ? n : RECLAIM_BATCH);
	pvi_spin_unlock(&c->lock, flags);
	*ret_gone = unmap_list(c, search(c, &s));
	return s.taken;
}

uint64_t pvi_cache_reclaim(struct pvi_cache *c, uint64_t n)
{
	uint64_t found, gone, sum = 0;

	do {
		found = reclaim_batch(c, n, &gone);
		sum += gone;
		n -= found;
	} while (n && found == RECLAIM_BATCH);
	return sum;
}

void pvi_cache_sweep(struct pvi_cache *c)
{
	struct pvi_mc_sweep s = {0};
	unsigned long flags;
	bool more;

	do {
		s.list = NULL;
		flags = pvi_spin_lock(&c->lock);
		more = pvi_mapcache_sweep(&c->mc, &s, RECLAIM_BATCH);
		pvi_spin_unlock(&c->lock, flags);
		unmap_list(c, s.list);
	} while (more);
}

bool pvi_cache_shrink(struct pvi_cache *c)
{
	unsigned long flags;

	flags = pvi_spin_lock(&c->lock);
	pvi_mapcache_nomem(&c->mc);
	pvi_spin_unlock(&c->lock, flags);
	return pvi_cache_reclaim(c, RECLAIM_BATCH) > 0;
}

/*
 * Whoever ceases to be the last user after this sees it, and gives its mapping back; of
 * all others this sees that they are idle: the end of a DMA changes refs and then reads keep,
 * this writes keep and then reads refs, each with a full barrier between.
 */
void pvi_cache_keep(struct pvi_cache *c, bool keep)
{
	pvi_store_mb(&c->keep, keep);
	if (!keep)
		pvi_cache_sweep(c);
}

uint64_t pvi_cache_pages_mapped(const struct pvi_cache *c)
{
	return pvi_load(&c->mc.pages);
}

int pvi_cache_remap(struct pvi_cache *c)
{
	struct pvi_mc_entry *e = c->mc.hand;
	struct pvi_batch b;

	pvi_batch_init(&b, c->ep);
	if (e) {
		do {
			request_map(&b, e);
			e = e->next;
		} while (e != c->mc.hand);
	}
	return pvi_batch_wait(&b);
}

/* @e comes in front of *@list, if it is still idle: the caller's to unmap and free. */
static void take_idle_one(struct pvi_cache *c, struct pvi_mc_entry *e, struct pvi_mc_entry **list)
{
	unsigned long flags;
	bool taken;

	flags = pvi_spin_lock(&c->lock);
	taken = pvi_mapcache_take(&c->mc, e);
	pvi_spin_unlock(&c->lock, flags);
	if (!taken)
		return;
	e->next = *list;
	*list = e;
}

/* What putting @e, where @addr is, returned: what has to go for it comes in front of *@list. */
static void after_put(struct pvi_cache *c, struct pvi_mc_entry *e, int left, uint64_t addr,
		      struct pvi_mc_entry **list)
{
	if (left < 0)
		pvi_report_unmapped_twice(c->ep, addr);
	else if (left && pvi_cache_lets_go(c))
		take_idle_one(c, e, list);
}

bool pvi_cache_end_rare(struct pvi_cache *c, struct pvi_mc_entry *e, int left, uint64_t addr,
			unsigned int cookie)
{
	struct pvi_mc_entry *list = NULL;

	after_put(c, e, left, addr, &list);
	pvi_read_end(cookie);
	unmap_list(c, list);
	return true;
}

/*
 * Drops one user of the mapping that starts at the page of @addr; false: there is none. When
 * that is to be unmapped now it comes in front of *@list.
 */
static bool drop_into(struct pvi_cache *c, uint64_t addr, struct pvi_mc_entry **list)
{
	unsigned int cookie = pvi_read_begin();
	struct pvi_mc_entry *e = pvi_mapcache_find(&c->mc, addr >> PVI_PAGE_SHIFT);

	if (e)
		after_put(c, e, pvi_mapcache_put(e), addr, list);
	pvi_read_end(cookie);
	return e != NULL;
}

/* ---- a single buffer ---- */

static uint64_t hit(struct pvi_cache *c, uint64_t phys, size_t size, const struct pvi_how *how)
{
	uint64_t addr = pvi_cache_hit(c, phys, size, how->prot, how->limit);

	if (addr != PVI_NO_ADDR)
		pvi_count_reuse(c->ep, how->prot, size);
	return addr;
}

/* An entry for a buffer, with an IOVA; NULL: no memory, or no IOVA even without the idle ones. */
static struct pvi_mc_entry *entry_new(struct pvi_cache *c, uint64_t phys, size_t size,
				      const struct pvi_how *how)
{
	struct pvi_mc_entry *e = pvi_zalloc(sizeof(*e));

	if (!e)
		return NULL;
	e->key = pvi_cache_key(phys, size, how->prot);
	e->iova_pfn = pvi_iova_alloc(c->space, e->key.npages, how->limit);
	if (!e->iova_pfn && pvi_cache_reclaim(c, RECLAIM_BATCH))
		e->iova_pfn = pvi_iova_alloc(c->space, e->key.npages, how->limit);
	if (e->iova_pfn)
		return e;
	pvi_free(e);
	return NULL;
}

static void add(struct pvi_cache *c, struct pvi_mc_entry *e)
{
	uint64_t npages = e->key.npages;
	unsigned long flags;

	flags = pvi_spin_lock(&c->lock);
	pvi_mapcache_give_back(&c->mc, npages, 1);
	pvi_mapcache_add(&c->mc, e, e->key, e->iova_pfn);
	pvi_spin_unlock(&c->lock, flags);
	pvi_count_mapped(c->ep, (long)npages);
}

/* Some of @list may be mapped; UNMAP of a range without a mapping is no error. */
static int unrequest_maps(struct pvi_cache *c, const struct pvi_mc_entry *list)
{
	struct pvi_batch b;

	pvi_batch_init(&b, c->ep);
	request_unmaps(&b, list);
	return pvi_batch_wait(&b);
}

/* @gone out, @list in, with one kick. 0, or -errno: then what is mapped of @list is unknown. */
static int exchange(struct pvi_cache *c, struct pvi_mc_entry *gone, const struct pvi_mc_entry *list)
{
	struct pvi_batch b, again;

	pvi_batch_init(&b, c->ep);
	request_unmaps(&b, gone);
	request_maps(&b, list);
	pvi_batch_wait(&b);
	bury(c, gone, b.unmap_err);
	if (b.err != -ENOMEM || unrequest_maps(c, list) || !pvi_strategy_nomem(c->ep))
		return b.err;
	pvi_batch_init(&again, c->ep);
	request_maps(&again, list);
	return pvi_batch_wait(&again);
}

/* Of entries that never came into the cache. */
static void discard(struct pvi_cache *c, struct pvi_mc_entry *list, bool requested)
{
	int r = requested && list ? unrequest_maps(c, list) : 0;
	struct pvi_mc_entry *next;
	uint64_t pages = 0;

	for (; list; list = next) {
		next = list->next;
		pages += list->key.npages;
		if (!r)
			pvi_iova_free(c->space, list->iova_pfn, list->key.npages);
		pvi_free(list);
	}
	if (r)
		pvi_report_lost(c->ep, pages, r);
}

static uint64_t miss(struct pvi_cache *c, uint64_t phys, size_t size, const struct pvi_how *how)
{
	struct pvi_mc_entry *e, *gone;
	uint64_t addr;

	e = entry_new(c, phys, size, how);
	if (!e)
		return pvi_single_map(c->ep, c->space, phys, size, how);
	gone = take_for_room(c, e->key.npages, 1);
	if (exchange(c, gone, e)) {
		give_room_back(c, e->key.npages, 1);
		discard(c, e, true);
		return PVI_NO_ADDR;
	}
	addr = pvi_cache_addr(e, phys);
	add(c, e);
	return addr;
}

uint64_t pvi_cache_map(struct pvi_cache *c, uint64_t phys, size_t size, const struct pvi_how *how)
{
	uint64_t addr = hit(c, phys, size, how);

	return addr != PVI_NO_ADDR ? addr : miss(c, phys, size, how);
}

/* ---- a scatter list ---- */

bool pvi_cache_unmap_sg(struct pvi_cache *c, struct pvi_seg *sgl, int nents)
{
	struct pvi_mc_entry *list = NULL;
	struct pvi_seg *sg = sgl;
	int i;

	for (i = 0; i < nents; i++, sg = pvi_seg_next(sg)) {
		/* One strategy made the whole list: the first entry tells which. */
		if (!drop_into(c, pvi_seg_addr(sg), &list) && !i)
			return false;
	}
	unmap_list(c, list);
	return true;
}

/* Hits get their address, misses PVI_NO_ADDR and are counted. */
static uint64_t find_hits(struct pvi_cache *c, struct pvi_seg *sg, int nents,
			  const struct pvi_how *how, uint64_t *ret_pages)
{
	uint64_t addr, misses = 0;

	*ret_pages = 0;
	for (; nents; nents--, sg = pvi_seg_next(sg)) {
		addr = hit(c, pvi_seg_phys(sg), pvi_seg_len(sg), how);
		pvi_seg_set(sg, addr, pvi_seg_len(sg));
		if (addr == PVI_NO_ADDR) {
			*ret_pages += pvi_span_pages(pvi_seg_phys(sg), pvi_seg_len(sg));
			misses++;
		}
	}
	return misses;
}

/* Entries for the misses, chained by next in the list's order; what there is, on failure too. */
static bool make_entries(struct pvi_cache *c, struct pvi_seg *sg, int nents,
			 const struct pvi_how *how, struct pvi_mc_entry **ret_list)
{
	struct pvi_mc_entry **tail = ret_list;

	for (; nents; nents--, sg = pvi_seg_next(sg)) {
		if (pvi_seg_addr(sg) != PVI_NO_ADDR)
			continue;
		*tail = entry_new(c, pvi_seg_phys(sg), pvi_seg_len(sg), how);
		if (!*tail)
			return false;
		tail = &(*tail)->next;
	}
	return true;
}

/*
 * Gives the hits their users back, then undoes the new mappings: in this order, for a
 * freed IOVA may be in the cache a moment later.
 */
static void undo_sg(struct pvi_cache *c, struct pvi_seg *sg, int nents, struct pvi_mc_entry *list,
		    bool requested)
{
	struct pvi_mc_entry *unused = NULL;

	for (; nents; nents--, sg = pvi_seg_next(sg)) {
		if (pvi_seg_addr(sg) != PVI_NO_ADDR)
			drop_into(c, pvi_seg_addr(sg), &unused);
	}
	unmap_list(c, unused);
	discard(c, list, requested);
}

static void add_entries(struct pvi_cache *c, struct pvi_seg *sg, int nents,
			struct pvi_mc_entry *list)
{
	struct pvi_mc_entry *e;

	for (; nents; nents--, sg = pvi_seg_next(sg)) {
		if (pvi_seg_addr(sg) != PVI_NO_ADDR)
			continue;
		e = list;
		list = e->next;
		pvi_seg_set(sg, pvi_cache_addr(e, pvi_seg_phys(sg)), pvi_seg_len(sg));
		add(c, e);
	}
}

int pvi_cache_map_sg(struct pvi_cache *c, struct pvi_seg *sgl, int nents, const struct pvi_how *how)
{
	struct pvi_mc_entry *list = NULL, *gone;
	uint64_t pages, misses = find_hits(c, sgl, nents, how, &pages);
	int r;

	if (!misses)
		return 0;
	if (!make_entries(c, sgl, nents, how, &list)) {
		undo_sg(c, sgl, nents, list, false);
		return pvi_single_map_sg(c->ep, c->space, sgl, nents, how);
	}
	gone = take_for_room(c, pages, misses);
	r = exchange(c, gone, list);
	if (r) {
		give_room_back(c, pages, misses);
		undo_sg(c, sgl, nents, list, true);
		return r == -ENOMEM ? -ENOMEM : -EIO;
	}
	add_entries(c, sgl, nents, list);
	return 0;
}
