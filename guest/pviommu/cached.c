// SPDX-License-Identifier: GPL-2.0-only
/*
 * shared and persistent in the kernel: what they do is in core/strategy/cached.c. Here
 * a cache is made and freed, and the kernel asks for memory back: an idle mapping pins
 * memory of the host's, and some of ours.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "compat.h"
#include "core/strategy/cached.h"
#include "pviommu.h"

/* Made when one of the two is first chosen, freed with the endpoint. */
struct pvi_ep_cache {
	struct pvi_cache c;
	struct pvi_compat_shrinker shrinker;
	/*
	 * Held for a sweep, and by the shrinker, which waits for nobody: who has swept knows that
	 * no mapping is on its way out, either. After ep->strategy_lock; may sleep.
	 */
	struct mutex giving_back;
};

static struct pvi_cache *cache_of(struct pvi_endpoint *ep)
{
	struct pvi_ep_cache *ec = smp_load_acquire(&ep->cache);

	return ec ? &ec->c : NULL;
}

/* How many could go: those in use are among them, for nobody counts the idle ones. */
static unsigned long count_idle(struct shrinker *s, struct shrink_control *sc)
{
	struct pvi_ep_cache *ec = pvi_compat_shrinker_owner(s, struct pvi_ep_cache, shrinker);

	return READ_ONCE(ec->c.keep) ? READ_ONCE(ec->c.mc.entries) : 0;
}

static unsigned long free_idle(struct shrinker *s, struct shrink_control *sc)
{
	struct pvi_ep_cache *ec = pvi_compat_shrinker_owner(s, struct pvi_ep_cache, shrinker);

	u64 n;

	if (!mutex_trylock(&ec->giving_back))
		return SHRINK_STOP;
	n = pvi_cache_reclaim(&ec->c, sc->nr_to_scan);
	mutex_unlock(&ec->giving_back);
	return n ?: SHRINK_STOP;
}

static struct pvi_ep_cache *cache_new(struct pvi_endpoint *ep)
{
	unsigned int bits = clamp(ilog2(pvi_cache_pages) - 4, 8, 13);
	struct pvi_ep_cache *ec = kzalloc(sizeof(*ec), GFP_KERNEL);
	struct pvi_mc_entry **index = kvcalloc(2u << bits, sizeof(*index), GFP_KERNEL);

	if (!ec || !index)
		goto free;
	pvi_cache_init(&ec->c, ep, &ep->space, index, bits, pvi_cache_pages);
	mutex_init(&ec->giving_back);
	if (pvi_compat_shrinker_add(&ec->shrinker, count_idle, free_idle, ec, pci_name(ep->pdev)))
		goto free;
	return ec;

free:
	kvfree(index);
	kfree(ec);
	return NULL;
}

static int start(struct pvi_endpoint *ep, bool keep)
{
	struct pvi_ep_cache *ec = ep->cache;

	if (!ec)
		ec = cache_new(ep);
	if (!ec)
		return -ENOMEM;
	pvi_cache_keep(&ec->c, keep);
	smp_store_release(&ep->cache, ec); /* nomem() and unmap() look without a lock */
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

bool pvi_cache_nomem(struct pvi_endpoint *ep)
{
	struct pvi_cache *c = cache_of(ep);

	return c && pvi_cache_shrink(c);
}

long pvi_ep_cache_mapped(struct pvi_endpoint *ep)
{
	struct pvi_cache *c = cache_of(ep);

	return c ? pvi_cache_pages_mapped(c) : 0;
}

int pvi_ep_cache_remap(struct pvi_endpoint *ep)
{
	struct pvi_cache *c = cache_of(ep);

	return c ? pvi_cache_remap(c) : 0;
}

static void trim(struct pvi_endpoint *ep)
{
	mutex_lock(&ep->cache->giving_back);
	pvi_cache_sweep(&ep->cache->c);
	mutex_unlock(&ep->cache->giving_back);
}

/* persistent gives way to another one; shared has nothing that is idle. */
static void persistent_retire(struct pvi_endpoint *ep)
{
	pvi_cache_keep(cache_of(ep), false);
}

/* The domain is detached. */
void pvi_cache_free(struct pvi_endpoint *ep)
{
	struct pvi_ep_cache *ec = ep->cache;

	if (!ec)
		return;
	pvi_compat_shrinker_remove(&ec->shrinker);
	pvi_cache_done(&ec->c);
	kvfree(ec->c.mc.by_key);
	kfree(ec);
}

static dma_addr_t map(struct pvi_endpoint *ep, phys_addr_t phys, size_t size,
		      const struct pvi_how *how)
{
	return pvi_cache_map(cache_of(ep), phys, size, how);
}

static bool unmap(struct pvi_endpoint *ep, dma_addr_t addr, size_t size, const struct pvi_how *how)
{
	struct pvi_cache *c = cache_of(ep);

	return c && pvi_cache_unmap(c, addr);
}

static int map_sg(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
		  const struct pvi_how *how)
{
	return pvi_cache_map_sg(cache_of(ep), sgl, nents, how);
}

static bool unmap_sg(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
		     const struct pvi_how *how)
{
	struct pvi_cache *c = cache_of(ep);

	return c && pvi_cache_unmap_sg(c, sgl, nents);
}

/* One bit: whichever of them finds a mapping of the cache can undo it. */
#define CACHE_BIT 3

const struct pvi_strategy pvi_shared = {
	.name = "shared",
	.bit = CACHE_BIT,
	.start = shared_start,
	.hits = cache_of,
	.map = map,
	.unmap = unmap,
	.map_sg = map_sg,
	.unmap_sg = unmap_sg,
};

const struct pvi_strategy pvi_persistent = {
	.name = "persistent",
	.bit = CACHE_BIT,
	.start = persistent_start,
	.hits = cache_of,
	.retire = persistent_retire,
	.trim = trim,
	.stop = trim,
	.map = map,
	.unmap = unmap,
	.map_sg = map_sg,
	.unmap_sg = unmap_sg,
};
