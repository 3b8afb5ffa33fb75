// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a driver may ask the device about itself: registers in any width at any offset, through
 * the BAR and through the window of config space, the configuration, and PROBE with any
 * buffers for endpoints with any reserved regions. Each answer is compared byte for byte.
 */
#include "fake_driver.h"
#include "fuzz.h"

#define ENDPOINTS   3u
#define PROBE_SIZE  512u
#define CONFIG_SIZE 40u
#define OFF_BYPASS  36u
#define BAR	    3
#define OUT	    DRV_DATA		/* of a PROBE: the request, */
#define IN	    (DRV_DATA + 0x1000) /* and its buffers, with gaps between them */
#define AREA_SIZE   0x4000u
#define MAX_BUFFERS 6u

static struct fake_host host;
static struct pvi_iommu_config cfg;
static struct pvi_iommu *iommu;
static struct driver drv;
static struct pvi_endpoint *ep[ENDPOINTS];
static struct {
	bool there;
	struct pvi_reserved reserved[16];
	size_t nr;
} model[ENDPOINTS];
static bool bypass;

/* ---- endpoints ---- */

static bool list_good(const struct pvi_reserved *r, size_t nr)
{
	unsigned int msi = 0;

	for (size_t i = 0; i < nr; i++) {
		msi += r[i].msi;
		if (r[i].first > r[i].last)
			return false;
		for (size_t j = 0; j < i; j++)
			if (r[i].first <= r[j].last && r[j].first <= r[i].last)
				return false;
	}
	return nr <= 8 && msi <= 1;
}

static void add_endpoint(struct fuzz_in *in, uint32_t id)
{
	uint64_t how = fuzz_take(in, 1);
	struct pvi_endpoint_config c = {.reserved = model[id].reserved, .dma_on = true};

	c.nr_reserved = model[id].nr = how % 10;
	for (size_t i = 0; i < model[id].nr; i++) {
		struct pvi_reserved *r = &model[id].reserved[i];

		r->first = how & 0x80 ? fuzz_take(in, 8) : i << 20 | fuzz_take(in, 1) << 12;
		r->last = r->first + fuzz_take(in, 2);
		r->msi = fuzz_take(in, 1) == 1;
	}
	model[id].there = list_good(model[id].reserved, model[id].nr);
	ep[id] = NULL;
	CHECK(pvi_endpoint_add(iommu, id, &c, &ep[id]) == (model[id].there ? 0 : -EINVAL));
	CHECK(model[id].there == (ep[id] != NULL));
}

/* ---- registers ---- */

static uint64_t negotiated(void)
{
	if (!(drv_read(&drv, 0x14, 1) & PVI_VIRTIO_S_FEATURES_OK))
		return 0;
	drv_write(&drv, 0x08, 0, 4);
	return drv_read(&drv, 0x0c, 4);
}

static void put_config(uint8_t *p)
{
	memset(p, 0, CONFIG_SIZE);
	pvi_put64(p, cfg.page_size_mask ? cfg.page_size_mask : ~0xfffull);
	pvi_put64(p + 8, cfg.input_first);
	pvi_put64(p + 16, cfg.input_last);
	pvi_put32(p + 24, cfg.domain_first);
	pvi_put32(p + 28, cfg.domain_last);
	pvi_put32(p + 32, PROBE_SIZE);
	p[OFF_BYPASS] = bypass;
}

static bool width_ok(uint32_t len)
{
	return len == 1 || len == 2 || len == 4 || len == 8;
}

/* What a read must give where that is known: the configuration, and where nothing is. */
static bool known(uint64_t off, uint32_t len, uint8_t *ret)
{
	uint8_t config[CONFIG_SIZE];
	bool in_config = off >= PVI_VP_DEVICE && off < PVI_VP_DEVICE + CONFIG_SIZE &&
			 off + len <= PVI_VP_DEVICE + CONFIG_SIZE;

	memset(ret, 0, len);
	if (width_ok(len) && (off < 0x38 || off == PVI_VP_ISR))
		return false;
	if (width_ok(len) && in_config) {
		put_config(config);
		memcpy(ret, config + (off - PVI_VP_DEVICE), len);
	}
	return true;
}

static uint64_t take_offset(struct fuzz_in *in)
{
	static const uint64_t base[] = {0,	0x14,	0x20,	0xff8,	0x1ff8,	 0x2000,
					0x2018, 0x2ff8, 0x3000, 0x3ff8, 0x10000, UINT64_MAX - 8};
	uint64_t how = fuzz_take(in, 1);

	return how >= 0xf0 ? fuzz_take(in, 8) : base[how % 12] + (how / 12);
}

static void op_read(struct fuzz_in *in)
{
	uint64_t off = take_offset(in);
	uint32_t len = (uint32_t)fuzz_take(in, 1) % 17;
	uint8_t got[24], want[24];

	memset(got, 0xcc, sizeof(got));
	pvi_viommu_bar_read(drv.v, off, got, len);
	for (uint32_t i = len; i < sizeof(got); i++)
		CHECK(got[i] == 0xcc);
	if (known(off, len, want))
		CHECK(!memcmp(got, want, len));
}

static void op_write(struct fuzz_in *in)
{
	uint64_t off = take_offset(in), f = negotiated();
	uint32_t len = (uint32_t)fuzz_take(in, 1) % 17;
	uint8_t raw[24], was[CONFIG_SIZE], is[CONFIG_SIZE];

	for (uint32_t i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)(i < len ? fuzz_take(in, 1) : 0xcc);
	if (off == PVI_VP_DEVICE + OFF_BYPASS && len == 1 && raw[0] <= 1 &&
	    f >> PVI_F_BYPASS_CONFIG & 1)
		bypass = raw[0];
	put_config(was);
	pvi_viommu_bar_write(drv.v, off, raw, len);
	for (uint32_t i = 0; i < CONFIG_SIZE; i += 4)
		pvi_put32(is + i, (uint32_t)drv_read(&drv, PVI_VP_DEVICE + i, 4));
	CHECK(!memcmp(was, is, CONFIG_SIZE));
}

/* The window shows what the BAR shows, and nothing behind another BAR's number. */
static void op_window(struct fuzz_in *in)
{
	uint64_t how = fuzz_take(in, 1);
	uint32_t off = (uint32_t)take_offset(in), len = (uint32_t)fuzz_take(in, 1) % 9;
	uint8_t cap[24], copy[24], want[8] = {0};
	bool good;

	memset(cap, 0xcc, sizeof(cap));
	cap[4] = how & 0x40 ? (uint8_t)how : BAR;
	pvi_put32(cap + 8, off);
	pvi_put32(cap + 12, len);
	good = cap[4] == BAR && (len == 1 || len == 2 || len == 4) && !(off % len);
	if (how & 0x80) {
		/* Not the status: a reset is op_write()'s affair, here nothing may change. */
		pvi_put32(cap + 16, off < 0x38 ? 0xffffffff : (uint32_t)fuzz_take(in, 4));
		if (good && off == PVI_VP_DEVICE + OFF_BYPASS && len == 1 && cap[16] <= 1 &&
		    negotiated() >> PVI_F_BYPASS_CONFIG & 1)
			bypass = cap[16];
		memcpy(copy, cap, sizeof(cap));
		pvi_viommu_window(drv.v, BAR, cap, true);
		CHECK(!memcmp(copy, cap, sizeof(cap)));
		return;
	}
	memcpy(copy, cap, sizeof(cap));
	pvi_viommu_window(drv.v, BAR, cap, false);
	CHECK(!memcmp(copy, cap, 16) && !memcmp(copy + 20, cap + 20, 4));
	if (good && known(off, len, want))
		CHECK(!memcmp(cap + 16, want, len));
	if (!good)
		CHECK(!pvi_get32(cap + 16));
}

/* The capabilities are a chain within what they were given, and stay there. */
static void op_caps(struct fuzz_in *in)
{
	uint8_t at = (uint8_t)(0x40 + fuzz_take(in, 1) % 0x60), buf[PVI_VIOMMU_CAPS_SIZE + 8];
	uint8_t next = (uint8_t)fuzz_take(in, 1), pos = at;

	memset(buf, 0xcc, sizeof(buf));
	pvi_viommu_caps(drv.v, BAR, at, next, buf);
	for (int i = 0; i < 5; i++) {
		const uint8_t *cap = buf + (pos - at);

		CHECK(cap[0] == 9 && cap[3] == i + 1 && cap[2] >= 16);
		CHECK(pos - at + cap[2] <= PVI_VIOMMU_CAPS_SIZE);
		CHECK((uint64_t)pvi_get32(cap + 8) + pvi_get32(cap + 12) <= PVI_VIOMMU_BAR_SIZE);
		pos = cap[1];
	}
	CHECK(pos == next);
	for (size_t i = PVI_VIOMMU_CAPS_SIZE; i < sizeof(buf); i++)
		CHECK(buf[i] == 0xcc);
}

/* ---- PROBE ---- */

/* The bytes of a reply that fits; returns how many. */
static uint32_t put_properties(uint8_t *p, uint32_t id)
{
	memset(p, 0, PROBE_SIZE);
	for (size_t i = 0; i < model[id].nr; i++, p += 24) {
		const struct pvi_reserved *r = &model[id].reserved[i];

		pvi_put16(p, 1);
		pvi_put16(p + 2, 20);
		p[4] = r->msi;
		pvi_put64(p + 8, r->first);
		pvi_put64(p + 16, r->last);
	}
	return PROBE_SIZE;
}

/* What is to be written at which offset of the writable part, and the used length. */
static uint32_t due_reply(uint32_t id, uint32_t out_len, uint32_t in_len, uint8_t *ret,
			  uint32_t *ret_off)
{
	bool found = id < ENDPOINTS && model[id].there;

	*ret_off = 0;
	if (in_len < 4 || !(negotiated() >> PVI_F_PROBE & 1))
		return 0;
	memset(ret, 0, PROBE_SIZE + 4);
	if (in_len < PROBE_SIZE + 4) {
		*ret_off = in_len - 4;
		ret[0] = PVI_S_INVAL;
		return in_len;
	}
	if (out_len < 72) {
		ret[PROBE_SIZE] = PVI_S_INVAL;
	} else if (!found) {
		ret[PROBE_SIZE] = PVI_S_NOENT;
	} else {
		put_properties(ret, id);
	}
	return PROBE_SIZE + 4;
}

static void op_probe(struct fuzz_in *in)
{
	static uint8_t want[AREA_SIZE];
	uint8_t reply[PROBE_SIZE + 4], *area = host_at(&host, OUT);
	uint64_t how = fuzz_take(in, 1);
	uint32_t id = (uint32_t)fuzz_take(in, 1) % (ENDPOINTS + 1), head, used, due, off;
	uint32_t out_len = how & 1 ? (uint32_t)fuzz_take(in, 1) : 72, in_len = 0, done = 0;
	uint32_t len[MAX_BUFFERS];
	unsigned int nr = 1 + (how >> 1) % MAX_BUFFERS;

	if (!drv_start(&drv, how & 0x80 ? DRV_F_COMMON & ~(1ull << PVI_F_PROBE) : DRV_F_COMMON))
		return;
	memset(area, 0xee, AREA_SIZE);
	memset(area, 0, 72);
	area[0] = PVI_T_PROBE;
	pvi_put32(area + 4, id);
	area[8 + fuzz_take(in, 1) % 64] = (uint8_t)how; /* reserved: to be ignored */
	out_len = out_len < 4 ? 4 : out_len;
	for (unsigned int i = 0; i < nr; i++) {
		len[i] = 1 + (uint32_t)fuzz_take(in, 2) % (how & 0x40 ? 0x230 : 0x90);
		in_len += len[i];
	}
	drv_desc(&drv, PVI_VQ_REQUEST, 0, OUT, out_len, DRV_NEXT, 1);
	for (unsigned int i = 0; i < nr; i++)
		drv_desc(&drv, PVI_VQ_REQUEST, (uint16_t)(1 + i), IN + 0x400 * i, len[i],
			 i + 1 < nr ? DRV_WRITE | DRV_NEXT : DRV_WRITE, (uint16_t)(2 + i));
	memcpy(want, area, AREA_SIZE);
	due = due_reply(id, out_len, in_len, reply, &off);
	/* Spread over the buffers, gaps and what is behind the reply as they were. */
	for (unsigned int i = 0; i < nr; done += len[i++])
		for (uint32_t k = 0; k < len[i]; k++)
			if (done + k >= off && done + k < due)
				want[IN - OUT + 0x400 * i + k] = reply[done + k - off];
	drv_offer(&drv, PVI_VQ_REQUEST, 0);
	drv_kick(&drv, PVI_VQ_REQUEST);
	CHECK(drv_take(&drv, PVI_VQ_REQUEST, &head, &used) && head == 0 && used == due);
	CHECK(!memcmp(area, want, AREA_SIZE));
}

static void set_up(struct fuzz_in *in)
{
	static const uint64_t sizes[] = {0, 0x1000, 0x40201000, 0x10000, ~0xfffull, 0x200000};
	uint64_t how = fuzz_take(in, 1);

	if (!host.slot[0])
		host_init(&host);
	cfg = host_config(&host);
	cfg.page_size_mask = sizes[(how >> 2) % 6];
	cfg.allow_bypass = how & 1;
	cfg.start_bypass = (how & 3) == 3;
	cfg.input_first = fuzz_take(in, 1) << 12;
	cfg.input_last = cfg.input_first + (fuzz_take(in, 1) << 24 | 0xfff);
	cfg.domain_first = (uint32_t)fuzz_take(in, 1);
	cfg.domain_last = cfg.domain_first + (uint32_t)fuzz_take(in, 2);
	bypass = cfg.start_bypass;
	CHECK(!pvi_iommu_new(&cfg, &iommu));
	drv = (struct driver){.h = &host, .v = host_viommu(&host, iommu)};
	for (uint32_t i = 0; i < ENDPOINTS; i++)
		add_endpoint(in, i);
	CHECK(drv_start(&drv, drv_features(&drv)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const ops[])(struct fuzz_in *) = {op_read, op_write, op_window, op_caps,
							op_probe};
	struct fuzz_in in = {data, size};

	set_up(&in);
	while (in.left) {
		uint64_t op = fuzz_take(&in, 1);

		if (op == 0xff) {
			pvi_viommu_system_reset(drv.v);
			bypass = cfg.start_bypass;
		} else {
			ops[op % 5](&in);
		}
	}
	for (uint32_t i = 0; i < ENDPOINTS; i++)
		pvi_endpoint_remove(ep[i]);
	pvi_viommu_free(drv.v);
	pvi_iommu_free(iommu);
	return 0;
}
