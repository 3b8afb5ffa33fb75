// SPDX-License-Identifier: BSD-2-Clause
/*
 * Devices write for all they are worth while the guest takes their rights away
 * in every way it has. Once it has its answer, it uses the memory as its own, in
 * plain accesses: ThreadSanitizer reports a write that is still under way, and
 * the guest sees one that comes late.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake_driver.h"

#define DEVICES 2
#define LEN	0x3000u
#define ROUNDS	150

static struct fake_host host;
static struct driver drv;
static struct pvi_endpoint *ep[DEVICES];
static atomic_bool stop;
static atomic_ulong written[DEVICES];

static void check(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "%s\n", what);
		abort();
	}
}

static uint64_t memory_of(int i)
{
	return HOST_SLOT_SIZE - 0x1000 + i * (uint64_t)0x8000; /* over a slot border */
}

static void *device(void *arg)
{
	int i = (int)(intptr_t)arg;
	uint8_t buf[LEN];

	memset(buf, 'x', sizeof(buf));
	while (!atomic_load(&stop)) {
		if (!pvi_dma_write(ep[i], 0x10000 * (i + 1), buf, sizeof(buf)))
			atomic_fetch_add(&written[i], 1);
		(void)pvi_dma_read(ep[i], 0, buf, 1);
		buf[0] = 'x';
	}
	return NULL;
}

static void give(int i)
{
	uint32_t domain = (uint32_t)i + 1;
	uint64_t iova = 0x10000 * domain, before = atomic_load(&written[i]);

	check(drv_attach(&drv, domain, domain, 0) == PVI_S_OK, "attach");
	check(drv_map(&drv, domain, iova, iova + LEN - 1, memory_of(i), PVI_WRITE) == PVI_S_OK,
	      "map");
	while (atomic_load(&written[i]) < before + 3)
		sched_yield();
}

static void restart(void)
{
	check(drv_prepare(&drv, DRV_F_COMMON), "start");
	for (unsigned int i = 0; i < 16; i++)
		drv_give_event(&drv, i, 64);
	drv_go(&drv);
}

/* Takes the rights of device @i; those of the others may go too. */
static void take(int i, int how)
{
	uint32_t domain = (uint32_t)i + 1;
	uint64_t iova = 0x10000 * domain;

	switch (how) {
	case 0:
		check(drv_unmap(&drv, domain, iova, iova + LEN - 1) == PVI_S_OK, "unmap");
		break;
	case 1:
		check(drv_attach(&drv, 50 + domain, domain, 0) == PVI_S_OK, "attach away");
		break;
	case 2:
		pvi_endpoint_set_dma(ep[i], false);
		break;
	case 3:
		drv_write(&drv, 0x14, 0, 1); /* device reset */
		restart();
		break;
	default:
		pvi_viommu_system_reset(drv.v);
		restart();
	}
}

static void own(int i)
{
	for (uint64_t off = 0; off < LEN; off++)
		*host_at(&host, memory_of(i) + off) = 0;
	for (int n = 0; n < 5; n++)
		sched_yield();
	for (uint64_t off = 0; off < LEN; off++)
		check(!*host_at(&host, memory_of(i) + off), "a write came late");
}

static void give_back(int i)
{
	uint32_t domain = (uint32_t)i + 1;

	pvi_endpoint_set_dma(ep[i], true);
	(void)drv_detach(&drv, domain, domain);
	(void)drv_detach(&drv, 50 + domain, domain);
}

int main(void)
{
	pthread_t thread[DEVICES];
	struct pvi_iommu_config c;
	struct pvi_iommu *iommu;

	host_init(&host);
	c = host_config(&host);
	iommu = host_iommu(&c);
	for (int i = 0; i < DEVICES; i++)
		ep[i] = host_endpoint(iommu, (uint32_t)i + 1);
	drv = (struct driver){.h = &host, .v = host_viommu(&host, iommu)};
	restart();
	for (int i = 0; i < DEVICES; i++)
		check(!pthread_create(&thread[i], NULL, device, (void *)(intptr_t)i), "thread");
	for (int n = 0; n < ROUNDS; n++) {
		int i = n % DEVICES;

		give(i);
		take(i, n / DEVICES % 5);
		own(i);
		give_back(i);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < DEVICES; i++) {
		pthread_join(thread[i], NULL);
		printf("device %d: %lu writes\n", i, atomic_load(&written[i]));
		pvi_endpoint_remove(ep[i]);
	}
	pvi_viommu_free(drv.v);
	pvi_iommu_free(iommu);
	host_done(&host);
	return 0;
}
