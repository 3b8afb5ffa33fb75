/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pviommu.ko: drives a virtio-iommu and gives each of its endpoints a DMA
 * strategy, through DMA operations of its own.
 *
 * Lock order: device_lock(endpoint) > pvi_lock > ep->strategy_lock > cache->lock
 * or rq->lock. The last two are taken with interrupts off, for a bounded time,
 * and never together.
 */
#ifndef PVIOMMU_H
#define PVIOMMU_H

#include <linux/dma-map-ops.h>
#include <linux/iova.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/percpu.h>
#include <linux/scatterlist.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>

#include "core/mapcache.h"
#include "core/range.h"
#include "core/wire.h"

struct pvi_endpoint;

/* ---- the request queue (request.c) ---- */

/* The requests that one caller waits for together: added one by one, kicked once. */
struct pvi_batch {
	struct pvi_endpoint *ep; /* whose counters they go to */
	unsigned int pending;	 /* under rq->lock until the batch has ended */
	int err;		 /* the first failure */
};

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
	 * Guards the queue, the slots and the pending counts of batches. Held only
	 * for adding a request and for taking back what the device has completed
	 * (at most the whole ring), never while waiting.
	 */
	spinlock_t lock;
	struct pvi_slot *slots;
	struct pvi_slot *free;
	bool broken; /* for good: a request timed out, or the transport failed */
};

int pvi_rq_init(struct pvi_rq *rq, struct virtqueue *vq);
void pvi_rq_done(struct pvi_rq *rq);
void pvi_rq_break(struct pvi_rq *rq, const char *why);

void pvi_batch_init(struct pvi_batch *b, struct pvi_endpoint *ep);
void pvi_batch_map(struct pvi_batch *b, struct pvi_range iova, u64 phys, u32 flags);
void pvi_batch_unmap(struct pvi_batch *b, struct pvi_range iova);
void pvi_batch_attach(struct pvi_batch *b);
void pvi_batch_detach(struct pvi_batch *b);
/* @buf gets probe_size bytes of properties and the tail. */
void pvi_batch_probe(struct pvi_batch *b, void *buf, u32 len);

/*
 * Kicks once and waits for all requests of @b: 0, or the first failure as -errno
 * (-ENOMEM: NOMEM; -ETIMEDOUT, -EIO: the device is broken). Any context. Spins, at
 * most request_timeout_ms; with interrupts off only if the caller had them off.
 */
int pvi_batch_wait(struct pvi_batch *b);

/* ---- the device (main.c, event.c) ---- */

struct pvi_viommu {
	struct virtio_device *vdev;
	struct pvi_rq rq;
	struct virtqueue *event_vq;
	struct pvi_wire_fault *events;
	unsigned int nr_events;
	struct pvi_range input; /* what an IOVA may be */
	u32 domain_first;
	u32 domain_last;
	u32 probe_size;
	struct ida domains;
	struct list_head endpoints; /* changed under pvi_lock, read under RCU */
	struct list_head node;	    /* in pvi_viommus, under pvi_lock */
};

extern struct mutex pvi_lock;
extern struct list_head pvi_viommus;

/*
 * Hands all event buffers out. Before the device is ready, for the queue belongs to the
 * interrupt from then on. True: the device must be told, once it is ready.
 */
bool pvi_events_fill(struct pvi_viommu *v);
void pvi_events_interrupt(struct virtqueue *vq);

/* Is @pdev behind @v, by the VIOT? Then *@ret_id is its endpoint id. */
bool pvi_viot_lookup(struct pvi_viommu *v, struct pci_dev *pdev, u32 *ret_id);

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
	atomic64_t mapped_pages; /* streaming and resource mappings */
	atomic64_t peak_mapped_pages;
	atomic64_t coherent_pages;
};

struct pvi_cache;

/*
 * A PCI function behind a virtio-iommu, in a domain of its own. Lives from
 * pvi_endpoint_claim() to pvi_endpoint_release(); in between dev->dma_ops points
 * into it, which is how the DMA API finds it without a lookup. It is released only
 * when no driver is bound, so no DMA call can be under way.
 */
struct pvi_endpoint {
	struct dma_map_ops ops; /* a copy of pvi_dma_ops */
	struct pvi_viommu *viommu;
	struct pci_dev *pdev;
	struct device_link *link;
	u32 id;
	u32 domain;
	bool pinned; /* a driver is bound: holds a reference to the module */
	struct iova_domain iovad;
	struct pvi_counts counts;
	struct mutex strategy_lock;	     /* writers of the two fields below */
	const struct pvi_strategy *strategy; /* for new mappings */
	unsigned long used;		     /* strategies that may have live mappings */
	struct pvi_cache *cache;	     /* persistent; made when first chosen */
	struct list_head node;		     /* viommu->endpoints */
	struct rcu_head rcu;
};

extern const struct dma_map_ops pvi_dma_ops;
extern struct notifier_block pvi_pci_notifier;

/* NULL when @dev is not ours. */
struct pvi_endpoint *pvi_endpoint_of(struct device *dev);
/* Inside a DMA operation, where @dev is known to be ours. */
static inline struct pvi_endpoint *pvi_ops_endpoint(struct device *dev)
{
	return container_of(dev->dma_ops, struct pvi_endpoint, ops);
}

void pvi_endpoints_claim_all(struct pvi_viommu *v);
void pvi_endpoints_release_all(struct pvi_viommu *v);
/* Reserves what PROBE says the endpoint can't use, and the MSI window. */
int pvi_endpoint_probe(struct pvi_endpoint *ep);

int pvi_sysfs_add(struct pvi_endpoint *ep);
void pvi_sysfs_remove(struct pvi_endpoint *ep);

/* ---- IOVAs and mappings, for all strategies (iova.c) ---- */

/* @npages contiguous pages of IOVA whose last byte is at most @limit; 0: none. */
unsigned long pvi_iova_alloc(struct pvi_endpoint *ep, unsigned long npages, u64 limit);
void pvi_iova_free(struct pvi_endpoint *ep, unsigned long pfn, unsigned long npages);

static inline struct pvi_range pvi_pages(u64 pfn, u64 npages)
{
	return (struct pvi_range){pfn << PAGE_SHIFT, ((pfn + npages) << PAGE_SHIFT) - 1};
}

static inline unsigned long pvi_span_pages(u64 addr, size_t size)
{
	return ((addr & ~PAGE_MASK) + size + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

/* One mapping of its own: allocates the IOVA, MAPs, and the reverse. */
dma_addr_t pvi_iova_map(struct pvi_endpoint *ep, phys_addr_t phys, size_t size, u32 flags,
			u64 limit);
int pvi_iova_unmap(struct pvi_endpoint *ep, dma_addr_t addr, size_t size);
/* UNMAP, then free the IOVA; on failure the IOVA is never used again. */
int pvi_iova_unmap_pages(struct pvi_endpoint *ep, unsigned long pfn, unsigned long npages);

void pvi_count_mapped(struct pvi_endpoint *ep, long npages);
void pvi_count_dma(struct pvi_endpoint *ep, unsigned int n);
void pvi_count_reuse(struct pvi_endpoint *ep, u32 prot, size_t size);

/* The highest address that a streaming mapping of @dev may have. */
u64 pvi_stream_limit(struct pvi_endpoint *ep, struct device *dev);

/* ---- strategies ---- */

struct pvi_strategy {
	const char *name;
	unsigned int bit; /* in ep->used */
	/* Before the first mapping; called again when chosen again. May sleep. */
	int (*start)(struct pvi_endpoint *ep);
	/* Another one was chosen: give back what is idle. May sleep. */
	void (*retire)(struct pvi_endpoint *ep);
	dma_addr_t (*map)(struct pvi_endpoint *ep, phys_addr_t phys, size_t size, u32 prot,
			  u64 limit);
	/* All entries or none: 0 or -errno. */
	int (*map_sg)(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents, u32 prot,
		      u64 limit);
	/* False: not a mapping of this strategy's, nothing done. */
	bool (*unmap)(struct pvi_endpoint *ep, dma_addr_t addr, size_t size);
	bool (*unmap_sg)(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents);
};

extern const struct pvi_strategy pvi_single_use;
extern const struct pvi_strategy pvi_persistent;

const struct pvi_strategy *pvi_strategy_find(const char *name);
int pvi_strategy_set(struct pvi_endpoint *ep, const struct pvi_strategy *s);
/* Undoes a mapping by the strategy that made it. */
void pvi_strategy_unmap(struct pvi_endpoint *ep, dma_addr_t addr, size_t size);
void pvi_strategy_unmap_sg(struct pvi_endpoint *ep, struct scatterlist *sgl, int nents);

/* Gives up to @npages pages of idle cached mappings back; how many it did. Any context. */
u64 pvi_persistent_reclaim(struct pvi_endpoint *ep, u64 npages);
/* A MAP was refused for lack of memory: true when idle mappings went and it may work now. */
bool pvi_persistent_nomem(struct pvi_endpoint *ep);
void pvi_persistent_free(struct pvi_endpoint *ep);

/* Module parameters. */
extern char *pvi_default_strategy;
extern unsigned int pvi_cache_pages;
extern unsigned int pvi_request_timeout_ms;
extern bool pvi_rebind;

#endif
