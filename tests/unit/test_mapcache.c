// SPDX-License-Identifier: BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/mapcache.h"

#define BITS 3 /* few chains, so that they are long */
#define ANY  UINT64_MAX

struct cache {
	struct pvi_mapcache mc;
	struct pvi_mc_entry *by_key[1 << BITS];
	struct pvi_mc_entry *by_iova[1 << BITS];
};

static void cache_init(struct cache *c, uint64_t max_pages)
{
	memset(c, 0, sizeof(*c));
	pvi_mapcache_init(&c->mc, c->by_key, c->by_iova, BITS, max_pages);
}

static struct pvi_mc_key key(uint64_t pfn, uint64_t npages, uint32_t prot)
{
	return (struct pvi_mc_key){pfn, npages, prot};
}

static unsigned int length(const struct pvi_mc_entry *list)
{
	unsigned int n = 0;

	for (; list; list = list->lru_next)
		n++;
	return n;
}

static void test_key_is_exact(void **state)
{
	struct pvi_mc_entry e;
	struct cache c;

	cache_init(&c, 100);
	pvi_mapcache_add(&c.mc, &e, key(10, 2, PVI_READ), 500);
	assert_ptr_equal(pvi_mapcache_get(&c.mc, key(10, 2, PVI_READ), ANY), &e);
	assert_int_equal(e.refs, 2);
	/* Other rights, fewer or more, are no hit: a live mapping is never widened. */
	assert_null(pvi_mapcache_get(&c.mc, key(10, 2, PVI_WRITE), ANY));
	assert_null(pvi_mapcache_get(&c.mc, key(10, 2, PVI_READ | PVI_WRITE), ANY));
	assert_null(pvi_mapcache_get(&c.mc, key(10, 1, PVI_READ), ANY));
	assert_null(pvi_mapcache_get(&c.mc, key(10, 3, PVI_READ), ANY));
	assert_null(pvi_mapcache_get(&c.mc, key(11, 1, PVI_READ), ANY));
	/* Out of a narrow device's reach: no hit either. Its last page is 501. */
	assert_null(pvi_mapcache_get(&c.mc, key(10, 2, PVI_READ), 500));
	assert_non_null(pvi_mapcache_get(&c.mc, key(10, 2, PVI_READ), 501));
	assert_ptr_equal(pvi_mapcache_find(&c.mc, 500), &e);
	assert_null(pvi_mapcache_find(&c.mc, 501));
}

static void test_never_takes_one_in_use(void **state)
{
	struct pvi_mc_entry used, idle;
	struct cache c;

	cache_init(&c, 100);
	pvi_mapcache_add(&c.mc, &used, key(1, 1, PVI_READ), 501);
	pvi_mapcache_add(&c.mc, &idle, key(2, 1, PVI_READ), 502);
	assert_int_equal(pvi_mapcache_put(&c.mc, &idle), 0);
	assert_ptr_equal(pvi_mapcache_take(&c.mc, ANY), &idle);
	assert_null(idle.lru_next);
	assert_null(pvi_mapcache_find(&c.mc, 502));
	assert_null(pvi_mapcache_get(&c.mc, key(2, 1, PVI_READ), ANY));
	assert_null(pvi_mapcache_take(&c.mc, ANY));
	assert_ptr_equal(pvi_mapcache_find(&c.mc, 501), &used);
	assert_int_equal(c.mc.pages, 1);
}

static void test_put_without_user(void **state)
{
	struct pvi_mc_entry e;
	struct cache c;

	cache_init(&c, 100);
	pvi_mapcache_add(&c.mc, &e, key(1, 4, PVI_READ), 501);
	assert_int_equal(pvi_mapcache_put(&c.mc, &e), 0);
	assert_int_equal(pvi_mapcache_put(&c.mc, &e), -EINVAL);
	assert_int_equal(c.mc.idle_pages, 4);
	assert_int_equal(c.mc.idle_entries, 1);
}

static void test_least_recently_used_goes_first(void **state)
{
	struct pvi_mc_entry e[3], *list;
	struct cache c;
	uint64_t i;

	cache_init(&c, 100);
	for (i = 0; i < 3; i++)
		pvi_mapcache_add(&c.mc, &e[i], key(i, 1, PVI_WRITE), 500 + i);
	for (i = 0; i < 3; i++)
		pvi_mapcache_put(&c.mc, &e[i]);
	/* A hit and its end make the oldest the youngest. */
	pvi_mapcache_put(&c.mc, pvi_mapcache_get(&c.mc, key(0, 1, PVI_WRITE), ANY));
	list = pvi_mapcache_take(&c.mc, 2);
	assert_ptr_equal(list, &e[1]);
	assert_ptr_equal(list->lru_next, &e[2]);
	assert_null(list->lru_next->lru_next);
}

static void test_room_at_the_cap(void **state)
{
	struct pvi_mc_entry e[10];
	struct cache c;
	uint64_t i;

	cache_init(&c, 10);
	for (i = 0; i < 10; i++) {
		assert_null(pvi_mapcache_make_room(&c.mc, 1, 1, 1));
		pvi_mapcache_add(&c.mc, &e[i], key(i, 1, PVI_WRITE), 500 + i);
	}
	/* All in use: the cap yields. */
	assert_null(pvi_mapcache_make_room(&c.mc, 1, 1, 4));
	for (i = 0; i < 10; i++)
		pvi_mapcache_put(&c.mc, &e[i]);
	assert_null(pvi_mapcache_make_room(&c.mc, 0, 0, 4));
	assert_int_equal(length(pvi_mapcache_make_room(&c.mc, 1, 1, 4)), 4);
	assert_int_equal(c.mc.pages, 6);
	assert_null(pvi_mapcache_make_room(&c.mc, 4, 4, 4));
	/* More than the cap: everything idle goes. */
	assert_int_equal(length(pvi_mapcache_make_room(&c.mc, 11, 1, 1)), 6);
	assert_int_equal(c.mc.pages, 0);
}

static void test_refused_map_is_remembered(void **state)
{
	struct pvi_mc_entry e[PVI_MC_MIN_ENTRIES + 4];
	struct cache c;
	uint64_t i;

	cache_init(&c, 1000);
	/* A few: not below the floor. */
	pvi_mapcache_nomem(&c.mc);
	assert_int_equal(c.mc.max_entries, PVI_MC_MIN_ENTRIES);
	cache_init(&c, 1000);
	for (i = 0; i < PVI_MC_MIN_ENTRIES + 4; i++) {
		pvi_mapcache_add(&c.mc, &e[i], key(i * 8, 8, PVI_READ), 5000 + i * 8);
		pvi_mapcache_put(&c.mc, &e[i]);
	}
	pvi_mapcache_nomem(&c.mc);
	assert_int_equal(c.mc.max_entries, PVI_MC_MIN_ENTRIES + 4);
	/* By mappings, not by pages: 16 pages would be two of these. */
	assert_int_equal(length(pvi_mapcache_make_room(&c.mc, 8, 3, 1)), 3);
	/* It never rises again. */
	pvi_mapcache_nomem(&c.mc);
	assert_int_equal(c.mc.max_entries, PVI_MC_MIN_ENTRIES + 1);
}

/* ---- against a naive model: an array, ages and linear searches ---- */

#define SLOTS 64
#define STEPS 200000

struct model_entry {
	struct pvi_mc_entry e; /* first: lists are of these */
	bool live;
	struct pvi_mc_key key;
	uint64_t iova, refs, idle_since;
};

struct model {
	struct cache c;
	struct model_entry slot[SLOTS];
	uint64_t clock, max_entries, random;
};

static uint64_t pick(struct model *m, uint64_t below)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return m->random % below;
}

static bool same(struct pvi_mc_key a, struct pvi_mc_key b)
{
	return a.pfn == b.pfn && a.npages == b.npages && a.prot == b.prot;
}

static struct model_entry *oldest_idle(struct model *m)
{
	struct model_entry *best = NULL, *s;

	for (s = m->slot; s < m->slot + SLOTS; s++) {
		if (s->live && !s->refs && (!best || s->idle_since < best->idle_since))
			best = s;
	}
	return best;
}

static void totals(struct model *m, uint64_t *pages, uint64_t *entries)
{
	struct model_entry *s;

	*pages = 0;
	*entries = 0;
	for (s = m->slot; s < m->slot + SLOTS; s++) {
		*pages += s->live ? s->key.npages : 0;
		*entries += s->live;
	}
}

/* What was taken must be, one by one, what the model takes: idle, and the oldest. */
static uint64_t expect_taken(struct model *m, struct pvi_mc_entry *list)
{
	struct pvi_mc_entry *next;
	struct model_entry *s;
	uint64_t pages = 0;

	for (; list; list = next) {
		next = list->lru_next;
		s = oldest_idle(m);
		assert_non_null(s);
		assert_ptr_equal(list, &s->e);
		s->live = false;
		pages += s->key.npages;
		memset(&s->e, 0xa5, sizeof(s->e)); /* the caller frees it */
	}
	return pages;
}

static void step_map(struct model *m)
{
	struct pvi_mc_key k = key(pick(m, 12), 1 + pick(m, 3), 1 + (uint32_t)pick(m, 3));
	uint64_t last = pick(m, 4) ? ANY : pick(m, SLOTS * 4);
	struct pvi_mc_entry *e = pvi_mapcache_get(&m->c.mc, k, last);
	struct model_entry *s, *free_slot = NULL;
	bool match = false;

	for (s = m->slot; s < m->slot + SLOTS; s++) {
		match |= s->live && same(s->key, k) && s->iova + k.npages - 1 <= last;
		if (!s->live)
			free_slot = s;
	}
	assert_int_equal(e != NULL, match);
	if (e) {
		s = (struct model_entry *)e;
		assert_true(s->live && same(s->key, k) && s->iova + k.npages - 1 <= last);
		s->refs++;
	} else if (free_slot) {
		s = free_slot;
		s->live = true;
		s->key = k;
		s->iova = (uint64_t)(s - m->slot) * 4;
		s->refs = 1;
		pvi_mapcache_add(&m->c.mc, &s->e, k, s->iova);
	}
}

static void step_unmap(struct model *m)
{
	uint64_t iova = pick(m, SLOTS * 4);
	struct pvi_mc_entry *e = pvi_mapcache_find(&m->c.mc, iova);
	struct model_entry *s = &m->slot[iova / 4];

	assert_ptr_equal(e, s->live && s->iova == iova ? &s->e : NULL);
	if (!e)
		return;
	assert_int_equal(pvi_mapcache_put(&m->c.mc, e), s->refs ? 0 : -EINVAL);
	if (s->refs && !--s->refs)
		s->idle_since = ++m->clock;
}

static void step_take(struct model *m)
{
	uint64_t want = pick(m, 6), got;

	got = expect_taken(m, pvi_mapcache_take(&m->c.mc, want));
	assert_true(got >= want || !oldest_idle(m));
}

static void step_room(struct model *m)
{
	uint64_t np = pick(m, 20), ne = pick(m, 10), batch = pick(m, 6), pages, entries, got;
	bool fitted;

	totals(m, &pages, &entries);
	fitted = pages + np <= m->c.mc.max_pages && entries + ne <= m->max_entries;
	got = expect_taken(m, pvi_mapcache_make_room(&m->c.mc, np, ne, batch));
	if (fitted) {
		assert_int_equal(got, 0);
		return;
	}
	totals(m, &pages, &entries);
	assert_true((got >= batch && pages + np <= m->c.mc.max_pages &&
		     entries + ne <= m->max_entries) ||
		    !oldest_idle(m));
}

static void step_nomem(struct model *m)
{
	uint64_t pages, entries;

	totals(m, &pages, &entries);
	if (entries < PVI_MC_MIN_ENTRIES)
		entries = PVI_MC_MIN_ENTRIES;
	if (entries < m->max_entries)
		m->max_entries = entries;
	pvi_mapcache_nomem(&m->c.mc);
	assert_int_equal(m->c.mc.max_entries, m->max_entries);
}

static void compare(struct model *m)
{
	uint64_t pages, entries, idle_pages = 0, idle_entries = 0;
	struct model_entry *s;

	totals(m, &pages, &entries);
	for (s = m->slot; s < m->slot + SLOTS; s++) {
		if (s->live && !s->refs) {
			idle_pages += s->key.npages;
			idle_entries++;
		}
		if (s->live)
			assert_int_equal(s->e.refs, s->refs);
	}
	assert_int_equal(m->c.mc.pages, pages);
	assert_int_equal(m->c.mc.entries, entries);
	assert_int_equal(m->c.mc.idle_pages, idle_pages);
	assert_int_equal(m->c.mc.idle_entries, idle_entries);
}

static void run_model(uint64_t seed)
{
	static struct model m;
	unsigned int i;

	memset(&m, 0, sizeof(m));
	cache_init(&m.c, 80);
	m.max_entries = UINT64_MAX;
	m.random = seed;
	for (i = 0; i < STEPS; i++) {
		switch (pick(&m, 16)) {
		case 0:
			step_take(&m);
			break;
		case 1:
			step_room(&m);
			break;
		case 2:
			if (i > STEPS / 2 && !pick(&m, 100))
				step_nomem(&m);
			break;
		case 3:
		case 4:
		case 5:
		case 6:
		case 7:
			step_map(&m);
			break;
		default:
			step_unmap(&m);
		}
		compare(&m);
	}
}

static void test_model(void **state)
{
	uint64_t seed;

	for (seed = 1; seed <= 3; seed++)
		run_model(seed * 0x9e3779b97f4a7c15ull);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key_is_exact),
		cmocka_unit_test(test_never_takes_one_in_use),
		cmocka_unit_test(test_put_without_user),
		cmocka_unit_test(test_least_recently_used_goes_first),
		cmocka_unit_test(test_room_at_the_cap),
		cmocka_unit_test(test_refused_map_is_remembered),
		cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
