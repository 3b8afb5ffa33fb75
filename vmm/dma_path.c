// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <string.h>

#include "core/range.h"
#include "vmm/dma_path.h"

/* Copied in one go; switching off waits for no more than that. */
#define CHUNK (64u << 10)

/* Where x86 takes interrupt messages: never memory, whatever is mapped there. */
static const struct pvi_reserved msi_window = {
	.first = 0xfee00000, .last = 0xfeefffff, .msi = true};

int dma_path_init(struct dma_path *path, struct pvi_iommu *iommu, struct memory *mem, uint32_t id)
{
	const struct pvi_endpoint_config config = {.reserved = &msi_window, .nr_reserved = 1};
	int err;

	memset(path, 0, sizeof(*path));
	path->mem = mem;
	err = -pthread_mutex_init(&path->lock, NULL);
	if (err || !iommu)
		return err;
	err = pvi_endpoint_add(iommu, id, &config, &path->endpoint);
	if (err)
		pthread_mutex_destroy(&path->lock);
	return err;
}

void dma_path_done(struct dma_path *path)
{
	pvi_endpoint_remove(path->endpoint);
	path->endpoint = NULL;
	pthread_mutex_destroy(&path->lock);
}

void dma_path_set(struct dma_path *path, bool on)
{
	if (path->endpoint) {
		pvi_endpoint_set_dma(path->endpoint, on);
		return;
	}
	pthread_mutex_lock(&path->lock);
	path->on = on;
	pthread_mutex_unlock(&path->lock);
}

/* Is all of it RAM? */
static bool all_ram(struct dma_path *path, struct pvi_range range)
{
	uint64_t at = range.first;

	for (;;) {
		uint64_t left = range.last - at;
		uint64_t run;

		if (!memory_ram(path->mem, at, left == UINT64_MAX ? left : left + 1, &run))
			return false;
		if (run > left)
			return true;
		at += run;
	}
}

/* At most a chunk, within one run of RAM. */
static int copy_chunk(struct dma_path *path, uint64_t addr, void *buf, size_t *len, bool write)
{
	uint64_t run;
	void *hva;
	int err = 0;

	if (*len > CHUNK)
		*len = CHUNK;
	pthread_mutex_lock(&path->lock);
	hva = path->on ? memory_ram(path->mem, addr, *len, &run) : NULL;
	if (!hva) {
		err = -EACCES;
	} else {
		*len = (size_t)run;
		memcpy(write ? hva : buf, write ? buf : hva, *len);
	}
	pthread_mutex_unlock(&path->lock);
	return err;
}

static int copy(struct dma_path *path, uint64_t addr, uint8_t *buf, size_t len, bool write)
{
	while (len) {
		size_t n = len;
		int err = copy_chunk(path, addr, buf, &n, write);

		if (err)
			return err;
		addr += n;
		buf += n;
		len -= n;
	}
	return 0;
}

static void count(struct dma_path *path, int err, size_t len, bool write)
{
	struct pvi_endpoint_stats *s = &path->direct;

	pthread_mutex_lock(&path->lock);
	if (err == -EACCES) {
		s->blocked++;
	} else if (err) {
		s->faults++;
	} else if (write) {
		s->dma_writes++;
		s->dma_write_bytes += len;
	} else {
		s->dma_reads++;
		s->dma_read_bytes += len;
	}
	pthread_mutex_unlock(&path->lock);
}

static int direct(struct dma_path *path, uint64_t addr, void *buf, size_t len, bool write)
{
	struct pvi_range range;
	bool on, wraps;
	int err;

	if (!len)
		return 0;
	wraps = pvi_range_from_len(addr, len, &range);
	pthread_mutex_lock(&path->lock);
	on = path->on;
	pthread_mutex_unlock(&path->lock);
	if (!on)
		err = -EACCES;
	else if (wraps || !all_ram(path, range))
		err = -EFAULT;
	else
		err = copy(path, addr, buf, len, write);
	count(path, err, len, write);
	return err;
}

int dma_path_read(struct dma_path *path, uint64_t addr, void *buf, size_t len)
{
	if (path->endpoint)
		return pvi_dma_read(path->endpoint, addr, buf, len);
	return direct(path, addr, buf, len, false);
}

int dma_path_write(struct dma_path *path, uint64_t addr, const void *buf, size_t len)
{
	if (path->endpoint)
		return pvi_dma_write(path->endpoint, addr, buf, len);
	/* direct() only reads from it then. */
	return direct(path, addr, (void *)(uintptr_t)buf, len, true);
}

void dma_path_stats(struct dma_path *path, struct pvi_endpoint_stats *ret_stats)
{
	if (path->endpoint) {
		pvi_endpoint_get_stats(path->endpoint, ret_stats);
		return;
	}
	pthread_mutex_lock(&path->lock);
	*ret_stats = path->direct;
	pthread_mutex_unlock(&path->lock);
}
