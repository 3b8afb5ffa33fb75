/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the library's files share. Not installed.
 *
 * Locks, outermost first: struct pvi_viommu.lock (device.c), pvi_iommu.lock,
 * pvi_iommu.fault_lock. The embedder's fault() is called with none of them,
 * its interrupt() with the first, its failed() and a backend's operations with
 * the first two.
 *
 * Lifetime: an endpoint belongs to whoever added it; its reserved regions never
 * change. A domain lives from the first ATTACH to the last detach. DMA finds it
 * through endpoint->domain inside endpoint->gate, so detaching clears that
 * pointer and drains the gate before the domain may be freed. When draining times
 * out, the endpoint keeps the domain in limbo until it has drained.
 *
 * A transfer is inside the table's gate only while it translates, so whoever
 * waits there never waits for guest memory.
 */
#ifndef PVI_LIB_PRIV_H
#define PVI_LIB_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include <pviommu/backend.h>
#include <pviommu/iommu.h>

#include "core/gate.h"
#include "core/range.h"
#include "core/table.h"
#include "core/wire.h"

#define PVI_MAX_RESERVED     8
#define PVI_PROBE_SIZE	     512u
#define PVI_FAULT_QUEUE	     64u
#define PVI_DMA_CHUNK	     (64u << 10)
#define PVI_DOMAIN_BUCKETS   256u
#define PVI_ENDPOINT_BUCKETS 64u
#define PVI_EXPORT	     __attribute__((visibility("default")))

struct pvi_domain {
	struct pvi_iommu *iommu;
	uint32_t id;
	uint64_t serial; /* another one may have the same id later */
	bool bypass;
	struct pvi_table *table;	/* NULL: a bypass domain */
	struct pvi_endpoint *endpoints; /* attached here */
	struct pvi_domain *next;	/* same bucket */
	struct pvi_backend *backends;	/* with an endpoint attached here */
	/* Removed mappings may still be in use until the next pvi_iommu_flush(). */
	bool dirty;
	bool stuck; /* the last flush did not end what used them */
	struct pvi_domain *next_dirty;
	unsigned int in_limbo; /* endpoints whose last transfer may still use the table */
	bool retired;	       /* not in a bucket any more */
};

/* What translates for hardware. All under iommu->lock. */
struct pvi_backend {
	struct pvi_iommu *iommu;
	struct pvi_backend_config cfg; /* its windows are ours */
	struct pvi_range *windows;
	struct pvi_domain *domain; /* that its endpoints are attached to */
	unsigned int attached;	   /* how many of them are */
	bool identity;		   /* all RAM is mapped */
	bool broken;		   /* it did not give up a mapping */
	struct pvi_backend *next;
	struct pvi_backend *next_in_domain;
};

struct pvi_endpoint {
	struct pvi_iommu *iommu;
	uint32_t id;
	struct pvi_reserved reserved[PVI_MAX_RESERVED];
	size_t nr_reserved;
	struct pvi_endpoint *next;	     /* same bucket; iommu->lock */
	struct pvi_endpoint *next_in_domain; /* iommu->lock */
	struct pvi_backend *backend;	     /* NULL: software */
	struct pvi_domain *limbo;	     /* iommu->lock */

	/* DMA is inside this gate for one chunk at a time. */
	struct pvi_gate gate;
	_Atomic(struct pvi_domain *) domain; /* written under iommu->lock */
	atomic_bool dma_on;
	bool failed; /* iommu->lock */

	atomic_uint_fast64_t dma_reads, dma_writes;
	atomic_uint_fast64_t dma_read_bytes, dma_write_bytes;
	atomic_uint_fast64_t faults, blocked;
};

/* Called after a fault was queued for the guest, with no lock held. */
struct pvi_fault_sink {
	void (*queued)(void *ctx);
	void *ctx;
};

struct pvi_iommu {
	struct pvi_iommu_config cfg; /* with its defaults filled in */
	struct pvi_iommu_ops ops;
	uint64_t page_mask; /* low bits of an address within a page */
	atomic_bool bypass; /* unattached endpoints bypass translation */

	/* Topology: endpoints, domains, attachments, tables. DMA does not take it. */
	pthread_mutex_t lock;
	struct pvi_endpoint *endpoints[PVI_ENDPOINT_BUCKETS];
	struct pvi_domain *domains[PVI_DOMAIN_BUCKETS];
	struct pvi_domain *dirty;
	struct pvi_backend *backends;
	uint32_t nr_domains;
	uint64_t next_serial;
	bool has_device;
	bool stuck; /* a wait timed out since the last flush */

	/* Faults that wait for the guest to give a buffer. A leaf lock. */
	pthread_mutex_t fault_lock;
	struct pvi_fault faults[PVI_FAULT_QUEUE];
	unsigned int first_fault, nr_faults;
	bool fresh_faults; /* since the device last looked */
	struct pvi_fault_sink sink;

	atomic_uint_fast64_t requests[6];
	atomic_uint_fast64_t refused, kicks, malformed;
	atomic_uint_fast64_t faults_reported, faults_dropped;
	atomic_uint_fast64_t bad_accesses;
};

static inline void pvi_count(atomic_uint_fast64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* Where no other thread counts: what requests and events count, under the device's lock. */
static inline void pvi_count_one(atomic_uint_fast64_t *counter)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

static inline uint64_t pvi_counted(const atomic_uint_fast64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

/* ---- endpoint.c ---- */

/* iommu->lock held. */
struct pvi_endpoint *pvi_endpoint_find(struct pvi_iommu *iommu, uint32_t id);
/*
 * iommu->lock held. Waits for the DMA that is in flight. -ETIMEDOUT: it is stuck, and
 * the endpoint has failed.
 */
int pvi_endpoint_drain(struct pvi_endpoint *endpoint);
/* iommu->lock held: no DMA from now on, the embedder is told. */
void pvi_endpoint_fail(struct pvi_endpoint *endpoint);

/* ---- domain.c: all with iommu->lock held ---- */

struct pvi_domain *pvi_domain_find(struct pvi_iommu *iommu, uint32_t id);
/* -ENOMEM: no memory, or max_domains are live. */
int pvi_domain_new(struct pvi_iommu *iommu, uint32_t id, bool bypass, struct pvi_domain **ret);
/* Nobody is attached. */
void pvi_domain_free(struct pvi_iommu *iommu, struct pvi_domain *domain);
/*
 * Moves @endpoint here from where it is; on failure it stays there. -EBUSY: its
 * backend serves another domain. -EIO: it has failed; -ETIMEDOUT: that, and it is
 * detached.
 */
int pvi_domain_attach(struct pvi_domain *domain, struct pvi_endpoint *endpoint);
/*
 * On return no DMA of @endpoint uses its domain, which is gone if it was the last;
 * but -ETIMEDOUT or -EIO: it has failed.
 */
int pvi_domain_detach(struct pvi_endpoint *endpoint);
/* Detaches every endpoint. */
void pvi_domain_detach_all(struct pvi_iommu *iommu);
/* In the table and in every backend, or (on failure) in none. */
int pvi_domain_map(struct pvi_domain *domain, struct pvi_range virt, uint64_t phys,
		   unsigned int prot);
int pvi_domain_unmap(struct pvi_domain *domain, struct pvi_range virt);
/* @endpoint has drained: its domain leaves limbo. */
void pvi_domain_settle(struct pvi_endpoint *endpoint);
/* Readers of what was unmapped so far leave before pvi_domain_flush() returns. */
void pvi_domain_flush(struct pvi_iommu *iommu);

/* ---- backend.c: all with iommu->lock held ---- */

/* Makes the hardware translate as @domain does; NULL: as for the unattached. */
int pvi_backend_join(struct pvi_backend *backend, struct pvi_domain *domain);
int pvi_backend_leave(struct pvi_backend *backend);
int pvi_backend_map(struct pvi_domain *domain, struct pvi_range virt, uint64_t phys,
		    unsigned int prot);
int pvi_backend_unmap(struct pvi_domain *domain, struct pvi_range virt);
/* -EIO: hardware of @domain may still have what was unmapped before. */
int pvi_backend_check(const struct pvi_domain *domain);
/* The bypass field has changed: what it means for those who are not attached. */
void pvi_backend_refresh_all(struct pvi_iommu *iommu);
/* Adds what @backend cannot translate to @endpoint's reserved regions. */
int pvi_backend_reserve(const struct pvi_backend *backend, struct pvi_endpoint *endpoint);
/* Can the guest's smallest page be mapped with these? Without the lock as well. */
bool pvi_backend_pages_fit(const struct pvi_iommu *iommu, uint64_t page_sizes);

/* ---- dma.c ---- */

/* Guest-physical accesses of the device itself: all of it is RAM, or -EFAULT. */
int pvi_gpa_read(void *iommu, uint64_t gpa, void *buf, size_t len);
int pvi_gpa_write(void *iommu, uint64_t gpa, const void *buf, size_t len);
bool pvi_gpa_is_ram(struct pvi_iommu *iommu, struct pvi_range gpa);
/* May devices reach all of @gpa, which is not RAM? */
bool pvi_gpa_is_mmio(struct pvi_iommu *iommu, struct pvi_range gpa);

/* ---- fault.c ---- */

/* No lock held: tells the embedder, queues it for the guest. */
void pvi_fault_report(struct pvi_iommu *iommu, const struct pvi_fault *fault);
/* Were faults queued since the last pvi_fault_seen()? */
bool pvi_fault_fresh(struct pvi_iommu *iommu);
void pvi_fault_seen(struct pvi_iommu *iommu);
/* The oldest that waits; false: none. */
bool pvi_fault_take(struct pvi_iommu *iommu, struct pvi_fault *ret);
/* One that was taken and could not be delivered yet: it is the oldest again. */
void pvi_fault_put_back(struct pvi_iommu *iommu, const struct pvi_fault *fault);
/* Drops what waits (reset). */
void pvi_fault_forget(struct pvi_iommu *iommu);
void pvi_fault_set_sink(struct pvi_iommu *iommu, const struct pvi_fault_sink *sink);

/* ---- request.c ---- */

/* The largest device-readable part of a request, and the largest reply. */
#define PVI_REQUEST_MAX sizeof(struct pvi_wire_probe)
#define PVI_REPLY_MAX	(PVI_PROBE_SIZE + sizeof(struct pvi_wire_tail))

/* Bytes [off, off + len) of the device-writable part are written. */
struct pvi_reply {
	uint32_t off;
	uint32_t len; /* 0: nothing; the used length is 0 too */
	bool removed; /* an UNMAP of @domain, good only if pvi_iommu_removed() says so */
	uint32_t domain;
	uint64_t serial; /* of that domain */
	uint8_t data[PVI_REPLY_MAX];
};

/*
 * Checks and applies one request. @out: a private copy of the first @out_len
 * bytes of its device-readable part; @in_len: room in its device-writable part;
 * @features: those negotiated, a bit each. The reply may be shown to the guest
 * only after pvi_iommu_flush(). Called under the device's lock, or by the only thread.
 */
void pvi_request_handle(struct pvi_iommu *iommu, uint64_t features, const void *out,
			uint64_t out_len, uint64_t in_len, struct pvi_reply *ret);

/* ---- iommu.c ---- */

/* Waits until nothing that requests removed is in use. -ETIMEDOUT: some still is. */
int pvi_iommu_flush(struct pvi_iommu *iommu);
/* After a flush that timed out: is what was removed from a domain out of use? */
bool pvi_iommu_removed(struct pvi_iommu *iommu, uint32_t id, uint64_t serial);
/* A reset of the device: no attachments, no domains; the bypass field stays. */
void pvi_iommu_device_reset(struct pvi_iommu *iommu);
/* The bypass field. On return no DMA is in flight that the new value forbids. */
void pvi_iommu_set_bypass(struct pvi_iommu *iommu, bool on);
/* Features to offer, a bit each. */
uint64_t pvi_iommu_features(const struct pvi_iommu *iommu);

#endif
