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
#include "strategy_driver.h"

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
	driver_map(d);
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
		driver_unmap(d);
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
		driver_map(d);
		if (d->on)
			driver_unmap(d);
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
		driver_choose((enum strategy)(fuzz_take(in, 1) % STRATEGIES));
		break;
	case 7:
		driver_pass_time(fuzz_take(in, 1) % 32);
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
		driver_unmap(d);
		check_all();
	}
	driver_choose(SINGLE);
	driver_pass_time(2 * PVI_DEFERRED_MS);
	check_all();
	oracle_check_all();
	pvi_direct_done(&w.direct);
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
	CHECK(!pvi_direct_init(&w.direct, NULL, &host_common));
	oracle_reset();
	begin_bounce(2 + setup % 2);
	while (in.left)
		step(&in);
	end_all();
	return 0;
}
