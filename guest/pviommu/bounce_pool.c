// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bitmap.h>
#include <linux/cpu.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "bounce_pool.h"

#define CHUNK_PAGES (1ul << PVI_CHUNK_ORDER)
#define NR_CLASSES  4u /* slots of 1, 4, 16 and 64 pages */
#define NR_PROTS    4u /* indexed by rights; 0 is unused */
/* What a CPU's list has at most: of these, and of pages in them. */
#define CPU_SLOTS 32u
#define CPU_PAGES CHUNK_PAGES

struct pvi_chunk {
	void *memory;
	unsigned long pfn; /* IOVA */
	unsigned int index;
	unsigned int order; /* of a slot */
	u32 prot;
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
	struct cpu_lists __percpu *cpus;
	/* Written under the lock; also read by pvi_pool_get() and put() with interrupts off. */
	bool closed;
	/*
	 * All below, and idle slots. Held for a chunk's slots or a list of a CPU at most (some
	 * hundred pointers), however large the pool is; never for a request.
	 */
	spinlock_t lock;
	struct slot_list shared[NR_PROTS][NR_CLASSES];
	unsigned long base; /* the window, in pages */
	unsigned int nr_chunks;
	unsigned long *taken; /* which of the chunks below are there, or are being made */
	/*
	 * Read without the lock by who has a slot of a chunk, or looks whether an address
	 * can be one: the chunk of a slot in use stays.
	 */
	struct pvi_chunk *chunks[];
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
	return min_t(unsigned int, CPU_SLOTS, CPU_PAGES >> class_order(class));
}

static unsigned int half_kept(unsigned int class)
{
	return DIV_ROUND_UP(most_kept(class), 2);
}

static unsigned int class_of(unsigned long npages)
{
	return (order_base_2(npages) + 1) / 2;
}

void *pvi_slot_memory(const struct pvi_bounce_slot *s)
{
	const struct pvi_chunk *c = s->chunk;

	return c->memory + ((size_t)(s - c->slots) << (c->order + PAGE_SHIFT));
}

dma_addr_t pvi_slot_address(const struct pvi_bounce_slot *s)
{
	const struct pvi_chunk *c = s->chunk;

	return ((u64)c->pfn << PAGE_SHIFT) + ((u64)(s - c->slots) << (c->order + PAGE_SHIFT));
}

u32 pvi_slot_prot(const struct pvi_bounce_slot *s)
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

static void move(struct slot_list *to, struct slot_list *from, unsigned int n)
{
	struct pvi_bounce_slot *s;

	while (n-- && (s = pop(from)))
		push(to, s);
}

/* The chunk is in no list and not in p->chunks: out of the device's reach, then freed. */
static void chunk_destroy(struct pvi_pool *p, struct pvi_chunk *c)
{
	struct pvi_batch b;
	unsigned long flags;
	int err;

	pvi_batch_init(&b, p->ep);
	pvi_batch_unmap(&b, pvi_pages(c->pfn, CHUNK_PAGES));
	err = pvi_batch_wait(&b);
	pvi_count_fixed(p->ep, -(long)CHUNK_PAGES);
	if (err) {
		/* With its place in the window. */
		pvi_report_lost(p->ep, CHUNK_PAGES, err);
		return;
	}
	spin_lock_irqsave(&p->lock, flags);
	__clear_bit(c->index, p->taken);
	spin_unlock_irqrestore(&p->lock, flags);
	free_pages((unsigned long)c->memory, PVI_CHUNK_ORDER);
	kfree(c);
}

static struct pvi_chunk *chunk_alloc(struct pvi_pool *p, unsigned int index, unsigned int class,
				     u32 prot)
{
	unsigned int i, nslots = CHUNK_PAGES >> class_order(class);
	const gfp_t gfp = GFP_ATOMIC | __GFP_NOWARN | __GFP_ZERO;
	struct pvi_chunk *c = kzalloc(struct_size(c, slots, nslots), gfp);

	if (!c)
		return NULL;
	c->memory = (void *)__get_free_pages(gfp, PVI_CHUNK_ORDER);
	if (!c->memory) {
		kfree(c);
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
	pvi_batch_map(b, pvi_pages(c->pfn, CHUNK_PAGES), virt_to_phys(c->memory), c->prot);
}

int pvi_pool_remap(struct pvi_pool *p)
{
	struct pvi_batch b;
	unsigned int i;

	pvi_batch_init(&b, p->ep);
	for (i = 0; i < p->nr_chunks; i++) {
		if (p->chunks[i])
			request_chunk(&b, p->chunks[i]);
	}
	return pvi_batch_wait(&b);
}

/* The growth rule: a chunk more whenever a list is empty, up to the cap. */
static struct pvi_chunk *chunk_new(struct pvi_pool *p, unsigned int class, u32 prot)
{
	struct pvi_chunk *c = NULL;
	unsigned int index;
	unsigned long flags;
	struct pvi_batch b;

	spin_lock_irqsave(&p->lock, flags);
	index = find_first_zero_bit(p->taken, p->nr_chunks);
	if (index < p->nr_chunks)
		__set_bit(index, p->taken);
	spin_unlock_irqrestore(&p->lock, flags);
	if (index == p->nr_chunks)
		return NULL;
	c = chunk_alloc(p, index, class, prot);
	if (!c)
		goto give_place_back;
	pvi_batch_init(&b, p->ep);
	request_chunk(&b, c);
	if (pvi_batch_wait(&b)) {
		if (READ_ONCE(p->ep->viommu->rq.broken))
			return NULL; /* it may come true: memory and place are lost */
		free_pages((unsigned long)c->memory, PVI_CHUNK_ORDER);
		kfree(c);
		goto give_place_back;
	}
	pvi_count_fixed(p->ep, CHUNK_PAGES);
	return c;

give_place_back:
	spin_lock_irqsave(&p->lock, flags);
	__clear_bit(index, p->taken);
	spin_unlock_irqrestore(&p->lock, flags);
	return NULL;
}

static struct pvi_bounce_slot *grow(struct pvi_pool *p, unsigned int class, u32 prot)
{
	struct pvi_chunk *c = chunk_new(p, class, prot);
	unsigned long flags;
	unsigned int i;

	if (!c)
		return NULL;
	spin_lock_irqsave(&p->lock, flags);
	smp_store_release(&p->chunks[c->index], c);
	for (i = 1; i < c->nslots; i++) {
		if (p->closed) {
			c->slots[i].idle = true;
			c->nidle++;
		} else {
			push(&p->shared[prot][class], &c->slots[i]);
		}
	}
	spin_unlock_irqrestore(&p->lock, flags);
	return &c->slots[0];
}

struct pvi_bounce_slot *pvi_pool_get(struct pvi_pool *p, unsigned long npages, u32 prot)
{
	unsigned int class = class_of(npages);
	struct pvi_bounce_slot *s;
	struct slot_list *l;
	unsigned long flags;

	if (class >= NR_CLASSES)
		return NULL;
	local_irq_save(flags);
	if (READ_ONCE(p->closed)) {
		local_irq_restore(flags);
		return NULL;
	}
	l = &this_cpu_ptr(p->cpus)->free[prot][class];
	if (!l->first) {
		spin_lock(&p->lock);
		move(l, &p->shared[prot][class], half_kept(class));
		spin_unlock(&p->lock);
	}
	s = pop(l);
	local_irq_restore(flags);
	return s ?: grow(p, class, prot);
}

static void make_idle(struct pvi_pool *p, struct pvi_bounce_slot *s)
{
	lockdep_assert_held(&p->lock);
	s->idle = true;
	s->chunk->nidle++;
}

/* True: none of its slots is in use, and it is the caller's to destroy, nobody else's. */
static bool claim_idle(struct pvi_pool *p, struct pvi_chunk *c)
{
	lockdep_assert_held(&p->lock);
	if (c->nidle != c->nslots)
		return false;
	p->chunks[c->index] = NULL;
	return true;
}

/* True: the chunk is to be destroyed. */
static bool put_closed(struct pvi_pool *p, struct pvi_bounce_slot *s, unsigned int class)
{
	bool last = false;

	spin_lock(&p->lock);
	if (p->closed) {
		make_idle(p, s);
		last = claim_idle(p, s->chunk);
	} else {
		push(&p->shared[s->chunk->prot][class], s); /* opened again meanwhile */
	}
	spin_unlock(&p->lock);
	return last;
}

void pvi_pool_put(struct pvi_pool *p, struct pvi_bounce_slot *s)
{
	struct pvi_chunk *c = s->chunk;
	unsigned int class = c->order / 2;
	struct slot_list *l;
	unsigned long flags;
	bool last = false;

	local_irq_save(flags);
	if (READ_ONCE(p->closed)) {
		last = put_closed(p, s, class);
	} else {
		l = &this_cpu_ptr(p->cpus)->free[c->prot][class];
		if (l->n == most_kept(class)) {
			spin_lock(&p->lock);
			move(&p->shared[c->prot][class], l, half_kept(class));
			spin_unlock(&p->lock);
		}
		push(l, s);
	}
	local_irq_restore(flags);
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

static void drain_lists(struct pvi_pool *p, struct cpu_lists *lists)
{
	unsigned int i;

	spin_lock(&p->lock);
	for (i = 0; i < NR_PROTS * NR_CLASSES; i++)
		drain(p, &lists->free[i / NR_CLASSES][i % NR_CLASSES], UINT_MAX);
	spin_unlock(&p->lock);
}

static void drain_this_cpu(void *data)
{
	struct pvi_pool *p = data;

	drain_lists(p, this_cpu_ptr(p->cpus));
}

/* Nothing comes into them any more. */
static void drain_shared(struct pvi_pool *p, struct slot_list *l)
{
	unsigned long flags;
	bool more;

	do {
		spin_lock_irqsave(&p->lock, flags);
		more = drain(p, l, CHUNK_PAGES);
		spin_unlock_irqrestore(&p->lock, flags);
	} while (more);
}

/* The chunk with this index, if none of its slots is in use: the caller's from now on. */
static struct pvi_chunk *take_idle_chunk(struct pvi_pool *p, unsigned int index)
{
	struct pvi_chunk *c;
	unsigned long flags;

	spin_lock_irqsave(&p->lock, flags);
	c = p->chunks[index];
	if (c && !claim_idle(p, c))
		c = NULL;
	spin_unlock_irqrestore(&p->lock, flags);
	return c;
}

void pvi_pool_close(struct pvi_pool *p)
{
	struct pvi_chunk *c;
	unsigned long flags;
	unsigned int i;
	int cpu;

	spin_lock_irqsave(&p->lock, flags);
	if (p->closed) {
		spin_unlock_irqrestore(&p->lock, flags);
		return;
	}
	WRITE_ONCE(p->closed, true);
	spin_unlock_irqrestore(&p->lock, flags);
	/*
	 * Who looked at p->closed before has its interrupts off until it is done with its
	 * list: the call comes after that, and nothing comes into the list after the call,
	 * nor from it into the shared ones.
	 */
	cpus_read_lock();
	on_each_cpu(drain_this_cpu, p, 1);
	for_each_possible_cpu(cpu)
	{
		if (!cpu_online(cpu)) {
			local_irq_save(flags);
			drain_lists(p, per_cpu_ptr(p->cpus, cpu));
			local_irq_restore(flags);
		}
	}
	cpus_read_unlock();
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

	lockdep_assert_held(&p->lock);
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

	spin_lock_irqsave(&p->lock, flags);
	WRITE_ONCE(p->closed, false);
	spin_unlock_irqrestore(&p->lock, flags);
	for (i = 0; i < p->nr_chunks; i++) {
		spin_lock_irqsave(&p->lock, flags);
		if (p->chunks[i])
			hand_out_idle(p, p->chunks[i]);
		spin_unlock_irqrestore(&p->lock, flags);
	}
}

bool pvi_pool_find(struct pvi_pool *p, dma_addr_t addr, struct pvi_bounce_slot **ret)
{
	unsigned long page = (addr >> PAGE_SHIFT) - p->base;
	struct pvi_chunk *c;

	if (page >= p->nr_chunks * CHUNK_PAGES)
		return false;
	c = smp_load_acquire(&p->chunks[page / CHUNK_PAGES]);
	*ret = c ? &c->slots[page % CHUNK_PAGES >> c->order] : NULL;
	if (*ret && !(*ret)->size)
		*ret = NULL;
	return true;
}

struct pvi_pool *pvi_pool_new(struct pvi_endpoint *ep, unsigned long max_pages)
{
	unsigned int nr = DIV_ROUND_UP(max_pages, CHUNK_PAGES);
	struct pvi_pool *p = kvzalloc(struct_size(p, chunks, nr), GFP_KERNEL);

	if (!p)
		return NULL;
	p->ep = ep;
	p->nr_chunks = nr;
	spin_lock_init(&p->lock);
	p->cpus = alloc_percpu(struct cpu_lists);
	p->taken = bitmap_zalloc(nr, GFP_KERNEL);
	p->base = pvi_window_alloc(ep, roundup_pow_of_two(nr * CHUNK_PAGES));
	if (p->cpus && p->taken && p->base)
		return p;
	if (p->base)
		pvi_window_free(ep, p->base);
	bitmap_free(p->taken);
	free_percpu(p->cpus);
	kvfree(p);
	return NULL;
}

void pvi_pool_free(struct pvi_pool *p)
{
	pvi_window_free(p->ep, p->base);
	bitmap_free(p->taken);
	free_percpu(p->cpus);
	kvfree(p);
}
