// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/strategy/bounce_pool.h"

#define CHUNK_PAGES PVI_CHUNK_PAGES
#define NR_CLASSES  4u /* slots of 1, 4, 16 and 64 pages */
#define NR_PROTS    4u /* indexed by rights; 0 is unused */
/* What a CPU's list has at most: of these, and of pages in them. */
#define CPU_SLOTS 32u
#define CPU_PAGES CHUNK_PAGES

struct pvi_chunk {
	void *memory;
	uint64_t pfn; /* IOVA */
	unsigned int index;
	unsigned int order; /* of a slot */
	uint32_t prot;
	unsigned int nslots;
	unsigned int nidle; /* while the pool is closed; under its lock */
	struct pvi_bounce_slot slots[];
};

struct slot_list {
	struct pvi_bounce_slot *first;
	unsigned int n;
};

/* Of one CPU, touched by it alone and with interrupts off. */
struct cpu_lists {
	struct slot_list free[NR_PROTS][NR_CLASSES];
};

struct pvi_pool {
	struct pvi_endpoint *ep;
	struct cpu_lists PVI_PERCPU *cpus;
	/* Written under the lock; also read by pvi_pool_get() and put() with interrupts off. */
	bool closed;
	/*
	 * All below, and idle slots. Held for a chunk's slots or a list of a CPU at most (some
	 * hundred pointers), however large the pool is; never for a request.
	 */
	struct pvi_spin lock;
	struct slot_list shared[NR_PROTS][NR_CLASSES];
	uint64_t base; /* the window, in pages */
	unsigned int nr_chunks;
	unsigned int nr_taken; /* of the places below */
	/*
	 * Read without the lock by who has a slot of a chunk, or looks whether an address
	 * can be one: the chunk of a slot in use stays.
	 */
	struct {
		struct pvi_chunk *chunk;
		bool taken; /* it is there, or is being made; under the lock */
	} places[];
};

static unsigned int class_order(unsigned int class)
{
	return class * 2;
}

/*
 * Of its own a CPU has no more than one chunk of a size: it is free memory that the device
 * reaches, and that no other CPU can use. So where a CPU makes a new chunk though others have
 * slots free, these are less than a chunk for each of them: beyond what was in use at once the
 * pool grows by one chunk for each CPU but one at most, of a size and rights.
 *
 * Half of it is given away, or asked for, at a time: the lock is taken once for 16 of the
 * smallest slots. Of the largest, of which a CPU has one, it is taken for each but that one,
 * which is little beside the 128 KiB and more that are copied into such a slot.
 */
static unsigned int most_kept(unsigned int class)
{
	unsigned int slots = CPU_PAGES >> class_order(class);

	return slots < CPU_SLOTS ? slots : CPU_SLOTS;
}

static unsigned int half_kept(unsigned int class)
{
	return (most_kept(class) + 1) / 2;
}

/* The smallest whose slots hold so many; NR_CLASSES: none does. */
static unsigned int class_of(uint64_t npages)
{
	unsigned int class = 0;

	while (class < NR_CLASSES && npages > 1u << class_order(class))
		class ++;
	return class;
}

void *pvi_slot_memory(const struct pvi_bounce_slot *s)
{
	const struct pvi_chunk *c = s->chunk;

	return c->memory + ((size_t)(s - c->slots) << (c->order + PVI_PAGE_SHIFT));
}

uint64_t pvi_slot_address(const struct pvi_bounce_slot *s)
{
	const struct pvi_chunk *c = s->chunk;

	return ((uint64_t)c->pfn << PVI_PAGE_SHIFT) +
	       ((uint64_t)(s - c->slots) << (c->order + PVI_PAGE_SHIFT));
}

uint32_t pvi_slot_prot(const struct pvi_bounce_slot *s)
{
	return s->chunk->prot;
}

static void push(struct slot_list *l, struct pvi_bounce_slot *s)
{
	s->next = l->first;
	l->first = s;
	l->n++;
}

static struct pvi_bounce_slot *pop(struct slot_list *l)
{
	struct pvi_bounce_slot *s = l->first;

	if (s) {
		l->first = s->next;
		l->n--;
	}
	return s;
}

/* One of the two lists is this CPU's, the other one shared. */
static void move(struct pvi_pool *p, struct slot_list *to, struct slot_list *from, unsigned int n)
{
	struct pvi_bounce_slot *s;
	unsigned long flags = pvi_spin_lock(&p->lock);

	while (n-- && (s = pop(from)))
		push(to, s);
	pvi_spin_unlock(&p->lock, flags);
}

/* False: none is left. */
static bool take_place(struct pvi_pool *p, unsigned int *ret)
{
	unsigned int i = 0;
	unsigned long flags = pvi_spin_lock(&p->lock);
	bool left = p->nr_taken < p->nr_chunks;

	while (left && p->places[i].taken)
		i++;
	if (left) {
		p->places[i].taken = true;
		p->nr_taken++;
	}
	pvi_spin_unlock(&p->lock, flags);
	*ret = i;
	return left;
}

static void give_place_back(struct pvi_pool *p, unsigned int i)
{
	unsigned long flags = pvi_spin_lock(&p->lock);

	p->places[i].taken = false;
	p->nr_taken--;
	pvi_spin_unlock(&p->lock, flags);
}

/* The chunk is in no list and not in the pool's places: out of the device's reach, then freed. */
static void chunk_destroy(struct pvi_pool *p, struct pvi_chunk *c)
{
	struct pvi_batch b;
	int err;

	pvi_batch_init(&b, p->ep);
	pvi_batch_unmap(&b, pvi_pages(c->pfn, CHUNK_PAGES));
	err = pvi_batch_wait(&b);
	pvi_count_fixed(p->ep, -(long)CHUNK_PAGES);
	if (err) {
		/* With its memory, and its place in the window. */
		pvi_report_lost(p->ep, CHUNK_PAGES, err);
	} else {
		give_place_back(p, c->index);
		pvi_pages_free(c->memory, PVI_CHUNK_ORDER);
	}
	pvi_free(c);
}

static struct pvi_chunk *chunk_alloc(struct pvi_pool *p, unsigned int index, unsigned int class,
				     uint32_t prot)
{
	unsigned int i, nslots = CHUNK_PAGES >> class_order(class);
	struct pvi_chunk *c = pvi_zalloc(sizeof(*c) + nslots * sizeof(c->slots[0]));

	if (!c)
		return NULL;
	c->memory = pvi_pages_alloc(PVI_CHUNK_ORDER);
	if (!c->memory) {
		pvi_free(c);
		return NULL;
	}
	c->pfn = p->base + index * CHUNK_PAGES;
	c->index = index;
	c->order = class_order(class);
	c->prot = prot;
	c->nslots = nslots;
	for (i = 0; i < nslots; i++)
		c->slots[i].chunk = c;
	return c;
}

static void request_chunk(struct pvi_batch *b, const struct pvi_chunk *c)
{
	pvi_batch_map(b, pvi_pages(c->pfn, CHUNK_PAGES), pvi_phys_of(c->memory), c->prot);
}

int pvi_pool_remap(struct pvi_pool *p)
{
	struct pvi_batch b;
	unsigned int i;

	pvi_batch_init(&b, p->ep);
	for (i = 0; i < p->nr_chunks; i++) {
		if (p->places[i].chunk)
			request_chunk(&b, p->places[i].chunk);
	}
	return pvi_batch_wait(&b);
}

static int chunk_map(struct pvi_pool *p, const struct pvi_chunk *c)
{
	struct pvi_batch b;

	pvi_batch_init(&b, p->ep);
	request_chunk(&b, c);
	return pvi_batch_wait(&b);
}

/* The growth rule: a chunk more whenever a list is empty, up to the cap. */
static struct pvi_chunk *chunk_new(struct pvi_pool *p, unsigned int class, uint32_t prot)
{
	struct pvi_chunk *c;
	unsigned int index;

	if (!take_place(p, &index))
		return NULL;
	c = chunk_alloc(p, index, class, prot);
	if (!c) {
		give_place_back(p, index);
		return NULL;
	}
	if (!chunk_map(p, c)) {
		pvi_count_fixed(p->ep, CHUNK_PAGES);
		return c;
	}
	/* After a time-out it may come true: memory and place are lost. */
	if (!pvi_requests_broken(p->ep)) {
		pvi_pages_free(c->memory, PVI_CHUNK_ORDER);
		give_place_back(p, index);
	}
	pvi_free(c);
	return NULL;
}

static struct pvi_bounce_slot *grow(struct pvi_pool *p, unsigned int class, uint32_t prot)
{
	struct pvi_chunk *c = chunk_new(p, class, prot);
	unsigned long flags;
	unsigned int i;

	if (!c)
		return NULL;
	flags = pvi_spin_lock(&p->lock);
	pvi_store_release(&p->places[c->index].chunk, c);
	for (i = 1; i < c->nslots; i++) {
		if (p->closed) {
			c->slots[i].idle = true;
			c->nidle++;
		} else {
			push(&p->shared[prot][class], &c->slots[i]);
		}
	}
	pvi_spin_unlock(&p->lock, flags);
	return &c->slots[0];
}

struct pvi_bounce_slot *pvi_pool_get(struct pvi_pool *p, uint64_t npages, uint32_t prot)
{
	unsigned int class = class_of(npages);
	struct pvi_bounce_slot *s;
	struct cpu_lists *own;
	struct slot_list *l;
	unsigned long flags;

	if (class >= NR_CLASSES)
		return NULL;
	own = pvi_cpu_begin(p->cpus, &flags);
	if (pvi_load(&p->closed)) {
		pvi_cpu_end(flags);
		return NULL;
	}
	l = &own->free[prot][class];
	if (!l->first)
		move(p, l, &p->shared[prot][class], half_kept(class));
	s = pop(l);
	pvi_cpu_end(flags);
	return s ? s : grow(p, class, prot);
}

static void make_idle(struct pvi_pool *p, struct pvi_bounce_slot *s)
{
	pvi_assert_held(&p->lock);
	s->idle = true;
	s->chunk->nidle++;
}

/* True: none of its slots is in use, and it is the caller's to destroy, nobody else's. */
static bool claim_idle(struct pvi_pool *p, struct pvi_chunk *c)
{
	pvi_assert_held(&p->lock);
	if (c->nidle != c->nslots)
		return false;
	p->places[c->index].chunk = NULL;
	return true;
}

/* True: the chunk is to be destroyed. */
static bool put_closed(struct pvi_pool *p, struct pvi_bounce_slot *s, unsigned int class)
{
	bool last = false;
	unsigned long flags = pvi_spin_lock(&p->lock);

	if (p->closed) {
		make_idle(p, s);
		last = claim_idle(p, s->chunk);
	} else {
		push(&p->shared[s->chunk->prot][class], s); /* opened again meanwhile */
	}
	pvi_spin_unlock(&p->lock, flags);
	return last;
}

void pvi_pool_put(struct pvi_pool *p, struct pvi_bounce_slot *s)
{
	struct pvi_chunk *c = s->chunk;
	unsigned int class = c->order / 2;
	struct cpu_lists *own;
	struct slot_list *l;
	unsigned long flags;
	bool last = false;

	own = pvi_cpu_begin(p->cpus, &flags);
	if (pvi_load(&p->closed)) {
		last = put_closed(p, s, class);
	} else {
		l = &own->free[c->prot][class];
		if (l->n == most_kept(class))
			move(p, &p->shared[c->prot][class], l, half_kept(class));
		push(l, s);
	}
	pvi_cpu_end(flags);
	if (last)
		chunk_destroy(p, c);
}

/* At most @n of them; true: there are more. */
static bool drain(struct pvi_pool *p, struct slot_list *l, unsigned int n)
{
	struct pvi_bounce_slot *s;

	while (n-- && (s = pop(l)))
		make_idle(p, s);
	return l->first;
}

static void drain_cpu(void *lists, void *pool)
{
	struct cpu_lists *own = lists;
	struct pvi_pool *p = pool;
	unsigned long flags = pvi_spin_lock(&p->lock);
	unsigned int i;

	for (i = 0; i < NR_PROTS * NR_CLASSES; i++)
		drain(p, &own->free[i / NR_CLASSES][i % NR_CLASSES], CPU_SLOTS);
	pvi_spin_unlock(&p->lock, flags);
}

/* Nothing comes into them any more. */
static void drain_shared(struct pvi_pool *p, struct slot_list *l)
{
	unsigned long flags;
	bool more;

	do {
		flags = pvi_spin_lock(&p->lock);
		more = drain(p, l, CHUNK_PAGES);
		pvi_spin_unlock(&p->lock, flags);
	} while (more);
}

/* The chunk with this index, if none of its slots is in use: the caller's from now on. */
static struct pvi_chunk *take_idle_chunk(struct pvi_pool *p, unsigned int index)
{
	struct pvi_chunk *c;
	unsigned long flags;

	flags = pvi_spin_lock(&p->lock);
	c = p->places[index].chunk;
	if (c && !claim_idle(p, c))
		c = NULL;
	pvi_spin_unlock(&p->lock, flags);
	return c;
}

void pvi_pool_close(struct pvi_pool *p)
{
	struct pvi_chunk *c;
	unsigned long flags;
	unsigned int i;

	flags = pvi_spin_lock(&p->lock);
	if (p->closed) {
		pvi_spin_unlock(&p->lock, flags);
		return;
	}
	pvi_store(&p->closed, true);
	pvi_spin_unlock(&p->lock, flags);
	/*
	 * Who looked at p->closed before has its interrupts off until it is done with its
	 * list: the call comes after that, and nothing comes into the list after the call,
	 * nor from it into the shared ones.
	 */
	pvi_percpu_each(p->cpus, drain_cpu, p);
	for (i = 0; i < NR_PROTS * NR_CLASSES; i++)
		drain_shared(p, &p->shared[i / NR_CLASSES][i % NR_CLASSES]);
	for (i = 0; i < p->nr_chunks; i++) {
		c = take_idle_chunk(p, i);
		if (c)
			chunk_destroy(p, c);
	}
}

static void hand_out_idle(struct pvi_pool *p, struct pvi_chunk *c)
{
	unsigned int i;

	pvi_assert_held(&p->lock);
	for (i = 0; c->nidle && i < c->nslots; i++) {
		if (!c->slots[i].idle)
			continue;
		c->slots[i].idle = false;
		c->nidle--;
		push(&p->shared[c->prot][c->order / 2], &c->slots[i]);
	}
}

/*
 * Open first: no slot becomes idle from then on, and no chunk goes, so that each has to be
 * looked at once. Who finds none before its chunk's turn has come makes a new one, at worst.
 */
void pvi_pool_open(struct pvi_pool *p)
{
	unsigned long flags;
	unsigned int i;

	flags = pvi_spin_lock(&p->lock);
	pvi_store(&p->closed, false);
	pvi_spin_unlock(&p->lock, flags);
	for (i = 0; i < p->nr_chunks; i++) {
		flags = pvi_spin_lock(&p->lock);
		if (p->places[i].chunk)
			hand_out_idle(p, p->places[i].chunk);
		pvi_spin_unlock(&p->lock, flags);
	}
}

bool pvi_pool_find(struct pvi_pool *p, uint64_t addr, struct pvi_bounce_slot **ret)
{
	uint64_t page = (addr >> PVI_PAGE_SHIFT) - p->base;
	struct pvi_chunk *c;

	if (page >= p->nr_chunks * CHUNK_PAGES)
		return false;
	c = pvi_load_acquire(&p->places[page / CHUNK_PAGES].chunk);
	*ret = c ? &c->slots[page % CHUNK_PAGES >> c->order] : NULL;
	if (*ret && !(*ret)->size)
		*ret = NULL;
	return true;
}

static unsigned int chunks_of(uint64_t max_pages)
{
	return (unsigned int)((max_pages + CHUNK_PAGES - 1) / CHUNK_PAGES);
}

size_t pvi_pool_bytes(uint64_t max_pages)
{
	return sizeof(struct pvi_pool) +
	       chunks_of(max_pages) * sizeof(((struct pvi_pool *)NULL)->places[0]);
}

int pvi_pool_init(struct pvi_pool *p, struct pvi_endpoint *ep, uint64_t max_pages)
{
	uint64_t window = CHUNK_PAGES;

	p->ep = ep;
	p->nr_chunks = chunks_of(max_pages);
	pvi_spin_init(&p->lock);
	p->cpus = pvi_percpu_alloc(struct cpu_lists);
	if (!p->cpus)
		return -ENOMEM;
	while (window < p->nr_chunks * CHUNK_PAGES)
		window *= 2;
	p->base = pvi_window_alloc(ep, window);
	if (p->base)
		return 0;
	pvi_percpu_free(p->cpus);
	return -ENOSPC;
}

void pvi_pool_done(struct pvi_pool *p)
{
	pvi_window_free(p->ep, p->base);
	pvi_percpu_free(p->cpus);
}
