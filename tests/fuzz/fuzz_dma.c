// SPDX-License-Identifier: BSD-2-Clause
/*
 * Scatter lists of DMA by endpoints in domains, in bypass, detached and switched off, over
 * RAM that is in pieces and over peers' registers: every byte, every fault report and every
 * counter is compared with what the oracle says.
 */
#include "guest.h"

#define RAM_PAGES  20u /* 8 from 0 on; 8 behind them, elsewhere in the host; 4 at RAM_HIGH */
#define RAM_HIGH   0x100000000ull
#define MMIO	   0x200000ull
#define MMIO_PAGES 2u
#define MAX_LEN	   0x14000u
#define NO_MEMORY  UINT64_MAX

/* Of one input. RAM and registers in one: memory[0] is what the library touches. */
static uint8_t memory[2][(RAM_PAGES + MMIO_PAGES) * GUEST_PAGE];
static struct guest g;
static uint64_t run_max; /* the embedder shows RAM in pieces of at most this */
static struct pvi_fault last_fault;
static struct pvi_endpoint_stats due[GUEST_ENDPOINTS];
static unsigned int nr_faults;
static bool dma_on[GUEST_ENDPOINTS];

/* ---- the embedder ---- */

/* Offset in memory[] of guest-physical @gpa. */
static uint64_t ram_at(uint64_t gpa)
{
	if (gpa < 16 * GUEST_PAGE)
		return gpa;
	if (gpa >= RAM_HIGH && gpa - RAM_HIGH < 4 * GUEST_PAGE)
		return 16 * GUEST_PAGE + (gpa - RAM_HIGH);
	return NO_MEMORY;
}

static uint64_t mmio_at(uint64_t gpa)
{
	if (gpa >= MMIO && gpa - MMIO < MMIO_PAGES * GUEST_PAGE)
		return RAM_PAGES * GUEST_PAGE + (gpa - MMIO);
	return NO_MEMORY;
}

static void *ram(void *ctx, uint64_t gpa, uint64_t len, uint64_t *ret_len)
{
	uint64_t at = ram_at(gpa), end;

	if (at == NO_MEMORY)
		return NULL;
	end = at < 8 * GUEST_PAGE ? 8 : at < 16 * GUEST_PAGE ? 16 : RAM_PAGES;
	*ret_len = end * GUEST_PAGE - at;
	if (*ret_len > run_max)
		*ret_len = run_max;
	if (*ret_len > len)
		*ret_len = len;
	return memory[0] + at;
}

static bool mmio_allowed(void *ctx, uint64_t gpa, uint64_t len)
{
	return mmio_at(gpa) != NO_MEMORY && len <= MMIO + MMIO_PAGES * GUEST_PAGE - gpa;
}

static int mmio(void *ctx, uint32_t endpoint, uint64_t gpa, void *buf, size_t len, bool write)
{
	uint8_t *p = memory[0] + mmio_at(gpa);

	CHECK(mmio_allowed(ctx, gpa, len) && len);
	memcpy(write ? p : buf, write ? buf : p, len);
	return 0;
}

static void on_fault(void *ctx, const struct pvi_fault *f)
{
	last_fault = *f;
	nr_faults++;
}

static bool target_ok(struct pvi_range gpa, uint32_t flags)
{
	if (flags & PVI_MAP_F_MMIO)
		return mmio_at(gpa.first) != NO_MEMORY && mmio_at(gpa.last) != NO_MEMORY;
	for (uint64_t a = gpa.first; a <= gpa.last; a += GUEST_PAGE)
		if (ram_at(a) == NO_MEMORY || a > UINT64_MAX - GUEST_PAGE)
			return false;
	return true;
}

/* ---- what must happen ---- */

/* Where a byte is in memory[], or why it is not. */
static uint64_t locate(unsigned int ep, uint64_t iova, bool write, enum pvi_fault_reason *ret)
{
	const struct guest_domain *d = &g.domain[g.at[ep]];
	struct pvi_table_run run;
	uint64_t at;

	if (!dma_on[ep]) {
		*ret = PVI_FAULT_BLOCKED;
		return NO_MEMORY;
	}
	if (!g.at[ep] && !g.bypass) {
		*ret = PVI_FAULT_DOMAIN;
		return NO_MEMORY;
	}
	*ret = PVI_FAULT_UNKNOWN;
	if (!g.at[ep] || d->bypass) {
		for (size_t i = 0; i < g.ep[ep]->nr_reserved; i++)
			if (iova >= g.ep[ep]->reserved[i].first &&
			    iova <= g.ep[ep]->reserved[i].last)
				return NO_MEMORY;
		return ram_at(iova);
	}
	if (oracle_translate(&d->o, iova, 1, write ? PVI_WRITE : PVI_READ, &run)) {
		*ret = PVI_FAULT_MAPPING;
		return NO_MEMORY;
	}
	at = ram_at(run.target);
	return at != NO_MEMORY ? at : mmio_at(run.target);
}

/*
 * A transfer in the model, page by page; @buf NULL: is it allowed? The first address that
 * is not is in @ret.
 */
static bool model_dma(unsigned int ep, uint64_t iova, uint8_t *buf, uint64_t len, bool write,
		      struct pvi_fault *ret)
{
	for (uint64_t done = 0; done < len;) {
		uint64_t a = iova + done, n = GUEST_PAGE - a % GUEST_PAGE, at;

		*ret = (struct pvi_fault){ep, PVI_FAULT_MAPPING, write, a};
		if (a < iova) {
			ret->address = UINT64_MAX;
			return false;
		}
		at = locate(ep, a, write, &ret->reason);
		if (at == NO_MEMORY)
			return false;
		n = n < len - done ? n : len - done;
		if (buf && write)
			memcpy(memory[1] + at, buf + done, n);
		else if (buf)
			memcpy(buf + done, memory[1] + at, n);
		done += n;
	}
	return true;
}

static void refused(unsigned int ep, const struct pvi_fault *want, int err, unsigned int before)
{
	CHECK(err == (want->reason == PVI_FAULT_BLOCKED ? -EACCES : -EFAULT));
	CHECK(nr_faults == before + 1);
	CHECK(last_fault.endpoint == want->endpoint && last_fault.reason == want->reason &&
	      last_fault.write == want->write && last_fault.address == want->address);
	if (want->reason == PVI_FAULT_BLOCKED)
		due[ep].blocked++;
	else
		due[ep].faults++;
}

static void do_dma(unsigned int ep, uint64_t iova, uint64_t len, bool write, uint8_t seed)
{
	static uint8_t buf[2][MAX_LEN];
	unsigned int before = nr_faults;
	struct pvi_fault want;
	bool good;
	int err;

	for (uint64_t i = 0; i < len; i++)
		buf[0][i] = buf[1][i] = (uint8_t)(seed + i + (i >> 8));
	good = model_dma(ep, iova, NULL, len, write, &want);
	err = write ? pvi_dma_write(g.ep[ep], iova, buf[0], len)
		    : pvi_dma_read(g.ep[ep], iova, buf[0], len);
	if (!good) {
		refused(ep, &want, err, before);
	} else {
		CHECK(!err && nr_faults == before);
		model_dma(ep, iova, buf[1], len, write, &want);
		if (len && write) {
			due[ep].dma_writes++;
			due[ep].dma_write_bytes += len;
		} else if (len) {
			due[ep].dma_reads++;
			due[ep].dma_read_bytes += len;
		}
	}
	/* A refused one has moved nothing. */
	CHECK(!memcmp(buf[0], buf[1], len));
	if (write)
		CHECK(!memcmp(memory[0], memory[1], sizeof(memory[0])));
}

/* ---- operations ---- */

static uint64_t take_iova(struct fuzz_in *in)
{
	static const uint64_t base[] = {
		0,    0x1f8000, 0x3ffff000, RAM_HIGH - 0x4000, 0xfee00000, UINT64_MAX - 0x7fff,
		MMIO, RAM_HIGH,
	};
	uint64_t how = fuzz_take(in, 1);

	return base[how & 7] + (how >> 3) * GUEST_PAGE;
}

static void op_map(struct fuzz_in *in)
{
	struct guest_map m = {.domain = (unsigned int)fuzz_take(in, 1)};
	uint64_t how = fuzz_take(in, 1);
	uint8_t status;

	m.flags = how & 7;
	m.virt.first = take_iova(in);
	m.virt.last = m.virt.first + (1 + (how >> 3 & 7)) * GUEST_PAGE - 1;
	m.phys = (fuzz_take(in, 1) & 0x1f) * GUEST_PAGE;
	m.phys += how & 0x80 ? RAM_HIGH : 0;
	if (m.flags & PVI_MAP_F_MMIO)
		m.phys = MMIO + (m.phys & 0x3000);
	m.domain %= GUEST_DOMAINS + 2;
	status = model_map(&g, &m);
	CHECK(guest_map(&g, &m) == status);
	if (status == PVI_S_OK)
		model_mapped(&g, &m);
}

static void op_unmap(struct fuzz_in *in)
{
	unsigned int domain = (unsigned int)fuzz_take(in, 1);
	struct pvi_range virt = {.first = take_iova(in)};
	uint8_t status;

	virt.last = virt.first + (domain >> 3) * GUEST_PAGE / 2;
	domain = (domain & 7) % (GUEST_DOMAINS + 2);
	status = model_unmap(&g, domain, virt);
	CHECK(guest_unmap(&g, domain, virt) == status);
	if (status == PVI_S_OK)
		model_unmapped(&g, domain, virt);
}

static void op_attach(struct fuzz_in *in)
{
	uint64_t how = fuzz_take(in, 1);
	unsigned int domain = (how & 7) % (GUEST_DOMAINS + 2), ep = how >> 3 & 3;
	bool bypass = how & 0x20;
	uint8_t status;

	if (how & 0x40) {
		status = model_detach(&g, domain, ep);
		CHECK(guest_detach(&g, domain, ep) == status);
		if (status == PVI_S_OK)
			model_detached(&g, ep);
		return;
	}
	status = model_attach(&g, domain, ep, bypass);
	CHECK(guest_attach(&g, domain, ep, bypass) == status);
	if (status == PVI_S_OK)
		model_attached(&g, domain, ep, bypass);
}

/* One list of one direction, as a device does it: until an element is refused, or on. */
static void op_list(struct fuzz_in *in)
{
	uint64_t how = fuzz_take(in, 1);
	unsigned int ep = (how & 3) % GUEST_ENDPOINTS;

	for (unsigned int i = 0; i <= (how >> 4 & 7) && in->left; i++) {
		uint64_t iova = take_iova(in) + fuzz_take(in, 2) % GUEST_PAGE;
		uint64_t len = fuzz_take(in, 2);

		do_dma(ep, iova, len < 0xc000 ? len % 0x1800 : len % MAX_LEN, how & 4,
		       (uint8_t)len);
	}
}

static void op_switch(struct fuzz_in *in)
{
	uint64_t how = fuzz_take(in, 1);
	unsigned int ep = (how & 3) % GUEST_ENDPOINTS;

	if (how & 4 && g.features >> PVI_F_BYPASS_CONFIG & 1) {
		g.bypass = how & 8;
		pvi_iommu_set_bypass(g.iommu, g.bypass);
	} else {
		dma_on[ep] = how & 8;
		CHECK(!pvi_endpoint_set_dma(g.ep[ep], dma_on[ep]));
	}
}

static void set_up(uint64_t how)
{
	static const struct pvi_iommu_ops ops = {
		.ram = ram, .fault = on_fault, .mmio_allowed = mmio_allowed, .mmio = mmio};
	static const struct pvi_reserved reserved[] = {
		{0xfee00000, 0xfeefffff, true},
		{0x6000, 0x6fff, false},
	};
	struct pvi_iommu_config c = {
		.ops = &ops,
		.input_last = how & 2 ? UINT64_MAX : (1ull << 48) - 1,
		.domain_first = 1,
		.domain_last = GUEST_DOMAINS,
		.max_mappings = GUEST_MAPPINGS,
		.allow_bypass = how & 1,
	};

	memset(&g, 0, sizeof(g));
	memset(memory, 0, sizeof(memory));
	memset(due, 0, sizeof(due));
	run_max = how & 4 ? 0x123 : UINT64_MAX;
	g.target = target_ok;
	g.input.last = c.input_last;
	CHECK(!pvi_iommu_new(&c, &g.iommu));
	g.features = pvi_iommu_features(g.iommu);
	for (unsigned int i = 0; i < GUEST_ENDPOINTS; i++) {
		const struct pvi_endpoint_config ec = {reserved, i % 3, true, NULL};

		dma_on[i] = true;
		CHECK(!pvi_endpoint_add(g.iommu, i, &ec, &g.ep[i]));
	}
}

static void check_stats(void)
{
	for (unsigned int i = 0; i < GUEST_ENDPOINTS; i++) {
		struct pvi_endpoint_stats s;

		pvi_endpoint_get_stats(g.ep[i], &s);
		CHECK(s.dma_reads == due[i].dma_reads && s.dma_writes == due[i].dma_writes);
		CHECK(s.dma_read_bytes == due[i].dma_read_bytes);
		CHECK(s.dma_write_bytes == due[i].dma_write_bytes);
		CHECK(s.faults == due[i].faults && s.blocked == due[i].blocked);
		CHECK(s.attached == (g.at[i] != 0) && !s.failed);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};

	set_up(fuzz_take(&in, 1));
	while (in.left) {
		uint64_t op = fuzz_take(&in, 1) % 8;

		if (op < 3)
			op_map(&in);
		else if (op == 3)
			op_unmap(&in);
		else if (op == 4)
			op_attach(&in);
		else if (op == 5)
			op_switch(&in);
		else
			op_list(&in);
	}
	check_stats();
	for (unsigned int i = 0; i < GUEST_ENDPOINTS; i++)
		pvi_endpoint_remove(g.ep[i]);
	pvi_iommu_free(g.iommu);
	return 0;
}
