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

	for (; list; list = list->next)
		n++;
	return n;
}

/* All of a search at once; the holds of the lock that it took. */
static unsigned int search(struct cache *c, struct pvi_mc_scan *s)
{
	unsigned int holds = 1;

	while (pvi_mapcache_scan(&c->mc, s))
		holds++;
	assert_int_equal(length(s->list), s->taken);
	return holds;
}

static struct pvi_mc_entry *take(struct cache *c, uint64_t n)
{
	struct pvi_mc_scan s;

	pvi_mc_scan_idle(&s, &c->mc, n);
	search(c, &s);
	assert_true(s.taken <= n);
	return s.list;
}

static struct pvi_mc_entry *take_all(struct cache *c)
{
	struct pvi_mc_sweep s = {0};

	while (pvi_mapcache_sweep(&c->mc, &s, 1))
		;
	return s.list;
}

static struct pvi_mc_entry *make_room(struct cache *c)
{
	struct pvi_mc_scan s;

	pvi_mc_scan_room(&s, &c->mc);
	search(c, &s);
	return s.list;
}

static void test_key_is_exact(void **state)
{
	struct pvi_mc_entry e;
	struct cache c;

	cache_init(&c, 100);
	pvi_mapcache_add(&c.mc, &e, key(10, 2, PVI_READ), 500);
	assert_ptr_equal(pvi_mapcache_get(&c.mc, key(10, 2, PVI_READ), ANY), &e);
	assert_int_equal(e.refs, 1 + 2); /* two users */
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
	assert_false(pvi_mapcache_take(&c.mc, &used));
	assert_int_equal(pvi_mapcache_put(&idle), 1);
	assert_ptr_equal(take_all(&c), &idle);
	assert_null(idle.next);
	assert_null(pvi_mapcache_find(&c.mc, 502));
	assert_null(pvi_mapcache_get(&c.mc, key(2, 1, PVI_READ), ANY));
	assert_null(take_all(&c));
	assert_ptr_equal(pvi_mapcache_find(&c.mc, 501), &used);
	assert_int_equal(c.mc.pages, 1);
}

static void test_put_without_user(void **state)
{
	struct pvi_mc_entry e;
	struct cache c;

	cache_init(&c, 100);
	pvi_mapcache_add(&c.mc, &e, key(1, 4, PVI_READ), 501);
	assert_ptr_equal(pvi_mapcache_get(&c.mc, key(1, 4, PVI_READ), ANY), &e);
	assert_int_equal(pvi_mapcache_put(&e), 0);
	assert_int_equal(pvi_mapcache_put(&e), 1);
	assert_int_equal(pvi_mapcache_put(&e), -EINVAL);
	assert_true(pvi_mapcache_take(&c.mc, &e));
	assert_false(pvi_mapcache_take(&c.mc, &e));
	/* Who found it before it was taken. */
	assert_int_equal(pvi_mapcache_put(&e), -EINVAL);
	assert_int_equal(c.mc.pages, 0);
	assert_int_equal(c.mc.entries, 0);
}

/* Those hit since the last round are spared, as long as there are others. */
static void test_recently_used_goes_last(void **state)
{
	struct pvi_mc_entry e[4], *list;
	struct cache c;
	uint64_t i;

	cache_init(&c, 100);
	for (i = 0; i < 4; i++) {
		pvi_mapcache_add(&c.mc, &e[i], key(i, 1, PVI_WRITE), 500 + i);
		pvi_mapcache_put(&e[i]);
	}
	/* Those used once go in their order. */
	assert_ptr_equal(take(&c, 1), &e[0]);
	/* A hit and its end make the next one the youngest. */
	pvi_mapcache_put(pvi_mapcache_get(&c.mc, key(1, 1, PVI_WRITE), ANY));
	list = take(&c, 2);
	assert_ptr_equal(list, &e[2]);
	assert_ptr_equal(list->next, &e[3]);
	assert_null(list->next->next);
	assert_ptr_equal(take(&c, 5), &e[1]);
}

/* A hot set stays while a stream of others, four times the cap, passes through. */
static void test_hot_set_stays(void **state)
{
	enum { CAP = 64, HOT = 16, STREAM = 4 * CAP };
	static struct pvi_mc_entry hot[HOT], cold[STREAM];
	struct cache c;
	uint64_t i, h;

	cache_init(&c, CAP);
	for (h = 0; h < HOT; h++) {
		pvi_mapcache_add(&c.mc, &hot[h], key(h, 1, PVI_READ), 100 + h);
		pvi_mapcache_put(&hot[h]);
	}
	for (i = 0; i < STREAM; i++) {
		pvi_mapcache_promise(&c.mc, 1, 1);
		make_room(&c);
		pvi_mapcache_give_back(&c.mc, 1, 1);
		pvi_mapcache_add(&c.mc, &cold[i], key(1000 + i, 1, PVI_READ), 1000 + i);
		pvi_mapcache_put(&cold[i]);
		assert_true(c.mc.pages <= CAP);
		for (h = 0; h < HOT; h++) {
			assert_ptr_equal(pvi_mapcache_get(&c.mc, key(h, 1, PVI_READ), ANY),
					 &hot[h]);
			pvi_mapcache_put(&hot[h]);
		}
	}
}

static void promise(struct cache *c, uint64_t pages, uint64_t entries)
{
	pvi_mapcache_promise(&c->mc, pages, entries);
}

static void test_room_at_the_cap(void **state)
{
	struct pvi_mc_entry e[10];
	struct cache c;
	uint64_t i;

	cache_init(&c, 10);
	for (i = 0; i < 10; i++) {
		promise(&c, 1, 1);
		assert_null(make_room(&c));
		pvi_mapcache_give_back(&c.mc, 1, 1);
		pvi_mapcache_add(&c.mc, &e[i], key(i, 1, PVI_WRITE), 500 + i);
	}
	assert_false(pvi_mapcache_over(&c.mc));
	/* All in use: the cap yields. */
	promise(&c, 1, 1);
	assert_true(pvi_mapcache_over(&c.mc));
	assert_null(make_room(&c));
	for (i = 0; i < 10; i++)
		pvi_mapcache_put(&e[i]);
	assert_int_equal(length(make_room(&c)), 1);
	assert_int_equal(c.mc.pages, 9);
	/* Of two who want the last of it, the second finds it promised. */
	promise(&c, 1, 1);
	assert_int_equal(length(make_room(&c)), 1);
	pvi_mapcache_give_back(&c.mc, 2, 2);
	promise(&c, 2, 2);
	assert_null(make_room(&c));
	/* More than the cap: everything idle goes. */
	promise(&c, 9, 1);
	assert_int_equal(length(make_room(&c)), 8);
	assert_int_equal(c.mc.pages, 0);
}

/* In a cache of some size room is made for several misses at once. */
static void test_room_is_made_in_batches(void **state)
{
	static struct pvi_mc_entry e[800];
	struct pvi_mc_scan s;
	struct cache c;
	uint64_t i;

	cache_init(&c, 800);
	for (i = 0; i < 800; i++) {
		pvi_mapcache_add(&c.mc, &e[i], key(i, 1, PVI_WRITE), 5000 + i);
		if (i < 700)
			pvi_mapcache_get(&c.mc, e[i].key, ANY);
	}
	for (i = 0; i < 700; i++)
		pvi_mapcache_put(&e[i]);
	for (i = 0; i < 800; i++)
		pvi_mapcache_put(&e[i]);
	promise(&c, 1, 1);
	pvi_mc_scan_room(&s, &c.mc);
	/* The lock is let go of between looks at a bounded number of mappings. */
	assert_int_equal(search(&c, &s), (700 + 64) / PVI_MC_LOOK + 1);
	assert_int_equal(s.taken, 64);
	promise(&c, 63, 63);
	assert_null(make_room(&c));
	promise(&c, 1, 1);
	assert_int_equal(length(make_room(&c)), 64);
}

/* When all are in use, a miss no longer looks at each of them; what gets idle is found. */
static void test_all_in_use(void **state)
{
	static struct pvi_mc_entry e[4 * PVI_MC_LOOK];
	struct pvi_mc_scan s;
	struct cache c;
	uint64_t i;
	int holds;

	cache_init(&c, 4 * PVI_MC_LOOK);
	for (i = 0; i < 4 * PVI_MC_LOOK; i++)
		pvi_mapcache_add(&c.mc, &e[i], key(i, 1, PVI_WRITE), 5000 + i);
	promise(&c, 1, 1);
	pvi_mc_scan_room(&s, &c.mc);
	assert_int_equal(search(&c, &s), 8 + 1);
	assert_null(s.list);
	pvi_mc_scan_room(&s, &c.mc);
	assert_int_equal(search(&c, &s), 1 + 1);
	pvi_mapcache_put(&e[700]);
	/* The hand is at 256 now, and goes on by as many each time. */
	for (holds = 0; !s.list && holds < 9; holds++) {
		pvi_mc_scan_room(&s, &c.mc);
		search(&c, &s);
	}
	assert_ptr_equal(s.list, &e[700]);
	assert_int_equal(holds, 2);
}

/*
 * A sweep comes to all that are idle, also where others search between two of its steps: those
 * move the clock's hand over mappings whose marks they only take away.
 */
static void test_sweep_beside_a_search(void **state)
{
	enum { N = 4 * PVI_MC_LOOK, USED = 7 };
	static struct pvi_mc_entry e[N];
	struct pvi_mc_sweep sweep = {0};
	struct pvi_mc_scan other;
	unsigned int steps = 1;
	struct cache c;
	uint64_t i;

	cache_init(&c, N);
	for (i = 0; i < N; i++) {
		pvi_mapcache_add(&c.mc, &e[i], key(i, 1, PVI_WRITE), 5000 + i);
		pvi_mapcache_get(&c.mc, e[i].key, ANY);
		pvi_mapcache_put(&e[i]);
		if (i % USED)
			pvi_mapcache_put(&e[i]);
	}
	while (pvi_mapcache_sweep(&c.mc, &sweep, 64)) {
		pvi_mc_scan_idle(&other, &c.mc, 1);
		pvi_mapcache_scan(&c.mc, &other);
		steps++;
	}
	/* Chains are long here, about two to a step; and no step takes all. */
	assert_in_range(steps, 4, 1 << BITS);
	for (i = 0; i < N; i++)
		assert_ptr_equal(pvi_mapcache_find(&c.mc, 5000 + i), i % USED ? NULL : &e[i]);
	assert_int_equal(c.mc.entries, (N + USED - 1) / USED);
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
		pvi_mapcache_put(&e[i]);
	}
	pvi_mapcache_nomem(&c.mc);
	assert_int_equal(c.mc.max_entries, PVI_MC_MIN_ENTRIES + 4);
	/* By mappings, not by pages: 16 pages would be two of these. */
	promise(&c, 8, 3);
	assert_int_equal(length(make_room(&c)), 3);
	/* It never rises again. */
	pvi_mapcache_nomem(&c.mc);
	assert_int_equal(c.mc.max_entries, PVI_MC_MIN_ENTRIES + 1);
}

/* ---- against a naive model: an array and linear searches ---- */

#define SLOTS 64
#define STEPS 200000

struct model_entry {
	struct pvi_mc_entry e; /* first: lists are of these */
	bool live;
	struct pvi_mc_key key;
	uint64_t iova, refs;
};

struct model {
	struct cache c;
	struct model_entry slot[SLOTS];
	uint64_t max_entries, random;
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

static void totals(struct model *m, uint64_t *pages, uint64_t *entries, uint64_t *idle)
{
	struct model_entry *s;

	*pages = 0;
	*entries = 0;
	*idle = 0;
	for (s = m->slot; s < m->slot + SLOTS; s++) {
		*pages += s->live ? s->key.npages : 0;
		*entries += s->live;
		*idle += s->live && !s->refs;
	}
}

/* What was taken was idle, each of it, and is nowhere any more. */
static void expect_taken(struct model *m, struct pvi_mc_entry *list)
{
	struct pvi_mc_entry *next;
	struct model_entry *s;

	for (; list; list = next) {
		next = list->next;
		s = (struct model_entry *)list;
		assert_true(s->live && !s->refs);
		s->live = false;
		memset(&s->e, 0xa5, sizeof(s->e)); /* the caller frees it */
	}
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
	int want;

	assert_ptr_equal(e, s->live && s->iova == iova ? &s->e : NULL);
	if (!e)
		return;
	want = !s->refs ? -EINVAL : s->refs == 1;
	assert_int_equal(pvi_mapcache_put(e), want);
	s->refs -= s->refs > 0;
}

static void step_take(struct model *m)
{
	uint64_t want = pick(m, 6), pages, entries, idle;
	unsigned int got;
	struct pvi_mc_entry *list;

	totals(m, &pages, &entries, &idle);
	if (want == 5)
		want = idle;
	list = want == idle ? take_all(&m->c) : take(&m->c, want);
	got = length(list);
	assert_int_equal(got, idle < want ? idle : want);
	expect_taken(m, list);
}

static void step_take_one(struct model *m)
{
	struct model_entry *s = &m->slot[pick(m, SLOTS)];

	if (!s->live)
		return;
	assert_int_equal(pvi_mapcache_take(&m->c.mc, &s->e), !s->refs);
	if (!s->refs) {
		s->e.next = NULL;
		expect_taken(m, &s->e);
	}
}

static void step_room(struct model *m)
{
	uint64_t np = pick(m, 20), ne = pick(m, 10), pages, entries, idle;
	struct pvi_mc_entry *list;
	bool fitted;

	totals(m, &pages, &entries, &idle);
	fitted = pages + np <= m->c.mc.max_pages && entries + ne <= m->max_entries;
	promise(&m->c, np, ne);
	assert_int_equal(pvi_mapcache_over(&m->c.mc), !fitted);
	list = make_room(&m->c);
	assert_true(!fitted || !list);
	expect_taken(m, list);
	totals(m, &pages, &entries, &idle);
	assert_true(!idle || !pvi_mapcache_over(&m->c.mc));
	pvi_mapcache_give_back(&m->c.mc, np, ne);
}

static void step_nomem(struct model *m)
{
	uint64_t pages, entries, idle;

	totals(m, &pages, &entries, &idle);
	if (entries < PVI_MC_MIN_ENTRIES)
		entries = PVI_MC_MIN_ENTRIES;
	if (entries < m->max_entries)
		m->max_entries = entries;
	pvi_mapcache_nomem(&m->c.mc);
	assert_int_equal(m->c.mc.max_entries, m->max_entries);
}

static void compare(struct model *m)
{
	uint64_t pages, entries, idle;
	struct model_entry *s;

	totals(m, &pages, &entries, &idle);
	for (s = m->slot; s < m->slot + SLOTS; s++) {
		if (s->live)
			assert_int_equal(s->e.refs, 1 + s->refs);
	}
	assert_int_equal(m->c.mc.pages, pages);
	assert_int_equal(m->c.mc.entries, entries);
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
			step_take_one(&m);
			break;
		case 4:
		case 5:
		case 6:
		case 7:
		case 8:
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
		cmocka_unit_test(test_recently_used_goes_last),
		cmocka_unit_test(test_hot_set_stays),
		cmocka_unit_test(test_room_at_the_cap),
		cmocka_unit_test(test_room_is_made_in_batches),
		cmocka_unit_test(test_all_in_use),
		cmocka_unit_test(test_sweep_beside_a_search),
		cmocka_unit_test(test_refused_map_is_remembered),
		cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
