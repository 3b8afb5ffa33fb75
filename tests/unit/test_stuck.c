// SPDX-License-Identifier: BSD-2-Clause
/*
 * A transfer that does not end, because a page of guest RAM does not arrive: what
 * takes its right away is answered all the same, the device has failed, and the
 * guest goes on.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fake_driver.h"

#define EP_A	   0x10u
#define EP_B	   0x18u
#define RW	   (PVI_MAP_F_READ | PVI_MAP_F_WRITE)
#define TIMEOUT_MS 20

static struct fake_host host;
static struct driver drv;
static struct pvi_iommu *iommu;
static struct pvi_endpoint *a, *b;

static int set_up(void **state)
{
	struct pvi_iommu_config c;

	host_init(&host);
	c = host_config(&host);
	c.dma_timeout_ms = TIMEOUT_MS;
	iommu = host_iommu(&c);
	a = host_endpoint(iommu, EP_A);
	b = host_endpoint(iommu, EP_B);
	drv = (struct driver){.h = &host, .v = host_viommu(&host, iommu)};
	assert_true(drv_start(&drv, DRV_F_COMMON));
	assert_int_equal(drv_attach(&drv, 1, EP_A, 0), PVI_S_OK);
	assert_int_equal(drv_attach(&drv, 2, EP_B, 0), PVI_S_OK);
	assert_int_equal(drv_map(&drv, 1, 0x5000, 0x6fff, DRV_DATA, RW), PVI_S_OK);
	assert_int_equal(drv_map(&drv, 2, 0x5000, 0x5fff, DRV_DATA, RW), PVI_S_OK);
	return 0;
}

static int tear_down(void **state)
{
	pvi_endpoint_remove(a);
	pvi_endpoint_remove(b);
	pvi_viommu_free(drv.v);
	pvi_iommu_free(iommu);
	host_done(&host);
	return 0;
}

static bool failed(struct pvi_endpoint *ep)
{
	struct pvi_endpoint_stats s;

	pvi_endpoint_get_stats(ep, &s);
	return s.failed;
}

static bool works(struct pvi_endpoint *ep)
{
	return !pvi_dma_write(ep, 0x5000, "z", 1);
}

/* ---- a transfer that stays in the middle of a chunk until it is let go ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool inside, go;
static pthread_t thread;
static int result;

static void stay(void *arg)
{
	if (!pthread_equal(pthread_self(), thread))
		return;
	pthread_mutex_lock(&lock);
	inside = true;
	pthread_cond_broadcast(&changed);
	while (!go)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void *transfer(void *arg)
{
	pthread_mutex_lock(&lock);
	thread = pthread_self();
	pthread_mutex_unlock(&lock);
	host.in_ram = stay;
	result = pvi_dma_write(a, 0x5ffe, "abcd", 4);
	return NULL;
}

static pthread_t stick(void)
{
	pthread_t t;

	inside = go = false;
	assert_int_equal(pthread_create(&t, NULL, transfer, NULL), 0);
	pthread_mutex_lock(&lock);
	while (!inside)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	return t;
}

static void let_go(pthread_t t)
{
	pthread_mutex_lock(&lock);
	go = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	pthread_join(t, NULL);
	host.in_ram = NULL;
	assert_true(result < 0);
}

/* Only @a has failed, and its embedder knows. */
static void assert_failed(void)
{
	assert_true(failed(a));
	assert_false(failed(b));
	assert_int_equal(host.nr_failed, 1);
	assert_int_equal(host.last_failed, EP_A);
	assert_true(works(b));
	assert_int_equal(drv_map(&drv, 2, 0x9000, 0x9fff, DRV_DATA, RW), PVI_S_OK);
	assert_int_equal(drv_unmap(&drv, 2, 0x9000, 0x9fff), PVI_S_OK);
}

/* The stuck transfer has ended: the embedder may start the device anew. */
static void assert_recovers(void)
{
	assert_true(failed(a));
	assert_false(works(a));
	assert_int_equal(pvi_endpoint_set_dma(a, true), 0);
	assert_false(failed(a));
	(void)drv_detach(&drv, 1, EP_A);
	assert_int_equal(drv_attach(&drv, 3, EP_A, 0), PVI_S_OK);
	assert_int_equal(drv_map(&drv, 3, 0x5000, 0x5fff, DRV_DATA, RW), PVI_S_OK);
	assert_true(works(a));
	assert_int_equal(host.nr_failed, 1);
}

static void test_unmap(void **state)
{
	pthread_t t = stick();

	assert_int_equal(drv_unmap(&drv, 1, 0x5000, 0x6fff), PVI_S_DEVERR);
	/* Tried again: it removes nothing, which does not make it any better. */
	assert_int_equal(drv_unmap(&drv, 1, 0x5000, 0x6fff), PVI_S_DEVERR);
	assert_failed();
	/* The mapping is gone; later removals are as unsure, and as quickly answered. */
	assert_int_equal(drv_map(&drv, 1, 0x5000, 0x5fff, DRV_DATA, RW), PVI_S_OK);
	assert_int_equal(drv_unmap(&drv, 1, 0x5000, 0x5fff), PVI_S_DEVERR);
	assert_int_equal(host.nr_failed, 1);
	assert_int_equal(drv_attach(&drv, 3, EP_A, 0), PVI_S_DEVERR);
	assert_int_equal(pvi_endpoint_set_dma(a, true), -EBUSY);
	let_go(t);
	assert_int_equal(drv_unmap(&drv, 1, 0x5000, 0x6fff), PVI_S_OK);
	assert_int_equal(drv_map(&drv, 1, 0x5000, 0x5fff, DRV_DATA, RW), PVI_S_OK);
	assert_int_equal(drv_unmap(&drv, 1, 0x5000, 0x5fff), PVI_S_OK);
	assert_recovers();
}

/* In one batch: what is stuck is answered DEVERR, what is not OK. */
static void test_batch(void **state)
{
	struct pvi_wire_unmap r[3] = {drv_unmap_req(2, 0x5000, 0x5fff),
				      drv_unmap_req(1, 0x5000, 0x6fff),
				      drv_unmap_req(1, 0x8000, 0x8fff)};
	pthread_t t = stick();

	for (unsigned int i = 0; i < 3; i++)
		drv_add(&drv, i, &r[i], sizeof(r[i]), 4);
	drv_kick(&drv, PVI_VQ_REQUEST);
	host.in_ram = NULL;
	assert_int_equal(*host_at(&host, drv_in(0)), PVI_S_OK);
	assert_int_equal(*host_at(&host, drv_in(1)), PVI_S_DEVERR);
	for (unsigned int i = 0; i < 3; i++) {
		uint32_t head, len;

		assert_true(drv_take(&drv, PVI_VQ_REQUEST, &head, &len));
		assert_int_equal(len, 4);
	}
	assert_int_equal(host.nr_failed, 1);
	let_go(t);
	assert_recovers();
}

/* The domain is gone by the time of the flush: its UNMAP is not OK for that. */
static void test_unmap_and_detach(void **state)
{
	struct pvi_wire_unmap unmap = drv_unmap_req(1, 0x5000, 0x6fff);
	struct pvi_wire_detach detach = drv_detach_req(1, EP_A);
	struct pvi_iommu_stats s;
	pthread_t t = stick();

	drv_add(&drv, 0, &unmap, sizeof(unmap), 4);
	drv_add(&drv, 1, &detach, sizeof(detach), 4);
	drv_kick(&drv, PVI_VQ_REQUEST);
	host.in_ram = NULL;
	assert_int_equal(*host_at(&host, drv_in(0)), PVI_S_DEVERR);
	assert_int_equal(*host_at(&host, drv_in(1)), PVI_S_DEVERR);
	pvi_iommu_get_stats(iommu, &s);
	assert_int_equal(s.domains, 1);
	drv.q[PVI_VQ_REQUEST].next_used += 2;
	assert_failed();
	let_go(t);
	assert_recovers();
}

/* The same, and another domain has its id by then. */
static void test_unmap_and_anew(void **state)
{
	struct pvi_wire_unmap unmap = drv_unmap_req(1, 0x5000, 0x6fff);
	struct pvi_wire_detach detach = drv_detach_req(1, EP_A);
	struct pvi_wire_attach attach = drv_attach_req(1, EP_B, 0);
	pthread_t t = stick();

	drv_add(&drv, 0, &unmap, sizeof(unmap), 4);
	drv_add(&drv, 1, &detach, sizeof(detach), 4);
	drv_add(&drv, 2, &attach, sizeof(attach), 4);
	drv_kick(&drv, PVI_VQ_REQUEST);
	host.in_ram = NULL;
	assert_int_equal(*host_at(&host, drv_in(0)), PVI_S_DEVERR);
	assert_int_equal(*host_at(&host, drv_in(1)), PVI_S_DEVERR);
	assert_int_equal(*host_at(&host, drv_in(2)), PVI_S_OK);
	drv.q[PVI_VQ_REQUEST].next_used += 3;
	/* The new one is as sure as any. */
	assert_int_equal(drv_map(&drv, 1, 0x5000, 0x5fff, DRV_DATA, RW), PVI_S_OK);
	assert_int_equal(drv_unmap(&drv, 1, 0x5000, 0x5fff), PVI_S_OK);
	let_go(t);
	assert_recovers();
}

static void test_detach(void **state)
{
	pthread_t t = stick();

	assert_int_equal(drv_detach(&drv, 1, EP_A), PVI_S_DEVERR);
	assert_failed();
	let_go(t);
	assert_recovers();
}

/* Another endpoint keeps the domain: what it unmaps may still be used by the stuck one. */
static void test_detach_from_a_shared_domain(void **state)
{
	pthread_t t;

	assert_int_equal(drv_attach(&drv, 1, EP_B, 0), PVI_S_OK);
	t = stick();
	assert_int_equal(drv_detach(&drv, 1, EP_A), PVI_S_DEVERR);
	assert_true(works(b));
	assert_int_equal(drv_unmap(&drv, 1, 0x5000, 0x6fff), PVI_S_DEVERR);
	assert_false(failed(b));
	assert_int_equal(drv_detach(&drv, 1, EP_B), PVI_S_OK);
	let_go(t);
	assert_recovers();
}

static void test_move(void **state)
{
	pthread_t t = stick();

	assert_int_equal(drv_attach(&drv, 3, EP_A, 0), PVI_S_DEVERR);
	assert_int_equal(drv_map(&drv, 3, 0, 0xfff, DRV_DATA, RW), PVI_S_NOENT);
	assert_failed();
	let_go(t);
	assert_recovers();
}

static void test_switching_off(void **state)
{
	pthread_t t = stick();

	assert_int_equal(pvi_endpoint_set_dma(a, false), -ETIMEDOUT);
	assert_failed();
	let_go(t);
	assert_recovers();
}

static void test_reset(void **state)
{
	pthread_t t = stick();

	pvi_viommu_system_reset(drv.v);
	host.in_ram = NULL;
	assert_true(failed(a) && !failed(b));
	assert_true(drv_start(&drv, DRV_F_COMMON));
	assert_int_equal(drv_attach(&drv, 2, EP_B, 0), PVI_S_OK);
	assert_int_equal(drv_map(&drv, 2, 0x5000, 0x5fff, DRV_DATA, RW), PVI_S_OK);
	assert_failed();
	let_go(t);
	assert_recovers();
}

/* What was kept for the stuck one goes with it. */
static void test_remove(void **state)
{
	const struct pvi_endpoint_config c = {.dma_on = true};
	pthread_t t = stick();

	assert_int_equal(drv_detach(&drv, 1, EP_A), PVI_S_DEVERR);
	assert_failed();
	let_go(t);
	pvi_endpoint_remove(a);
	assert_int_equal(pvi_endpoint_add(iommu, EP_A, &c, &a), 0);
	assert_int_equal(drv_attach(&drv, 1, EP_A, 0), PVI_S_OK);
}

/* ---- the real thing: a page that does not arrive ---- */

static int catch_faults(void *page, size_t len)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register reg = {.range = {(uintptr_t)page, len},
				      .mode = UFFDIO_REGISTER_MODE_MISSING};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);

	if (fd < 0)
		return -1;
	assert_int_equal(ioctl(fd, UFFDIO_API, &api), 0);
	assert_int_equal(madvise(page, len, MADV_DONTNEED), 0);
	assert_int_equal(ioctl(fd, UFFDIO_REGISTER, &reg), 0);
	return fd;
}

static void *plain_transfer(void *arg)
{
	result = pvi_dma_write(a, *(uint64_t *)arg, "abcd", 4);
	return NULL;
}

static void test_page_fault(void **state)
{
	/* The first whole page of the host's in the high slot. */
	uintptr_t start = (uintptr_t)host_at(&host, HOST_HIGH);
	uint64_t off = -start & 0xfff;
	void *page = (void *)(start + off);
	struct uffdio_zeropage zero = {.range = {(uintptr_t)page, 0x1000}};
	struct uffd_msg msg;
	pthread_t t;
	int fd;

	assert_int_equal(drv_unmap(&drv, 1, 0x5000, 0x6fff), PVI_S_OK);
	assert_int_equal(drv_map(&drv, 1, 0x4000, 0x6fff, HOST_HIGH, RW), PVI_S_OK);
	fd = catch_faults(page, 0x1000);
	if (fd < 0)
		skip();
	off += 0x4000;
	assert_int_equal(pthread_create(&t, NULL, plain_transfer, &off), 0);
	/* It has faulted when the message is there. */
	assert_int_equal(read(fd, &msg, sizeof(msg)), sizeof(msg));
	assert_int_equal(msg.event, UFFD_EVENT_PAGEFAULT);
	assert_int_equal(drv_unmap(&drv, 1, 0x4000, 0x6fff), PVI_S_DEVERR);
	assert_failed();
	assert_int_equal(ioctl(fd, UFFDIO_ZEROPAGE, &zero), 0);
	pthread_join(t, NULL);
	close(fd);
	assert_recovers();
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_unmap),		T(test_batch),	       T(test_unmap_and_detach),
		T(test_unmap_and_anew), T(test_detach),	       T(test_detach_from_a_shared_domain),
		T(test_move),		T(test_switching_off), T(test_reset),
		T(test_remove),		T(test_page_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
