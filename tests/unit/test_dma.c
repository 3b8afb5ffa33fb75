// SPDX-License-Identifier: BSD-2-Clause
#include <pthread.h>
#include <sched.h>

#include "fake_driver.h"

#define EP   0x10u
#define PAGE 0x1000ull

static struct fake_host host;
static struct driver drv;
static struct pvi_iommu *iommu;
static struct pvi_endpoint *ep;
static uint8_t buf[256 << 10];

static int start(bool allow_bypass, const struct pvi_endpoint_config *ec)
{
	struct pvi_iommu_config c;

	host_init(&host);
	c = host_config(&host);
	c.allow_bypass = allow_bypass;
	iommu = host_iommu(&c);
	assert_int_equal(pvi_endpoint_add(iommu, EP, ec, &ep), 0);
	drv = (struct driver){.h = &host, .v = host_viommu(&host, iommu)};
	assert_true(drv_start(&drv, allow_bypass ? DRV_F_COMMON | 1u << PVI_F_BYPASS_CONFIG
						 : DRV_F_COMMON));
	assert_int_equal(drv_attach(&drv, 1, EP, 0), PVI_S_OK);
	return 0;
}

static int set_up(void **state)
{
	return start(false, &(struct pvi_endpoint_config){.dma_on = true});
}

static int tear_down(void **state)
{
	host.in_ram = NULL;
	pvi_endpoint_remove(ep);
	pvi_viommu_free(drv.v);
	pvi_iommu_free(iommu);
	host_done(&host);
	return 0;
}

static void map(uint64_t first, uint64_t last, uint64_t phys, uint32_t flags)
{
	assert_int_equal(drv_map(&drv, 1, first, last, phys, flags), PVI_S_OK);
}

static void assert_fault(int ret, enum pvi_fault_reason reason, bool write, uint64_t address)
{
	assert_int_equal(ret, reason == PVI_FAULT_BLOCKED ? -EACCES : -EFAULT);
	assert_int_equal(host.faults, 1);
	assert_int_equal(host.last_fault.endpoint, EP);
	assert_int_equal(host.last_fault.reason, reason);
	assert_int_equal(host.last_fault.write, write);
	assert_int_equal(host.last_fault.address, address);
	host.faults = 0;
}

static void test_read_and_write(void **state)
{
	struct pvi_endpoint_stats s;

	map(0x5000, 0x6fff, DRV_DATA, PVI_READ | PVI_WRITE);
	memcpy(host_at(&host, DRV_DATA + 0xffe), "abcd", 4);
	assert_int_equal(pvi_dma_read(ep, 0x5ffe, buf, 4), 0);
	assert_memory_equal(buf, "abcd", 4);
	assert_int_equal(pvi_dma_write(ep, 0x6ffd, "xyz", 3), 0);
	assert_memory_equal(host_at(&host, DRV_DATA + 0x1ffd), "xyz", 3);
	assert_int_equal(pvi_dma_write(ep, 0, "", 0), 0);
	assert_int_equal(host.faults, 0);

	pvi_endpoint_get_stats(ep, &s);
	assert_int_equal(s.dma_reads, 1);
	assert_int_equal(s.dma_read_bytes, 4);
	assert_int_equal(s.dma_writes, 1);
	assert_int_equal(s.dma_write_bytes, 3);
	assert_int_equal(s.mapped_pages, 2);
	assert_true(s.attached);
	assert_false(s.bypass);
}

/* QEMU looks up [addr, addr + 1]: the last byte of a mapping hits the next one. */
static void test_last_byte_of_a_mapping(void **state)
{
	map(0x5000, 0x5fff, DRV_DATA, PVI_READ);
	map(0x6000, 0x6fff, DRV_DATA + 0x8000, PVI_READ);
	*host_at(&host, DRV_DATA + 0xfff) = 'a';
	*host_at(&host, DRV_DATA + 0x8000) = 'b';
	assert_int_equal(pvi_dma_read(ep, 0x5fff, buf, 1), 0);
	assert_int_equal(buf[0], 'a');
	assert_int_equal(pvi_dma_read(ep, 0x6000, buf, 1), 0);
	assert_int_equal(buf[0], 'b');
}

/* Cloud Hypervisor: a buffer over two adjacent mappings, and neighbours apart in memory. */
static void test_buffer_over_adjacent_mappings(void **state)
{
	map(0x6000, 0x6fff, DRV_DATA, PVI_READ | PVI_WRITE);
	map(0x5000, 0x5fff, DRV_DATA + 0x8000, PVI_READ | PVI_WRITE);
	assert_int_equal(pvi_dma_write(ep, 0x5ffe, "abcd", 4), 0);
	assert_memory_equal(host_at(&host, DRV_DATA + 0x8ffe), "ab", 2);
	assert_memory_equal(host_at(&host, DRV_DATA), "cd", 2);
	assert_memory_equal(host_at(&host, DRV_DATA + 0x9000), "\0\0", 2);
	assert_int_equal(pvi_dma_read(ep, 0x5ffe, buf, 4), 0);
	assert_memory_equal(buf, "abcd", 4);
}

/* Cloud Hypervisor and crosvm don't store the rights. */
static void test_permissions_are_enforced(void **state)
{
	map(0x5000, 0x5fff, DRV_DATA, PVI_READ);
	map(0x6000, 0x6fff, DRV_DATA + 0x1000, PVI_WRITE);
	map(0x7000, 0x7fff, DRV_DATA + 0x2000, 0);
	assert_fault(pvi_dma_write(ep, 0x5000, "x", 1), PVI_FAULT_MAPPING, true, 0x5000);
	assert_int_equal(*host_at(&host, DRV_DATA), 0);
	assert_fault(pvi_dma_read(ep, 0x6abc, buf, 1), PVI_FAULT_MAPPING, false, 0x6abc);
	assert_fault(pvi_dma_read(ep, 0x7000, buf, 1), PVI_FAULT_MAPPING, false, 0x7000);
	assert_fault(pvi_dma_write(ep, 0x7000, "x", 1), PVI_FAULT_MAPPING, true, 0x7000);
	assert_int_equal(pvi_dma_read(ep, 0x5000, buf, 1), 0);
	assert_int_equal(pvi_dma_write(ep, 0x6000, "x", 1), 0);
}

/* The range is checked before its first byte moves, however many chunks it has. */
static void test_all_or_nothing(void **state)
{
	map(0x100000, 0x11ffff, HOST_SLOT_SIZE, PVI_WRITE);
	memset(buf, 'x', sizeof(buf));
	assert_fault(pvi_dma_write(ep, 0x100000, buf, 0x20001), PVI_FAULT_MAPPING, true, 0x120000);
	for (uint64_t i = 0; i < 0x20000; i++)
		assert_int_equal(*host_at(&host, HOST_SLOT_SIZE + i), 0);
	assert_int_equal(pvi_dma_write(ep, 0x100000, buf, 0x20000), 0);
	assert_memory_equal(host_at(&host, HOST_SLOT_SIZE), buf, 0x20000);
	assert_fault(pvi_dma_write(ep, UINT64_MAX, buf, 2), PVI_FAULT_MAPPING, true, UINT64_MAX);
	assert_fault(pvi_dma_write(ep, UINT64_MAX, buf, 1), PVI_FAULT_MAPPING, true, UINT64_MAX);
}

/* A transfer over the end of the space is a fault like others, behind the other reasons. */
static void test_wrapping_transfer(void **state)
{
	struct pvi_iommu_config c;

	tear_down(state);
	host_init(&host);
	c = host_config(&host);
	c.input_last = UINT64_MAX;
	iommu = host_iommu(&c);
	ep = host_endpoint(iommu, EP);
	drv = (struct driver){.h = &host, .v = host_viommu(&host, iommu)};
	assert_true(drv_start(&drv, DRV_F_COMMON));
	assert_fault(pvi_dma_write(ep, UINT64_MAX, buf, 2), PVI_FAULT_DOMAIN, true, UINT64_MAX);
	assert_int_equal(drv_attach(&drv, 1, EP, 0), PVI_S_OK);
	map(UINT64_MAX - 0xfff, UINT64_MAX, DRV_DATA, PVI_WRITE);
	map(0, 0xfff, DRV_DATA + 0x1000, PVI_WRITE);
	buf[0] = 'x';
	assert_fault(pvi_dma_write(ep, UINT64_MAX, buf, 2), PVI_FAULT_MAPPING, true, UINT64_MAX);
	assert_int_equal(*host_at(&host, DRV_DATA + 0xfff), 0);
	assert_int_equal(pvi_dma_write(ep, UINT64_MAX, buf, 1), 0);
	pvi_endpoint_set_dma(ep, false);
	assert_fault(pvi_dma_write(ep, UINT64_MAX, buf, 2), PVI_FAULT_BLOCKED, true, UINT64_MAX);
}

static void test_mapping_over_two_slots(void **state)
{
	map(0x5000, 0x6fff, HOST_SLOT_SIZE - PAGE, PVI_READ | PVI_WRITE);
	assert_int_equal(pvi_dma_write(ep, 0x5ffc, "abcdefgh", 8), 0);
	assert_memory_equal(host.slot[0] + HOST_SLOT_SIZE - 4, "abcd", 4);
	assert_memory_equal(host.slot[1], "efgh", 4);
	assert_int_equal(pvi_dma_read(ep, 0x5ffc, buf, 8), 0);
	assert_memory_equal(buf, "abcdefgh", 8);
}

static void test_detached_is_blocked(void **state)
{
	map(0x5000, 0x5fff, DRV_DATA, PVI_READ);
	assert_int_equal(drv_detach(&drv, 1, EP), PVI_S_OK);
	assert_fault(pvi_dma_read(ep, 0x5000, buf, 1), PVI_FAULT_DOMAIN, false, 0x5000);
	/* Its mappings went with the domain. */
	assert_int_equal(drv_attach(&drv, 1, EP, 0), PVI_S_OK);
	assert_fault(pvi_dma_read(ep, 0x5000, buf, 1), PVI_FAULT_MAPPING, false, 0x5000);
}

static void test_switch(void **state)
{
	struct pvi_endpoint_stats s;

	map(0x5000, 0x5fff, DRV_DATA, PVI_READ);
	pvi_endpoint_set_dma(ep, false);
	assert_fault(pvi_dma_read(ep, 0x5000, buf, 1), PVI_FAULT_BLOCKED, false, 0x5000);
	pvi_endpoint_get_stats(ep, &s);
	assert_int_equal(s.blocked, 1);
	assert_int_equal(s.faults, 0);
	pvi_endpoint_set_dma(ep, true);
	assert_int_equal(pvi_dma_read(ep, 0x5000, buf, 1), 0);
}

static void test_bypass_reaches_ram_only(void **state)
{
	static const struct pvi_reserved window = {.first = 0x90000, .last = 0x90fff, .msi = true};

	tear_down(state);
	start(true, &(struct pvi_endpoint_config){&window, 1, true});
	assert_int_equal(drv_attach(&drv, 9, EP, PVI_ATTACH_F_BYPASS), PVI_S_OK);
	assert_int_equal(pvi_dma_write(ep, DRV_DATA, "abc", 3), 0);
	assert_memory_equal(host_at(&host, DRV_DATA), "abc", 3);
	assert_fault(pvi_dma_write(ep, HOST_HOLE - 1, "ab", 2), PVI_FAULT_UNKNOWN, true, HOST_HOLE);
	assert_fault(pvi_dma_write(ep, 0xfee00000, "abcd", 4), PVI_FAULT_UNKNOWN, true, 0xfee00000);
	assert_fault(pvi_dma_write(ep, 0x8fffe, "abcd", 4), PVI_FAULT_UNKNOWN, true, 0x90000);
	assert_int_equal(pvi_dma_write(ep, 0x91000, "a", 1), 0);
}

/* ---- what is answered is out of use ---- */

struct pause {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t dma_thread;
	bool inside, go;
	int result;
};

static struct pause hold = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER};
static atomic_bool answered;

static void hold_transfer(void *arg)
{
	if (!pthread_equal(pthread_self(), hold.dma_thread))
		return;
	pthread_mutex_lock(&hold.lock);
	hold.inside = true;
	pthread_cond_broadcast(&hold.changed);
	while (!hold.go)
		pthread_cond_wait(&hold.changed, &hold.lock);
	pthread_mutex_unlock(&hold.lock);
}

static void *dma_thread(void *arg)
{
	pthread_mutex_lock(&hold.lock);
	hold.dma_thread = pthread_self();
	pthread_mutex_unlock(&hold.lock);
	host.in_ram = hold_transfer;
	hold.result = pvi_dma_write(ep, 0x5000, "x", 1);
	return NULL;
}

static void *unmap_thread(void *arg)
{
	struct pvi_wire_unmap r = drv_unmap_req(1, 0x5000, 0x5fff);

	drv_add(&drv, 1, &r, sizeof(r), 4);
	drv_kick(&drv, PVI_VQ_REQUEST);
	atomic_store(&answered, true);
	return NULL;
}

/* Xen's XSA-80: what fails behind an UNMAP must not make it skip the wait. */
static void *broken_batch_thread(void *arg)
{
	struct pvi_wire_unmap r = drv_unmap_req(1, 0x5000, 0x5fff);
	struct pvi_wire_map bad = drv_map_req(1, 0x5001, 0x5fff, DRV_DATA, PVI_WRITE);

	drv_add(&drv, 1, &r, sizeof(r), 4);
	drv_add(&drv, 2, &bad, sizeof(bad), 4);
	drv_offer(&drv, PVI_VQ_REQUEST, DRV_SIZE);
	drv_kick(&drv, PVI_VQ_REQUEST);
	atomic_store(&answered, true);
	return NULL;
}

/* Xen's XSA-401: the same address is given anew, for less, before the old use has ended. */
static void *remap_thread(void *arg)
{
	struct pvi_wire_unmap r = drv_unmap_req(1, 0x5000, 0x5fff);
	struct pvi_wire_map m = drv_map_req(1, 0x5000, 0x5fff, DRV_DATA, PVI_READ);

	drv_add(&drv, 1, &r, sizeof(r), 4);
	drv_add(&drv, 2, &m, sizeof(m), 4);
	drv_kick(&drv, PVI_VQ_REQUEST);
	atomic_store(&answered, true);
	return NULL;
}

static void *switch_thread(void *arg)
{
	pvi_endpoint_set_dma(ep, false);
	atomic_store(&answered, true);
	return NULL;
}

static void *detach_thread(void *arg)
{
	struct pvi_wire_detach r = drv_detach_req(1, EP);

	drv_add(&drv, 1, &r, sizeof(r), 4);
	drv_kick(&drv, PVI_VQ_REQUEST);
	atomic_store(&answered, true);
	return NULL;
}

static void *reset_thread(void *arg)
{
	pvi_viommu_system_reset(drv.v);
	atomic_store(&answered, true);
	return NULL;
}

/*
 * A transfer is stopped in the middle of a chunk; @taker takes its right away.
 * It must still be waiting when the transfer goes on. The test yields to give a
 * wrong taker every chance to be done by then.
 */
static void check_drained(void *(*taker)(void *))
{
	uint16_t used = drv_used_idx(&drv, PVI_VQ_REQUEST);
	pthread_t d, t;

	hold.inside = hold.go = false;
	atomic_store(&answered, false);
	assert_int_equal(pthread_create(&d, NULL, dma_thread, NULL), 0);
	pthread_mutex_lock(&hold.lock);
	while (!hold.inside)
		pthread_cond_wait(&hold.changed, &hold.lock);
	pthread_mutex_unlock(&hold.lock);

	assert_int_equal(pthread_create(&t, NULL, taker, NULL), 0);
	for (int i = 0; i < 2000; i++) {
		sched_yield();
		assert_false(atomic_load(&answered));
		assert_int_equal(drv_used_idx(&drv, PVI_VQ_REQUEST), used);
	}
	pthread_mutex_lock(&hold.lock);
	hold.go = true;
	pthread_cond_broadcast(&hold.changed);
	pthread_mutex_unlock(&hold.lock);
	pthread_join(d, NULL);
	pthread_join(t, NULL);
	assert_true(atomic_load(&answered));
	/* The check had passed, so the chunk either moved before the end or was refused. */
	assert_true(hold.result == 0 || hold.result == -EFAULT || hold.result == -EACCES);
	host.in_ram = NULL;
	host.faults = 0;
	assert_true(pvi_dma_write(ep, 0x5000, "y", 1) < 0);
}

static void *end_bypass_thread(void *arg)
{
	drv_write(&drv, PVI_VP_DEVICE + offsetof(struct pvi_wire_config, bypass), 0, 1);
	atomic_store(&answered, true);
	return NULL;
}

static void test_end_of_bypass_waits_for_transfers(void **state)
{
	tear_down(state);
	start(true, &(struct pvi_endpoint_config){.dma_on = true});
	assert_int_equal(drv_detach(&drv, 1, EP), PVI_S_OK);
	drv_write(&drv, PVI_VP_DEVICE + offsetof(struct pvi_wire_config, bypass), 1, 1);
	check_drained(end_bypass_thread);
}

static void test_unmap_waits_for_transfers(void **state)
{
	map(0x5000, 0x5fff, DRV_DATA, PVI_WRITE);
	check_drained(unmap_thread);
}

static void test_broken_batch_waits_for_transfers(void **state)
{
	map(0x5000, 0x5fff, DRV_DATA, PVI_WRITE);
	check_drained(broken_batch_thread);
	assert_true(drv_read(&drv, 0x14, 1) & PVI_VIRTIO_S_NEEDS_RESET);
}

static void test_remap_waits_for_transfers(void **state)
{
	uint8_t byte;

	map(0x5000, 0x5fff, DRV_DATA, PVI_WRITE);
	check_drained(remap_thread);
	assert_int_equal(pvi_dma_read(ep, 0x5000, &byte, 1), 0);
}

static void test_detach_waits_for_transfers(void **state)
{
	map(0x5000, 0x5fff, DRV_DATA, PVI_WRITE);
	check_drained(detach_thread);
}

static void test_reset_waits_for_transfers(void **state)
{
	map(0x5000, 0x5fff, DRV_DATA, PVI_WRITE);
	check_drained(reset_thread);
}

static void test_switching_off_waits_for_transfers(void **state)
{
	map(0x5000, 0x5fff, DRV_DATA, PVI_WRITE);
	check_drained(switch_thread);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_read_and_write),
		T(test_last_byte_of_a_mapping),
		T(test_buffer_over_adjacent_mappings),
		T(test_permissions_are_enforced),
		T(test_all_or_nothing),
		T(test_wrapping_transfer),
		T(test_mapping_over_two_slots),
		T(test_detached_is_blocked),
		T(test_switch),
		T(test_bypass_reaches_ram_only),
		T(test_end_of_bypass_waits_for_transfers),
		T(test_unmap_waits_for_transfers),
		T(test_broken_batch_waits_for_transfers),
		T(test_remap_waits_for_transfers),
		T(test_detach_waits_for_transfers),
		T(test_reset_waits_for_transfers),
		T(test_switching_off_waits_for_transfers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
