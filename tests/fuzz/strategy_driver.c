// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "bounce_oracle.h"
#include "strategy_driver.h"

struct world w;

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

/* As firmware has it, with a hole. */
static const struct pvi_range ram[] = {{0, (19 << PVI_PAGE_SHIFT) - 1},
				       {22 << PVI_PAGE_SHIFT, (40 << PVI_PAGE_SHIFT) - 1}};

static bool is_ram(uint64_t page)
{
	return pvi_range_has(ram[0], page << PVI_PAGE_SHIFT) ||
	       pvi_range_has(ram[1], page << PVI_PAGE_SHIFT);
}

/* What is mapped at any moment was named for just that by who maps it now. */
bool driver_named(uint64_t page, uint32_t prot)
{
	return names(w.coming, page, prot) ||
	       (w.direct_begins && is_ram(page) && prot == (PVI_READ | PVI_WRITE));
}

bool driver_uses(uint64_t iova_pfn)
{
	return w.users[iova_pfn];
}

bool in_slots(const struct dma *d)
{
	return host_in_window(d->seg[0].addr);
}

static bool in_direct(const struct dma *d)
{
	return host_in_direct(d->seg[0].addr);
}

/* It is under way, or not any more. */
static void set_on(struct dma *d, bool on)
{
	if (d->on != on && in_direct(d))
		w.direct_users += on ? 1 : -1;
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
			CHECK(p->prot == (in_direct(d) ? (PVI_READ | PVI_WRITE) : d->how.prot));
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
long check_chunks(bool open)
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

/* All RAM, or nothing; and that only while it is chosen, or a DMA of its time is under way. */
static long check_direct(void)
{
	long mapped = 0, all = 0;

	for (uint64_t i = 0; i < HOST_DIRECT; i++) {
		const struct host_page *p = &host.page[HOST_FIRST_OF_WINDOW + HOST_WINDOW + i];

		CHECK(!p->target || (is_ram(i) && p->target == i + 1));
		mapped += p->target && !p->lost;
		all += is_ram(i) && !p->lost;
	}
	CHECK(!mapped || mapped == all);
	CHECK(!mapped || w.strategy == DIRECT || w.direct_users);
	return mapped;
}

void check_all(void)
{
	unsigned int late = 0;
	long mapped;

	host_collect();
	for (const struct dma *d = w.dma; d < w.dma + DMAS; d++) {
		if (d->on)
			check_reached(d);
	}
	mapped = check_chunks(w.strategy == BOUNCE) + check_direct();
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
		case DIRECT:
			return pvi_direct_map_sg(&w.direct, s, d->nents, &d->how);
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
	case DIRECT:
		s->addr = pvi_direct_map_one(&w.direct, s->phys, s->len, &d->how);
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

	if (pvi_direct_unmap(&w.direct, s->addr)) {
		CHECK(host_in_direct(s->addr));
	} else if (d->list ? pvi_bounce_unmap_sg(&w.bounce, s, d->nents, d->how.skip_sync)
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
	if (d->strategy == DIRECT) {
		CHECK(in_direct(d) ? !host.kicks && !host.maps : host.kicks == 1);
		return;
	}
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

void driver_map(struct dma *d)
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

void driver_unmap(struct dma *d)
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

static bool begin_direct(void)
{
	int r;

	w.direct_begins = true;
	r = pvi_direct_begin(&w.direct, ram, 2);
	w.direct_begins = false;
	CHECK(!r || host.failed || w.failed || w.direct_users);
	CHECK(r != -EBUSY || w.direct_users);
	return !r;
}

/* As guest/pviommu/strategy.c does it: the new one begins, then the old one retires. */
void driver_choose(enum strategy s)
{
	enum strategy old = w.strategy;

	if (s == old)
		return;
	if (s == DIRECT && !begin_direct())
		return;
	if (s == SHARED || s == PERSISTENT)
		pvi_cache_keep(&w.cache, s == PERSISTENT);
	if (s == BOUNCE)
		pvi_pool_open(w.bounce.pool);
	w.strategy = s;
	if (old == DIRECT)
		pvi_direct_end(&w.direct);
	if (old == BOUNCE)
		pvi_pool_close(w.bounce.pool);
	if (old == PERSISTENT)
		pvi_cache_keep(&w.cache, false);
	if (old == DEFERRED)
		pvi_deferred_flush(&w.deferred);
}

void driver_pass_time(uint64_t ms)
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
