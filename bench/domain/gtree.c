// SPDX-License-Identifier: BSD-2-Clause
/*
 * A balanced tree of GLib keyed by intervals, one mutex around each call: the
 * way QEMU's virtio-iommu keeps a domain's mappings. Overlapping keys compare
 * equal, so a lookup of one address finds the interval around it.
 */
#include <glib.h>
#include <pthread.h>

#include "bench.h"

struct key {
	uint64_t low, high;
};

struct value {
	uint64_t target;
	uint32_t prot;
};

struct gtree {
	pthread_mutex_t lock;
	GTree *tree;
};

static gint compare(gconstpointer a, gconstpointer b, gpointer data)
{
	const struct key *x = a, *y = b;

	if (x->high < y->low)
		return -1;
	return y->high < x->low ? 1 : 0;
}

static void *t_make(void)
{
	struct gtree *g = calloc(1, sizeof(*g));

	CHECK(g && !pthread_mutex_init(&g->lock, NULL));
	g->tree = g_tree_new_full(compare, NULL, g_free, g_free);
	return g;
}

static void t_free(void *t)
{
	struct gtree *g = t;

	g_tree_destroy(g->tree);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

static void t_map(void *t, uint64_t page, uint64_t pages, uint64_t target)
{
	struct gtree *g = t;
	struct key *key = g_new(struct key, 1);
	struct value *value = g_new(struct value, 1);

	key->low = BASE + (page << PAGE_SHIFT);
	key->high = key->low + (pages << PAGE_SHIFT) - 1;
	value->target = target;
	value->prot = RIGHT_READ | RIGHT_WRITE;
	pthread_mutex_lock(&g->lock);
	CHECK(!g_tree_lookup(g->tree, key));
	g_tree_insert(g->tree, key, value);
	pthread_mutex_unlock(&g->lock);
}

static void t_unmap(void *t, uint64_t page, uint64_t pages)
{
	struct gtree *g = t;
	uint64_t low = BASE + (page << PAGE_SHIFT);
	struct key key = {low, low + (pages << PAGE_SHIFT) - 1};
	gpointer found, value;

	pthread_mutex_lock(&g->lock);
	CHECK(g_tree_lookup_extended(g->tree, &key, &found, &value));
	CHECK(((struct key *)found)->low >= key.low && ((struct key *)found)->high <= key.high);
	g_tree_remove(g->tree, &key);
	pthread_mutex_unlock(&g->lock);
}

static void t_flush(void *t)
{
}

static uint64_t t_translate(void *t, uint64_t iova, uint64_t len, unsigned int prot,
			    uint64_t *target)
{
	struct gtree *g = t;
	struct key key = {iova, iova + PAGE - 1};
	gpointer found, value;
	uint64_t left = 0;

	pthread_mutex_lock(&g->lock);
	if (g_tree_lookup_extended(g->tree, &key, &found, &value) &&
	    (((struct value *)value)->prot & prot) == prot) {
		*target = ((struct value *)value)->target + (iova - ((struct key *)found)->low);
		left = ((struct key *)found)->high - iova + 1;
	}
	pthread_mutex_unlock(&g->lock);
	return len < left ? len : left;
}

#include "plain_vector.h"

static uint64_t t_bytes(void *t)
{
	return 0;
}

#define PEER	  peer_gtree
#define PEER_NAME "gtree"
#include "work.h"
