/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libpviommu: endpoints, domains and the DMA path of a paravirtual IOMMU.
 *
 * The library keeps no global state, logs nothing and never aborts. It asks its
 * embedder (the VMM) for guest memory and tells it of faults, nothing else.
 * Addresses and lengths are in bytes; ranges are inclusive at both ends.
 *
 * Unless a function says otherwise it may be called from any thread, returns 0
 * or a negative errno, and leaves its ret_ outputs untouched on failure.
 *
 * DMA takes no lock that a guest's request holds: at worst, an UNMAP waits for
 * one chunk of a transfer, never the other way round.
 *
 * System calls. A process that confines itself by seccomp must allow membarrier, at any
 * time: it lets DMA go without locked instructions, and a request that takes rights away
 * (UNMAP, DETACH, reset) pays instead. pvi_endpoint_add() and the ATTACH that makes a domain
 * register for it (MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED), requests that wait use it
 * (MEMBARRIER_CMD_PRIVATE_EXPEDITED). Where the kernel or a filter answers it with an error,
 * all works as promised, and each access of a device costs some locked instructions
 * more; where it was allowed at first, waits take 20 ms longer (clock_nanosleep) until every
 * thread that does DMA has come again. A filter that kills for it kills. Beyond that the library
 * makes the calls of the C library's memory, threads and clock (futex, mmap, munmap, mprotect,
 * brk, madvise, clock_gettime), and those of VFIO backends (vfio.h).
 */
#ifndef PVIOMMU_IOMMU_H
#define PVIOMMU_IOMMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pvi_iommu;
struct pvi_endpoint;
struct pvi_backend; /* backend.h */

/* Why a DMA was refused (VIRTIO 1.3, 5.13.6.9, and the VMM's own reasons). */
enum pvi_fault_reason {
	PVI_FAULT_UNKNOWN = 0, /* the translation exists, memory does not answer */
	PVI_FAULT_DOMAIN = 1,  /* the endpoint is attached to no domain */
	PVI_FAULT_MAPPING = 2, /* no mapping, or one without that right */
	PVI_FAULT_BLOCKED = 3, /* DMA of the endpoint is off (bus master, failed, reset) */
};

struct pvi_fault {
	uint32_t endpoint;
	enum pvi_fault_reason reason;
	bool write;	  /* the device wanted to write guest memory */
	uint64_t address; /* first IOVA that could not be translated */
};

struct pvi_iommu_ops {
	/*
	 * Guest RAM at guest-physical @gpa: returns its host address and in
	 * *@ret_len how many bytes from there on, at most @len and at least 1,
	 * are contiguous in the host; NULL when @gpa is not RAM. The memory must
	 * stay until pvi_iommu_free(). Called from any thread, with locks held: it
	 * must not call back.
	 */
	void *(*ram)(void *ctx, uint64_t gpa, uint64_t len, uint64_t *ret_len);
	/*
	 * A DMA was refused; NULL if of no interest. Called from the thread that
	 * did the DMA, with no lock held. The embedder limits its own log's rate.
	 */
	void (*fault)(void *ctx, const struct pvi_fault *fault);
	/*
	 * @endpoint has failed: a transfer of it did not end within dma_timeout_ms, or
	 * its hardware does not give up a mapping. Its DMA is off; see "When a transfer
	 * gets stuck" in docs/conformance.md. NULL if of no interest. Locks held: wake
	 * whoever kills the device, and don't call back.
	 */
	void (*failed)(void *ctx, uint32_t endpoint);
	/*
	 * Device memory that devices may reach at guest-physical addresses, peers' BARs
	 * that the user allowed by name say. Both NULL: MMIO is not offered.
	 * mmio_allowed: may all of [@gpa, @gpa + @len), which is not RAM, be mapped? As ram().
	 * mmio: one access of a device, 0 or -errno. From the thread that does the DMA,
	 * with no lock held; UNMAP waits for it as for a transfer.
	 */
	bool (*mmio_allowed)(void *ctx, uint64_t gpa, uint64_t len);
	int (*mmio)(void *ctx, uint32_t endpoint, uint64_t gpa, void *buf, size_t len, bool write);
};

struct pvi_iommu_config {
	const struct pvi_iommu_ops *ops;
	void *ctx;
	uint64_t page_size_mask; /* none below 4 KiB; 0: 4 KiB and above */
	uint64_t input_first;	 /* IOVAs that a MAP may name */
	uint64_t input_last;
	uint32_t domain_first; /* domain ids that the guest may name */
	uint32_t domain_last;
	uint32_t max_domains;	  /* live at once; 0: 4096 */
	uint64_t max_mappings;	  /* per domain; 0: 1 << 20 */
	uint64_t max_table_bytes; /* per domain; 0: 64 MiB */
	/*
	 * May the guest ask for bypass at all? If not, BYPASS_CONFIG is not offered,
	 * and an endpoint that is not attached is blocked.
	 */
	bool allow_bypass;
	bool start_bypass; /* value of the bypass field at system reset; needs allow_bypass */
	/*
	 * How long a request waits for a transfer in flight before the endpoint has
	 * failed; 0: however long it takes.
	 */
	unsigned int dma_timeout_ms;
};

/* *@ret_iommu belongs to the caller. -EINVAL, -ENOMEM. */
int pvi_iommu_new(const struct pvi_iommu_config *config, struct pvi_iommu **ret_iommu);

/* All endpoints and the device must be gone. NULL is allowed. */
void pvi_iommu_free(struct pvi_iommu *iommu);

/*
 * System reset (the third step of the order in the documentation: devices are
 * quiet, now the IOMMU): detaches every endpoint, drops every domain, returns
 * the bypass field to its start value. No DMA is in flight on return.
 */
void pvi_iommu_system_reset(struct pvi_iommu *iommu);

/* A reserved region of an endpoint, reported by PROBE and refused by MAP. */
struct pvi_reserved {
	uint64_t first;
	uint64_t last;
	bool msi; /* PVI_RESV_MEM_MSI rather than RESERVED */
};

struct pvi_endpoint_config {
	const struct pvi_reserved *reserved; /* copied */
	size_t nr_reserved;		     /* at most 8 */
	bool dma_on;			     /* may it do DMA from the start? */
	struct pvi_backend *backend;	     /* NULL: the library translates (pvi_dma_*()) */
};

/*
 * @id: as in VIOT and the requests. -EINVAL, -EEXIST, -ENOMEM, -EIO (its backend has
 * failed). The endpoint starts detached. What its backend cannot translate counts as reserved, too.
 */
int pvi_endpoint_add(struct pvi_iommu *iommu, uint32_t id, const struct pvi_endpoint_config *config,
		     struct pvi_endpoint **ret_endpoint);

/*
 * Blocks its DMA, detaches and frees it. No pvi_dma_*() of it may be running or come any
 * more: end the threads that call them first. (With pvi_endpoint_set_dma(endpoint, false)
 * they move nothing any more, and return once guest RAM answers.) NULL is allowed.
 */
void pvi_endpoint_remove(struct pvi_endpoint *endpoint);

/*
 * Switches an endpoint's DMA on or off (bus master bit, device failure, reset),
 * whatever its domain. After switching off: every later DMA is refused with
 * -EACCES, and on return of 0 none is in flight.
 * -ETIMEDOUT: one still is after dma_timeout_ms, the endpoint has failed.
 * -EBUSY: a failed endpoint's last transfer is still stuck, it stays off.
 */
int pvi_endpoint_set_dma(struct pvi_endpoint *endpoint, bool on);

/*
 * DMA by a device: reads from, or writes to, guest memory at @iova through the
 * endpoint's domain. The whole range is checked before the first byte moves;
 * it may span mappings. An UNMAP that is answered meanwhile ends the transfer
 * at a chunk border.
 * -EFAULT: refused (a fault was reported), also where @iova + @len wraps; -EACCES:
 * DMA is off. A @len of 0 is 0.
 * Bounded: guest memory is touched in chunks, so that UNMAP never waits for
 * more than one of them.
 */
int pvi_dma_read(struct pvi_endpoint *endpoint, uint64_t iova, void *buf, size_t len);
int pvi_dma_write(struct pvi_endpoint *endpoint, uint64_t iova, const void *buf, size_t len);

struct pvi_endpoint_stats {
	uint64_t dma_reads; /* accesses that succeeded */
	uint64_t dma_writes;
	uint64_t dma_read_bytes;
	uint64_t dma_write_bytes;
	uint64_t faults;  /* refused: no translation */
	uint64_t blocked; /* refused: DMA off */
	uint64_t mapped_pages;
	bool attached;
	bool bypass;
	bool failed; /* a transfer is, or was, stuck; until DMA is switched on again */
};

void pvi_endpoint_get_stats(struct pvi_endpoint *endpoint, struct pvi_endpoint_stats *ret_stats);

struct pvi_iommu_stats {
	uint64_t requests[6]; /* by type, PVI_T_*; [0]: unknown types */
	uint64_t refused;     /* requests answered with another status than OK */
	uint64_t kicks;
	uint64_t malformed; /* chains with no room for a tail, broken rings */
	uint64_t faults_reported;
	uint64_t faults_dropped; /* the guest gave no buffer in time */
	uint64_t domains;
	uint64_t mappings;
	uint64_t table_bytes;
	uint64_t bad_accesses; /* of registers: refused */
};

void pvi_iommu_get_stats(struct pvi_iommu *iommu, struct pvi_iommu_stats *ret_stats);

#ifdef __cplusplus
}
#endif
#endif
