// SPDX-License-Identifier: BSD-2-Clause
/*
 * Requests for endpoints behind hardware that fails now and then: two backends, one of them
 * with two endpoints, and an endpoint without. After each operation the status is what the
 * model allows, the tables are what the oracle has, and so is what each backend holds that
 * has not failed for good.
 */
#include "fake_backend.h"
#include "guest.h"

#define BACKENDS 2u
#define RAM_SIZE 0x100000u

static struct guest g;
static struct fake_backend hw[BACKENDS];
static uint8_t ram_bytes[RAM_SIZE];
static bool start_bypass, ever_failed[BACKENDS];
static unsigned int nr_failed;

/* Which backend an endpoint is behind; the last has none. */
static struct fake_backend *hw_of(unsigned int ep)
{
	return ep < 2 ? &hw[0] : ep == 2 ? &hw[1] : NULL;
}

static void *ram(void *ctx, uint64_t gpa, uint64_t len, uint64_t *ret_len)
{
	if (gpa >= RAM_SIZE)
		return NULL;
	*ret_len = len < RAM_SIZE - gpa ? len : RAM_SIZE - gpa;
	return ram_bytes + gpa;
}

static void on_failed(void *ctx, uint32_t endpoint)
{
	nr_failed++;
}

static bool target_ok(struct pvi_range gpa, uint32_t flags)
{
	return gpa.last < RAM_SIZE && !(flags & PVI_MAP_F_MMIO);
}

/* ---- failures to come ---- */

struct plan {
	struct fake_backend *b; /* NULL: none */
	unsigned int calls;
	int n;
};

static struct plan take_plan(struct fuzz_in *in)
{
	static const int errors[] = {-ENOMEM, -EFAULT, -EIO, -EPERM};
	uint64_t how = fuzz_take(in, 1);
	struct plan p = {.b = how & 0x80 ? &hw[how & 1] : NULL};

	if (!p.b)
		return p;
	p.n = how >> 1 & 7;
	p.calls = p.b->calls;
	p.b->fail_in = p.n;
	p.b->error = errors[how >> 4 & 3];
	p.b->stay = how & 0x40;
	return p;
}

/* Over: did it come to that? */
static bool plan_hit(const struct plan *p)
{
	bool hit = p->b && p->b->calls - p->calls > (unsigned int)p->n;

	if (p->b) {
		p->b->fail_in = -1;
		p->b->stay = false;
		ever_failed[p->b - hw] |= hit;
	}
	return hit;
}

static bool broken(const struct fake_backend *b)
{
	return b->backend->broken;
}

/* Is hardware that has failed for good in this domain? */
static bool broken_in(unsigned int domain)
{
	for (unsigned int i = 0; i < GUEST_ENDPOINTS; i++)
		if (g.at[i] == domain && hw_of(i) && broken(hw_of(i)))
			return true;
	return false;
}

/* ---- what must be so after each operation ---- */

struct content {
	const struct oracle *o;
	unsigned int nr;
};

static int same(void *ctx, struct pvi_range iova, uint64_t target, unsigned int prot)
{
	struct content *c = ctx;
	const struct oracle_mapping *m = oracle_next(c->o, iova);

	CHECK(m && m->iova.first == iova.first && m->iova.last == iova.last &&
	      m->target == target && m->prot == prot);
	c->nr++;
	return 0;
}

static void check_tables(void)
{
	for (unsigned int id = 1; id <= GUEST_DOMAINS; id++) {
		struct pvi_domain *d = pvi_domain_find(g.iommu, id);
		struct content c = {&g.domain[id].o, 0};

		CHECK((d != NULL) == g.domain[id].live);
		if (!d)
			continue;
		CHECK(d->bypass == g.domain[id].bypass);
		if (d->bypass)
			continue;
		pvi_table_walk(d->table, (struct pvi_range){0, UINT64_MAX}, same, &c);
		CHECK(c.nr == c.o->nr);
	}
}

static void check_hw(const struct fake_backend *b, unsigned int at)
{
	const struct guest_domain *d = &g.domain[at];
	unsigned int nr = 0;

	if (broken(b)) {
		CHECK(ever_failed[b - hw]);
		/* What it was told to give up and did not is all that it can have. */
		CHECK(b->refused || (!b->nr && !b->identity));
		return;
	}
	CHECK(!b->refused);
	if (!at) {
		CHECK(!b->nr && (!b->identity || g.bypass));
		CHECK(b->identity == g.bypass || ever_failed[b - hw]);
		return;
	}
	CHECK(b->identity == d->bypass);
	for (size_t i = 0; i < d->o.nr && !d->bypass; i++) {
		const struct oracle_mapping *m = &d->o.mapping[i];

		if (!(m->prot & (PVI_READ | PVI_WRITE)))
			continue;
		CHECK(fake_backend_has(b, m->iova.first, m->target,
				       m->iova.last - m->iova.first + 1, m->prot));
		nr++;
	}
	CHECK(b->nr == nr);
}

static void check_all(void)
{
	unsigned int failed = 0;

	check_tables();
	check_hw(&hw[0], g.at[0] ? g.at[0] : g.at[1]);
	check_hw(&hw[1], g.at[2]);
	for (unsigned int i = 0; i < GUEST_ENDPOINTS; i++) {
		struct pvi_endpoint_stats s;

		pvi_endpoint_get_stats(g.ep[i], &s);
		CHECK(s.attached == (g.at[i] != 0));
		CHECK(s.failed == (hw_of(i) && broken(hw_of(i))));
		failed += s.failed;
	}
	/* The embedder was told of each, once. */
	CHECK(failed == nr_failed);
}

/* ---- operations ---- */

static uint64_t take_iova(struct fuzz_in *in)
{
	static const uint64_t base[] = {0,
					0x1fe000,
					0x3ffff000,
					0xfedfc000,
					0xfeefe000,
					(1ull << 39) - 0x4000,
					UINT64_MAX - 0x7fff,
					0x10000};
	uint64_t how = fuzz_take(in, 1);

	return base[how & 7] + (how >> 3) * GUEST_PAGE;
}

static void op_map(struct fuzz_in *in)
{
	struct plan p = take_plan(in);
	struct guest_map m = {.domain = (unsigned int)fuzz_take(in, 1)};
	uint8_t want, status;
	bool bad;

	m.flags = m.domain >> 3 & 3;
	m.virt.first = take_iova(in);
	m.virt.last = m.virt.first + (1 + (m.domain >> 5)) * GUEST_PAGE - 1;
	m.domain = (m.domain & 7) % (GUEST_DOMAINS + 2);
	m.phys = fuzz_take(in, 1) * GUEST_PAGE;
	want = model_map(&g, &m);
	bad = broken_in(m.domain);
	status = guest_map(&g, &m);
	bad |= plan_hit(&p);
	if (want != PVI_S_OK || !bad) {
		CHECK(status == want);
	} else {
		CHECK(status == PVI_S_NOMEM || status == PVI_S_FAULT || status == PVI_S_DEVERR);
	}
	if (status == PVI_S_OK)
		model_mapped(&g, &m);
}

static void op_unmap(struct fuzz_in *in)
{
	struct plan p = take_plan(in);
	unsigned int domain = (unsigned int)fuzz_take(in, 1);
	struct pvi_range virt = {.first = take_iova(in)};
	uint8_t want, status;

	virt.last = virt.first + (domain >> 3) * GUEST_PAGE / 2;
	domain = (domain & 7) % (GUEST_DOMAINS + 2);
	if (virt.last < virt.first || domain == 4)
		virt = (struct pvi_range){0, UINT64_MAX};
	want = model_unmap(&g, domain, virt);
	status = guest_unmap(&g, domain, virt);
	plan_hit(&p);
	CHECK(status == want || (want == PVI_S_OK && status == PVI_S_DEVERR && broken_in(domain)));
	/* Gone from the table whatever the hardware says: no later DMA finds it there. */
	if (want == PVI_S_OK)
		model_unmapped(&g, domain, virt);
}

/* The status that an ATTACH gets by its backend's rules, which come after the others. */
static uint8_t backend_rules(unsigned int domain, unsigned int ep, uint8_t want)
{
	const struct fake_backend *b = ep < GUEST_ENDPOINTS ? hw_of(ep) : NULL;

	if (!b || (want != PVI_S_OK && want != PVI_S_UNSUPP))
		return want;
	if (broken(b))
		return PVI_S_DEVERR;
	for (unsigned int i = 0; i < GUEST_ENDPOINTS && want == PVI_S_OK; i++)
		if (i != ep && hw_of(i) == b && g.at[i] && g.at[i] != domain && g.at[ep] != domain)
			return PVI_S_UNSUPP;
	return want;
}

static void op_attach(struct fuzz_in *in)
{
	struct plan p = take_plan(in);
	uint64_t how = fuzz_take(in, 1);
	unsigned int domain = (how & 7) % (GUEST_DOMAINS + 2), ep = (how >> 3 & 7) % 5;
	bool bypass = how & 0x40;
	uint8_t want = backend_rules(domain, ep, model_attach(&g, domain, ep, bypass)), status;
	bool hit;

	status = guest_attach(&g, domain, ep, bypass);
	hit = plan_hit(&p);
	if (want != PVI_S_OK || !hit)
		CHECK(status == want);
	else
		CHECK(status == PVI_S_NOMEM || status == PVI_S_FAULT || status == PVI_S_DEVERR);
	if (status == PVI_S_OK)
		model_attached(&g, domain, ep, bypass);
}

static void op_detach(struct fuzz_in *in)
{
	struct plan p = take_plan(in);
	uint64_t how = fuzz_take(in, 1);
	unsigned int domain = (how & 7) % (GUEST_DOMAINS + 2), ep = (how >> 3 & 7) % 5;
	uint8_t want = model_detach(&g, domain, ep), status;

	status = guest_detach(&g, domain, ep);
	plan_hit(&p);
	CHECK(status == want ||
	      (want == PVI_S_OK && status == PVI_S_DEVERR && hw_of(ep) && broken(hw_of(ep))));
	if (want == PVI_S_OK)
		model_detached(&g, ep);
}

static void op_other(struct fuzz_in *in)
{
	struct plan p = take_plan(in);
	uint64_t how = fuzz_take(in, 1);
	unsigned int ep = how >> 4 & 3;
	bool on = how & 4, dead = hw_of(ep) && broken(hw_of(ep));

	if ((how & 3) == 0) {
		pvi_iommu_system_reset(g.iommu);
		g.bypass = start_bypass;
		for (unsigned int i = 0; i < GUEST_ENDPOINTS; i++)
			model_detached(&g, i);
	} else if ((how & 3) == 1) {
		if (g.features >> PVI_F_BYPASS_CONFIG & 1) {
			g.bypass = on;
			pvi_iommu_set_bypass(g.iommu, on);
		}
	} else {
		CHECK(pvi_endpoint_set_dma(g.ep[ep], on) == (on && dead ? -EBUSY : 0));
	}
	plan_hit(&p);
}

static void set_up(uint64_t how)
{
	static const struct pvi_iommu_ops ops = {.ram = ram, .failed = on_failed};
	static const struct pvi_window windows[] = {{0x1000, 0xfedfffff},
						    {0xfef00000, (1ull << 39) - 1}};
	static const struct pvi_reserved msi = {0xfee00000, 0xfeefffff, true};
	struct pvi_iommu_config c = {
		.ops = &ops,
		.input_last = UINT64_MAX,
		.domain_first = 1,
		.domain_last = GUEST_DOMAINS,
		.max_mappings = GUEST_MAPPINGS,
		.allow_bypass = how & 1,
		.start_bypass = (how & 3) == 3,
	};

	memset(&g, 0, sizeof(g));
	memset(ever_failed, 0, sizeof(ever_failed));
	nr_failed = 0;
	start_bypass = g.bypass = c.start_bypass;
	g.target = target_ok;
	g.input.last = c.input_last;
	CHECK(!pvi_iommu_new(&c, &g.iommu));
	g.features = pvi_iommu_features(g.iommu);
	for (unsigned int i = 0; i < BACKENDS; i++) {
		hw[i] = (struct fake_backend){.fail_in = -1};
		CHECK(!fake_backend_try(&hw[i], g.iommu, i ? windows : NULL, i ? 2 : 0));
	}
	for (unsigned int i = 0; i < GUEST_ENDPOINTS; i++) {
		const struct pvi_endpoint_config ec = {&msi, i & 1, true,
						       hw_of(i) ? hw_of(i)->backend : NULL};

		CHECK(!pvi_endpoint_add(g.iommu, i, &ec, &g.ep[i]));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const ops[])(struct fuzz_in *) = {op_map,	   op_map,    op_map,	 op_unmap,
							op_attach, op_attach, op_detach, op_other};
	struct fuzz_in in = {data, size};

	set_up(fuzz_take(&in, 1));
	while (in.left) {
		ops[fuzz_take(&in, 1) % 8](&in);
		check_all();
	}
	for (unsigned int i = 0; i < GUEST_ENDPOINTS; i++)
		pvi_endpoint_remove(g.ep[i]);
	for (unsigned int i = 0; i < BACKENDS; i++)
		pvi_backend_free(hw[i].backend);
	pvi_iommu_free(g.iommu);
	return 0;
}
