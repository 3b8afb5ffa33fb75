// SPDX-License-Identifier: BSD-2-Clause
/* VIRTIO_IOMMU_F_MMIO: peers' registers as targets, where the embedder allows them by name. */
#include "fake_driver.h"

#define EP     0x10u
#define RW     (PVI_MAP_F_READ | PVI_MAP_F_WRITE)
#define MMIO   PVI_MAP_F_MMIO
#define PEER   HOST_HOLE /* where the peer's two pages of registers are */
#define F_MMIO (DRV_F_COMMON | 1u << PVI_F_MMIO)

static struct fake_host host;
static struct pvi_iommu_ops ops;
static struct driver drv;
static struct pvi_iommu *iommu;
static struct pvi_endpoint *ep;

static uint64_t peer_at;
static uint8_t registers[0x2000];
static unsigned int accesses;
static int peer_says;

static bool allowed(void *ctx, uint64_t gpa, uint64_t len)
{
	return gpa >= peer_at && gpa - peer_at < sizeof(registers) &&
	       len <= sizeof(registers) - (gpa - peer_at);
}

static int access_peer(void *ctx, uint32_t endpoint, uint64_t gpa, void *buf, size_t len,
		       bool write)
{
	uint8_t *reg = registers + (gpa - peer_at);

	assert_int_equal(endpoint, EP);
	assert_true(allowed(ctx, gpa, len));
	accesses++;
	if (peer_says)
		return peer_says;
	memcpy(write ? reg : buf, write ? buf : reg, len);
	return 0;
}

static void start(bool offered)
{
	struct pvi_iommu_config c;

	host_init(&host);
	c = host_config(&host);
	ops = *c.ops;
	ops.mmio_allowed = offered ? allowed : NULL;
	ops.mmio = offered ? access_peer : NULL;
	c.ops = &ops;
	iommu = host_iommu(&c);
	ep = host_endpoint(iommu, EP);
	drv = (struct driver){.h = &host, .v = host_viommu(&host, iommu)};
	peer_at = PEER;
	accesses = 0;
	peer_says = 0;
	memset(registers, 0, sizeof(registers));
	assert_true(drv_start(&drv, offered ? F_MMIO : DRV_F_COMMON));
	assert_int_equal(drv_attach(&drv, 1, EP, 0), PVI_S_OK);
}

static int set_up(void **state)
{
	start(true);
	return 0;
}

static int tear_down(void **state)
{
	pvi_endpoint_remove(ep);
	pvi_viommu_free(drv.v);
	pvi_iommu_free(iommu);
	host_done(&host);
	return 0;
}

static uint32_t map(uint64_t iova, uint64_t pages, uint64_t gpa, uint32_t flags)
{
	return drv_map(&drv, 1, iova, iova + pages * 0x1000 - 1, gpa, flags);
}

static void test_offered_only_with_both_operations(void **state)
{
	struct pvi_iommu_config c = host_config(&host);
	struct pvi_iommu_ops half = ops;
	struct pvi_iommu *none = NULL;

	assert_true(drv_features(&drv) & 1u << PVI_F_MMIO);
	half.mmio = NULL;
	c.ops = &half;
	assert_int_equal(pvi_iommu_new(&c, &none), -EINVAL);
	tear_down(state);
	start(false);
	assert_false(drv_features(&drv) & 1u << PVI_F_MMIO);
	assert_int_equal(map(0x5000, 1, PEER, RW | MMIO), PVI_S_INVAL);
}

static void test_flag_needs_the_feature(void **state)
{
	assert_true(drv_start(&drv, DRV_F_COMMON));
	assert_int_equal(drv_attach(&drv, 1, EP, 0), PVI_S_OK);
	assert_int_equal(map(0x5000, 1, PEER, RW | MMIO), PVI_S_INVAL);
}

/* Allowed registers by the flag, RAM without it, and nothing else. */
static void test_targets(void **state)
{
	assert_int_equal(map(0x5000, 2, PEER, RW | MMIO), PVI_S_OK);
	assert_int_equal(map(0x9000, 1, PEER, RW), PVI_S_FAULT);
	assert_int_equal(map(0x9000, 1, DRV_DATA, RW | MMIO), PVI_S_FAULT);
	assert_int_equal(map(0x9000, 3, PEER, RW | MMIO), PVI_S_FAULT);
	assert_int_equal(map(0x9000, 1, PEER - 0x1000, RW | MMIO), PVI_S_FAULT);
	assert_int_equal(map(0x9000, 1, 0xfee00000, RW | MMIO), PVI_S_FAULT);
	assert_int_equal(map(0x9000, 1, PEER, RW | MMIO | 8), PVI_S_INVAL);
}

static void test_accesses(void **state)
{
	uint8_t buf[8] = {0};

	assert_int_equal(map(0x5000, 1, PEER + 0x1000, RW | MMIO), PVI_S_OK);
	assert_int_equal(map(0x6000, 1, DRV_DATA, RW), PVI_S_OK);
	assert_int_equal(map(0x8000, 1, PEER, PVI_MAP_F_READ | MMIO), PVI_S_OK);
	assert_int_equal(pvi_dma_write(ep, 0x5010, "registers", 9), 0);
	assert_int_equal(accesses, 1); /* one, not split */
	assert_memory_equal(registers + 0x1010, "registers", 9);
	assert_int_equal(pvi_dma_read(ep, 0x5013, buf, 3), 0);
	assert_memory_equal(buf, "ist", 3);
	/* From registers on into RAM. */
	assert_int_equal(pvi_dma_write(ep, 0x5ffe, "abcd", 4), 0);
	assert_memory_equal(registers + 0x1ffe, "ab", 2);
	assert_memory_equal(host_at(&host, DRV_DATA), "cd", 2);
	accesses = 0;
	assert_int_equal(pvi_dma_write(ep, 0x8000, "x", 1), -EFAULT);
	assert_int_equal(host.last_fault.reason, PVI_FAULT_MAPPING);
	assert_int_equal(accesses, 0);
	assert_int_equal(drv_unmap(&drv, 1, 0x5000, 0x5fff), PVI_S_OK);
	assert_int_equal(pvi_dma_write(ep, 0x5010, "x", 1), -EFAULT);
	assert_int_equal(accesses, 0);
}

static void test_refused_accesses(void **state)
{
	assert_int_equal(map(0x5000, 1, PEER, RW | MMIO), PVI_S_OK);
	peer_says = -EIO;
	assert_int_equal(pvi_dma_write(ep, 0x5010, "x", 1), -EFAULT);
	assert_int_equal(host.last_fault.reason, PVI_FAULT_UNKNOWN);
	assert_int_equal(accesses, 1);
	/* The guest has moved the registers away. */
	peer_says = 0;
	peer_at = PEER + 0x100000;
	assert_int_equal(pvi_dma_write(ep, 0x5010, "x", 1), -EFAULT);
	assert_int_equal(accesses, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_offered_only_with_both_operations),
		T(test_flag_needs_the_feature),
		T(test_targets),
		T(test_accesses),
		T(test_refused_accesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
