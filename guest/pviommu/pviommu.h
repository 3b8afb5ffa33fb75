/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pviommu.ko: drives a virtio-iommu and gives each of its endpoints a DMA
 * strategy, through DMA operations of its own.
 *
 * Lock order: device_lock(endpoint) > pvi_lock > ep->strategy_lock > a strategy's
 * own lock (struct pvi_cache, pvi_deferred, pvi_pool) or rq->lock. Those are taken with
 * interrupts off, for a bounded time, and never together.
 */
#ifndef PVIOMMU_H
#define PVIOMMU_H

#include <linux/dma-map-ops.h>
#include <linux/iommu.h>
#include <linux/iova.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/percpu.h>
#include <linux/rbtree.h>
#include <linux/scatterlist.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "core/range.h"
#include "core/strategy/cached.h"
#include "core/strategy/host.h"
#include "core/strategy/mapping.h"
#include "core/wire.h"

/* ---- the request queue (request.c); batches, MAP and UNMAP: core/strategy/host.h ---- */

struct pvi_slot {
	u8 req[sizeof(struct pvi_wire_probe)];
	struct pvi_wire_tail tail;
	void *reply; /* where the device writes: &tail, or the caller's buffer */
	u32 reply_len;
	struct pvi_batch *batch;
	struct pvi_slot *next_free;
};

struct pvi_rq {
	struct virtqueue *vq;
	/*
	 * Guards the queue, the slots and the pending counts and errors of batches. Held only
	 * for adding a request and for taking back what the device has completed
	 * (at most the whole ring), never while waiting.
	 */
	spinlock_t lock;
	struct pvi_slot *slots;
	struct pvi_slot *free;
	unsigned int nr_slots;
	bool broken; /* for good: a request timed out, or the transport failed */
	/* No queue until the machine wakes up: requests fail. Written with pvi_lock, too. */
	bool asleep;
};

int pvi_rq_init(struct pvi_rq *rq, struct virtqueue *vq);
void pvi_rq_done(struct pvi_rq *rq);
/* No request is under way, and none is made; then the queue goes, and another one comes. */
void pvi_rq_sleep(struct pvi_rq *rq);
int pvi_rq_wake(struct pvi_rq *rq, struct virtqueue *vq);
void pvi_rq_break(struct pvi_rq *rq, const char *why);

void pvi_batch_attach(struct pvi_batch *b, u32 domain, u32 flags);
void pvi_batch_detach(struct pvi_batch *b);
/* @buf gets probe_size bytes of properties and the tail. */
void pvi_batch_probe(struct pvi_batch *b, void *buf, u32 len);

/* ---- the device (main.c, event.c) ---- */

struct pvi_viommu {
	struct virtio_device *vdev;
	struct pvi_rq rq;
	struct virtqueue *event_vq;
	struct pvi_wire_fault *events;
	unsigned int nr_events;
	struct work_struct event_work;
	struct pvi_range input; /* what an IOVA may be */
	u32 domain_first;
	u32 domain_last;
	u32 probe_size;
	struct ida domains;
	struct iommu_device iommu; /* for kernels whose drivers wait for it (compat.h) */
	bool declared;
	struct list_head endpoints; /* changed under pvi_lock, read under RCU */
	struct list_head node;	    /* in pvi_viommus, under pvi_lock */
};

extern struct mutex pvi_lock;
extern struct list_head pvi_viommus;

void pvi_events_init(struct pvi_viommu *v);
/*
 * Hands all event buffers out. Before the device is ready, for the queue belongs to the
 * work from then on. True: the device must be told, once it is ready.
 */
bool pvi_events_fill(struct pvi_viommu *v);
/* The device has been reset: no interrupt comes any more. */
void pvi_events_stop(struct pvi_viommu *v);
void pvi_events_interrupt(struct virtqueue *vq);

/* Before the machine sleeps, and after (pm.c). */
int pvi_freeze(struct virtio_device *vdev);
int pvi_restore(struct virtio_device *vdev);

/* The queues: of a device that has none. 0 or -errno. */
int pvi_find_queues(struct pvi_viommu *v, struct virtqueue *vqs[PVI_NR_VQS]);

/* Is @pdev behind @v, by the VIOT or else by endpoints=? Then *@ret_id is its endpoint id. */
bool pvi_viot_lookup(struct pvi_viommu *v, struct pci_dev *pdev, u32 *ret_id);
/* Says which of endpoints= name nothing. */
void pvi_viot_check_names(struct pvi_viommu *v);

/* ---- endpoints ---- */

/* Counted where they happen; sums are read by sysfs. */
struct pvi_percpu_counts {
	u64 dmas;
	u64 reused_tx_small;
	u64 reused_tx_large;
	u64 reused_rx;
};

struct pvi_counts {
	struct pvi_percpu_counts __percpu *pcpu;
	atomic64_t kicks;
	atomic64_t maps;
	atomic64_t unmaps;
	atomic64_t requests;
	atomic64_t faults;
	atomic64_t mapped_pages; /* all but coherent and lost ones */
	atomic64_t fixed_pages;	 /* of these, what a strategy maps once: no driver's */
	atomic64_t peak_mapped_pages;
	atomic64_t coherent_pages;
	atomic64_t lost_pages;	     /* whose UNMAP failed, or that a driver left mapped */
	atomic64_t bounce_fallbacks; /* what the pool could not hold */
};

/*
 * A range of IOVAs to allocate from. A strategy whose mappings are to be told by
 * their address has one of its own, cut out of the endpoint's.
 */
struct pvi_space {
	struct iova_domain iovad;
	unsigned long first; /* pages, inclusive */
	unsigned long last;
};

struct pvi_ep_cache;
struct pvi_ep_deferred;
struct pvi_direct;
struct pvi_bounce;

/*
 * A PCI function behind a virtio-iommu, in a domain of its own. Lives from
 * pvi_endpoint_claim() to pvi_endpoint_release(); in between dev->dma_ops points
 * into it, which is how the DMA API finds it without a lookup (but for "none",
 * which leaves the device to the kernel's own operations). It is released only
 * when no driver is bound, so no DMA call can be under way.
 */
struct pvi_endpoint {
	struct dma_map_ops ops; /* a copy of pvi_dma_ops */
	struct pvi_viommu *viommu;
	struct pci_dev *pdev;
	u32 id;
	u32 domain;
	u32 bypass_domain; /* attached to it under "none" only */
	bool pinned;	   /* a driver is bound: holds a reference to the module */
	struct pvi_space space;
	struct pvi_counts counts;
	struct mutex strategy_lock;	     /* writers of the fields below */
	const struct pvi_strategy *strategy; /* for new mappings */
	/* Of that strategy, when it has one: where DMA looks first (dma_ops.c). Else NULL. */
	struct pvi_cache *hits;
	unsigned long used; /* strategies that may have live mappings */
	/* Made when first chosen, freed with the endpoint. */
	struct pvi_ep_cache *cache;
	struct pvi_ep_deferred *deferred;
	struct pvi_direct *direct;
	struct pvi_bounce *bounce;
	spinlock_t coherent_lock;
	struct rb_root coherent; /* what is mapped by dma_alloc.c; under its lock */
	struct list_head node;	 /* viommu->endpoints */
	struct rcu_head rcu;
};

extern const struct dma_map_ops pvi_dma_ops;
extern struct notifier_block pvi_pci_notifier;

/* Attached to the domain that its strategy needs: 0 or -errno. */
int pvi_endpoint_attach(struct pvi_endpoint *ep, bool bypass);

/* NULL when @dev is not ours. The endpoint stays while the device's lock is held. */
struct pvi_endpoint *pvi_endpoint_of(struct device *dev);
/* Inside a DMA operation, where @dev is known to be ours. */
static inline struct pvi_endpoint *pvi_ops_endpoint(struct device *dev)
{
	return container_of(dev->dma_ops, struct pvi_endpoint, ops);
}

/* Is @pdev a function whose DMA @v translates? Then *@ret_id is its endpoint id. */
bool pvi_may_be_endpoint(struct pvi_viommu *v, struct pci_dev *pdev, u32 *ret_id);

/* A device that could not be claimed does no DMA, until it is, or its virtio-iommu goes (refuse.c).
 */
void pvi_refuse(struct pci_dev *pdev);
bool pvi_is_refused(struct pci_dev *pdev);
/* Those that are behind none of the virtio-iommus that are left, if any. */
void pvi_refuse_no_more(void);

void pvi_endpoints_claim_all(struct pvi_viommu *v);
/* After a sleep, with pvi_lock, and before drivers may bind again: those that came meanwhile. */
void pvi_endpoints_claim_new(struct pvi_viommu *v);
void pvi_endpoints_release_all(struct pvi_viommu *v);
/* Reserves what PROBE says the endpoint can't use, and the MSI window. */
int pvi_endpoint_probe(struct pvi_endpoint *ep);

int pvi_sysfs_add(struct pvi_endpoint *ep);
void pvi_sysfs_remove(struct pvi_endpoint *ep);

/* ---- IOVAs and mappings, for all strategies (iova.c) ---- */

/*
 * A space of its own for a strategy: @npages (a power of two) out of the endpoint's, as
 * low as possible. -ENOSPC: no such range is free.
 */
int pvi_space_carve(struct pvi_endpoint *ep, struct pvi_space *sp, unsigned long npages);
void pvi_space_return(struct pvi_endpoint *ep, struct pvi_space *sp);
int pvi_space_init(struct pvi_space *sp, unsigned long first, unsigned long last);
void pvi_space_done(struct pvi_space *sp);

static inline bool pvi_space_has(const struct pvi_space *sp, dma_addr_t addr)
{
	unsigned long pfn = addr >> PAGE_SHIFT;

	return pfn >= sp->first && pfn <= sp->last;
}

/* Coherent memory's: one mapping of the endpoint's own space; see core/strategy/mapping.h. */
int pvi_iova_unmap(struct pvi_endpoint *ep, dma_addr_t addr, size_t size);

/* Mapped pages that nobody but their driver knows: single-use's and deferred's. */
s64 pvi_unknown_pages(struct pvi_endpoint *ep);
/* No driver is bound: of what the last one left nobody will tell any more. */
void pvi_write_off(struct pvi_endpoint *ep);

static inline void pvi_count_dma(struct pvi_endpoint *ep, unsigned int n)
{
	this_cpu_add(ep->counts.pcpu->dmas, n);
}

/* A to-device transfer of at most this many bytes is counted as small: a header. */
#define PVI_SMALL_BYTES 256

/* pvi_count_reuse(), inline. */
static inline void pvi_count_hit(struct pvi_endpoint *ep, u32 prot, size_t size)
{
	if (prot & PVI_WRITE)
		this_cpu_inc(ep->counts.pcpu->reused_rx);
	else if (size <= PVI_SMALL_BYTES)
		this_cpu_inc(ep->counts.pcpu->reused_tx_small);
	else
		this_cpu_inc(ep->counts.pcpu->reused_tx_large);
}

/* What a device may do with what is mapped in this direction. */
static inline u32 pvi_prot_of(enum dma_data_direction dir)
{
	switch (dir) {
	case DMA_TO_DEVICE:
		return PVI_READ;
	case DMA_FROM_DEVICE:
		return PVI_WRITE;
	default:
		return PVI_READ | PVI_WRITE;
	}
}

/* The highest address that a streaming mapping of @dev may have. */
static inline u64 pvi_stream_limit(struct pvi_endpoint *ep, struct device *dev)
{
	return min3(dma_get_mask(dev), dev->bus_dma_limit ?: U64_MAX, ep->viommu->input.last);
}

/* ---- strategies ---- */

struct pvi_strategy {
	const char *name;
	unsigned int bit; /* in ep->used */
	bool bypass;	  /* the kernel's own DMA operations, and no translation */
	/* Before the first mapping; called again when chosen again. May sleep. */
	int (*start)(struct pvi_endpoint *ep);
	/* After start(): what ep->hits is to be. NULL: has none. */
	struct pvi_cache *(*hits)(struct pvi_endpoint *ep);
	/* Another one was chosen: give back what is not in use, now and later. May sleep. */
	void (*retire)(struct pvi_endpoint *ep);
	/* Gives back what is not in use. May sleep. */
	void (*trim)(struct pvi_endpoint *ep);
	/* The driver is gone, or about to be: give everything back that is idle. May sleep. */
	void (*stop)(struct pvi_endpoint *ep);
	dma_addr_t (*map)(struct pvi_endpoint *ep, phys_addr_t phys, size_t size,
			  const struct pvi_how *how);
	/* All entries or none: 0 or -errno. */
	int (*map_sg)(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
		      const struct pvi_how *how);
	/* False: not a mapping of this strategy's, nothing done. */
	bool (*unmap)(struct pvi_endpoint *ep, dma_addr_t addr, size_t size,
		      const struct pvi_how *how);
	bool (*unmap_sg)(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
			 const struct pvi_how *how);
};

extern const struct pvi_strategy pvi_none;
extern const struct pvi_strategy pvi_direct_map;
extern const struct pvi_strategy pvi_single_use;
extern const struct pvi_strategy pvi_deferred;
extern const struct pvi_strategy pvi_shared;
extern const struct pvi_strategy pvi_persistent;
extern const struct pvi_strategy pvi_bounce;

#define PVI_STRATEGIES "none, direct-map, single-use, deferred, shared, persistent, bounce"

const struct pvi_strategy *pvi_strategy_find(const char *name);
/* The device's lock is held, or it can have no driver: only then "none" comes or goes. */
int pvi_strategy_set(struct pvi_endpoint *ep, const struct pvi_strategy *s);
/* Undoes a mapping by the strategy that made it, whichever that was. */
void pvi_strategy_unmap_any(struct pvi_endpoint *ep, dma_addr_t addr, size_t size,
			    const struct pvi_how *how);
void pvi_strategy_unmap_sg_any(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents,
			       const struct pvi_how *how);

/*
 * Such a one is asked first while it is chosen: nearly all there is to undo is its own.
 * (Under none nobody asks: the device has no operations of ours.)
 */
static inline bool pvi_knows_its_own(const struct pvi_strategy *s)
{
	return s != &pvi_single_use;
}

static inline void pvi_strategy_unmap(struct pvi_endpoint *ep, dma_addr_t addr, size_t size,
				      const struct pvi_how *how)
{
	const struct pvi_strategy *now = READ_ONCE(ep->strategy);

	if (!pvi_knows_its_own(now) || !now->unmap(ep, addr, size, how))
		pvi_strategy_unmap_any(ep, addr, size, how);
}

static inline void pvi_strategy_unmap_sg(struct pvi_endpoint *ep, struct scatterlist *sgl,
					 int nents, const struct pvi_how *how)
{
	const struct pvi_strategy *now = READ_ONCE(ep->strategy);

	if (!pvi_knows_its_own(now) || !now->unmap_sg(ep, sgl, nents, how))
		pvi_strategy_unmap_sg_any(ep, sgl, nents, how);
}

/* What is not in use goes, of all strategies. */
void pvi_strategy_trim(struct pvi_endpoint *ep);
/* No driver is bound: everything goes that need not stay. */
void pvi_strategy_stop(struct pvi_endpoint *ep);
void pvi_strategy_free(struct pvi_endpoint *ep);

bool pvi_cache_nomem(struct pvi_endpoint *ep);
void pvi_cache_free(struct pvi_endpoint *ep);
/* Mapped by it, in pages, but for what pvi_count_fixed() counts. */
long pvi_ep_cache_mapped(struct pvi_endpoint *ep);
/* What a strategy knows to be mapped, mapped again in an empty domain: 0 or -errno. */
int pvi_ep_cache_remap(struct pvi_endpoint *ep);
int pvi_direct_remap(struct pvi_endpoint *ep);
int pvi_bounce_remap(struct pvi_endpoint *ep);
bool pvi_deferred_nomem(struct pvi_endpoint *ep);
void pvi_deferred_free(struct pvi_endpoint *ep);
void pvi_direct_free(struct pvi_endpoint *ep);
void pvi_bounce_free(struct pvi_endpoint *ep);
/* Part of a mapping changes hands; of all strategies only bounce has to do something. */
void pvi_bounce_sync(struct pvi_endpoint *ep, dma_addr_t addr, size_t size, bool to_device);

/* Module parameters. */
extern char *pvi_default_strategy;
extern unsigned int pvi_cache_pages;
extern unsigned int pvi_bounce_pages;
extern unsigned int pvi_request_timeout_ms;
extern char *pvi_endpoints;
extern bool pvi_rebind;

#endif
