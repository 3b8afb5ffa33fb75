// SPDX-License-Identifier: GPL-2.0-only
/* Choosing a strategy, and finding the one that made a mapping. */
#include <linux/sysfs.h>

#include "pviommu.h"

/* Those that know their own mappings first; single-use undoes what nobody else claims. */
static const struct pvi_strategy *const strategies[] = {
	&pvi_persistent,
	&pvi_single_use,
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

int pvi_strategy_set(struct pvi_endpoint *ep, const struct pvi_strategy *s)
{
	const struct pvi_strategy *old;
	int r = 0;

	mutex_lock(&ep->strategy_lock);
	old = ep->strategy;
	if (old == s)
		goto unlock;
	if (s->start)
		r = s->start(ep);
	if (r)
		goto unlock;
	set_bit(s->bit, &ep->used);
	/* Before the first mapping by @s, whoever unmaps it must see its bit. */
	smp_store_release(&ep->strategy, s);
	if (old && old->retire)
		old->retire(ep);
unlock:
	mutex_unlock(&ep->strategy_lock);
	return r;
}

void pvi_strategy_unmap(struct pvi_endpoint *ep, dma_addr_t addr, size_t size)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(strategies); i++) {
		if (test_bit(strategies[i]->bit, &ep->used) && strategies[i]->unmap(ep, addr, size))
			return;
	}
}

void pvi_strategy_unmap_sg(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(strategies); i++) {
		if (test_bit(strategies[i]->bit, &ep->used) &&
		    strategies[i]->unmap_sg(ep, sgl, nents))
			return;
	}
}
