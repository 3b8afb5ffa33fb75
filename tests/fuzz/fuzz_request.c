// SPDX-License-Identifier: BSD-2-Clause
/*
 * A hostile driver of the virtio-iommu: requests in any descriptor layout, rings
 * and registers written at will, DMA in between. Beside not crashing, the device
 * must keep its caps, and in strict an endpoint that is not attached must never
 * reach memory.
 */
#include "fake_driver.h"
#include "fuzz.h"

#define MAX_MAPPINGS 64u
#define MAX_BYTES    (256u << 10)
#define MAX_DOMAINS  4u
#define ENDPOINTS    3

static struct fake_host host;
static struct driver drv;
static struct pvi_iommu *iommu;
static struct pvi_endpoint *ep[ENDPOINTS];

/* An address where something happens: RAM, its ends, the queues, anything. */
static uint64_t take_address(struct fuzz_in *in)
{
	static const uint64_t base[] = {
		0, 0x1000, DRV_DATA, HOST_SLOT_SIZE, HOST_HOLE, HOST_HIGH, 0xfee00000, UINT64_MAX,
	};
	uint64_t how = fuzz_take(in, 1);

	if (how >= 0xf0)
		return fuzz_take(in, 8);
	return base[how & 7] + ((fuzz_take(in, 1) - 8) << (how & 8 ? 12 : 0)) - (how >> 4 & 1);
}

static void put_request(struct fuzz_in *in, uint8_t *p)
{
	uint64_t kind = fuzz_take(in, 1);

	memset(p, 0, 128);
	p[0] = kind >= 0xf0 ? (uint8_t)fuzz_take(in, 1) : (uint8_t)(kind % 5 + 1);
	pvi_put32(p + 4, (uint32_t)(fuzz_take(in, 1) % 7));
	switch (p[0]) {
	case PVI_T_ATTACH:
	case PVI_T_DETACH:
		pvi_put32(p + 8, (uint32_t)(fuzz_take(in, 1) % (ENDPOINTS + 2)));
		pvi_put32(p + 12, kind & 0x40 ? (uint32_t)fuzz_take(in, 4) : 0);
		break;
	case PVI_T_MAP:
	case PVI_T_UNMAP:
		pvi_put64(p + 8, take_address(in));
		pvi_put64(p + 16, pvi_get64(p + 8) + (fuzz_take(in, 1) << 12) + 0xfff);
		if (kind & 0x40)
			pvi_put64(p + 16, take_address(in));
		if (p[0] == PVI_T_MAP) {
			pvi_put64(p + 24, take_address(in));
			pvi_put32(p + 32, (uint32_t)(fuzz_take(in, 1) & 7));
		}
		break;
	}
	if (kind & 0x80)
		p[fuzz_take(in, 1) & 127] ^= (uint8_t)fuzz_take(in, 1);
}

/* A request cut into pieces as the input says. */
static void op_request(struct fuzz_in *in)
{
	static const uint32_t size[] = {4, 20, 20, 36, 28, 72};
	unsigned int slot = (unsigned int)fuzz_take(in, 1) % 16;
	uint16_t i = (uint16_t)(16 * slot), head = i;
	uint32_t in_len = (uint32_t)fuzz_take(in, 1), off = 0, out_len;
	uint8_t *p = host_at(&host, drv_out(slot));

	put_request(in, p);
	out_len = size[p[0] <= PVI_T_PROBE ? p[0] : 0];
	if (in_len >= 0x80) /* mostly what it should be */
		in_len = p[0] == PVI_T_PROBE ? 516 : 4;
	else if (in_len & 0x40)
		out_len = (uint32_t)fuzz_take(in, 1);
	while (off < out_len && i < head + 12) {
		uint32_t n = (uint32_t)fuzz_take(in, 1) & 0x3f;

		n = !n || i == head + 11 || n > out_len - off ? out_len - off : n;
		drv_desc(&drv, 0, i, drv_out(slot) + off, n, DRV_NEXT, (uint16_t)(i + 1));
		off += n;
		i++;
	}
	drv_desc(&drv, 0, i, drv_in(slot), in_len & 1 ? 1 : in_len,
		 in_len & 1 ? DRV_WRITE | DRV_NEXT : DRV_WRITE, (uint16_t)(i + 1));
	drv_desc(&drv, 0, (uint16_t)(i + 1), drv_in(slot) + 1, in_len - 1, DRV_WRITE, 0);
	drv_offer(&drv, 0, head);
}

static void op_desc(struct fuzz_in *in)
{
	unsigned int q = fuzz_take(in, 1) & 1;
	uint64_t i = fuzz_take(in, 1), address = take_address(in), len = fuzz_take(in, 2);
	uint64_t flags = fuzz_take(in, 1) & 7, next = fuzz_take(in, 1);

	drv_desc(&drv, q, (uint16_t)i, address, (uint32_t)(len < 0xff00 ? len : len << 16),
		 (uint16_t)flags, (uint16_t)next);
}

static void op_dma(struct fuzz_in *in)
{
	struct pvi_endpoint *e = ep[fuzz_take(in, 1) % ENDPOINTS];
	uint64_t iova = take_address(in), len = fuzz_take(in, 2);
	static uint8_t buf[1 << 17];
	struct pvi_endpoint_stats s;
	int err;

	pvi_endpoint_get_stats(e, &s);
	err = len & 1 ? pvi_dma_write(e, iova, buf, 2 * len) : pvi_dma_read(e, iova, buf, 2 * len);
	CHECK(err == 0 || err == -EFAULT || err == -EACCES || err == -EINVAL);
	CHECK(s.attached || s.bypass || err || !len);
}

static void op_register(struct fuzz_in *in)
{
	static const uint16_t base[] = {0, 0x14, 0x20, 0x1000, 0x2000, 0x2024, 0x3000, 0x3ff8};
	uint64_t how = fuzz_take(in, 1), off = base[how & 7] + (fuzz_take(in, 1) & 0x3f);
	uint32_t len = how & 0x80 ? (uint32_t)fuzz_take(in, 1) % 9 : 1u << (how >> 4 & 3);
	uint8_t raw[8];

	pvi_put64(raw, fuzz_take(in, how & 8 ? 8 : 1));
	if (how & 0x40)
		pvi_viommu_bar_write(drv.v, off, raw, len);
	else
		pvi_viommu_bar_read(drv.v, off, raw, len);
}

static void restart(uint64_t how)
{
	uint64_t features = how & 1 ? drv_features(&drv) : DRV_F_COMMON;

	if (how & 2)
		pvi_viommu_system_reset(drv.v);
	if (how & 4)
		features &= ~(1ull << PVI_F_MAP_UNMAP);
	CHECK(drv_start(&drv, features));
}

static void do_op(struct fuzz_in *in)
{
	uint64_t op = fuzz_take(in, 1), v;

	switch (op % 12) {
	case 0 ... 3:
		op_request(in);
		break;
	case 4:
	case 5:
		drv_kick(&drv, PVI_VQ_REQUEST);
		break;
	case 6:
		op_desc(in);
		break;
	case 7:
		op_dma(in);
		break;
	case 8:
		op_register(in);
		break;
	case 9:
		drv_offer(&drv, op >> 7, (uint16_t)fuzz_take(in, op & 0x40 ? 2 : 1));
		break;
	case 10:
		drv_give_event(&drv, (unsigned int)fuzz_take(in, 1) % 64,
			       (uint32_t)fuzz_take(in, 1) % 32);
		drv_kick(&drv, PVI_VQ_EVENT);
		break;
	default:
		v = fuzz_take(in, 1);
		if (v < 0x40)
			restart(v);
		else
			pvi_endpoint_set_dma(ep[v % ENDPOINTS], v & 0x80);
	}
}

static void set_up(uint64_t how)
{
	static const struct pvi_reserved window = {0xfee00000, 0xfeefffff, true};
	struct pvi_iommu_config c;

	if (!host.slot[0])
		host_init(&host);
	for (int i = 0; i < 3; i++)
		memset(host.slot[i], 0, HOST_SLOT_SIZE);
	c = host_config(&host);
	c.allow_bypass = how & 1;
	c.start_bypass = (how & 3) == 3;
	c.input_last = how & 4 ? UINT64_MAX : c.input_last;
	c.domain_last = 5;
	c.max_domains = MAX_DOMAINS;
	c.max_mappings = MAX_MAPPINGS;
	c.max_table_bytes = MAX_BYTES;
	iommu = host_iommu(&c);
	for (uint32_t i = 0; i < ENDPOINTS; i++) {
		struct pvi_endpoint_config ec = {&window, i, true};

		ec.nr_reserved = i == 1;
		CHECK(!pvi_endpoint_add(iommu, i, &ec, &ep[i]));
	}
	drv = (struct driver){.h = &host, .v = host_viommu(&host, iommu)};
	restart(how >> 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	struct pvi_iommu_stats s;

	set_up(fuzz_take(&in, 1));
	while (in.left) {
		do_op(&in);
		pvi_iommu_get_stats(iommu, &s);
		CHECK(s.domains <= MAX_DOMAINS && s.mappings <= MAX_DOMAINS * MAX_MAPPINGS &&
		      s.table_bytes <= (uint64_t)MAX_DOMAINS * MAX_BYTES);
	}
	for (int i = 0; i < ENDPOINTS; i++)
		pvi_endpoint_remove(ep[i]);
	pvi_iommu_get_stats(iommu, &s);
	CHECK(!s.domains);
	pvi_viommu_free(drv.v);
	pvi_iommu_free(iommu);
	return 0;
}
