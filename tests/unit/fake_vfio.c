// SPDX-License-Identifier: BSD-2-Clause
#include "fake_vfio.h"

#include <linux/vfio.h>
#include <stdlib.h>

#define PAGE 0x1000ull

static int map(struct fake_vfio *f, const struct vfio_iommu_type1_dma_map *m)
{
	uint64_t first = m->iova / PAGE, pages = m->size / PAGE;

	f->map_calls++;
	assert_int_equal(m->argsz, sizeof(*m));
	if (!pages || (m->iova | m->size | m->vaddr) % PAGE || !(m->flags & 3) || m->flags & ~3u)
		return EINVAL;
	if (first + pages > VFIO_PAGES)
		return EINVAL;
	for (uint64_t i = first; i < first + pages; i++)
		if (f->page[i].first)
			return EEXIST;
	if (f->mappings == f->limit)
		return ENOSPC;
	f->mappings++;
	for (uint64_t i = first; i < first + pages; i++)
		f->page[i].first = (uint32_t)first + 1;
	f->page[first].pages = (uint32_t)pages;
	f->page[first].vaddr = m->vaddr;
	f->page[first].flags = m->flags;
	return 0;
}

/* vfio_dma_do_unmap() of type1 v2. */
static int unmap(struct fake_vfio *f, struct vfio_iommu_type1_dma_unmap *u)
{
	uint64_t first = u->iova / PAGE, last = (u->iova + u->size - 1) / PAGE;

	f->unmap_calls++;
	assert_int_equal(u->argsz, sizeof(*u));
	if (!u->size || (u->iova | u->size) % PAGE || u->iova + u->size - 1 < u->iova || u->flags)
		return EINVAL;
	if (first < VFIO_PAGES && f->page[first].first && f->page[first].first != first + 1)
		return EINVAL;
	if (last < VFIO_PAGES - 1 && f->page[last].first &&
	    f->page[last].first == f->page[last + 1].first)
		return EINVAL;
	for (uint64_t i = first; i <= last && i < VFIO_PAGES; i++) {
		if (f->page[i].first == i + 1)
			f->mappings--;
		memset(&f->page[i], 0, sizeof(f->page[i]));
	}
	return 0;
}

struct answer {
	struct vfio_iommu_type1_info head;
	struct vfio_iommu_type1_info_cap_migration other;
	struct {
		struct vfio_iommu_type1_info_cap_iova_range head;
		struct vfio_iova_range range[2];
	} iova;
	struct vfio_iommu_type1_info_dma_avail avail;
};

static int get_info(struct fake_vfio *f, struct vfio_iommu_type1_info *arg)
{
	struct answer a = {
		.head = {.argsz = sizeof(a),
			 .flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS,
			 .iova_pgsizes = f->page_sizes,
			 .cap_offset = offsetof(struct answer, other)},
		.other.header = {VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION, 1,
				 offsetof(struct answer, iova)},
		.iova = {{{VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, 1, offsetof(struct answer, avail)},
			  2,
			  0},
			 {{0, 0xfedfffff}, {0xfef00000, (1ull << 39) - 1}}},
		.avail = {{VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, 1, 0}, f->limit - f->mappings},
	};
	uint32_t room = arg->argsz;

	if (f->no_caps) {
		a.head.flags = VFIO_IOMMU_INFO_PGSIZES;
		a.head.argsz = room;
		a.head.cap_offset = 0;
		memcpy(arg, &a.head, sizeof(a.head));
		return 0;
	}
	if (room < sizeof(a)) {
		a.head.cap_offset = 0;
		memcpy(arg, &a.head, room < sizeof(a.head) ? room : sizeof(a.head));
		return 0;
	}
	if (f->damage)
		f->damage((uint8_t *)&a, sizeof(a));
	memcpy(arg, &a, sizeof(a));
	return 0;
}

static int fake_ioctl(void *ctx, int fd, unsigned long request, void *arg)
{
	struct fake_vfio *f = ctx;
	int err = ENOTTY;

	assert_int_equal(fd, 1234);
	if (f->fail_in >= 0 && !f->fail_in--) {
		if (f->fail_for && --f->fail_for)
			f->fail_in = 0;
		errno = f->error;
		return -1;
	}
	switch (request) {
	case VFIO_CHECK_EXTENSION:
		assert_int_equal((uintptr_t)arg, VFIO_TYPE1v2_IOMMU);
		return !f->v1_only;
	case VFIO_IOMMU_GET_INFO:
		err = get_info(f, arg);
		break;
	case VFIO_IOMMU_MAP_DMA:
		err = map(f, arg);
		break;
	case VFIO_IOMMU_UNMAP_DMA:
		err = unmap(f, arg);
		break;
	}
	errno = err;
	return err ? -1 : 0;
}

void fake_vfio_init(struct fake_vfio *f)
{
	*f = (struct fake_vfio){.limit = 65535, .page_sizes = 0x40201000, .fail_in = -1};
	f->page = calloc(VFIO_PAGES, sizeof(*f->page));
	assert_non_null(f->page);
}

void fake_vfio_done(struct fake_vfio *f)
{
	free(f->page);
}

int fake_vfio_try(struct fake_vfio *f, struct fake_host *h, struct pvi_iommu *iommu)
{
	const struct pvi_vfio_ram ram[] = {
		{0, HOST_SLOT_SIZE, h->slot[0]},
		{HOST_SLOT_SIZE, HOST_SLOT_SIZE, h->slot[1]},
		{HOST_HIGH, HOST_SLOT_SIZE, h->slot[2]},
	};
	const struct pvi_vfio_config c = {1234, ram, 3, fake_ioctl, f};

	return pvi_vfio_new(iommu, &c, &f->vfio);
}

bool fake_vfio_has(const struct fake_vfio *f, uint64_t iova, const void *hva, uint64_t len,
		   uint32_t flags)
{
	uint64_t i = iova / PAGE;

	return f->page[i].first == i + 1 && f->page[i].pages == len / PAGE &&
	       f->page[i].vaddr == (uintptr_t)hva && f->page[i].flags == flags;
}
