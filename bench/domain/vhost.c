// SPDX-License-Identifier: BSD-2-Clause
/*
 * Linux's interval tree with the node and the calls that vhost's IOTLB has. The
 * tree's code is that of the kernel's source package, unpacked when this is
 * built. No lock: vhost holds its virtqueue's for a whole batch.
 */
#include "bench.h"

#include <linux/list.h>
#include <linux/rbtree_augmented.h>
#include <linux/interval_tree_generic.h>

/* As vhost_iotlb_map is laid out. */
struct map {
	struct rb_node rb;
	struct list_head link;
	uint64_t start, last, size, addr;
	uint32_t perm, flags_padding;
	uint64_t __subtree_last;
	void *opaque;
};

#define START(m) ((m)->start)
#define LAST(m)	 ((m)->last)

INTERVAL_TREE_DEFINE(struct map, rb, uint64_t, __subtree_last, START, LAST,
		     static inline __attribute__((unused)), itree)

struct vhost {
	struct rb_root_cached root;
	struct list_head list;
};

static void *t_make(void)
{
	struct vhost *v = calloc(1, sizeof(*v));

	CHECK(v);
	v->root = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&v->list);
	return v;
}

static void remove_map(struct vhost *v, struct map *m)
{
	itree_remove(m, &v->root);
	list_del(&m->link);
	free(m);
}

static void t_free(void *t)
{
	struct vhost *v = t;
	struct map *m;

	while ((m = itree_iter_first(&v->root, 0, UINT64_MAX)))
		remove_map(v, m);
	free(v);
}

static void t_map(void *t, uint64_t page, uint64_t pages, uint64_t target)
{
	struct vhost *v = t;
	struct map *m = malloc(sizeof(*m));

	CHECK(m);
	m->start = BASE + (page << PAGE_SHIFT);
	m->size = pages << PAGE_SHIFT;
	m->last = m->start + m->size - 1;
	m->addr = target;
	m->perm = RIGHT_READ | RIGHT_WRITE;
	m->opaque = NULL;
	itree_insert(m, &v->root);
	list_add_tail(&m->link, &v->list);
}

static void t_unmap(void *t, uint64_t page, uint64_t pages)
{
	struct vhost *v = t;
	uint64_t first = BASE + (page << PAGE_SHIFT), last = first + (pages << PAGE_SHIFT) - 1;
	struct map *m;

	while ((m = itree_iter_first(&v->root, first, last)))
		remove_map(v, m);
}

static void t_flush(void *t)
{
}

static uint64_t t_translate(void *t, uint64_t iova, uint64_t len, unsigned int prot,
			    uint64_t *target)
{
	struct vhost *v = t;
	struct map *m = itree_iter_first(&v->root, iova, iova + len - 1);
	uint64_t left;

	if (!m || m->start > iova || (m->perm & prot) != prot)
		return 0;
	*target = m->addr + (iova - m->start);
	left = m->last - iova + 1;
	return len < left ? len : left;
}

#include "plain_vector.h"

static uint64_t t_bytes(void *t)
{
	return 0;
}

#define PEER	  peer_vhost
#define PEER_NAME "vhost"
#include "work.h"
