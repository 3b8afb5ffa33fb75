// SPDX-License-Identifier: BSD-2-Clause
/*
 * The DMA path: the only code that touches guest memory on behalf of a device.
 *
 * A transfer is checked as a whole, then copied in chunks of at most
 * PVI_DMA_CHUNK bytes. Each chunk translates anew and stays inside the
 * endpoint's gate until it is copied; the table's gate is only for translating.
 * Whoever takes away a right waits at the endpoint's gate, for one chunk at most,
 * and a chunk begun after that finds the right gone.
 *
 * A page of guest RAM may take for ever to arrive. Then that wait times out, and
 * the endpoint has failed (pvi_endpoint_drain()).
 */
#include "lib/priv.h"

/* What happens to each piece of guest memory. */
struct access {
	struct pvi_endpoint *ep;
	bool write;   /* the device writes guest memory */
	uint8_t *buf; /* NULL: check only */
};

struct refusal {
	enum pvi_fault_reason reason;
	uint64_t address;
};

bool pvi_gpa_is_ram(struct pvi_iommu *iommu, struct pvi_range gpa)
{
	for (;;) {
		uint64_t left = pvi_range_left_minus_one(gpa, gpa.first), len;

		/* All of the 64-bit space is not RAM, so left + 1 may be cut short. */
		if (!iommu->ops.ram(iommu->cfg.ctx, gpa.first, left == UINT64_MAX ? left : left + 1,
				    &len) ||
		    !len)
			return false;
		if (len > left)
			return true;
		gpa.first += len;
	}
}

bool pvi_gpa_is_mmio(struct pvi_iommu *iommu, struct pvi_range gpa)
{
	uint64_t last = gpa.last - gpa.first;

	return last != UINT64_MAX && iommu->ops.mmio_allowed(iommu->cfg.ctx, gpa.first, last + 1);
}

static void copy(const struct access *a, void *hva, uint64_t off, size_t len)
{
	if (a->write)
		memcpy(hva, a->buf + off, len);
	else
		memcpy(a->buf + off, hva, len);
}

/* @len bytes at @gpa, which translation allows. *@ret_done: how many were RAM. */
static bool access_ram(const struct access *a, uint64_t gpa, uint64_t off, uint64_t len,
		       uint64_t *ret_done)
{
	struct pvi_iommu *iommu = a->ep->iommu;
	uint64_t done = 0;

	while (done < len) {
		uint64_t n = 0;
		void *hva = iommu->ops.ram(iommu->cfg.ctx, gpa + done, len - done, &n);

		if (!hva || !n) {
			*ret_done = done;
			return false;
		}
		if (n > len - done)
			n = len - done;
		if (a->buf)
			copy(a, hva, off + done, n);
		done += n;
	}
	return true;
}

/* Bypass leads to RAM only, and never to where the guest was told nothing can be mapped. */
static bool bypass_run(const struct pvi_endpoint *ep, uint64_t iova, uint64_t len,
		       struct pvi_table_run *ret)
{
	*ret = (struct pvi_table_run){.target = iova, .len = len};
	for (size_t i = 0; i < ep->nr_reserved; i++) {
		const struct pvi_reserved *r = &ep->reserved[i];

		if (r->first <= iova && iova <= r->last)
			return false;
		if (iova < r->first && r->first - iova < ret->len)
			ret->len = r->first - iova;
	}
	return true;
}

static bool is_mmio(struct pvi_table *table, uint64_t iova)
{
	struct pvi_table_run run;

	return !pvi_table_lookup(table, iova, 1, PVI_MMIO, &run);
}

/* What the run leads to, be it RAM or a peer's registers that were mapped as such. */
static bool access_run(const struct access *a, struct pvi_table *table, uint64_t iova, uint64_t off,
		       const struct pvi_table_run *run, uint64_t *ret_done)
{
	const struct pvi_iommu_ops *ops = &a->ep->iommu->ops;
	struct pvi_range gpa = {run->target, run->target + run->len - 1};

	if (access_ram(a, run->target, off, run->len, ret_done))
		return true;
	if (*ret_done || !ops->mmio || !table || !is_mmio(table, iova))
		return false;
	/* The guest may have moved the registers since it mapped them. */
	if (!pvi_gpa_is_mmio(a->ep->iommu, gpa))
		return false;
	return !a->buf || !ops->mmio(a->ep->iommu->cfg.ctx, a->ep->id, run->target, a->buf + off,
				     run->len, a->write);
}

/* Inside the endpoint's gate, which keeps the table. */
static int access_range(const struct access *a, struct pvi_table *table, uint64_t iova,
			uint64_t off, uint64_t len, struct refusal *ret_refusal)
{
	unsigned int prot = a->write ? PVI_WRITE : PVI_READ;

	while (len) {
		struct pvi_table_run run;
		uint64_t done;

		ret_refusal->address = iova;
		ret_refusal->reason = table ? PVI_FAULT_MAPPING : PVI_FAULT_UNKNOWN;
		if (table ? pvi_table_lookup(table, iova, len, prot, &run) != 0
			  : !bypass_run(a->ep, iova, len, &run))
			return -EFAULT;
		if (!access_run(a, table, iova, off, &run, &done)) {
			ret_refusal->address += done;
			ret_refusal->reason = PVI_FAULT_UNKNOWN;
			return -EFAULT;
		}
		iova += run.len;
		off += run.len;
		len -= run.len;
	}
	return 0;
}

/* Inside the endpoint's gate. */
static int access_in_gate(const struct access *a, uint64_t iova, uint64_t off, uint64_t len,
			  struct refusal *ret_refusal)
{
	struct pvi_endpoint *ep = a->ep;
	struct pvi_domain *d;

	if (!atomic_load_explicit(&ep->dma_on, memory_order_acquire)) {
		*ret_refusal = (struct refusal){PVI_FAULT_BLOCKED, iova};
		return -EACCES;
	}
	d = atomic_load_explicit(&ep->domain, memory_order_acquire);
	if (!d && !atomic_load_explicit(&ep->iommu->bypass, memory_order_acquire)) {
		*ret_refusal = (struct refusal){PVI_FAULT_DOMAIN, iova};
		return -EFAULT;
	}
	if (!d || d->bypass)
		return access_range(a, NULL, iova, off, len, ret_refusal);
	return access_range(a, d->table, iova, off, len, ret_refusal);
}

/* All of [@iova, @iova + @len), a chunk at a time. */
static int access_all(const struct access *a, uint64_t iova, uint64_t len,
		      struct refusal *ret_refusal)
{
	for (uint64_t off = 0; off < len;) {
		uint64_t n = len - off < PVI_DMA_CHUNK ? len - off : PVI_DMA_CHUNK;
		unsigned int cookie = pvi_gate_enter(&a->ep->gate);
		int err = access_in_gate(a, iova + off, off, n, ret_refusal);

		pvi_gate_leave(&a->ep->gate, cookie);
		if (err)
			return err;
		off += n;
	}
	return 0;
}

static int dma(struct pvi_endpoint *ep, uint64_t iova, void *buf, size_t len, bool write)
{
	const struct access check = {.ep = ep, .write = write};
	const struct access copying = {.ep = ep, .write = write, .buf = buf};
	struct refusal refusal;
	struct pvi_fault fault;
	struct pvi_range r;
	bool wraps;
	int err;

	if (!len)
		return 0;
	wraps = pvi_range_from_len(iova, len, &r);
	err = access_all(&check, iova, wraps ? -iova : len, &refusal);
	if (!err && wraps) {
		/* Nothing is mapped behind the last byte there is. */
		refusal = (struct refusal){PVI_FAULT_MAPPING, UINT64_MAX};
		err = -EFAULT;
	}
	if (!err)
		err = access_all(&copying, iova, len, &refusal);
	if (!err) {
		pvi_count(write ? &ep->dma_writes : &ep->dma_reads, 1);
		pvi_count(write ? &ep->dma_write_bytes : &ep->dma_read_bytes, len);
		return 0;
	}
	pvi_count(err == -EACCES ? &ep->blocked : &ep->faults, 1);
	fault = (struct pvi_fault){
		.endpoint = ep->id,
		.reason = refusal.reason,
		.write = write,
		.address = refusal.address,
	};
	pvi_fault_report(ep->iommu, &fault);
	return err;
}

PVI_EXPORT int pvi_dma_read(struct pvi_endpoint *endpoint, uint64_t iova, void *buf, size_t len)
{
	return dma(endpoint, iova, buf, len, false);
}

PVI_EXPORT int pvi_dma_write(struct pvi_endpoint *endpoint, uint64_t iova, const void *buf,
			     size_t len)
{
	/* Only read from when the device writes. */
	return dma(endpoint, iova, (void *)(uintptr_t)buf, len, true);
}

/*
 * Ring indices and flags, 16 bits each, are shared with a running guest: they
 * move in one piece, which memcpy() does not promise.
 */
static void load_shared(void *to, const void *guest, uint64_t len)
{
	uint16_t v;

	if (len == sizeof(v) && !((uintptr_t)guest & 1)) {
		v = __atomic_load_n((const uint16_t *)guest, __ATOMIC_RELAXED);
		memcpy(to, &v, sizeof(v));
	} else {
		memcpy(to, guest, len);
	}
}

static void store_shared(void *guest, const void *from, uint64_t len)
{
	uint16_t v;

	if (len == sizeof(v) && !((uintptr_t)guest & 1)) {
		memcpy(&v, from, sizeof(v));
		__atomic_store_n((uint16_t *)guest, v, __ATOMIC_RELAXED);
	} else {
		memcpy(guest, from, len);
	}
}

static void copy_shared(void *guest, uint8_t *buf, uint64_t len, bool write)
{
	if (write)
		store_shared(guest, buf, len);
	else
		load_shared(buf, guest, len);
}

static int gpa_copy(struct pvi_iommu *iommu, uint64_t gpa, uint8_t *buf, size_t len, bool write)
{
	struct pvi_range r;
	uint64_t n = 0;
	void *hva;

	if (!len)
		return 0;
	if (pvi_range_from_len(gpa, len, &r))
		return -EFAULT;
	hva = iommu->ops.ram(iommu->cfg.ctx, gpa, len, &n);
	if (likely(hva && n >= len)) {
		copy_shared(hva, buf, len, write);
		return 0;
	}
	/* In pieces, or not all of it there: then nothing is copied. */
	if (!pvi_gpa_is_ram(iommu, r))
		return -EFAULT;
	for (size_t done = 0; done < len; done += n) {
		hva = iommu->ops.ram(iommu->cfg.ctx, gpa + done, len - done, &n);
		if (n > len - done)
			n = len - done;
		copy_shared(hva, buf + done, n, write);
	}
	return 0;
}

int pvi_gpa_read(void *iommu, uint64_t gpa, void *buf, size_t len)
{
	return gpa_copy(iommu, gpa, buf, len, false);
}

int pvi_gpa_write(void *iommu, uint64_t gpa, const void *buf, size_t len)
{
	/* Only read from when guest memory is written. */
	return gpa_copy(iommu, gpa, (void *)(uintptr_t)buf, len, true);
}
