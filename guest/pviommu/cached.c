// SPDX-License-Identifier: GPL-2.0-only
/*
 * The strategies that reuse mappings. shared: all DMAs under way to the same pages
 * use one mapping, which goes with the last of them. persistent: it is kept, until
 * the cap or a refused MAP takes the least recently used idle ones back, in batches.
 * A hit makes no request. Which mapping serves which buffer is core/mapcache's
 * business. Both use one cache: they differ in what becomes of an idle mapping.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "pviommu.h"

/* Pages taken back together when room is needed: one kick for the lot. */
#define RECLAIM_BATCH 256u

/* Made when one of the two is first chosen, freed with the endpoint. */
struct pvi_cache {
	spinlock_t lock; /* all below; held for table work only, never for a request */
	struct pvi_mapcache mc;
	bool keep; /* persistent is chosen; else what becomes idle goes at once */
};

static int start(struct pvi_endpoint *ep, bool keep)
{
	unsigned int bits = clamp(ilog2(pvi_cache_pages) - 4, 8, 13);
	struct pvi_cache *c = ep->cache;
	struct pvi_mc_entry **index;
	unsigned long flags;

	if (c) {
		spin_lock_irqsave(&c->lock, flags);
		c->keep = keep;
		spin_unlock_irqrestore(&c->lock, flags);
		return 0;
	}
	c = kzalloc(sizeof(*c), GFP_KERNEL);
	index = kvcalloc(2u << bits, sizeof(*index), GFP_KERNEL);
	if (!c || !index) {
		kfree(c);
		kvfree(index);
		return -ENOMEM;
	}
	spin_lock_init(&c->lock);
	c->keep = keep;
	pvi_mapcache_init(&c->mc, index, index + (1u << bits), bits, pvi_cache_pages);
	smp_store_release(&ep->cache, c); /* nomem() and unmap() look without a lock */
	return 0;
}

static int shared_start(struct pvi_endpoint *ep)
{
	return start(ep, false);
}

static int persistent_start(struct pvi_endpoint *ep)
{
	return start(ep, true);
}

static struct pvi_cache *cache_of(struct pvi_endpoint *ep)
{
	return smp_load_acquire(&ep->cache);
}

static struct pvi_mc_key key_of(phys_addr_t phys, size_t size, u32 prot)
{
	return (struct pvi_mc_key){phys >> PAGE_SHIFT, pvi_span_pages(phys, size), prot};
}

static dma_addr_t address(const struct pvi_mc_entry *e, phys_addr_t phys)
{
	return (e->iova_pfn << PAGE_SHIFT) + offset_in_page(phys);
}

/* UNMAPs and frees what pvi_mapcache_take() returned; the number of pages that went. */
static u64 unmap_list(struct pvi_endpoint *ep, struct pvi_mc_entry *list)
{
	struct pvi_mc_entry *e, *next;
	struct pvi_batch b;
	u64 pages = 0;
	int r;

	if (!list)
		return 0;
	pvi_batch_init(&b, ep);
	for (e = list; e; e = e->lru_next)
		pvi_batch_unmap(&b, pvi_pages(e->iova_pfn, e->key.npages));
	r = pvi_batch_wait(&b);
	if (r)
		pr_err_ratelimited(
			"%s: UNMAP failed (%d): the device may still reach cached pages\n",
			pci_name(ep->pdev), r);
	for (e = list; e; e = next) {
		next = e->lru_next;
		if (!r) {
			pvi_iova_free(&ep->space, e->iova_pfn, e->key.npages);
			pages += e->key.npages;
		}
		kfree(e);
	}
	pvi_count_mapped(ep, -(long)pages);
	return pages;
}

/* Gives up to @npages pages of idle mappings back; how many it did. Any context. */
static u64 reclaim(struct pvi_endpoint *ep, u64 npages)
{
	struct pvi_cache *c = cache_of(ep);
	struct pvi_mc_entry *list;
	unsigned long flags;

	if (!c)
		return 0;
	spin_lock_irqsave(&c->lock, flags);
	list = pvi_mapcache_take(&c->mc, npages);
	spin_unlock_irqrestore(&c->lock, flags);
	return unmap_list(ep, list);
}

bool pvi_cache_nomem(struct pvi_endpoint *ep)
{
	struct pvi_cache *c = cache_of(ep);
	struct pvi_mc_entry *list;
	unsigned long flags;

	if (!c)
		return false;
	spin_lock_irqsave(&c->lock, flags);
	pvi_mapcache_nomem(&c->mc);
	list = pvi_mapcache_take(&c->mc, RECLAIM_BATCH);
	spin_unlock_irqrestore(&c->lock, flags);
	return unmap_list(ep, list) > 0;
}

static void trim(struct pvi_endpoint *ep)
{
	reclaim(ep, U64_MAX);
}

/* persistent gives way to another one; shared has nothing that is idle. */
static void retire(struct pvi_endpoint *ep)
{
	struct pvi_cache *c = ep->cache;
	unsigned long flags;

	spin_lock_irqsave(&c->lock, flags);
	c->keep = false;
	spin_unlock_irqrestore(&c->lock, flags);
	trim(ep);
}

/* The domain is detached. What a driver left in use has no IOVA any more, just memory. */
void pvi_cache_free(struct pvi_endpoint *ep)
{
	struct pvi_cache *c = ep->cache;
	struct pvi_mc_entry *e, *next;
	unsigned int i;

	if (!c)
		return;
	for (i = 0; i < 1u << c->mc.bits; i++) {
		for (e = c->mc.by_key[i]; e; e = next) {
			next = e->next_key;
			kfree(e);
		}
	}
	kvfree(c->mc.by_key);
	kfree(c);
}

static void make_room(struct pvi_endpoint *ep, u64 npages, u64 nentries)
{
	struct pvi_cache *c = ep->cache;
	struct pvi_mc_entry *list;
	unsigned long flags;

	spin_lock_irqsave(&c->lock, flags);
	list = pvi_mapcache_make_room(&c->mc, npages, nentries, RECLAIM_BATCH);
	spin_unlock_irqrestore(&c->lock, flags);
	unmap_list(ep, list);
}

/* The address of a live mapping, now with one more user; or DMA_MAPPING_ERROR. */
static dma_addr_t hit(struct pvi_endpoint *ep, phys_addr_t phys, size_t size,
		      const struct pvi_how *how)
{
	struct pvi_cache *c = ep->cache;
	dma_addr_t addr = DMA_MAPPING_ERROR;
	struct pvi_mc_entry *e;
	unsigned long flags;

	spin_lock_irqsave(&c->lock, flags);
	e = pvi_mapcache_get(&c->mc, key_of(phys, size, how->prot), how->limit >> PAGE_SHIFT);
	if (e)
		addr = address(e, phys);
	spin_unlock_irqrestore(&c->lock, flags);
	if (e)
		pvi_count_reuse(ep, how->prot, size);
	return addr;
}

static void add(struct pvi_endpoint *ep, struct pvi_mc_entry *e, struct pvi_mc_key key,
		u64 iova_pfn)
{
	struct pvi_cache *c = ep->cache;
	unsigned long flags;

	spin_lock_irqsave(&c->lock, flags);
	pvi_mapcache_add(&c->mc, e, key, iova_pfn);
	spin_unlock_irqrestore(&c->lock, flags);
	pvi_count_mapped(ep, key.npages);
}

static dma_addr_t map(struct pvi_endpoint *ep, phys_addr_t phys, size_t size,
		      const struct pvi_how *how)
{
	struct pvi_mc_key key = key_of(phys, size, how->prot);
	dma_addr_t addr = hit(ep, phys, size, how);
	struct pvi_mc_entry *e;

	if (addr != DMA_MAPPING_ERROR)
		return addr;
	make_room(ep, key.npages, 1);
	e = kmalloc(sizeof(*e), GFP_ATOMIC | __GFP_NOWARN);
	if (!e)
		return DMA_MAPPING_ERROR;
	addr = pvi_iova_map(ep, &ep->space, phys, size, how->prot, how->limit);
	if (addr == DMA_MAPPING_ERROR)
		kfree(e);
	else
		add(ep, e, key, addr >> PAGE_SHIFT);
	return addr;
}

/*
 * Drops one user of the mapping that starts at the page of @addr; false: there is none.
 * What is to be unmapped then goes in front of *@list.
 */
static bool drop(struct pvi_endpoint *ep, dma_addr_t addr, struct pvi_mc_entry **list)
{
	struct pvi_cache *c = cache_of(ep);
	struct pvi_mc_entry *e, *gone = NULL, **tail;
	unsigned long flags;
	int r = 0;

	if (!c)
		return false;
	spin_lock_irqsave(&c->lock, flags);
	e = pvi_mapcache_find(&c->mc, addr >> PAGE_SHIFT);
	if (e) {
		r = pvi_mapcache_put(&c->mc, e);
		gone = c->keep ? pvi_mapcache_make_room(&c->mc, 0, 0, RECLAIM_BATCH)
			       : pvi_mapcache_take(&c->mc, U64_MAX);
	}
	spin_unlock_irqrestore(&c->lock, flags);
	if (r)
		dev_warn_ratelimited(&ep->pdev->dev, "pviommu: its driver unmapped %#llx twice\n",
				     addr);
	for (tail = &gone; *tail; tail = &(*tail)->lru_next)
		;
	*tail = *list;
	*list = gone;
	return e != NULL;
}

static bool unmap(struct pvi_endpoint *ep, dma_addr_t addr, size_t size, const struct pvi_how *how)
{
	struct pvi_mc_entry *list = NULL;
	bool mine = drop(ep, addr, &list);

	unmap_list(ep, list);
	return mine;
}

static bool unmap_sg(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
		     const struct pvi_how *how)
{
	struct pvi_mc_entry *list = NULL;
	struct scatterlist *sg;
	int i;

	for_each_sg (sgl, sg, nents, i) {
		/* One strategy made the whole list: the first entry tells which. */
		if (!drop(ep, sg_dma_address(sg), &list) && !i)
			return false;
	}
	unmap_list(ep, list);
	return true;
}

/* Hits get their address, misses DMA_MAPPING_ERROR and are counted. */
static int find_hits(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
		     const struct pvi_how *how, u64 *ret_pages)
{
	struct scatterlist *sg;
	int i, misses = 0;

	*ret_pages = 0;
	for_each_sg (sgl, sg, nents, i) {
		sg_dma_len(sg) = sg->length;
		sg_dma_address(sg) = hit(ep, sg_phys(sg), sg->length, how);
		if (sg_dma_address(sg) == DMA_MAPPING_ERROR) {
			*ret_pages += pvi_span_pages(sg_phys(sg), sg->length);
			misses++;
		}
	}
	return misses;
}

/* Entries with an IOVA for the misses, chained by lru_next in the list's order. */
static int make_entries(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
			const struct pvi_how *how, struct pvi_mc_entry **ret_list)
{
	struct pvi_mc_entry **tail = ret_list, *e;
	struct scatterlist *sg;
	int i;

	for_each_sg (sgl, sg, nents, i) {
		if (sg_dma_address(sg) != DMA_MAPPING_ERROR)
			continue;
		e = kzalloc(sizeof(*e), GFP_ATOMIC | __GFP_NOWARN);
		if (!e)
			return -ENOMEM;
		e->key = key_of(sg_phys(sg), sg->length, how->prot);
		e->iova_pfn = pvi_iova_alloc(&ep->space, e->key.npages, how->limit);
		if (!e->iova_pfn) {
			kfree(e);
			return -ENOMEM;
		}
		*tail = e;
		tail = &e->lru_next;
	}
	return 0;
}

static int request_maps(struct pvi_endpoint *ep, const struct pvi_mc_entry *list)
{
	const struct pvi_mc_entry *e;
	struct pvi_batch b;

	pvi_batch_init(&b, ep);
	for (e = list; e; e = e->lru_next)
		pvi_batch_map(&b, pvi_pages(e->iova_pfn, e->key.npages), e->key.pfn << PAGE_SHIFT,
			      e->key.prot);
	return pvi_batch_wait(&b);
}

/* Some of @list may be mapped; UNMAP of a range without a mapping is no error. */
static int request_unmaps(struct pvi_endpoint *ep, const struct pvi_mc_entry *list)
{
	const struct pvi_mc_entry *e;
	struct pvi_batch b;

	pvi_batch_init(&b, ep);
	for (e = list; e; e = e->lru_next)
		pvi_batch_unmap(&b, pvi_pages(e->iova_pfn, e->key.npages));
	return pvi_batch_wait(&b);
}

static int map_entries(struct pvi_endpoint *ep, const struct pvi_mc_entry *list)
{
	int r = request_maps(ep, list);

	if (r == -ENOMEM && !request_unmaps(ep, list) && pvi_strategy_nomem(ep))
		r = request_maps(ep, list);
	return r;
}

/*
 * Gives the hits their users back, then undoes the new mappings: in this order, for a
 * freed IOVA may be in the cache a moment later. The first @list entries were misses.
 */
static void undo_sg(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
		    struct pvi_mc_entry *list, bool requested)
{
	struct pvi_mc_entry *e, *next, *unused = NULL;
	struct scatterlist *sg;
	int i, r = 0;

	for_each_sg (sgl, sg, nents, i) {
		if (sg_dma_address(sg) != DMA_MAPPING_ERROR)
			drop(ep, sg_dma_address(sg), &unused);
	}
	unmap_list(ep, unused);
	if (requested && list)
		r = request_unmaps(ep, list);
	for (e = list; e; e = next) {
		next = e->lru_next;
		if (!r)
			pvi_iova_free(&ep->space, e->iova_pfn, e->key.npages);
		kfree(e);
	}
}

static void add_entries(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
			struct pvi_mc_entry *list)
{
	struct pvi_mc_entry *e;
	struct scatterlist *sg;
	int i;

	for_each_sg (sgl, sg, nents, i) {
		if (sg_dma_address(sg) != DMA_MAPPING_ERROR)
			continue;
		e = list;
		list = e->lru_next;
		sg_dma_address(sg) = address(e, sg_phys(sg));
		add(ep, e, e->key, e->iova_pfn);
	}
}

static int map_sg(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
		  const struct pvi_how *how)
{
	struct pvi_mc_entry *list = NULL;
	u64 pages;
	int r, misses = find_hits(ep, sgl, nents, how, &pages);

	if (!misses)
		return 0;
	make_room(ep, pages, misses);
	r = make_entries(ep, sgl, nents, how, &list);
	if (r) {
		undo_sg(ep, sgl, nents, list, false);
		return r;
	}
	r = map_entries(ep, list);
	if (r) {
		undo_sg(ep, sgl, nents, list, true);
		return r == -ENOMEM ? -ENOMEM : -EIO;
	}
	add_entries(ep, sgl, nents, list);
	return 0;
}

/* One bit: whichever of them finds a mapping of the cache can undo it. */
#define CACHE_BIT 3

const struct pvi_strategy pvi_shared = {
	.name = "shared",
	.bit = CACHE_BIT,
	.start = shared_start,
	.map = map,
	.unmap = unmap,
	.map_sg = map_sg,
	.unmap_sg = unmap_sg,
};

const struct pvi_strategy pvi_persistent = {
	.name = "persistent",
	.bit = CACHE_BIT,
	.start = persistent_start,
	.retire = retire,
	.trim = trim,
	.stop = trim,
	.map = map,
	.unmap = unmap,
	.map_sg = map_sg,
	.unmap_sg = unmap_sg,
};
