// SPDX-License-Identifier: BSD-2-Clause
/*
 * VFIO type1 containers. The kernel pins what it maps, keeps it until it is unmapped
 * or the container goes, and has flushed the hardware when UNMAP_DMA returns.
 */
#include <pviommu/vfio.h>

#include <linux/vfio.h>
#include <sys/ioctl.h>

#include "lib/priv.h"

/* What the kernel allows when it does not say (drivers/vfio: dma_entry_limit). */
#define DEFAULT_LIMIT 65535u
#define INFO_MAX      65536u
#define MAX_WINDOWS   64u
#define HALF	      ((uint64_t)1 << 63)

struct pvi_vfio {
	struct pvi_vfio_config cfg;
	struct pvi_vfio_ram *ram;
	struct pvi_backend *backend;
};

/* Of VFIO_IOMMU_GET_INFO. */
struct info {
	uint64_t page_sizes;
	uint32_t available;
	struct pvi_window windows[MAX_WINDOWS];
	size_t nr_windows;
};

static int system_ioctl(void *ctx, int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg);
}

/* -errno or what the ioctl returned. */
static int call(const struct pvi_vfio *v, unsigned long request, void *arg)
{
	int r = v->cfg.ioctl(v->cfg.ctx, v->cfg.container, request, arg);

	return r < 0 ? -errno : r;
}

/* ---- what the container can do ---- */

static int take_windows(const uint8_t *cap, size_t len, struct info *ret)
{
	struct vfio_iommu_type1_info_cap_iova_range head;

	if (len < sizeof(head))
		return -EINVAL;
	memcpy(&head, cap, sizeof(head));
	if (head.nr_iovas > MAX_WINDOWS ||
	    (len - sizeof(head)) / sizeof(struct vfio_iova_range) < head.nr_iovas)
		return -EINVAL;
	for (uint32_t i = 0; i < head.nr_iovas; i++) {
		struct vfio_iova_range r;

		memcpy(&r, cap + sizeof(head) + i * sizeof(r), sizeof(r));
		ret->windows[i] = (struct pvi_window){r.start, r.end};
	}
	ret->nr_windows = head.nr_iovas;
	return 0;
}

static int take_cap(const uint8_t *cap, size_t len, uint16_t id, struct info *ret)
{
	struct vfio_iommu_type1_info_dma_avail avail;

	if (id == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE)
		return take_windows(cap, len, ret);
	if (id != VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL)
		return 0;
	if (len < sizeof(avail))
		return -EINVAL;
	memcpy(&avail, cap, sizeof(avail));
	ret->available = avail.avail;
	return 0;
}

/* @raw: the kernel's answer, its chain of capabilities by offsets. */
static int parse_info(const uint8_t *raw, size_t len, struct info *ret)
{
	struct vfio_iommu_type1_info head;
	struct vfio_info_cap_header cap;
	uint32_t at;

	memcpy(&head, raw, sizeof(head));
	memset(ret, 0, sizeof(*ret));
	ret->page_sizes = head.flags & VFIO_IOMMU_INFO_PGSIZES ? head.iova_pgsizes : PVI_PAGE_SIZE;
	ret->available = DEFAULT_LIMIT;
	at = head.flags & VFIO_IOMMU_INFO_CAPS ? head.cap_offset : 0;
	while (at) {
		int err;

		if (at < sizeof(head) || at > len - sizeof(cap))
			return -EINVAL;
		memcpy(&cap, raw + at, sizeof(cap));
		err = take_cap(raw + at, len - at, cap.id, ret);
		if (err)
			return err;
		/* Forward only, so that it ends. */
		if (cap.next && cap.next <= at)
			return -EINVAL;
		at = cap.next;
	}
	return 0;
}

static int get_info(const struct pvi_vfio *v, struct info *ret)
{
	struct vfio_iommu_type1_info head = {.argsz = sizeof(head)};
	uint32_t len;
	uint8_t *raw;
	int err;

	err = call(v, VFIO_IOMMU_GET_INFO, &head);
	if (err < 0)
		return err;
	/* What is more than the head are capabilities: ask again, with room. */
	len = head.argsz;
	if (len < sizeof(head))
		len = sizeof(head);
	if (len > INFO_MAX)
		return -EINVAL;
	raw = pvi_zalloc(len);
	if (!raw)
		return -ENOMEM;
	head = (struct vfio_iommu_type1_info){.argsz = len};
	memcpy(raw, &head, sizeof(head));
	err = call(v, VFIO_IOMMU_GET_INFO, raw);
	if (err >= 0)
		err = parse_info(raw, len, ret);
	pvi_free(raw);
	return err;
}

/* ---- the backend's operations ---- */

/* The longest run at @gpa of at most @len bytes that is contiguous in the host. */
static uint64_t host_run(const struct pvi_vfio *v, uint64_t gpa, uint64_t len, uint64_t *ret_hva)
{
	uint64_t done = 0;

	for (size_t i = 0; i < v->cfg.nr_ram && done < len; i++) {
		const struct pvi_vfio_ram *r = &v->ram[i];
		uint64_t off = gpa + done - r->gpa, n, hva;

		if (gpa + done < r->gpa || off >= r->len)
			continue;
		hva = (uint64_t)(uintptr_t)r->hva + off;
		if (!done)
			*ret_hva = hva;
		else if (hva != *ret_hva + done)
			break;
		n = r->len - off;
		done += n < len - done ? n : len - done;
	}
	return done;
}

static int map_run(const struct pvi_vfio *v, uint64_t iova, uint64_t hva, uint64_t len,
		   unsigned int prot)
{
	struct vfio_iommu_type1_dma_map m = {
		.argsz = sizeof(m),
		.flags = (prot & PVI_PROT_READ ? VFIO_DMA_MAP_FLAG_READ : 0) |
			 (prot & PVI_PROT_WRITE ? VFIO_DMA_MAP_FLAG_WRITE : 0),
		.vaddr = hva,
		.iova = iova,
		.size = len,
	};
	int err = call(v, VFIO_IOMMU_MAP_DMA, &m);

	/* Out of the container's mappings. */
	return err == -ENOSPC ? -ENOMEM : err;
}

static int unmap_run(const struct pvi_vfio *v, uint64_t iova, uint64_t len)
{
	struct vfio_iommu_type1_dma_unmap u = {.argsz = sizeof(u), .iova = iova, .size = len};
	int err = call(v, VFIO_IOMMU_UNMAP_DMA, &u);

	return err < 0 ? err : 0;
}

static int vfio_map(void *ctx, uint64_t iova, uint64_t gpa, uint64_t len, unsigned int prot)
{
	const struct pvi_vfio *v = ctx;
	uint64_t done = 0;
	int err = 0;

	while (done < len) {
		uint64_t hva = 0, n = host_run(v, gpa + done, len - done, &hva);

		err = n ? map_run(v, iova + done, hva, n, prot) : -EFAULT;
		if (err)
			break;
		done += n;
	}
	/* All or nothing. If even that fails, our caller tries once more, then fails the device. */
	if (err && done && unmap_run(v, iova, done))
		return -EIO;
	return err;
}

/* Page-aligned, inwards: mappings begin and end with a page. */
static int vfio_unmap(void *ctx, uint64_t first, uint64_t last)
{
	const struct pvi_vfio *v = ctx;
	int err = 0;

	if (first > UINT64_MAX - PVI_PAGE_MASK)
		return 0;
	first = (first + PVI_PAGE_MASK) & ~PVI_PAGE_MASK;
	if (last != UINT64_MAX) {
		if (last < PVI_PAGE_MASK)
			return 0;
		last = ((last + 1) & ~PVI_PAGE_MASK) - 1;
	}
	if (first > last)
		return 0;
	/* The whole space has no size in 64 bits; no mapping is across its middle. */
	if (first < HALF && last >= HALF) {
		err = unmap_run(v, first, HALF - first);
		first = HALF;
	}
	return err ? err : unmap_run(v, first, last - first + 1);
}

static int vfio_identity(void *ctx, bool on)
{
	const struct pvi_vfio *v = ctx;
	int err = 0;

	if (!on)
		return vfio_unmap(ctx, 0, UINT64_MAX);
	for (size_t i = 0; i < v->cfg.nr_ram && !err; i++) {
		const struct pvi_vfio_ram *r = &v->ram[i];

		err = map_run(v, r->gpa, (uint64_t)(uintptr_t)r->hva, r->len,
			      PVI_PROT_READ | PVI_PROT_WRITE);
	}
	if (err && vfio_unmap(ctx, 0, UINT64_MAX))
		return -EIO;
	return err;
}

static const struct pvi_backend_ops vfio_ops = {
	.map = vfio_map,
	.unmap = vfio_unmap,
	.identity = vfio_identity,
};

/* ---- the public interface ---- */

static bool config_valid(const struct pvi_vfio_config *c)
{
	for (size_t i = 0; i < c->nr_ram; i++) {
		const struct pvi_vfio_ram *r = &c->ram[i];
		uint64_t hva = (uint64_t)(uintptr_t)r->hva;

		if (((r->gpa | r->len | hva) & PVI_PAGE_MASK) || !r->len ||
		    r->len > UINT64_MAX - r->gpa || r->len > UINT64_MAX - hva)
			return false;
		if (i && r->gpa < c->ram[i - 1].gpa + c->ram[i - 1].len)
			return false;
	}
	return c->nr_ram;
}

static int set_up(struct pvi_vfio *v, struct pvi_iommu *iommu)
{
	struct pvi_backend_config b = {.ops = &vfio_ops, .ctx = v};
	struct info *info;
	int err;

	err = call(v, VFIO_CHECK_EXTENSION, (void *)(uintptr_t)VFIO_TYPE1v2_IOMMU);
	if (err <= 0)
		return err ? err : -ENOTSUP;
	info = pvi_zalloc(sizeof(*info));
	if (!info)
		return -ENOMEM;
	err = get_info(v, info);
	if (!err) {
		b.page_sizes = info->page_sizes;
		b.windows = info->windows;
		b.nr_windows = info->nr_windows;
		/* A fact of this hardware, while pvi_backend_new() would find fault with us. */
		err = pvi_backend_pages_fit(iommu, b.page_sizes)
			      ? pvi_backend_new(iommu, &b, &v->backend)
			      : -ENOTSUP;
	}
	pvi_free(info);
	return err;
}

PVI_EXPORT int pvi_vfio_new(struct pvi_iommu *iommu, const struct pvi_vfio_config *config,
			    struct pvi_vfio **ret_vfio)
{
	struct pvi_vfio *v;
	int err = -ENOMEM;

	if (!config_valid(config))
		return -EINVAL;
	v = pvi_zalloc(sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->cfg = *config;
	if (!v->cfg.ioctl)
		v->cfg.ioctl = system_ioctl;
	v->ram = pvi_zalloc(config->nr_ram * sizeof(*v->ram));
	if (!v->ram)
		goto free_v;
	memcpy(v->ram, config->ram, config->nr_ram * sizeof(*v->ram));
	v->cfg.ram = v->ram;
	err = set_up(v, iommu);
	if (err)
		goto free_ram;
	*ret_vfio = v;
	return 0;

free_ram:
	pvi_free(v->ram);
free_v:
	pvi_free(v);
	return err;
}

PVI_EXPORT void pvi_vfio_free(struct pvi_vfio *vfio)
{
	if (!vfio)
		return;
	pvi_backend_free(vfio->backend);
	pvi_free(vfio->ram);
	pvi_free(vfio);
}

PVI_EXPORT struct pvi_backend *pvi_vfio_backend(struct pvi_vfio *vfio)
{
	return vfio->backend;
}

PVI_EXPORT int pvi_vfio_get_info(struct pvi_vfio *vfio, struct pvi_vfio_info *ret_info)
{
	struct info *info = pvi_zalloc(sizeof(*info));
	int err;

	if (!info)
		return -ENOMEM;
	err = get_info(vfio, info);
	if (!err)
		*ret_info = (struct pvi_vfio_info){info->page_sizes, info->available};
	pvi_free(info);
	return err;
}
