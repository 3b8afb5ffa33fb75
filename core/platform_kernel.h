/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* platform.h in the kernel. */
#ifndef PVI_CORE_PLATFORM_KERNEL_H
#define PVI_CORE_PLATFORM_KERNEL_H

#include <linux/atomic.h>
#include <linux/cpu.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/percpu-refcount.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/spinlock.h>

#define pvi_load(p)		READ_ONCE(*(p))
#define pvi_store(p, v)		WRITE_ONCE(*(p), v)
#define pvi_load_acquire(p)	smp_load_acquire(p)
#define pvi_store_release(p, v) smp_store_release(p, v)
#define pvi_cas(p, old, new)	try_cmpxchg(p, old, new)
#define pvi_store_mb(p, v)	smp_store_mb(*(p), v)

struct pvi_spin {
	spinlock_t lock;
};

#define pvi_spin_init(l) spin_lock_init(&(l)->lock)

static inline unsigned long pvi_spin_lock(struct pvi_spin *l) __acquires(&l->lock)
{
	unsigned long flags;

	spin_lock_irqsave(&l->lock, flags);
	return flags;
}

static inline void pvi_spin_unlock(struct pvi_spin *l, unsigned long flags) __releases(&l->lock)
{
	spin_unlock_irqrestore(&l->lock, flags);
}

#define pvi_assert_held(l) lockdep_assert_held(&(l)->lock)

/* A section without preemption is one of RCU, too, and takes no call: these are short. */
static inline unsigned int pvi_read_begin(void)
{
	preempt_disable();
	return 0;
}

static inline void pvi_read_end(unsigned int cookie)
{
	preempt_enable();
}

struct pvi_ref {
	struct percpu_ref ref;
	void (*release)(struct pvi_ref *r);
};

static inline void pvi_ref_is_over(struct percpu_ref *ref)
{
	struct pvi_ref *r = container_of(ref, struct pvi_ref, ref);

	r->release(r);
}

static inline int pvi_ref_init(struct pvi_ref *r, void (*release)(struct pvi_ref *r))
{
	r->release = release;
	return percpu_ref_init(&r->ref, pvi_ref_is_over,
			       PERCPU_REF_INIT_DEAD | PERCPU_REF_ALLOW_REINIT, GFP_KERNEL);
}

static inline void pvi_ref_done(struct pvi_ref *r)
{
	percpu_ref_exit(&r->ref);
}

static inline void pvi_ref_begin(struct pvi_ref *r)
{
	percpu_ref_reinit(&r->ref);
}

/* After the barrier the kill is complete: each put is one of the last. */
static inline void pvi_ref_end(struct pvi_ref *r)
{
	percpu_ref_kill(&r->ref);
	rcu_barrier();
}

static inline bool pvi_ref_get(struct pvi_ref *r)
{
	return percpu_ref_tryget_live(&r->ref);
}

static inline void pvi_ref_put(struct pvi_ref *r)
{
	percpu_ref_put(&r->ref);
}

struct pvi_rcu {
	struct rcu_head head;
};

#define pvi_free_later(p, member) kfree_rcu(p, member.head)

static inline void *pvi_zalloc(size_t size)
{
	return kzalloc(size, GFP_ATOMIC | __GFP_NOWARN);
}

static inline void pvi_free(void *p)
{
	kfree(p);
}

static inline void *pvi_pages_alloc(unsigned int order)
{
	return (void *)__get_free_pages(GFP_ATOMIC | __GFP_NOWARN | __GFP_ZERO, order);
}

static inline void pvi_pages_free(void *p, unsigned int order)
{
	free_pages((unsigned long)p, order);
}

static inline uint64_t pvi_phys_of(void *p)
{
	return virt_to_phys(p);
}

static inline void *pvi_virt_of(uint64_t phys)
{
	return phys_to_virt(phys);
}

#define PVI_PERCPU	       __percpu
#define pvi_percpu_alloc(type) alloc_percpu(type)
#define pvi_percpu_free(v)     free_percpu(v)

#define pvi_cpu_begin(v, flags)           \
	({                                \
		local_irq_save(*(flags)); \
		this_cpu_ptr(v);          \
	})
#define pvi_cpu_end(flags) local_irq_restore(flags)

struct pvi_percpu_call {
	void __percpu *v;
	void (*fn)(void *one, void *data);
	void *data;
};

static inline void pvi_percpu_call_here(void *call)
{
	struct pvi_percpu_call *c = call;

	c->fn(this_cpu_ptr(c->v), c->data);
}

/* The interrupt of a call comes only when a section with interrupts off has ended. */
static inline void pvi_percpu_each(void __percpu *v, void (*fn)(void *one, void *data), void *data)
{
	struct pvi_percpu_call c = {v, fn, data};
	unsigned long flags;
	int cpu;

	cpus_read_lock();
	on_each_cpu(pvi_percpu_call_here, &c, 1);
	for_each_possible_cpu(cpu)
	{
		if (cpu_online(cpu))
			continue;
		local_irq_save(flags);
		fn(per_cpu_ptr(v, cpu), data);
		local_irq_restore(flags);
	}
	cpus_read_unlock();
}

static inline uint64_t pvi_clock_ms(void)
{
	return jiffies64_to_msecs(get_jiffies_64());
}

#define pvi_seg scatterlist

static inline uint64_t pvi_seg_phys(struct pvi_seg *s)
{
	return sg_phys(s);
}

static inline size_t pvi_seg_len(const struct pvi_seg *s)
{
	return s->length;
}

static inline uint64_t pvi_seg_addr(const struct pvi_seg *s)
{
	return sg_dma_address(s);
}

static inline size_t pvi_seg_addr_len(const struct pvi_seg *s)
{
	return sg_dma_len(s);
}

static inline void pvi_seg_set(struct pvi_seg *s, uint64_t addr, size_t len)
{
	sg_dma_address(s) = addr;
	sg_dma_len(s) = len;
}

static inline struct pvi_seg *pvi_seg_next(struct pvi_seg *s)
{
	return sg_next(s);
}

#endif
