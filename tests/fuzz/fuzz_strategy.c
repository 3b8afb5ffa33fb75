// SPDX-License-Identifier: BSD-2-Clause
/*
 * The strategies of core/strategy as a driver uses them: buffers and scatter lists mapped and
 * unmapped in any order, while strategies change, time passes, memory is asked back, and
 * requests and allocations fail. After each step everything that the device reaches is compared
 * with what an oracle says that it may reach: which knows the DMAs under way, and of those that
 * ended how long, and how many of them, deferred and persistent may keep.
 */
#include <string.h>

#include "bounce_oracle.h"
#include "core/strategy/cached.h"
#include "core/strategy/deferred.h"
#include "strategy_host.h"

#define PHYS_PAGES 24u
#define DMAS	   160u
#define SEGS	   6u
#define BITS	   2u
#define BOUNDARY   (2u << PVI_PAGE_SHIFT)

enum strategy { SINGLE, DEFERRED, SHARED, PERSISTENT, BOUNCE, STRATEGIES };

struct dma {
	bool on, list;
	enum strategy strategy;
	struct pvi_how how;
	int nents;
	struct pvi_seg seg[SEGS];
};

/* Of an IOVA page whose DMA has ended: how long may it still be reached? */
struct ended {
	bool late, first, idle;
	uint64_t since;
};

static struct {
	enum strategy strategy;
	struct dma dma[DMAS];
	const struct dma *coming; /* is being mapped, or undone when that failed */
	struct ended ended[HOST_IOVAS];
	int users[HOST_IOVAS];
	int chunk_users[HOST_CHUNKS]; /* buffers in one of its slots */
	struct pvi_cache cache;
	struct pvi_mc_entry *index[2 << BITS];
	struct pvi_deferred deferred;
	struct pvi_bounce bounce;
	bool armed;
	uint64_t timer;
	unsigned int failed;
} w;

/* ---- the oracle ---- */

static uint64_t span(const struct pvi_seg *s)
{
	return pvi_span_pages(s->phys, s->len);
}

static bool names(const struct dma *d, uint64_t page, uint32_t prot)
{
	for (int i = 0; d && d->how.prot == prot && i < d->nents; i++) {
		uint64_t first = d->seg[i].phys >> PVI_PAGE_SHIFT;

		if (page >= first && page < first + span(&d->seg[i]))
			return true;
	}
	return false;
}

/* What is mapped at any moment was named for just that by who maps it now. */
bool driver_named(uint64_t page, uint32_t prot)
{
	return names(w.coming, page, prot);
}

bool driver_uses(uint64_t iova_pfn)
{
	return w.users[iova_pfn];
}

static bool in_slots(const struct dma *d)
{
	return host_in_window(d->seg[0].addr);
}

/* It is under way, or not any more. */
static void set_on(struct dma *d, bool on)
{
	for (int i = 0; i < d->nents && d->on != on; i++) {
		uint64_t pfn = d->seg[i].addr >> PVI_PAGE_SHIFT;

		for (uint64_t k = 0; k < span(&d->seg[i]); k++)
			w.users[pfn + k] += on ? 1 : -1;
		if (in_slots(d))
			w.chunk_users[(pfn - HOST_FIRST_OF_WINDOW) / PVI_CHUNK_PAGES] +=
				on ? 1 : -1;
	}
	d->on = on;
}

/* A slot's page is one buffer's, and no driver's. */
static void check_page(const struct pvi_seg *s, uint64_t k)
{
	uint64_t pfn = (s->addr >> PVI_PAGE_SHIFT) + k;

	if (host_in_window(s->addr))
		CHECK(host.page[pfn].target > HOST_DRIVER && w.users[pfn] == 1);
	else
		CHECK(host.page[pfn].target == (s->phys >> PVI_PAGE_SHIFT) + k + 1);
}

static void check_reached(const struct dma *d)
{
	for (int i = 0; i < d->nents; i++) {
		const struct pvi_seg *s = &d->seg[i];

		CHECK((s->addr & PVI_PAGE_MASK) == (s->phys & PVI_PAGE_MASK));
		CHECK(s->addr + s->len - 1 <= d->how.limit && s->addr >> PVI_PAGE_SHIFT);
		for (uint64_t k = 0; k < span(s); k++) {
			const struct host_page *p = &host.page[(s->addr >> PVI_PAGE_SHIFT) + k];

			check_page(s, k);
			CHECK(p->prot == d->how.prot);
		}
	}
}

static bool keeps(void)
{
	return w.strategy == PERSISTENT;
}

static void check_ended(uint64_t pfn, unsigned int *late)
{
	const struct host_page *p = &host.page[pfn];
	struct ended *e = &w.ended[pfn];

	if (!p->target || driver_uses(pfn)) {
		*e = (struct ended){0};
		return;
	}
	if (p->lost)
		return;
	CHECK(e->late || e->idle);
	CHECK(!e->late || host.now - e->since < PVI_DEFERRED_MS);
	CHECK(!e->idle || (keeps() && !pvi_mapcache_over(&w.cache.mc)));
	*late += e->late && e->first;
}

/*
 * Chunks come and go as a whole, and those without a slot in use are there only while the pool
 * is open. How many pages of them are mapped.
 */
static long check_chunks(bool open)
{
	long mapped = 0;

	for (unsigned int i = 0; i < HOST_CHUNKS; i++) {
		const struct host_page *p = &host.page[HOST_FIRST_OF_WINDOW + i * PVI_CHUNK_PAGES];

		if (!p->target || p->lost)
			continue;
		CHECK(p->last - p->first == PVI_CHUNK_PAGES - 1);
		CHECK(open || w.chunk_users[i]);
		mapped += PVI_CHUNK_PAGES;
	}
	return mapped;
}

static void check_all(void)
{
	unsigned int late = 0;
	long mapped;

	host_collect();
	for (const struct dma *d = w.dma; d < w.dma + DMAS; d++) {
		if (d->on)
			check_reached(d);
	}
	mapped = check_chunks(w.strategy == BOUNCE);
	for (uint64_t i = 1; i < HOST_FIRST_OF_WINDOW; i++) {
		check_ended(i, &late);
		mapped += host.page[i].target && !host.page[i].lost;
	}
	CHECK(late < PVI_DEFERRED_BATCH);
	CHECK(!w.cache.mc.coming_pages && !w.cache.mc.coming_entries);
	/* Without what is lost. */
	CHECK(host.counted == mapped);
	w.failed += host.failed;
	host.failed = 0;
}

/* ---- a driver, and the module's choice of who is asked ---- */

static void arm(void)
{
	w.armed = true;
	w.timer = host.now + PVI_DEFERRED_MS;
}

static bool deferreds_own(uint64_t addr)
{
	return addr >> PVI_PAGE_SHIFT >= host_own.first && addr >> PVI_PAGE_SHIFT <= host_own.last;
}

bool pvi_strategy_nomem(struct pvi_endpoint *ep)
{
	bool idle = pvi_cache_shrink(&w.cache);

	return pvi_deferred_flush(&w.deferred) || idle;
}

static int do_map(struct dma *d)
{
	struct pvi_seg *s = d->seg;

	if (d->list) {
		switch (d->strategy) {
		case SINGLE:
			return pvi_single_map_sg(NULL, &host_common, s, d->nents, &d->how);
		case DEFERRED:
			return pvi_deferred_map_sg(&w.deferred, s, d->nents, &d->how);
		case BOUNCE:
			return pvi_bounce_map_sg(&w.bounce, s, d->nents, &d->how);
		default:
			return pvi_cache_map_sg(&w.cache, s, d->nents, &d->how);
		}
	}
	switch (d->strategy) {
	case SINGLE:
		s->addr = pvi_single_map(NULL, &host_common, s->phys, s->len, &d->how);
		break;
	case DEFERRED:
		s->addr = pvi_deferred_map(&w.deferred, s->phys, s->len, &d->how);
		break;
	case BOUNCE:
		s->addr = pvi_bounce_map(&w.bounce, s->phys, s->len, &d->how);
		break;
	default:
		s->addr = pvi_cache_map(&w.cache, s->phys, s->len, &d->how);
	}
	return s->addr == PVI_NO_ADDR ? -ENOMEM : 0;
}

static void do_unmap(struct dma *d)
{
	struct pvi_seg *s = d->seg;

	if (d->list ? pvi_bounce_unmap_sg(&w.bounce, s, d->nents, d->how.skip_sync)
		    : pvi_bounce_unmap(&w.bounce, s->addr, d->how.skip_sync)) {
		CHECK(host_in_window(s->addr));
	} else if (deferreds_own(s->addr)) {
		if (d->list ? pvi_deferred_unmap_sg(&w.deferred, s, d->nents)
			    : pvi_deferred_unmap(&w.deferred, s->addr, s->len))
			arm();
	} else if (d->list) {
		if (!pvi_cache_unmap_sg(&w.cache, s, d->nents))
			pvi_single_unmap_sg(NULL, &host_common, s, d->nents);
	} else if (!pvi_cache_unmap(&w.cache, s->addr)) {
		pvi_single_unmap(NULL, &host_common, s->addr, s->len);
	}
}

static unsigned int runs(const struct dma *d)
{
	unsigned int n = 1;

	for (int i = 1; i < d->nents; i++) {
		const struct pvi_seg *a = &d->seg[i - 1], *b = &d->seg[i];

		n += (a->phys >> PVI_PAGE_SHIFT) + span(a) != b->phys >> PVI_PAGE_SHIFT ||
		     (a->addr >> PVI_PAGE_SHIFT) + span(a) != b->addr >> PVI_PAGE_SHIFT;
	}
	return n;
}

static void forget_requests(void)
{
	host.kicks = host.maps = host.unmaps = host.empty_unmaps = host.no_iova = 0;
}

/* Where nothing went wrong: one kick, and no request in vain. */
static void check_map_cost(const struct dma *d, bool mapped)
{
	if (host.failed || host.no_iova || !mapped)
		return;
	if (d->strategy == BOUNCE) {
		/* A chunk each, at worst; then what falls back. */
		CHECK(in_slots(d) ? host.kicks == host.maps : host.kicks <= d->nents + 1u);
		CHECK(host.kicks <= d->nents + 1u);
		return;
	}
	CHECK(host.kicks <= 1 && !host.empty_unmaps);
	if (d->strategy <= DEFERRED)
		CHECK(host.kicks == 1 && host.maps == runs(d));
	else
		CHECK(host.maps <= (unsigned int)d->nents && host.kicks == !!host.maps);
	for (int i = 0; i < d->nents && d->how.boundary && d->strategy <= DEFERRED; i++) {
		uint64_t first = d->seg[i].addr / d->how.boundary;

		CHECK(span(&d->seg[i]) > d->how.boundary >> PVI_PAGE_SHIFT ||
		      first == (d->seg[i].addr + d->seg[i].len - 1) / d->how.boundary);
	}
}

static void map(struct dma *d)
{
	int r;

	d->strategy = w.strategy;
	w.coming = d;
	for (int i = 0; i < d->nents; i++)
		oracle_driver_fills(&d->seg[i]);
	forget_requests();
	r = do_map(d);
	w.coming = NULL;
	CHECK(!r || host.failed || host.no_iova);
	if (!r)
		set_on(d, true);
	for (int i = 0; i < d->nents && !r && in_slots(d); i++)
		oracle_mapped(&d->seg[i], &d->how);
	check_map_cost(d, !r);
}

/* Which of what it reached may stay, and how it is told from what may not. */
static void note_end(const struct dma *d)
{
	bool late = d->strategy == DEFERRED && deferreds_own(d->seg[0].addr);
	bool idle = (d->strategy == SHARED || d->strategy == PERSISTENT) && keeps();

	for (int i = 0; i < d->nents; i++) {
		uint64_t pfn = d->seg[i].addr >> PVI_PAGE_SHIFT;

		for (uint64_t k = 0; k < span(&d->seg[i]); k++) {
			w.ended[pfn + k] = (struct ended){
				.late = late, .first = !i && !k, .idle = idle, .since = host.now};
		}
	}
}

static bool meets(const struct pvi_seg *a, const struct pvi_seg *b)
{
	return a->phys < b->phys + b->len && b->phys < a->phys + a->len;
}

static bool is_under_way(const struct pvi_seg *s)
{
	for (const struct dma *d = w.dma; d < w.dma + DMAS; d++) {
		for (int i = 0; d->on && i < d->nents; i++) {
			if (meets(s, &d->seg[i]))
				return true;
		}
	}
	return false;
}

static void hide(const struct dma *d)
{
	for (int i = 0; i < d->nents; i++) {
		if (!is_under_way(&d->seg[i]))
			oracle_driver_hides(&d->seg[i]);
	}
}

static void unmap(struct dma *d)
{
	bool slots = in_slots(d);

	for (int i = 0; slots && i < d->nents; i++)
		oracle_unmaps(&d->seg[i], &d->how);
	set_on(d, false);
	forget_requests();
	do_unmap(d);
	for (int i = 0; slots && i < d->nents; i++)
		oracle_unmapped(&d->seg[i]);
	hide(d);
	CHECK(host.kicks <= (slots ? (unsigned int)d->nents : 1) && !host.maps);
	CHECK(!slots || !host.kicks || w.strategy != BOUNCE);
	CHECK(host.failed || host.empty_unmaps == 0 || w.failed);
	if (d->strategy == SINGLE)
		CHECK(host.kicks == 1 && host.unmaps == 1);
	note_end(d);
}

/* As guest/pviommu/strategy.c does it: the new one begins, then the old one retires. */
static void choose(enum strategy s)
{
	enum strategy old = w.strategy;

	if (s == old)
		return;
	if (s >= SHARED)
		pvi_cache_keep(&w.cache, s == PERSISTENT);
	if (s == BOUNCE)
		pvi_pool_open(w.bounce.pool);
	w.strategy = s;
	if (old == BOUNCE)
		pvi_pool_close(w.bounce.pool);
	if (old == PERSISTENT)
		pvi_cache_keep(&w.cache, false);
	if (old == DEFERRED)
		pvi_deferred_flush(&w.deferred);
}

static void pass_time(uint64_t ms)
{
	uint64_t end = host.now + ms;

	while (w.armed && w.timer <= end) {
		unsigned int again;

		host.now = w.timer;
		w.armed = false;
		again = pvi_deferred_tick(&w.deferred);
		CHECK(again <= PVI_DEFERRED_MS);
		if (again) {
			w.armed = true;
			w.timer = host.now + again;
		}
	}
	host.now = end;
}

/* ---- the input ---- */

static void take_buffer(struct fuzz_in *in, struct pvi_seg *s)
{
	uint64_t page = fuzz_take(in, 1), size = fuzz_take(in, 1);

	s->phys =
		((page % PHYS_PAGES) << PVI_PAGE_SHIFT) + (page / PHYS_PAGES * 401 & PVI_PAGE_MASK);
	s->len = 1 + size % 4 * 3000 + size / 4;
	/* More pages than a slot of 4, or of 16, has. */
	if (size >= 254)
		s->len += (size - 253) * 8 * PVI_PAGE_SIZE;
}

static struct dma *free_dma(void)
{
	for (struct dma *d = w.dma; d < w.dma + DMAS; d++) {
		if (!d->on)
			return d;
	}
	return NULL;
}

static void op_map(struct fuzz_in *in, bool list)
{
	struct dma *d = free_dma();
	unsigned int how = (unsigned int)fuzz_take(in, 1);

	if (!d)
		return;
	*d = (struct dma){.list = list, .nents = list ? 1 + how / 16 % (int)SEGS : 1};
	d->how.prot = 1 + how % 3;
	d->how.limit = how & 4 ? ((HOST_COMMON / 2 + 1) << PVI_PAGE_SHIFT) - 1 : UINT64_MAX;
	d->how.boundary = list && how & 8 ? BOUNDARY : 0;
	d->how.skip_sync = how % 7 == 3;
	for (int i = 0; i < d->nents; i++)
		take_buffer(in, &d->seg[i]);
	map(d);
}

/* One that is under way; NULL: none is. */
static struct dma *take_dma(struct fuzz_in *in)
{
	struct dma *d = &w.dma[fuzz_take(in, 1) % DMAS];

	for (unsigned int i = 0; i < DMAS; i++, d = d == w.dma + DMAS - 1 ? w.dma : d + 1) {
		if (d->on)
			return d;
	}
	return NULL;
}

static void op_unmap(struct fuzz_in *in)
{
	struct dma *d = take_dma(in);

	if (d)
		unmap(d);
}

/* Pages in turn, each mapped and unmapped: what a batch of UNMAPs takes. */
static void op_stream(struct fuzz_in *in)
{
	uint64_t n = fuzz_take(in, 1), first = fuzz_take(in, 1);
	struct dma *d = free_dma();

	for (uint64_t i = 0; d && i < n; i++) {
		*d = (struct dma){.nents = 1, .how = {.prot = PVI_READ, .limit = UINT64_MAX}};
		d->seg[0].phys = (first + i) % PHYS_PAGES << PVI_PAGE_SHIFT;
		d->seg[0].len = 100;
		map(d);
		if (d->on)
			unmap(d);
		check_all();
	}
}

static void op_fault(struct fuzz_in *in)
{
	unsigned int kind = (unsigned int)fuzz_take(in, 1), n = (unsigned int)fuzz_take(in, 1);

	switch (kind % 8) {
	case 0:
		host.nomem_in = n;
		break;
	case 1:
		host.refuse_in = n;
		break;
	case 2:
		host.unmap_fails_in = n;
		break;
	case 3:
		host.alloc_fails_in = n;
		break;
	case 4:
		host.max_mappings = n ? n : UINT32_MAX;
		break;
	case 5: /* for good; rarely, for it ends the story */
		host.broken |= n % 8 == 3;
		host.comes_true = kind & 8;
		break;
	default:
		break;
	}
}

/* A driver's fault: the mapping of an ended DMA that is kept is ended again. */
static void op_twice(struct fuzz_in *in)
{
	uint64_t pfn = fuzz_take(in, 2) % HOST_IOVAS;
	unsigned int before = host.twice;

	if (!host.page[pfn].target || host.page[pfn].first != pfn || host.page[pfn].lost ||
	    !w.ended[pfn].idle || driver_uses(pfn))
		return;
	CHECK(pvi_cache_unmap(&w.cache, pfn << PVI_PAGE_SHIFT));
	CHECK(host.twice == before + 1);
}

static void op_reclaim(struct fuzz_in *in)
{
	unsigned int how = (unsigned int)fuzz_take(in, 1);

	if (how == 0xfe) {
		pvi_pool_close(w.bounce.pool);
		check_chunks(false);
		if (w.strategy == BOUNCE)
			pvi_pool_open(w.bounce.pool);
		return;
	}
	if (how == 0xff) {
		pvi_cache_sweep(&w.cache);
		for (uint64_t i = 1; i < HOST_IOVAS; i++)
			CHECK(!w.ended[i].idle || !host.page[i].target || host.page[i].lost ||
			      driver_uses(i));
		return;
	}
	CHECK(pvi_cache_reclaim(&w.cache, how / 2 + 1) <= how / 2 + 1);
}

/* A part of one in a slot, or more than there is of it. */
static void op_sync(struct fuzz_in *in)
{
	const struct dma *d = take_dma(in);
	size_t at = fuzz_take(in, 2) % (2 * PVI_PAGE_SIZE), size = fuzz_take(in, 2) % PVI_PAGE_SIZE;

	if (d && in_slots(d))
		oracle_syncs(&w.bounce, &d->seg[0], d->how.prot, at, size, at & 1);
}

static void op_device(struct fuzz_in *in)
{
	uint64_t page = fuzz_take(in, 1), at = fuzz_take(in, 2);

	oracle_device_writes(HOST_FIRST_OF_WINDOW + page % HOST_WINDOW, at, 1 + at / 16);
}

static void step(struct fuzz_in *in)
{
	switch (fuzz_take(in, 1) % 15) {
	case 0:
	case 1:
		op_map(in, false);
		break;
	case 2:
	case 3:
		op_map(in, true);
		break;
	case 4:
	case 5:
		op_unmap(in);
		break;
	case 6:
		choose((enum strategy)(fuzz_take(in, 1) % STRATEGIES));
		break;
	case 7:
		pass_time(fuzz_take(in, 1) % 32);
		break;
	case 8:
		op_reclaim(in);
		break;
	case 9:
		op_fault(in);
		break;
	case 10:
		op_stream(in);
		break;
	case 11:
		op_twice(in);
		break;
	case 12:
		op_sync(in);
		break;
	case 13:
		op_device(in);
		break;
	case 14:
		pvi_this_cpu = (pvi_this_cpu + 1) % PVI_CPUS;
		break;
	}
	check_all();
}

/* All ends: then nothing is left, but what a device that failed made us lose. */
static void end_all(void)
{
	for (struct dma *d = w.dma; d < w.dma + DMAS; d++) {
		if (!d->on)
			continue;
		unmap(d);
		check_all();
	}
	choose(SINGLE);
	pass_time(2 * PVI_DEFERRED_MS);
	check_all();
	oracle_check_all();
	pvi_pool_done(w.bounce.pool);
	free(w.bounce.pool);
	for (unsigned int i = 0; i < HOST_CHUNKS; i++)
		CHECK(!host.chunk[i] || w.failed);
	for (uint64_t i = 1; i < HOST_IOVAS; i++) {
		CHECK(!host.page[i].target || host.page[i].lost);
		CHECK(!host.page[i].taken || w.failed);
	}
	CHECK(!host.counted || w.failed);
	CHECK(!w.cache.mc.pages && !w.cache.mc.entries);
	pvi_cache_done(&w.cache);
	host_collect();
	CHECK(!host.live);
}

static void begin_bounce(unsigned int chunks)
{
	struct pvi_pool *p = calloc(1, pvi_pool_bytes(chunks * PVI_CHUNK_PAGES));

	CHECK(p && !pvi_pool_init(p, NULL, chunks * PVI_CHUNK_PAGES));
	w.bounce = (struct pvi_bounce){.pool = p, .common = &host_common};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	unsigned int setup = (unsigned int)fuzz_take(&in, 1);

	host_reset(setup % 4 ? HOST_OWN : 4);
	memset(&w, 0, sizeof(w));
	pvi_cache_init(&w.cache, NULL, &host_common, w.index, BITS, 2 + setup / 4 % 32);
	pvi_deferred_init(&w.deferred, NULL, &host_own, &host_common);
	oracle_reset();
	begin_bounce(1 + setup % 3);
	while (in.left)
		step(&in);
	end_all();
	return 0;
}
