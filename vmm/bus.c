// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/range.h"
#include "vmm/bus.h"

int bus_init(struct bus *bus)
{
	memset(bus, 0, sizeof(*bus));
	return -pthread_rwlock_init(&bus->lock, NULL);
}

void bus_done(struct bus *bus)
{
	for (unsigned int i = 0; i < 2; i++)
		free(bus->space[i].region);
	pthread_rwlock_destroy(&bus->lock);
}

/* The number of regions that start at or below @addr. Lock held. */
static size_t regions_upto(const struct bus *bus, enum bus_space space, uint64_t addr)
{
	size_t low = 0;
	size_t high = bus->space[space].nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (bus->space[space].region[mid].base <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int grow(struct bus *bus, enum bus_space space)
{
	size_t room = bus->space[space].room ? 2 * bus->space[space].room : 16;
	struct bus_region *region;

	region = reallocarray(bus->space[space].region, room, sizeof(*region));
	if (!region)
		return -ENOMEM;
	bus->space[space].region = region;
	bus->space[space].room = room;
	return 0;
}

static bool overlaps(const struct bus_region *region, struct pvi_range range)
{
	struct pvi_range own;

	return !pvi_range_from_len(region->base, region->size, &own) &&
	       pvi_range_overlaps(own, range);
}

/* Write lock held. */
static int add_locked(struct bus *bus, enum bus_space space, const struct bus_region *region,
		      struct pvi_range range)
{
	size_t at = regions_upto(bus, space, region->base);
	struct bus_region *all = bus->space[space].region;
	size_t nr = bus->space[space].nr;
	int err;

	if ((at > 0 && overlaps(&all[at - 1], range)) || (at < nr && overlaps(&all[at], range)))
		return -EEXIST;
	if (nr == bus->space[space].room) {
		err = grow(bus, space);
		if (err)
			return err;
		all = bus->space[space].region;
	}
	memmove(&all[at + 1], &all[at], (nr - at) * sizeof(*all));
	all[at] = *region;
	bus->space[space].nr = nr + 1;
	return 0;
}

int bus_add(struct bus *bus, enum bus_space space, const struct bus_region *region)
{
	struct pvi_range range;
	int err;

	err = pvi_range_from_len(region->base, region->size, &range);
	if (err)
		return err;
	pthread_rwlock_wrlock(&bus->lock);
	err = add_locked(bus, space, region, range);
	pthread_rwlock_unlock(&bus->lock);
	return err;
}

void bus_remove(struct bus *bus, enum bus_space space, uint64_t base)
{
	struct bus_region *all;
	size_t at;

	pthread_rwlock_wrlock(&bus->lock);
	all = bus->space[space].region;
	at = regions_upto(bus, space, base);
	if (at > 0 && all[at - 1].base == base) {
		memmove(&all[at - 1], &all[at], (bus->space[space].nr - at) * sizeof(*all));
		bus->space[space].nr--;
	}
	pthread_rwlock_unlock(&bus->lock);
}

/* A copy of the region that holds all of the access. */
static bool find(struct bus *bus, enum bus_space space, uint64_t addr, uint32_t len,
		 struct bus_region *ret_region)
{
	const struct bus_region *region;
	bool found = false;
	size_t at;

	pthread_rwlock_rdlock(&bus->lock);
	at = regions_upto(bus, space, addr);
	if (at > 0) {
		region = &bus->space[space].region[at - 1];
		found = addr - region->base < region->size &&
			len <= region->size - (addr - region->base);
		if (found)
			*ret_region = *region;
	}
	pthread_rwlock_unlock(&bus->lock);
	return found;
}

void bus_access(struct bus *bus, enum bus_space space, uint64_t addr, void *buf, uint32_t len,
		bool write)
{
	struct bus_region region;

	if (!find(bus, space, addr, len, &region)) {
		if (!write)
			memset(buf, 0xff, len);
		return;
	}
	if (write)
		region.ops->write(region.ctx, addr - region.base, buf, len);
	else
		region.ops->read(region.ctx, addr - region.base, buf, len);
}
