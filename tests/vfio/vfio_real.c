// SPDX-License-Identifier: BSD-2-Clause
/*
 * The VFIO backend on a real type1 container: a guest's requests through the virtio-iommu,
 * QEMU's edu as the device that does DMA, and the kernel's own account of what is mapped
 * and locked. Needs root, an IOMMU, and the device bound to vfio-pci.
 * usage: vfio-real GROUP BDF
 */
#include "edu.h"
#include "fake_driver.h"
#include "kernel_log.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <pviommu/vfio.h>

#define EP	      0x10u
#define EP_SOFT	      0x20u
#define RW	      (PVI_MAP_F_READ | PVI_MAP_F_WRITE)
#define PAGE	      0x1000ull
#define LEN	      1024u /* of a DMA */
#define FAULT_TRIES   12
#define FAULT_WAIT_MS 1000
#define LIMIT	      64u /* mappings, where the limit is tested */
#define BYPASS	      (PVI_VP_DEVICE + offsetof(struct pvi_wire_config, bypass))
#define LIMIT_FILE    "/sys/module/vfio_iommu_type1/parameters/dma_entry_limit"

static const char *group, *bdf, *running = "set up";
static struct fake_host host;
static struct driver drv;
static struct pvi_iommu *iommu;
static struct edu edu;
static struct pvi_vfio *vfio;
static struct pvi_endpoint *ep, *soft;
static unsigned long locked_before; /* KiB */

void check_failed(const char *file, int line, const char *what, uint64_t a, uint64_t b)
{
	printf("not ok - %s: %s:%d: %s (0x%llx, 0x%llx)\n", running, file, line, what,
	       (unsigned long long)a, (unsigned long long)b);
	exit(1);
}

/* ---- set up and tear down ---- */

/* Memory of this process that the kernel has locked, type1's mappings among it. */
static unsigned long locked(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	unsigned long kib = 0;
	char line[128];
	bool found = false;

	assert_non_null(f);
	while (!found && fgets(line, sizeof(line), f))
		found = sscanf(line, "VmLck: %lu kB", &kib) == 1;
	fclose(f);
	assert_true(found);
	return kib;
}

/* The slots touch in the guest; in the host the first two do only if @joined. */
static void place_ram(bool joined)
{
	host_done(&host);
	host.slot[0] = aligned_alloc(PAGE, 4 * HOST_SLOT_SIZE);
	assert_non_null(host.slot[0]);
	memset(host.slot[0], 0, 4 * HOST_SLOT_SIZE);
	host.slot[1] = host.slot[0] + (joined ? 1 : 2) * HOST_SLOT_SIZE;
	host.slot[2] = host.slot[0] + 3 * HOST_SLOT_SIZE;
}

static void start(bool allow_bypass, bool joined)
{
	struct pvi_vfio_ram ram[3] = {{.gpa = 0}, {.gpa = HOST_SLOT_SIZE}, {.gpa = HOST_HIGH}};
	struct pvi_vfio_config vc = {.ram = ram, .nr_ram = 3};
	const struct pvi_reserved msi = {0xfee00000, 0xfeefffff, true};
	struct pvi_endpoint_config ec = {&msi, 1, true, NULL};
	struct pvi_iommu_config c;

	host_init(&host);
	place_ram(joined);
	for (int i = 0; i < 3; i++) {
		ram[i].len = HOST_SLOT_SIZE;
		ram[i].hva = host.slot[i];
	}
	c = host_config(&host);
	c.allow_bypass = allow_bypass;
	iommu = host_iommu(&c);
	edu_open(&edu, group, bdf);
	vc.container = edu.container;
	assert_int_equal(pvi_vfio_new(iommu, &vc, &vfio), 0);
	ec.backend = pvi_vfio_backend(vfio);
	assert_int_equal(pvi_endpoint_add(iommu, EP, &ec, &ep), 0);
	soft = host_endpoint(iommu, EP_SOFT);
	drv = (struct driver){.h = &host, .v = host_viommu(&host, iommu)};
	assert_true(drv_start(&drv, allow_bypass ? DRV_F_COMMON | 1u << PVI_F_BYPASS_CONFIG
						 : DRV_F_COMMON));
	assert_int_equal(drv_attach(&drv, 1, EP, 0), PVI_S_OK);
}

static void stop(void)
{
	pvi_endpoint_remove(ep);
	pvi_endpoint_remove(soft);
	pvi_viommu_free(drv.v);
	pvi_vfio_free(vfio);
	/* With the container still open: it was the library that gave all of it back. */
	assert_int_equal(locked(), locked_before);
	edu_close(&edu);
	pvi_iommu_free(iommu);
	free(host.slot[0]);
	assert_int_equal(host.nr_failed, 0);
}

/* ---- what the tests ask ---- */

static uint32_t map(uint32_t domain, uint64_t iova, uint64_t pages, uint64_t gpa, uint32_t flags)
{
	return drv_map(&drv, domain, iova, iova + pages * PAGE - 1, gpa, flags);
}

static uint32_t unmap(uint64_t iova, uint64_t pages)
{
	return drv_unmap(&drv, 1, iova, iova + pages * PAGE - 1);
}

static uint32_t available(void)
{
	struct pvi_vfio_info info;

	assert_int_equal(pvi_vfio_get_info(vfio, &info), 0);
	return info.available;
}

/* Bytes that are nowhere else. */
static void fill(uint64_t gpa, size_t len)
{
	static uint8_t seed;
	uint8_t *p = host_at(&host, gpa);

	seed++;
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(seed + 7 * i + (i >> 8));
}

/*
 * The device copies from @from to @to, IOVAs that lead to @src and @dst: does what it
 * read arrive there?
 */
static bool copies(uint64_t from, uint64_t src, uint64_t to, uint64_t dst)
{
	fill(src, LEN);
	memset(host_at(&host, dst), 0, LEN);
	edu_read(&edu, from, LEN);
	edu_write(&edu, to, LEN);
	return !memcmp(host_at(&host, src), host_at(&host, dst), LEN);
}

/* A write to @iova, which led to @gpa if anywhere, must change nothing. */
static void no_write(uint64_t iova, uint64_t gpa)
{
	uint8_t before[LEN];

	memcpy(before, host_at(&host, gpa), LEN);
	edu_write(&edu, iova, LEN);
	assert_memory_equal(before, host_at(&host, gpa), LEN);
}

/* The same of a read: @to, which leads to @dst, then does not get what is at @gpa. */
static void no_read(uint64_t iova, uint64_t gpa, uint64_t to, uint64_t dst)
{
	assert_false(copies(iova, gpa, to, dst));
}

/*
 * The kernel must have heard of the fault, too. It limits the rate of its messages: what it
 * did not say at once it says if the device does the same again, some seconds later.
 */
static void faults(void (*dma)(const struct edu *e, uint64_t iova, size_t len), const char *what,
		   uint64_t iova)
{
	bool heard = false;

	for (int i = 0; i < FAULT_TRIES && !heard; i++) {
		kernel_log_skip();
		dma(&edu, iova, 8);
		heard = kernel_log_has_fault(what, iova & ~(PAGE - 1), FAULT_WAIT_MS);
	}
	assert_true(heard);
}

/* ---- the tests ---- */

static void test_device_reaches_what_is_mapped(void)
{
	start(false, false);
	assert_int_equal(map(1, 0x10000, 2, DRV_DATA, RW), PVI_S_OK);
	assert_int_equal(map(1, 0x2000000000, 1, HOST_HIGH, RW), PVI_S_OK);
	assert_int_equal(locked(), locked_before + 3 * PAGE / 1024);
	assert_true(copies(0x10800, DRV_DATA + 0x800, 0x2000000000, HOST_HIGH));
	/* Over the border of two pages of one mapping. */
	assert_true(copies(0x2000000000, HOST_HIGH, 0x10f00, DRV_DATA + 0xf00));
	stop();
}

static void test_device_reaches_nothing_else(void)
{
	uint8_t *neighbour;

	start(false, false);
	neighbour = host_at(&host, DRV_DATA + PAGE);
	assert_int_equal(map(1, 0x10000, 1, DRV_DATA, RW), PVI_S_OK);
	/* Guest-physical addresses, and the process's own, are nothing to it. */
	no_write(DRV_DATA, DRV_DATA);
	faults(edu_write, "Write", DRV_DATA);
	faults(edu_read, "Read", 0x11000);
	no_read(0x11000, DRV_DATA + PAGE, 0x10000, DRV_DATA);
	/* The part of a DMA that is behind the mapping's end does not arrive. */
	fill(DRV_DATA, PAGE);
	memset(neighbour, 0x5a, PAGE);
	edu_read(&edu, 0x10000, LEN);
	edu_write(&edu, 0x11000 - LEN / 2, LEN);
	assert_memory_equal(host_at(&host, DRV_DATA), host_at(&host, DRV_DATA + PAGE - LEN / 2),
			    LEN / 2);
	for (size_t i = 0; i < PAGE; i++)
		assert_int_equal(neighbour[i], 0x5a);
	stop();
}

/*
 * Whether it may read what was mapped for writing only is the host's affair (5.13.6.5.2
 * allows it): Linux 6.1's driver of VT-d lets it.
 */
static void test_rights_are_the_hardwares(void)
{
	start(false, false);
	assert_int_equal(map(1, 0x10000, 1, DRV_DATA, PVI_MAP_F_READ), PVI_S_OK);
	assert_int_equal(map(1, 0x20000, 1, DRV_DATA + PAGE, PVI_MAP_F_WRITE), PVI_S_OK);
	assert_int_equal(map(1, 0x30000, 1, DRV_DATA + 2 * PAGE, 0), PVI_S_OK);
	no_write(0x30000, DRV_DATA + 2 * PAGE);
	/* Before its IOTLB has the page: then QEMU refuses too, but says nothing. */
	faults(edu_write, "Write", 0x10000);
	assert_true(copies(0x10000, DRV_DATA, 0x20000, DRV_DATA + PAGE));
	fill(DRV_DATA + PAGE, LEN);
	edu_read(&edu, 0x20000, LEN);
	no_write(0x10000, DRV_DATA);
	stop();
}

/* Neighbours by two MAPs; then, what type1 says where a mapping would be split. */
static void test_unmap_finds_the_edges(void)
{
	struct vfio_iommu_type1_dma_unmap half = {
		.argsz = sizeof(half), .iova = 0x20000, .size = PAGE};
	uint32_t all;

	start(false, false);
	all = available();
	assert_int_equal(map(1, 0x10000, 1, DRV_DATA, RW), PVI_S_OK);
	assert_int_equal(map(1, 0x11000, 1, DRV_DATA + PAGE, RW), PVI_S_OK);
	assert_int_equal(available(), all - 2);
	assert_true(copies(0x10000, DRV_DATA, 0x11000, DRV_DATA + PAGE));
	assert_int_equal(unmap(0x10000, 1), PVI_S_OK);
	no_write(0x10000, DRV_DATA);
	faults(edu_write, "Write", 0x10000);
	assert_true(copies(0x11000, DRV_DATA + PAGE, 0x11800, DRV_DATA + PAGE + 0x800));
	assert_int_equal(map(1, 0x20000, 4, DRV_DATA + 4 * PAGE, RW), PVI_S_OK);
	assert_int_equal(available(), all - 2);
	assert_int_equal(unmap(0x20000, 1), PVI_S_RANGE);
	assert_true(ioctl(edu.container, VFIO_IOMMU_UNMAP_DMA, &half) < 0 && errno == EINVAL);
	assert_true(copies(0x20000, DRV_DATA + 4 * PAGE, 0x23000, DRV_DATA + 7 * PAGE));
	/* Ends that lie in holes. */
	assert_int_equal(drv_unmap(&drv, 1, 0xf123, 0x24fff), PVI_S_OK);
	assert_int_equal(available(), all);
	assert_int_equal(locked(), locked_before);
	no_write(0x23000, DRV_DATA + 7 * PAGE);
	stop();
}

/* A MAP over two slots: one mapping of the container, or two where the host is not one run. */
static void map_over_slots(bool joined)
{
	const uint64_t seam = HOST_SLOT_SIZE;
	uint32_t all;

	start(false, joined);
	all = available();
	assert_int_equal(map(1, 0x10000, 4, seam - 2 * PAGE, RW), PVI_S_OK);
	assert_int_equal(available(), all - (joined ? 1 : 2));
	assert_true(copies(0x11000, seam - PAGE, 0x12000, seam));
	/* Half of what it copies is before the seam, half behind. */
	fill(seam - PAGE, LEN);
	edu_read(&edu, 0x11000, LEN);
	edu_write(&edu, 0x12000 - LEN / 2, LEN);
	assert_memory_equal(host_at(&host, seam - PAGE), host_at(&host, seam - LEN / 2), LEN / 2);
	assert_memory_equal(host_at(&host, seam - PAGE + LEN / 2), host_at(&host, seam), LEN / 2);
	assert_int_equal(unmap(0x10000, 4), PVI_S_OK);
	assert_int_equal(available(), all);
	no_write(0x12000, seam);
	stop();
}

static void test_map_over_slots(void)
{
	map_over_slots(false);
	map_over_slots(true);
}

static void set_limit(unsigned int n)
{
	char text[16];
	int fd = open(LIMIT_FILE, O_WRONLY), len = snprintf(text, sizeof(text), "%u", n);

	assert_true(fd >= 0 && write(fd, text, (size_t)len) == len);
	close(fd);
}

static void test_limit_answers_nomem(void)
{
	start(false, false);
	assert_int_equal(available(), 65535);
	stop();
	set_limit(LIMIT);
	start(false, false);
	assert_int_equal(available(), LIMIT);
	for (uint64_t i = 0; i < LIMIT; i++)
		assert_int_equal(map(1, i * PAGE, 1, DRV_DATA + i * PAGE, RW), PVI_S_OK);
	assert_int_equal(available(), 0);
	assert_int_equal(map(1, LIMIT * PAGE, 1, DRV_DATA, RW), PVI_S_NOMEM);
	no_write(LIMIT * PAGE, DRV_DATA);
	/* Room for one of the two that this one takes: it leaves neither. */
	assert_int_equal(unmap(0, 1), PVI_S_OK);
	assert_int_equal(map(1, 0x100000, 2, HOST_SLOT_SIZE - PAGE, RW), PVI_S_NOMEM);
	assert_int_equal(available(), 1);
	no_write(0x100000, HOST_SLOT_SIZE - PAGE);
	assert_int_equal(map(1, 0, 1, DRV_DATA, RW), PVI_S_OK);
	assert_true(copies(0, DRV_DATA, PAGE, DRV_DATA + PAGE));
	stop();
	set_limit(65535);
}

/* Moving to a domain replays what it has; where that does not fit, the old one stays. */
static void test_attach_replays_and_rolls_back(void)
{
	set_limit(LIMIT);
	start(false, false);
	assert_int_equal(drv_attach(&drv, 2, EP_SOFT, 0), PVI_S_OK);
	for (uint64_t i = 0; i <= LIMIT; i++)
		assert_int_equal(map(2, 0x100000 + i * PAGE, 1, DRV_DATA + i * PAGE, RW), PVI_S_OK);
	assert_int_equal(map(1, 0x10000, 2, DRV_DATA, RW), PVI_S_OK);
	assert_int_equal(drv_attach(&drv, 2, EP, 0), PVI_S_NOMEM);
	assert_int_equal(available(), LIMIT - 1);
	assert_int_equal(locked(), locked_before + 2 * PAGE / 1024);
	assert_true(copies(0x10000, DRV_DATA, 0x11000, DRV_DATA + PAGE));
	no_write(0x100000, DRV_DATA);
	assert_int_equal(drv_unmap(&drv, 2, 0x100000, 0x100fff), PVI_S_OK);
	assert_int_equal(drv_attach(&drv, 2, EP, 0), PVI_S_OK);
	assert_int_equal(available(), 0);
	assert_true(copies(0x101000, DRV_DATA + PAGE, 0x100000 + LIMIT * PAGE,
			   DRV_DATA + LIMIT * PAGE));
	no_write(0x10000, DRV_DATA);
	stop();
	set_limit(65535);
}

static void test_detach_leaves_nothing(void)
{
	start(false, false);
	assert_int_equal(map(1, 0x10000, 16, DRV_DATA, RW), PVI_S_OK);
	assert_true(copies(0x10000, DRV_DATA, 0x11000, DRV_DATA + PAGE));
	assert_int_equal(drv_detach(&drv, 1, EP), PVI_S_OK);
	assert_int_equal(available(), 65535);
	assert_int_equal(locked(), locked_before);
	no_write(0x10000, DRV_DATA);
	faults(edu_write, "Write", 0x10000);
	assert_int_equal(drv_attach(&drv, 1, EP, 0), PVI_S_OK);
	/* Freed with what it has: stop() looks. */
	assert_int_equal(map(1, 0x10000, 16, DRV_DATA, RW), PVI_S_OK);
	assert_int_equal(locked(), locked_before + 16 * PAGE / 1024);
	stop();
}

static void test_reset_leaves_nothing(void)
{
	start(false, false);
	assert_int_equal(map(1, 0x10000, 16, DRV_DATA, RW), PVI_S_OK);
	pvi_viommu_system_reset(drv.v);
	assert_int_equal(available(), 65535);
	assert_int_equal(locked(), locked_before);
	no_write(0x10000, DRV_DATA);
	stop();
}

static void set_ipc_lock(bool on)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	assert_int_equal(syscall(SYS_capget, &head, data), 0);
	if (on)
		data[0].effective |= 1u << CAP_IPC_LOCK;
	else
		data[0].effective &= ~(1u << CAP_IPC_LOCK);
	assert_int_equal(syscall(SYS_capset, &head, data), 0);
}

/* A user's limit on locked memory, in the middle of a MAP of two parts. */
static void test_locked_memory_answers_nomem(void)
{
	struct rlimit old, few;

	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &old), 0);
	start(false, false);
	few = (struct rlimit){locked_before * 1024 + 4 * PAGE, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &few), 0);
	set_ipc_lock(false);
	assert_int_equal(map(1, 0x10000, 6, HOST_SLOT_SIZE - 3 * PAGE, RW), PVI_S_NOMEM);
	assert_int_equal(available(), 65535);
	assert_int_equal(locked(), locked_before);
	assert_int_equal(map(1, 0x10000, 4, HOST_SLOT_SIZE - 2 * PAGE, RW), PVI_S_OK);
	assert_int_equal(map(1, 0x20000, 1, DRV_DATA, RW), PVI_S_NOMEM);
	set_ipc_lock(true);
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &old), 0);
	assert_true(copies(0x11000, HOST_SLOT_SIZE - PAGE, 0x12000, HOST_SLOT_SIZE));
	stop();
}

static void test_bypass_is_all_ram(void)
{
	start(true, false);
	assert_int_equal(drv_detach(&drv, 1, EP), PVI_S_OK);
	drv_write(&drv, BYPASS, 1, 1);
	assert_int_equal(locked(), locked_before + 3 * HOST_SLOT_SIZE / 1024);
	assert_true(copies(DRV_DATA, DRV_DATA, HOST_HIGH, HOST_HIGH));
	no_read(HOST_HOLE, DRV_DATA, DRV_DATA + PAGE, DRV_DATA + PAGE);
	assert_int_equal(drv_attach(&drv, 1, EP, 0), PVI_S_OK);
	assert_int_equal(locked(), locked_before);
	no_write(DRV_DATA, DRV_DATA);
	assert_int_equal(drv_attach(&drv, 2, EP, PVI_ATTACH_F_BYPASS), PVI_S_OK);
	assert_true(copies(DRV_DATA, DRV_DATA, HOST_HIGH, HOST_HIGH));
	drv_write(&drv, BYPASS, 0, 1);
	assert_int_equal(drv_detach(&drv, 2, EP), PVI_S_OK);
	no_write(DRV_DATA, DRV_DATA);
	stop();
}

/* What this IOMMU cannot translate is what PROBE says and MAP refuses. */
static void test_windows_are_the_hardwares(void)
{
	struct pvi_wire_probe r = {.head.type = PVI_T_PROBE};
	const uint8_t *in;
	uint64_t end = 0;

	start(false, false);
	in = host_at(&host, drv_in(0));
	pvi_put32(&r.endpoint, EP);
	assert_int_equal(drv_submit(&drv, &r, sizeof(r), 516), 516);
	assert_int_equal(in[4], PVI_RESV_MEM_MSI);
	assert_int_equal(pvi_get64(in + 8), 0xfee00000);
	/* The last one begins where the hardware's addresses end. */
	for (in += 24; pvi_get16(in); in += 24)
		end = pvi_get64(in + 8);
	assert_true(end >= 1ull << 32 && !(end & (end - 1)));
	printf("its addresses end at 0x%llx\n", (unsigned long long)end);
	assert_int_equal(map(1, end, 1, DRV_DATA, RW), PVI_S_INVAL);
	assert_int_equal(map(1, 0xfee00000, 1, DRV_DATA, RW), PVI_S_INVAL);
	assert_int_equal(map(1, end - PAGE, 1, DRV_DATA, RW), PVI_S_OK);
	assert_true(copies(end - PAGE, DRV_DATA, end - PAGE + LEN, DRV_DATA + LEN));
	stop();
}

int main(int argc, char **argv)
{
#define T(f)          \
	{             \
#f, f \
	}
	static const struct {
		const char *name;
		void (*run)(void);
	} tests[] = {
		T(test_device_reaches_what_is_mapped),
		T(test_device_reaches_nothing_else),
		T(test_rights_are_the_hardwares),
		T(test_unmap_finds_the_edges),
		T(test_map_over_slots),
		T(test_limit_answers_nomem),
		T(test_attach_replays_and_rolls_back),
		T(test_detach_leaves_nothing),
		T(test_reset_leaves_nothing),
		T(test_locked_memory_answers_nomem),
		T(test_bypass_is_all_ram),
		T(test_windows_are_the_hardwares),
	};

	if (argc != 3) {
		fprintf(stderr, "usage: vfio-real GROUP BDF\n");
		return 2;
	}
	group = argv[1];
	bdf = argv[2];
	setvbuf(stdout, NULL, _IOLBF, 0);
	kernel_log_open();
	locked_before = locked();
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		running = tests[i].name;
		tests[i].run();
		printf("ok - %s\n", running);
	}
	return 0;
}
