// SPDX-License-Identifier: BSD-2-Clause
/*
 * vfio-costs GROUP: what it costs a program to map and unmap a page for the devices of an
 * IOMMU group through VFIO. Prints a line for map, unmap and both, as bench/iommu/costs.c
 * does; "none" is what reading the clock costs.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bench/busy.h"

#define BATCHES	   64u
#define BATCH_SIZE 16u
#define PAGE	   4096u
#define FIRST_IOVA 0x10000000u

static int container;
static void *page;

static void do_map(void)
{
	for (unsigned int i = 0; i < BATCH_SIZE; i++) {
		struct vfio_iommu_type1_dma_map m = {
			.argsz = sizeof(m),
			.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
			.vaddr = (uint64_t)(uintptr_t)page,
			.iova = FIRST_IOVA + i * PAGE,
			.size = PAGE,
		};

		if (ioctl(container, VFIO_IOMMU_MAP_DMA, &m))
			err(1, "VFIO_IOMMU_MAP_DMA");
	}
}

static void do_unmap(void)
{
	for (unsigned int i = 0; i < BATCH_SIZE; i++) {
		struct vfio_iommu_type1_dma_unmap u = {
			.argsz = sizeof(u), .iova = FIRST_IOVA + i * PAGE, .size = PAGE};

		if (ioctl(container, VFIO_IOMMU_UNMAP_DMA, &u))
			err(1, "VFIO_IOMMU_UNMAP_DMA");
	}
}

static void do_both(void)
{
	do_map();
	do_unmap();
}

static void do_nothing(void)
{
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The first batch, which allocates tables, is none of those that count. */
static void measure(const char *name, void (*before)(void), void (*run)(void), void (*after)(void))
{
	uint64_t ns[BATCHES + 1], total = 0, begin;

	for (unsigned int i = 0; i <= BATCHES; i++) {
		before();
		begin = bench_clock_ns(CLOCK_MONOTONIC);
		run();
		ns[i] = bench_clock_ns(CLOCK_MONOTONIC) - begin;
		after();
		total += i ? ns[i] : 0;
	}
	qsort(ns + 1, BATCHES, sizeof(ns[0]), compare);
	printf("%s ops=%u total=%llu min=%llu median=%llu max=%llu\n", name, BATCHES * BATCH_SIZE,
	       (unsigned long long)total, (unsigned long long)ns[1] / BATCH_SIZE,
	       (unsigned long long)ns[1 + BATCHES / 2] / BATCH_SIZE,
	       (unsigned long long)ns[BATCHES] / BATCH_SIZE);
}

static void open_container(const char *group_number)
{
	char path[64];
	int group;

	snprintf(path, sizeof(path), "/dev/vfio/%s", group_number);
	container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	group = open(path, O_RDWR | O_CLOEXEC);
	if (container < 0 || group < 0)
		err(1, "%s", path);
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) ||
	    ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		err(1, "%s: can't be used", path);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		errx(2, "usage: vfio-costs GROUP");
	open_container(argv[1]);
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		err(1, "a page");
	memset(page, 1, PAGE);
	measure("none", do_nothing, do_nothing, do_nothing);
	measure("map", do_nothing, do_map, do_unmap);
	measure("unmap", do_map, do_unmap, do_nothing);
	measure("both", do_nothing, do_both, do_nothing);
	return 0;
}
