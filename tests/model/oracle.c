// SPDX-License-Identifier: BSD-2-Clause
#include "oracle.h"

#define TARGET_LIMIT (1ull << 52)

static const struct oracle_mapping *at(const struct oracle *o, uint64_t iova)
{
	for (size_t i = 0; i < o->nr; i++)
		if (pvi_range_has(o->mapping[i].iova, iova))
			return &o->mapping[i];
	return NULL;
}

int oracle_map(struct oracle *o, struct pvi_range iova, uint64_t target, unsigned int prot)
{
	if (iova.first > iova.last || iova.first % PVI_PAGE_SIZE || target % PVI_PAGE_SIZE ||
	    (iova.last + 1) % PVI_PAGE_SIZE || prot > 7)
		return -EINVAL;
	if (target >= TARGET_LIMIT || iova.last - iova.first >= TARGET_LIMIT - target)
		return -EINVAL;
	for (size_t i = 0; i < o->nr; i++)
		if (pvi_range_overlaps(o->mapping[i].iova, iova))
			return -EEXIST;
	if (o->nr >= o->max_mappings)
		return -ENOMEM;
	o->mapping[o->nr++] = (struct oracle_mapping){iova, target, prot};
	return 0;
}

int oracle_unmap(struct oracle *o, struct pvi_range iova, uint64_t *ret_removed)
{
	uint64_t removed = 0;

	if (iova.first > iova.last)
		return -EINVAL;
	for (size_t i = 0; i < o->nr; i++)
		if (pvi_range_overlaps(o->mapping[i].iova, iova) &&
		    !pvi_range_contains(iova, o->mapping[i].iova))
			return -ERANGE;
	for (size_t i = 0; i < o->nr;) {
		if (pvi_range_overlaps(o->mapping[i].iova, iova)) {
			o->mapping[i] = o->mapping[--o->nr];
			removed++;
		} else {
			i++;
		}
	}
	*ret_removed = removed;
	return 0;
}

int oracle_translate(const struct oracle *o, uint64_t iova, uint64_t len, unsigned int prot,
		     struct pvi_table_run *ret)
{
	const struct oracle_mapping *m = at(o, iova);

	if (!m)
		return -ENOENT;
	if ((m->prot & prot) != prot)
		return -EACCES;
	ret->target = m->target + (iova - m->iova.first);
	ret->len = len <= m->iova.last - iova ? len : m->iova.last - iova + 1;
	return 0;
}

uint64_t oracle_pages(const struct oracle *o)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < o->nr; i++)
		pages += (o->mapping[i].iova.last - o->mapping[i].iova.first) / PVI_PAGE_SIZE + 1;
	return pages;
}

const struct oracle_mapping *oracle_next(const struct oracle *o, struct pvi_range iova)
{
	const struct oracle_mapping *best = NULL;

	for (size_t i = 0; i < o->nr; i++)
		if (pvi_range_overlaps(o->mapping[i].iova, iova) &&
		    (!best || o->mapping[i].iova.first < best->iova.first))
			best = &o->mapping[i];
	return best;
}
