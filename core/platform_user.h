/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * platform.h in user space, for tests. Who uses it gives it what is declared extern
 * here, and memory that can run out (alloc.h).
 */
#ifndef PVI_CORE_PLATFORM_USER_H
#define PVI_CORE_PLATFORM_USER_H

#include <pthread.h>

#include "core/alloc.h"

#define pvi_load(p)		__atomic_load_n(p, __ATOMIC_RELAXED)
#define pvi_store(p, v)		__atomic_store_n(p, v, __ATOMIC_RELAXED)
#define pvi_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define pvi_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define pvi_cas(p, old, new) \
	__atomic_compare_exchange_n(p, old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#define pvi_store_mb(p, v) __atomic_store_n(p, v, __ATOMIC_SEQ_CST)

struct pvi_spin {
	pthread_mutex_t lock;
};

static inline void pvi_spin_init(struct pvi_spin *l)
{
	pthread_mutex_init(&l->lock, NULL);
}

static inline unsigned long pvi_spin_lock(struct pvi_spin *l)
{
	pthread_mutex_lock(&l->lock);
	return 0;
}

static inline void pvi_spin_unlock(struct pvi_spin *l, unsigned long flags)
{
	pthread_mutex_unlock(&l->lock);
}

#define pvi_assert_held(l) ((void)(l))

extern void *pvi_pages_alloc(unsigned int order);
extern void pvi_pages_free(void *p, unsigned int order);
extern uint64_t pvi_phys_of(void *p);
extern void *pvi_virt_of(uint64_t phys);

/* CPUs that take turns: which one's it is, the test says. */
#define PVI_CPUS   2u
#define PVI_PERCPU /* an array of them */
extern unsigned int pvi_this_cpu;

#define pvi_percpu_alloc(type)	((type *)pvi_zalloc(PVI_CPUS * sizeof(type)))
#define pvi_percpu_free(v)	pvi_free(v)
#define pvi_cpu_begin(v, flags) (*(flags) = 0, (v) + pvi_this_cpu)
#define pvi_cpu_end(flags)	((void)(flags))
#define pvi_percpu_each(v, fn, data)                              \
	do {                                                      \
		for (unsigned int cpu = 0; cpu < PVI_CPUS; cpu++) \
			fn((v) + cpu, data);                      \
	} while (0)

/* For one thread. */
struct pvi_ref {
	bool live;
	unsigned long users;
	void (*release)(struct pvi_ref *r);
};

static inline int pvi_ref_init(struct pvi_ref *r, void (*release)(struct pvi_ref *r))
{
	*r = (struct pvi_ref){.release = release};
	return 0;
}

static inline void pvi_ref_done(struct pvi_ref *r)
{
}

static inline void pvi_ref_begin(struct pvi_ref *r)
{
	r->live = true;
	r->users = 1;
}

static inline void pvi_ref_put(struct pvi_ref *r)
{
	if (!--r->users)
		r->release(r);
}

static inline void pvi_ref_end(struct pvi_ref *r)
{
	r->live = false;
	pvi_ref_put(r);
}

static inline bool pvi_ref_get(struct pvi_ref *r)
{
	r->users += r->live;
	return r->live;
}

struct pvi_rcu {
	void *memory;
	struct pvi_rcu *next;
};

extern unsigned int pvi_read_begin(void);
extern void pvi_read_end(unsigned int cookie);
extern void pvi_free_after_readers(struct pvi_rcu *rcu, void *p);
extern uint64_t pvi_clock_ms(void);

#define pvi_free_later(p, member) pvi_free_after_readers(&(p)->member, p)

struct pvi_seg {
	uint64_t phys, addr;
	size_t len, addr_len;
};

static inline uint64_t pvi_seg_phys(struct pvi_seg *s)
{
	return s->phys;
}

static inline size_t pvi_seg_len(const struct pvi_seg *s)
{
	return s->len;
}

static inline uint64_t pvi_seg_addr(const struct pvi_seg *s)
{
	return s->addr;
}

static inline size_t pvi_seg_addr_len(const struct pvi_seg *s)
{
	return s->addr_len;
}

static inline void pvi_seg_set(struct pvi_seg *s, uint64_t addr, size_t len)
{
	s->addr = addr;
	s->addr_len = len;
}

static inline struct pvi_seg *pvi_seg_next(struct pvi_seg *s)
{
	return s + 1;
}

#endif
