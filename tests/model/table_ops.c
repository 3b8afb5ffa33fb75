// SPDX-License-Identifier: BSD-2-Clause
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/alloc.h"
#include "oracle.h"
#include "table_ops.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

unsigned int table_ops_failures;

static uint32_t failure_state;
static size_t live; /* allocations */

void *pvi_zalloc(size_t size)
{
	void *p;

	failure_state = failure_state * 1664525u + 1013904223u;
	if (failure_state >> 24 < table_ops_failures)
		return NULL;
	if (posix_memalign(&p, PVI_CACHE_LINE, size))
		return NULL;
	live++;
	return memset(p, 0, size);
}

void pvi_free(void *p)
{
	live -= !!p;
	free(p);
}

struct run {
	const uint8_t *p;
	size_t left;
	struct pvi_table *table;
	struct oracle oracle;
	uint64_t max_bytes;
};

#define CHECK(cond, ...)                                                           \
	do {                                                                       \
		if (!(cond)) {                                                     \
			fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #cond); \
			fprintf(stderr, __VA_ARGS__);                              \
			fputc('\n', stderr);                                       \
			abort();                                                   \
		}                                                                  \
	} while (0)

static uint32_t take(struct run *r, int bytes)
{
	uint32_t v = 0;

	while (bytes--) {
		v <<= 8;
		if (r->left) {
			v |= *r->p++;
			r->left--;
		}
	}
	return v;
}

/* A page near one of the places where something changes. */
static uint64_t take_page(struct run *r)
{
	static const uint64_t anchor[] = {
		0, 2 * MIB, GIB, 3 * GIB, 512 * GIB, 1ull << 48, 1ull << 57, 1ull << 63,
	};
	uint32_t v = take(r, 1);
	uint64_t off = (uint64_t)(int64_t)((int)take(r, 2) - 0x1000) * PVI_PAGE_SIZE;

	/* A negative offset from 0 is a page below UINT64_MAX. */
	if (v & 0x80)
		off = (uint64_t)(int64_t)((int)(v >> 3 & 0xf) - 8) * PVI_PAGE_SIZE;
	return anchor[v & 7] + off;
}

static uint64_t take_length(struct run *r)
{
	static const uint64_t large[] = {
		2 * MIB,
		2 * MIB + 4096,
		4095 * 4096,
		4096 * 4096,
		4097 * 4096,
		32 * MIB,
		GIB,
		GIB + 4096,
		GIB - 4096,
		600 * GIB,
		1ull << 51,
		1ull << 52,
		UINT64_MAX & ~PVI_PAGE_MASK,
	};
	uint32_t v = take(r, 1);

	if (v < 0xc0)
		return (v % 24 + 1) * PVI_PAGE_SIZE;
	return large[v % (sizeof(large) / sizeof(large[0]))];
}

/* Mostly whole pages; sometimes ends anywhere, sometimes no range at all. */
static struct pvi_range take_range(struct run *r)
{
	uint64_t first = take_page(r), len = take_length(r);
	uint32_t odd = take(r, 1);
	struct pvi_range range;

	if (pvi_range_from_len(first, len, &range))
		range = (struct pvi_range){first, UINT64_MAX};
	if (odd >= 0xf0)
		range.first += (odd & 3) * 0x7ff;
	if ((odd & 0xf) == 0xf)
		range.last -= (odd >> 4) * 0x111;
	if (odd == 0xaa)
		range = (struct pvi_range){range.last, range.first};
	return range;
}

/* Sometimes exactly a mapping that exists, or from one to another. */
static struct pvi_range take_known_range(struct run *r)
{
	uint32_t how = take(r, 1), i = take(r, 1);
	const struct oracle *o = &r->oracle;
	struct pvi_range range;

	if (how < 0x80 || !o->nr)
		return take_range(r);
	range = o->mapping[i % o->nr].iova;
	if (how & 1)
		range.last = o->mapping[take(r, 1) % o->nr].iova.last;
	if (how & 2)
		range.last += 1 - (how >> 2 & 1) * 2;
	return range;
}

static int check_mapping(void *ctx, struct pvi_range iova, uint64_t target, unsigned int prot)
{
	struct oracle *expected = ctx;
	const struct oracle_mapping *m = oracle_next(expected, (struct pvi_range){0, UINT64_MAX});

	CHECK(m, "walk found [%" PRIx64 ", %" PRIx64 "]", iova.first, iova.last);
	CHECK(m->iova.first == iova.first && m->iova.last == iova.last && m->target == target &&
		      m->prot == prot,
	      "walk found [%" PRIx64 ", %" PRIx64 "] -> %" PRIx64 " %u, not [%" PRIx64 ", %" PRIx64
	      "] -> %" PRIx64 " %u",
	      iova.first, iova.last, target, prot, m->iova.first, m->iova.last, m->target, m->prot);
	expected->mapping[m - expected->mapping] = expected->mapping[--expected->nr];
	return 0;
}

/* All that @iova touches, in order, and nothing else. */
static void check_walk(struct run *r, struct pvi_range iova)
{
	static struct oracle expected;

	expected.nr = 0;
	for (size_t i = 0; i < r->oracle.nr; i++)
		if (pvi_range_overlaps(r->oracle.mapping[i].iova, iova))
			expected.mapping[expected.nr++] = r->oracle.mapping[i];
	CHECK(!pvi_table_walk(r->table, iova, check_mapping, &expected), "walk");
	CHECK(!expected.nr, "walk missed %zu", expected.nr);
}

static void check_stats(struct run *r)
{
	struct pvi_table_stats s;

	pvi_table_stats(r->table, &s);
	CHECK(s.mappings == r->oracle.nr, "%" PRIu64 ", not %zu", s.mappings, r->oracle.nr);
	CHECK(s.pages == oracle_pages(&r->oracle), "%" PRIu64, s.pages);
	CHECK(s.table_bytes <= r->max_bytes, "%" PRIu64, s.table_bytes);
}

static void do_map(struct run *r)
{
	struct pvi_range iova = take_range(r);
	uint64_t target = take_page(r) & ((1ull << 53) - 1);
	uint32_t prot = take(r, 1);
	int got, expected;

	prot = prot < 0xfc ? prot & 7 : prot;
	got = pvi_table_map(r->table, iova, target, prot);
	if (got == -ENOMEM) {
		/* Only the oracle's own cap must say so too. */
		check_walk(r, (struct pvi_range){0, UINT64_MAX});
		return;
	}
	expected = oracle_map(&r->oracle, iova, target, prot);
	CHECK(got == expected, "map [%" PRIx64 ", %" PRIx64 "] -> %" PRIx64 " %u: %d, not %d",
	      iova.first, iova.last, target, prot, got, expected);
}

static void do_unmap(struct run *r)
{
	struct pvi_range iova = take_known_range(r);
	uint64_t got_removed = 77, removed = 77;
	int got = pvi_table_unmap(r->table, iova, &got_removed);
	int expected = oracle_unmap(&r->oracle, iova, &removed);

	CHECK(got == expected && got_removed == removed,
	      "unmap [%" PRIx64 ", %" PRIx64 "]: %d %" PRIu64 ", not %d %" PRIu64, iova.first,
	      iova.last, got, got_removed, expected, removed);
}

static void do_translate(struct run *r)
{
	struct pvi_range iova = take_known_range(r);
	uint64_t lens[] = {iova.last - iova.first, take(r, 1), take(r, 3), UINT64_MAX - take(r, 1)};
	uint64_t len = lens[take(r, 1) & 3];
	unsigned int prot = take(r, 1) & 7;
	struct pvi_table_run got = {1, 2}, run = {1, 2};
	unsigned int cookie;
	int err, expected;

	for (int i = 0; i < 2; i++) {
		uint64_t at = i ? iova.last : iova.first;

		cookie = pvi_table_enter(r->table);
		err = pvi_table_translate(r->table, at, len, prot, &got);
		pvi_table_leave(r->table, cookie);
		expected = oracle_translate(&r->oracle, at, len, prot, &run);
		CHECK(err == expected && got.target == run.target && got.len == run.len,
		      "translate %" PRIx64 " + %" PRIx64 ", %u: %d %" PRIx64 " + %" PRIx64
		      ", not %d %" PRIx64 " + %" PRIx64,
		      at, len, prot, err, got.target, got.len, expected, run.target, run.len);
		err = pvi_table_lookup(r->table, at, len, prot, &got);
		CHECK(err == expected && got.target == run.target && got.len == run.len,
		      "lookup %" PRIx64 " + %" PRIx64 ", %u: %d %" PRIx64 " + %" PRIx64
		      ", not %d %" PRIx64 " + %" PRIx64,
		      at, len, prot, err, got.target, got.len, expected, run.target, run.len);
	}
}

/* Several at once: as if one by one, up to the first that fails. */
static void do_translate_vec(struct run *r)
{
	struct pvi_table_access access[70];
	struct pvi_table_run got[70], run;
	unsigned int nr = take(r, 1) % 71, prot = take(r, 1) & 3, cookie, done;
	int err, expected = 0;

	for (unsigned int i = 0; i < nr; i++) {
		struct pvi_range iova = take_known_range(r);

		access[i] = (struct pvi_table_access){iova.first, iova.last - iova.first};
	}
	cookie = pvi_table_enter(r->table);
	done = pvi_table_translate_vec(r->table, access, nr, prot, got, &err);
	pvi_table_leave(r->table, cookie);
	for (unsigned int i = 0; i < nr; i++) {
		expected = oracle_translate(&r->oracle, access[i].iova, access[i].len, prot, &run);
		if (expected) {
			CHECK(i == done, "%u of %u, not %u", done, nr, i);
			break;
		}
		CHECK(i < done && got[i].target == run.target && got[i].len == run.len,
		      "vec %" PRIx64 " + %" PRIx64 ": %" PRIx64 " + %" PRIx64 ", not %" PRIx64
		      " + %" PRIx64,
		      access[i].iova, access[i].len, got[i].target, got[i].len, run.target,
		      run.len);
	}
	CHECK(err == expected && done <= nr, "%d, not %d", err, expected);
}

static int oracle_list(const struct oracle *o, struct pvi_range iova, unsigned int prot,
		       struct pvi_table_run *ret, unsigned int max, unsigned int *ret_nr)
{
	for (unsigned int nr = 0; nr < max;) {
		int err = oracle_translate(o, iova.first, UINT64_MAX, prot, &ret[nr]);

		if (err)
			return err;
		if (ret[nr].len - 1 >= iova.last - iova.first) {
			ret[nr].len = iova.last - iova.first + 1;
			*ret_nr = nr + 1;
			return 0;
		}
		iova.first += ret[nr++].len;
	}
	return -E2BIG;
}

static void do_translate_list(struct run *r)
{
	struct pvi_table_run got[8], run[8];
	struct pvi_range iova = take_known_range(r);
	unsigned int max = take(r, 1) % 9, prot = take(r, 1) & 3, nr = 77, got_nr = 77, cookie;
	int err, expected;

	if (!pvi_range_valid(iova))
		return;
	cookie = pvi_table_enter(r->table);
	err = pvi_table_translate_list(r->table, iova, prot, got, max, &got_nr);
	pvi_table_leave(r->table, cookie);
	expected = oracle_list(&r->oracle, iova, prot, run, max, &nr);
	CHECK(err == expected && got_nr == nr,
	      "list [%" PRIx64 ", %" PRIx64 "], %u: %d %u, not %d %u", iova.first, iova.last, max,
	      err, got_nr, expected, nr);
	for (unsigned int i = 0; !err && i < nr; i++)
		CHECK(got[i].target == run[i].target && got[i].len == run[i].len,
		      "run %u: %" PRIx64 " + %" PRIx64 ", not %" PRIx64 " + %" PRIx64, i,
		      got[i].target, got[i].len, run[i].target, run[i].len);
}

static void do_op(struct run *r)
{
	uint32_t op = take(r, 1);

	if (op < 90) {
		do_map(r);
	} else if (op < 140) {
		do_unmap(r);
	} else if (op < 210) {
		do_translate(r);
	} else if (op < 220) {
		do_translate_vec(r);
	} else if (op < 230) {
		do_translate_list(r);
	} else if (op < 250) {
		pvi_table_synchronize(r->table);
	} else if (op < 254) {
		struct pvi_range iova = take_range(r);

		if (pvi_range_valid(iova))
			check_walk(r, iova);
	} else if (op < 255) {
		pvi_table_clear(r->table);
		r->oracle.nr = 0;
	}
	check_stats(r);
}

void table_ops_run(const uint8_t *data, size_t size)
{
	static struct run r;
	struct pvi_table_caps caps;
	int err;

	r.p = data;
	r.left = size;
	r.oracle.nr = 0;
	failure_state = 1;
	caps.max_mappings = r.oracle.max_mappings = 1 + take(&r, 2) % ORACLE_MAX;
	caps.max_table_bytes = r.max_bytes = (uint64_t)take(&r, 1) << 12;
	err = pvi_table_new(&caps, &r.table);
	if (err) {
		CHECK(err == -ENOMEM, "%d", err);
		return;
	}
	/* Who comes often looks up the short way. */
	for (int i = 0; i < 1000; i++)
		pvi_table_leave(r.table, pvi_table_enter(r.table));
	while (r.left)
		do_op(&r);
	check_walk(&r, (struct pvi_range){0, UINT64_MAX});
	pvi_table_clear(r.table);
	r.oracle.nr = 0;
	pvi_table_synchronize(r.table);
	check_stats(&r);
	pvi_table_free(r.table);
	CHECK(!live, "%zu allocations left", live);
}
