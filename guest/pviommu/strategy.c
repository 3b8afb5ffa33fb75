// SPDX-License-Identifier: GPL-2.0-only
/* Choosing a strategy, and finding the one that made a mapping. */
#include <linux/sysfs.h>
#include <linux/virtio_config.h>

#include "compat.h"
#include "pviommu.h"

/* The kernel's own DMA operations do the work, without us: no entry but the name. */
const struct pvi_strategy pvi_none = {
	.name = "none",
	.bit = 5,
	.bypass = true,
};

static const struct pvi_strategy *const strategies[] = {
	&pvi_none,   &pvi_direct_map, &pvi_single_use, &pvi_deferred,
	&pvi_shared, &pvi_persistent, &pvi_bounce,
};

/*
 * Who is asked about a mapping that is to be undone: those that know their own, by a
 * look at its address first; single-use undoes what nobody else claims.
 */
static const struct pvi_strategy *const undoers[] = {
	&pvi_direct_map, &pvi_bounce, &pvi_deferred, &pvi_persistent, &pvi_single_use,
};

const struct pvi_strategy *pvi_strategy_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(strategies); i++) {
		if (sysfs_streq(name, strategies[i]->name))
			return strategies[i];
	}
	return NULL;
}

/*
 * From translation to bypass or back. A driver would notice: what it has mapped means
 * something else afterwards.
 */
static int may_change_domain(struct pvi_endpoint *ep, bool bypass)
{
	if (ep->pdev->dev.driver)
		return -EBUSY;
	if (bypass && !virtio_has_feature(ep->viommu->vdev, PVI_F_BYPASS_CONFIG))
		return -EOPNOTSUPP;
	return 0;
}

/* Chosen, and nothing mapped by it yet. */
static int begin(struct pvi_endpoint *ep, const struct pvi_strategy *s)
{
	int r = s->start ? s->start(ep) : 0;

	if (r)
		return r;
	/* single-use is what others fall back on. */
	set_bit(pvi_single_use.bit, &ep->used);
	set_bit(s->bit, &ep->used);
	/* Before the first mapping by @s, whoever unmaps it must see its bit. */
	smp_store_release(&ep->strategy, s);
	smp_store_release(&ep->hits, s->hits ? s->hits(ep) : NULL);
	set_dma_ops(&ep->pdev->dev, s->bypass ? NULL : &ep->ops);
	if (!s->bypass)
		pvi_compat_need_sync(&ep->pdev->dev);
	return 0;
}

/* Nothing is mapped: all of the old one's goes, then the domain. */
static int change_domain(struct pvi_endpoint *ep, const struct pvi_strategy *s)
{
	const struct pvi_strategy *old = ep->strategy;
	int r = may_change_domain(ep, s->bypass);

	if (r)
		return r;
	pvi_strategy_free(ep);
	r = pvi_endpoint_attach(ep, s->bypass);
	if (!r)
		r = begin(ep, s);
	if (r && old) {
		/* Some devices leave an endpoint detached when an ATTACH fails. */
		pvi_endpoint_attach(ep, old->bypass);
		if (begin(ep, old)) {
			/* What @old had is freed; this one needs nothing, and so cannot fail. */
			begin(ep, &pvi_single_use);
			return -EIO;
		}
	}
	return r;
}

static int switch_to(struct pvi_endpoint *ep, const struct pvi_strategy *s)
{
	const struct pvi_strategy *old = ep->strategy;
	int r;

	if ((old && old->bypass) != s->bypass)
		return change_domain(ep, s);
	r = begin(ep, s);
	if (!r && old && old->retire)
		old->retire(ep);
	return r;
}

int pvi_strategy_set(struct pvi_endpoint *ep, const struct pvi_strategy *s)
{
	int r = 0;

	mutex_lock(&ep->strategy_lock);
	if (ep->strategy != s)
		r = switch_to(ep, s);
	mutex_unlock(&ep->strategy_lock);
	return r;
}

void pvi_strategy_unmap_any(struct pvi_endpoint *ep, dma_addr_t addr, size_t size,
			    const struct pvi_how *how)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(undoers); i++) {
		if (test_bit(undoers[i]->bit, &ep->used) && undoers[i]->unmap(ep, addr, size, how))
			return;
	}
}

void pvi_strategy_unmap_sg_any(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
			       const struct pvi_how *how)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(undoers); i++) {
		if (test_bit(undoers[i]->bit, &ep->used) &&
		    undoers[i]->unmap_sg(ep, sgl, nents, how))
			return;
	}
}

void pvi_strategy_trim(struct pvi_endpoint *ep)
{
	unsigned int i;

	mutex_lock(&ep->strategy_lock);
	for (i = 0; i < ARRAY_SIZE(undoers); i++) {
		if (test_bit(undoers[i]->bit, &ep->used) && undoers[i]->trim)
			undoers[i]->trim(ep);
	}
	mutex_unlock(&ep->strategy_lock);
}

void pvi_strategy_stop(struct pvi_endpoint *ep)
{
	unsigned int i;

	mutex_lock(&ep->strategy_lock);
	for (i = 0; i < ARRAY_SIZE(undoers); i++) {
		if (test_bit(undoers[i]->bit, &ep->used) && undoers[i]->stop)
			undoers[i]->stop(ep);
	}
	mutex_unlock(&ep->strategy_lock);
}

/* With ep->strategy_lock, or nobody else knows @ep. */
void pvi_strategy_free(struct pvi_endpoint *ep)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(undoers); i++) {
		if (test_bit(undoers[i]->bit, &ep->used) && undoers[i]->stop)
			undoers[i]->stop(ep);
	}
	pvi_cache_free(ep);
	pvi_deferred_free(ep);
	pvi_direct_free(ep);
	pvi_bounce_free(ep);
	ep->hits = NULL;
	ep->cache = NULL;
	ep->deferred = NULL;
	ep->direct = NULL;
	ep->bounce = NULL;
	ep->used = 0;
}

bool pvi_strategy_nomem(struct pvi_endpoint *ep)
{
	bool idle = pvi_cache_nomem(ep);

	return pvi_deferred_nomem(ep) || idle;
}
