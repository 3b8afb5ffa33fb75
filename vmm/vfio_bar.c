// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm/vfio_bar.h"
#include "vmm/vfio_sys.h"

#define PAGE_SIZE 0x1000ull
#define PAGE_MASK (PAGE_SIZE - 1)

static void add_map(struct vfio_bars *bars, const struct vfio_desc *desc, unsigned int bar,
		    uint64_t off, uint64_t size)
{
	struct vfio_map *map = &bars->map[bars->nr];

	if (!size || bars->nr == VFIO_MAX_MAPS)
		return;
	*map = (struct vfio_map){.bar = bar, .off = off, .size = size};
	map->hva = vfio_sys_map(desc->fd, desc->bar[bar].at + off, size, PROT_READ | PROT_WRITE);
	if (map->hva)
		bars->nr++;
}

/* The pages of a BAR that are trapped; empty where the BAR is another. */
struct hole {
	uint64_t first, end;
};

static struct hole hole_of(unsigned int bar, unsigned int hole_bar, uint64_t off, uint64_t size)
{
	if (bar != hole_bar)
		return (struct hole){0, 0};
	return (struct hole){off & ~PAGE_MASK, (off + size + PAGE_MASK) & ~PAGE_MASK};
}

/* What is left of [@off, @end) around the two holes, the lower one first. */
static void add_around(struct vfio_bars *bars, const struct vfio_desc *desc, unsigned int bar,
		       uint64_t off, uint64_t end, const struct hole *hole)
{
	for (unsigned int i = 0; i < 2; i++) {
		if (hole[i].first >= hole[i].end || hole[i].end <= off || hole[i].first >= end)
			continue;
		if (hole[i].first > off)
			add_map(bars, desc, bar, off, hole[i].first - off);
		off = hole[i].end;
	}
	if (off < end)
		add_map(bars, desc, bar, off, end - off);
}

void vfio_bars_init(struct vfio_bars *bars, struct memslots *slots, const struct vfio_desc *desc,
		    const struct pci_msix *msix)
{
	/* All of the table that the device has, not only what the guest is shown of it. */
	unsigned int nr = msix->nr && msix->nr < desc->nr_msix ? desc->nr_msix : msix->nr;

	memset(bars, 0, sizeof(*bars));
	bars->slots = slots;
	for (unsigned int bar = 0; bar < PCI_MAX_BARS; bar++) {
		const struct vfio_region *r = &desc->bar[bar];
		struct hole hole[2] = {{0, 0}, {0, 0}};

		if (nr) {
			hole[0] = hole_of(bar, msix->table_bar, msix->table_off,
					  (uint64_t)nr * PCI_MSIX_ENTRY_SIZE);
			hole[1] = hole_of(bar, msix->pba_bar, msix->pba_off, (nr + 63) / 64 * 8);
		}
		if (hole[1].first < hole[0].first) {
			struct hole swap = hole[0];

			hole[0] = hole[1];
			hole[1] = swap;
		}
		for (unsigned int i = 0; i < r->nr_areas; i++)
			add_around(bars, desc, bar, r->area[i].off,
				   r->area[i].off + r->area[i].size, hole);
	}
}

static void withdraw(struct vfio_bars *bars, struct vfio_map *map)
{
	if (map->placed)
		memslot_remove(bars->slots, map->slot);
	map->placed = false;
}

void vfio_bars_withdraw(struct vfio_bars *bars)
{
	for (unsigned int i = 0; i < bars->nr; i++)
		withdraw(bars, &bars->map[i]);
}

void vfio_bars_done(struct vfio_bars *bars)
{
	vfio_bars_withdraw(bars);
	for (unsigned int i = 0; i < bars->nr; i++)
		vfio_sys_unmap(bars->map[i].hva, bars->map[i].size);
	bars->nr = 0;
}

int vfio_bars_move(struct vfio_bars *bars, unsigned int bar, uint64_t gpa)
{
	int err, first = 0;

	for (unsigned int i = 0; i < bars->nr; i++)
		if (bars->map[i].bar == bar)
			withdraw(bars, &bars->map[i]);
	/* A BAR of whole pages is placed on one: its size is its alignment. */
	for (unsigned int i = 0; gpa && i < bars->nr; i++) {
		struct vfio_map *map = &bars->map[i];

		if (map->bar != bar)
			continue;
		err = memslot_add(bars->slots, gpa + map->off, map->size, map->hva, &map->slot);
		map->placed = !err;
		first = first ?: err;
	}
	return first;
}

int vfio_bars_read(const struct vfio_desc *desc, unsigned int bar, uint64_t off, void *buf,
		   uint32_t len)
{
	return vfio_sys_read(desc->fd, desc->bar[bar].at + off, buf, len);
}

int vfio_bars_write(const struct vfio_desc *desc, unsigned int bar, uint64_t off, const void *buf,
		    uint32_t len)
{
	return vfio_sys_write(desc->fd, desc->bar[bar].at + off, buf, len);
}
