// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers that are mapped on one CPU and unmapped on another, which is what a device that
 * interrupts one CPU alone makes of all DMA. What has come back there must not be missed here:
 * under bounce the pool does not grow by what the other CPU keeps.
 */
#include <linux/cpumask.h>
#include <linux/smp.h>

#include "dma_api.h"

#define CHUNK 64 /* pages: by so many the pool of bounce grows */
#define MOST  32u

struct many {
	struct api *t;
	size_t size;
	unsigned int n;
	dma_addr_t addr[MOST];
};

static void map_many(void *data)
{
	struct many *m = data;
	unsigned int i;

	for (i = 0; i < m->n; i++) {
		m->addr[i] = dma_map_single(m->t->dev, m->t->memory, m->size, DMA_TO_DEVICE);
		if (!api_mapped(m->t, m->addr[i], m->t->memory))
			break;
	}
}

static void unmap_many(void *data)
{
	struct many *m = data;
	unsigned int i;

	for (i = 0; i < m->n; i++)
		dma_unmap_single(m->t->dev, m->addr[i], m->size, DMA_TO_DEVICE);
}

/* True: there is nothing to undo. */
static bool on_cpu(struct many *m, int cpu, void (*do_it)(void *data))
{
	return api_check(m->t, !smp_call_function_single(cpu, do_it, m, 1)) && !m->t->why[0];
}

/* How much is mapped for good after so many were mapped here, and unmapped there. */
static s64 pass(struct many *m, int here, int there)
{
	if (!on_cpu(m, here, map_many) || !on_cpu(m, there, unmap_many))
		return -1;
	return attack_counter(m->t->a, "fixed_pages");
}

static void comes_back(struct api *t, size_t size, unsigned int n)
{
	int here = cpumask_first(cpu_online_mask), there = cpumask_last(cpu_online_mask);
	struct many m = {.t = t, .size = size, .n = n};
	s64 first = pass(&m, here, there), second = pass(&m, here, there);

	api_check(t, first >= 0 && second >= first);
	api_check(t, second - first <= CHUNK * (s64)(num_online_cpus() - 1));
	/* What is free there by now is used here. */
	api_check(t, pass(&m, here, there) == second);
	api_check(t, !t->copies || first >= (s64)(n * size >> PAGE_SHIFT));
}

static void pages(struct api *t)
{
	comes_back(t, 512, MOST);
}

static void sixteen_pages(struct api *t)
{
	comes_back(t, SZ_64K, MOST);
}

static void largest(struct api *t)
{
	comes_back(t, SZ_256K, MOST / 2);
}

void api_cpus_run(struct api *t)
{
	static const struct api_case cases[] = {
		{"pages that come back on another CPU", pages},
		{"64 KiB that come back on another CPU", sixteen_pages},
		{"256 KiB that come back on another CPU", largest},
	};

	api_run(t, cases, ARRAY_SIZE(cases));
}
