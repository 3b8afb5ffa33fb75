// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "core/strategy/bounce_pool.h"
#include "strategy_host.h"

#define QUEUE 1024u

struct request {
	struct pvi_batch *batch;
	struct pvi_range iova; /* in pages */
	uint64_t target;
	uint32_t prot;
	bool map;
};

struct host host;
struct pvi_space host_common, host_own;
static struct request queue[QUEUE];
static unsigned int queued;
static struct pvi_rcu *late;
static uint8_t memory[(HOST_DRIVER + HOST_CHUNKS * PVI_CHUNK_PAGES) << PVI_PAGE_SHIFT];
unsigned int pvi_this_cpu;

/* ---- memory and readers ---- */

static bool now_fails(unsigned int *in)
{
	if (!*in || --*in)
		return false;
	host.failed++;
	return true;
}

void *pvi_zalloc(size_t size)
{
	if (now_fails(&host.alloc_fails_in))
		return NULL;
	host.live++;
	return calloc(1, size);
}

void pvi_free(void *p)
{
	host.live -= !!p;
	free(p);
}

unsigned int pvi_read_begin(void)
{
	return 0;
}

void pvi_read_end(unsigned int cookie)
{
}

void pvi_free_after_readers(struct pvi_rcu *rcu, void *p)
{
	rcu->memory = p;
	rcu->next = late;
	late = rcu;
}

void host_collect(void)
{
	struct pvi_rcu *next;

	for (; late; late = next) {
		next = late->next;
		pvi_free(late->memory);
	}
}

/* ---- pages ---- */

static void *chunk_memory(unsigned int i)
{
	return memory + ((HOST_DRIVER + i * PVI_CHUNK_PAGES) << PVI_PAGE_SHIFT);
}

void *pvi_pages_alloc(unsigned int order)
{
	unsigned int i = 0;

	CHECK(order == PVI_CHUNK_ORDER);
	while (i < HOST_CHUNKS && host.chunk[i])
		i++;
	if (now_fails(&host.alloc_fails_in) || i == HOST_CHUNKS)
		return NULL;
	host.chunk[i] = true;
	return memset(chunk_memory(i), 0, PVI_CHUNK_PAGES << PVI_PAGE_SHIFT);
}

void pvi_pages_free(void *p, unsigned int order)
{
	uint64_t first = pvi_phys_of(p) >> PVI_PAGE_SHIFT;

	CHECK(p == chunk_memory((unsigned int)((first - HOST_DRIVER) / PVI_CHUNK_PAGES)));
	for (uint64_t i = 0; i < HOST_IOVAS; i++)
		CHECK(host.page[i].target - 1 - first >= PVI_CHUNK_PAGES);
	host.chunk[(first - HOST_DRIVER) / PVI_CHUNK_PAGES] = false;
}

uint64_t pvi_phys_of(void *p)
{
	return (uint64_t)((uint8_t *)p - memory);
}

void *pvi_virt_of(uint64_t phys)
{
	CHECK(phys < sizeof(memory));
	return memory + phys;
}

uint8_t *host_device_at(uint64_t addr)
{
	const struct host_page *p = &host.page[addr >> PVI_PAGE_SHIFT];

	CHECK(p->target);
	return memory + ((p->target - 1) << PVI_PAGE_SHIFT) + (addr & PVI_PAGE_MASK);
}

/* Of memory that is nobody's, none. */
static bool may_map(uint64_t page, uint32_t prot)
{
	if (page < HOST_DRIVER)
		return driver_named(page, prot);
	return host.chunk[(page - HOST_DRIVER) / PVI_CHUNK_PAGES];
}

uint64_t pvi_clock_ms(void)
{
	return host.now;
}

/* ---- requests ---- */

void pvi_batch_init(struct pvi_batch *b, struct pvi_endpoint *ep)
{
	*b = (struct pvi_batch){.ep = ep};
}

static void enqueue(struct pvi_batch *b, struct pvi_range iova, uint64_t phys, uint32_t prot,
		    bool map)
{
	CHECK(queued < QUEUE);
	CHECK(!(iova.first & PVI_PAGE_MASK) && !(~iova.last & PVI_PAGE_MASK));
	CHECK(iova.first <= iova.last && iova.last >> PVI_PAGE_SHIFT < HOST_IOVAS);
	queue[queued++] =
		(struct request){b,
				 {iova.first >> PVI_PAGE_SHIFT, iova.last >> PVI_PAGE_SHIFT},
				 phys >> PVI_PAGE_SHIFT,
				 prot,
				 map};
	b->pending++;
}

void pvi_batch_map(struct pvi_batch *b, struct pvi_range iova, uint64_t phys, uint32_t flags)
{
	CHECK(!(phys & PVI_PAGE_MASK));
	host.maps++;
	enqueue(b, iova, phys, flags, true);
}

void pvi_batch_unmap(struct pvi_batch *b, struct pvi_range iova)
{
	host.unmaps++;
	enqueue(b, iova, 0, 0, false);
}

static void map_pages(const struct request *r, bool lost)
{
	for (uint64_t i = r->iova.first; i <= r->iova.last; i++) {
		struct host_page *p = &host.page[i];
		uint64_t target = r->target + (i - r->iova.first);

		CHECK(!p->target);
		CHECK(p->taken);
		CHECK(may_map(target, r->prot));
		p->target = target + 1;
		p->prot = r->prot;
		p->first = r->iova.first;
		p->last = r->iova.last;
		p->lost = lost;
	}
	host.mappings++;
}

static int do_map(const struct request *r)
{
	if (host.broken) {
		if (host.comes_true)
			map_pages(r, true);
		host.failed++;
		return -EIO;
	}
	if (now_fails(&host.refuse_in))
		return -EIO;
	if (now_fails(&host.nomem_in))
		return -ENOMEM;
	if (host.mappings >= host.max_mappings) {
		host.failed++;
		return -ENOMEM;
	}
	map_pages(r, false);
	return 0;
}

static int do_unmap(const struct request *r)
{
	bool fails = host.broken || now_fails(&host.unmap_fails_in), found = false;

	host.failed += host.broken;
	for (uint64_t i = r->iova.first; i <= r->iova.last; i++) {
		struct host_page *p = &host.page[i];

		if (!p->target)
			continue;
		CHECK(p->first >= r->iova.first && p->last <= r->iova.last);
		CHECK(!driver_uses(i));
		found = true;
		p->lost |= fails;
		if (fails)
			continue;
		host.mappings -= i == p->last;
		p->target = 0;
		p->lost = false;
	}
	host.empty_unmaps += !found;
	return fails ? -EIO : 0;
}

/* A kick carries everything that is in the queue, whoever put it there. */
int pvi_batch_wait(struct pvi_batch *b)
{
	if (b->pending)
		host.kicks++;
	for (unsigned int i = 0; i < queued; i++) {
		const struct request *r = &queue[i];
		int err = r->map ? do_map(r) : do_unmap(r);
		int *first = r->map ? &r->batch->err : &r->batch->unmap_err;

		if (err && !*first)
			*first = err;
		r->batch->pending--;
	}
	queued = 0;
	return b->err ? b->err : b->unmap_err;
}

bool pvi_requests_broken(struct pvi_endpoint *ep)
{
	return host.broken;
}

/* ---- addresses; the lowest that is free, so that they come again as soon as can be ---- */

static bool is_free(uint64_t pfn, uint64_t npages)
{
	while (npages--) {
		if (host.page[pfn + npages].taken)
			return false;
	}
	return true;
}

/* Aligned to its size, as the kernel's allocator does it. */
uint64_t pvi_iova_alloc(struct pvi_space *sp, uint64_t npages, uint64_t limit)
{
	uint64_t align = 1, last = sp->last;

	if (limit != UINT64_MAX && ((limit + 1) >> PVI_PAGE_SHIFT) - 1 < last)
		last = ((limit + 1) >> PVI_PAGE_SHIFT) - 1;
	while (align < npages)
		align *= 2;
	for (uint64_t pfn = (sp->first + align - 1) / align * align; pfn + npages - 1 <= last;
	     pfn += align) {
		if (!is_free(pfn, npages))
			continue;
		for (uint64_t i = 0; i < npages; i++)
			host.page[pfn + i].taken = true;
		return pfn;
	}
	host.no_iova++;
	return 0;
}

void pvi_iova_free(struct pvi_space *sp, uint64_t pfn, uint64_t npages)
{
	CHECK(npages && pfn >= sp->first && pfn + npages - 1 <= sp->last);
	for (uint64_t i = pfn; i < pfn + npages; i++) {
		CHECK(host.page[i].taken);
		CHECK(!host.page[i].target);
		host.page[i].taken = false;
	}
}

/* One for each, whose sizes tell them apart. */
uint64_t pvi_window_alloc(struct pvi_endpoint *ep, uint64_t npages)
{
	uint64_t first = HOST_FIRST_OF_WINDOW + (npages == HOST_DIRECT ? HOST_WINDOW : 0);

	CHECK(npages == HOST_DIRECT || npages <= HOST_WINDOW);
	if (now_fails(&host.alloc_fails_in))
		return 0;
	/* One that is lost is not given back. */
	if (host.page[first].taken) {
		host.failed++;
		return 0;
	}
	for (uint64_t i = first; i < first + npages; i++)
		host.page[i].taken = true;
	return first;
}

void pvi_window_free(struct pvi_endpoint *ep, uint64_t pfn)
{
	uint64_t end = pfn == HOST_FIRST_OF_WINDOW ? pfn + HOST_WINDOW : HOST_IOVAS;

	CHECK(pfn == HOST_FIRST_OF_WINDOW || pfn == HOST_FIRST_OF_WINDOW + HOST_WINDOW);
	for (uint64_t i = pfn; i < end; i++)
		host.page[i].taken = false;
}

/* ---- counters and complaints ---- */

void pvi_count_mapped(struct pvi_endpoint *ep, long npages)
{
	host.counted += npages;
	CHECK(host.counted >= 0);
}

void pvi_count_fixed(struct pvi_endpoint *ep, long npages)
{
	pvi_count_mapped(ep, npages);
}

void pvi_count_reuse(struct pvi_endpoint *ep, uint32_t prot, size_t size)
{
}

void pvi_count_fallback(struct pvi_endpoint *ep)
{
}

void pvi_report_lost(struct pvi_endpoint *ep, uint64_t npages, int err)
{
	CHECK(err);
	host.lost_pages += npages;
}

void pvi_report_unmapped_twice(struct pvi_endpoint *ep, uint64_t addr)
{
	host.twice++;
}

void host_reset(unsigned int own)
{
	memset(&host, 0, sizeof(host));
	host.max_mappings = UINT32_MAX;
	host_common = (struct pvi_space){1, HOST_COMMON};
	host_own = (struct pvi_space){1 + HOST_COMMON, HOST_COMMON + own};
	pvi_this_cpu = 0;
}
