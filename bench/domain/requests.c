// SPDX-License-Identifier: BSD-2-Clause
/*
 * MAP and UNMAP from the doorbell to the used ring. The same bytes in the same
 * ring go to the device of the library and to a handler that keeps a GTree behind
 * a mutex, does the checks of the specification and shares our virtqueue code.
 */
#include <errno.h>
#include <string.h>

#include <pviommu/viommu.h>

#include "bench.h"
#include "core/virtio_pci.h"
#include "core/wire.h"
#include "requests.h"

#define RAM_SIZE REQUESTS_RAM
#define QUEUE	 256u
#define KICK	 64u /* requests a kick */
#define KICKS	 64u /* kicks a sample */
#define LIVE	 131072u
#define DESC	 0x10000ull
#define AVAIL	 0x14000ull
#define USED	 0x18000ull
#define BUFFERS	 0x100000ull
#define BUFFER	 0x100ull /* table, request and reply of one slot */
#define REPLY	 0x80ull
#define TABLE	 0xc0ull
#define NEXT	 1u
#define WRITE	 2u
#define INDIRECT 4u

struct handler {
	const char *name;
	void *self;
	void (*kick)(void *self);
	uint8_t *ram;
	uint16_t avail, used;
	uint64_t from; /* how many pages were mapped so far */
};

static void *ram_at(void *ctx, uint64_t gpa, uint64_t len, uint64_t *ret_len)
{
	if (gpa >= RAM_SIZE)
		return NULL;
	*ret_len = len < RAM_SIZE - gpa ? len : RAM_SIZE - gpa;
	return (uint8_t *)ctx + gpa;
}

/* ---- the driver's side ---- */

static void put_desc(uint8_t *d, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	pvi_put64(d, addr);
	pvi_put32(d + 8, len);
	pvi_put16(d + 12, flags);
	pvi_put16(d + 14, next);
}

static uint64_t request_iova(uint64_t j)
{
	return BASE + churn_page(j, LIVE) * PAGE;
}

static uint32_t put_map(uint8_t *p, uint64_t iova, uint64_t gpa)
{
	struct pvi_wire_map m = {.head.type = PVI_T_MAP};

	pvi_put32(&m.domain, 1);
	pvi_put64(&m.virt_start, iova);
	pvi_put64(&m.virt_end, iova + PAGE - 1);
	pvi_put64(&m.phys_start, gpa);
	pvi_put32(&m.flags, PVI_MAP_F_READ | PVI_MAP_F_WRITE);
	memcpy(p, &m, sizeof(m));
	return sizeof(m);
}

static uint32_t put_unmap(uint8_t *p, uint64_t iova)
{
	struct pvi_wire_unmap u = {.head.type = PVI_T_UNMAP};

	pvi_put32(&u.domain, 1);
	pvi_put64(&u.virt_start, iova);
	pvi_put64(&u.virt_end, iova + PAGE - 1);
	memcpy(p, &u, sizeof(u));
	return sizeof(u);
}

/* Slot @i's chain: request and reply, in the ring's table or in one of its own. */
static void put_chain(struct handler *h, unsigned int i, uint32_t len, bool indirect)
{
	uint64_t at = BUFFERS + i * BUFFER;
	uint8_t *d = h->ram + (indirect ? at + TABLE : DESC + 32ull * i);
	uint16_t first = (uint16_t)(indirect ? 0 : 2 * i);

	put_desc(d, at, len, NEXT, (uint16_t)(first + 1));
	put_desc(d + 16, at + REPLY, sizeof(struct pvi_wire_tail), WRITE, 0);
	h->ram[at + REPLY] = 0xff;
	if (indirect)
		put_desc(h->ram + DESC + 32ull * i, at + TABLE, 32, INDIRECT, 0);
	pvi_put16(h->ram + AVAIL + 4 + 2 * (h->avail++ % QUEUE), (uint16_t)(2 * i));
}

static void offer(struct handler *h, unsigned int nr)
{
	__atomic_store_n((uint16_t *)(h->ram + AVAIL + 2), h->avail, __ATOMIC_RELEASE);
	h->kick(h->self);
	h->used = (uint16_t)(h->used + nr);
	CHECK(__atomic_load_n((uint16_t *)(h->ram + USED + 2), __ATOMIC_ACQUIRE) == h->used);
}

static void check_replies(struct handler *h, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		CHECK(h->ram[BUFFERS + i * BUFFER + REPLY] == PVI_S_OK);
}

static int compare_ns(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * Only the device's share is timed: from the doorbell to the published ring. The
 * median of KICKS, by the clock that costs no system call: the clock of the thread's
 * own time costs more than a dozen requests, and an interruption meets few of KICKS.
 */
static uint64_t kicks(struct handler *h, bool indirect)
{
	uint64_t ns[KICKS];

	for (unsigned int n = 0; n < KICKS; n++) {
		uint64_t begin;

		for (unsigned int i = 0; i < KICK; i++) {
			uint8_t *p = h->ram + BUFFERS + i * BUFFER;
			uint32_t len;

			if (i & 1 && h->from >= OUTSTANDING)
				len = put_unmap(p, request_iova(h->from - OUTSTANDING));
			else
				len = put_map(p, request_iova(h->from), h->from % 4096 * PAGE);
			h->from += h->from < OUTSTANDING || i & 1;
			put_chain(h, i, len, indirect);
		}
		begin = now_ns();
		offer(h, KICK);
		ns[n] = now_ns() - begin;
		check_replies(h, KICK);
	}
	qsort(ns, KICKS, sizeof(ns[0]), compare_ns);
	return ns[KICKS / 2];
}

static void fill_live(struct handler *h)
{
	for (uint64_t page = 0; page < 2 * LIVE; page += 2 * KICK) {
		for (unsigned int i = 0; i < KICK; i++)
			put_chain(h, i,
				  put_map(h->ram + BUFFERS + i * BUFFER,
					  BASE + (page + 2 * i) * PAGE, page % 4096 * PAGE),
				  false);
		offer(h, KICK);
		check_replies(h, KICK);
	}
}

/* ---- our device ---- */

static const struct pvi_iommu_ops iommu_ops = {.ram = ram_at};
static struct pvi_endpoint *endpoint;

static void no_interrupt(void *ctx, uint16_t vector)
{
}

static void ours_kick(void *self)
{
	uint8_t raw[2] = {0};

	pvi_viommu_bar_write(self, PVI_VP_NOTIFY, raw, sizeof(raw));
}

static void reg(struct pvi_viommu *v, uint64_t off, uint64_t value, uint32_t len)
{
	uint8_t raw[8];

	pvi_put64(raw, value);
	pvi_viommu_bar_write(v, off, raw, len);
}

static void ours_start(struct handler *h)
{
	static const struct pvi_viommu_ops ops = {no_interrupt};
	const struct pvi_iommu_config ic = {
		.ops = &iommu_ops, .ctx = h->ram, .input_last = UINT64_MAX, .domain_last = 100};
	const struct pvi_endpoint_config ec = {.dma_on = true};
	const struct pvi_viommu_config vc = {.ops = &ops};
	struct pvi_wire_attach a = {.head.type = PVI_T_ATTACH};
	struct pvi_iommu *iommu;
	struct pvi_viommu *v;
	uint8_t byte = 0;

	CHECK(!pvi_iommu_new(&ic, &iommu) && !pvi_endpoint_add(iommu, 8, &ec, &endpoint));
	CHECK(!pvi_viommu_new(iommu, &vc, &v));
	h->self = v;
	reg(v, 0x14, 0, 1);
	reg(v, 0x14, 3, 1);
	reg(v, 0x08, 0, 4);
	reg(v, 0x0c,
	    1u << PVI_F_INPUT_RANGE | 1u << PVI_F_MAP_UNMAP | 1u << PVI_VIRTIO_F_INDIRECT_DESC, 4);
	reg(v, 0x08, 1, 4);
	reg(v, 0x0c, 1, 4);
	reg(v, 0x14, 11, 1);
	reg(v, 0x16, PVI_VQ_REQUEST, 2);
	reg(v, 0x20, DESC, 8);
	reg(v, 0x28, AVAIL, 8);
	reg(v, 0x30, USED, 8);
	reg(v, 0x1c, 1, 2);
	reg(v, 0x14, 15, 1);
	pvi_viommu_bar_read(v, 0x14, &byte, 1);
	CHECK(byte == 15);
	pvi_put32(&a.domain, 1);
	pvi_put32(&a.endpoint, 8);
	memcpy(h->ram + BUFFERS, &a, sizeof(a));
	put_chain(h, 0, sizeof(a), false);
	offer(h, 1);
	check_replies(h, 1);
	/* A device that did DMA: what it may hold must be waited for. */
	CHECK(pvi_dma_read(endpoint, 0, &byte, 1) == -EFAULT);
}

void requests_run(unsigned int rounds)
{
	struct handler ours = {.name = "ours", .kick = ours_kick};
	struct handler gtree = {.name = "gtree", .kick = gtree_kick};
	struct handler *all[2] = {&ours, &gtree};

	for (int i = 0; i < 2; i++) {
		all[i]->ram = aligned_alloc(PAGE, RAM_SIZE);
		CHECK(all[i]->ram);
		memset(all[i]->ram, 0, RAM_SIZE);
	}
	ours_start(&ours);
	gtree.self = gtree_start(gtree.ram, DESC, AVAIL, USED, QUEUE);
	for (int i = 0; i < 2; i++) {
		fill_live(all[i]);
		/* The outstanding ones, and a warm-up. */
		(void)kicks(all[i], false);
	}
	for (unsigned int r = 0; r < rounds; r++) {
		for (unsigned int k = 0; k < 4; k++) {
			struct handler *h = all[(k + r) & 1];
			uint64_t ns = kicks(h, k >= 2);

			sample(k >= 2 ? "request_indirect" : "request", LIVE, h->name, r,
			       (double)ns / KICK);
		}
	}
	free(ours.ram);
	free(gtree.ram);
}
