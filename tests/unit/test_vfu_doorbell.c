// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fake_irq.h"
#include "vmm/vfu_doorbell.h"

#define BAR 2

struct offer {
	struct vfu_io_fds head;
	struct vfu_io_fd io[VFU_MAX_DOORBELLS + 1];
};

static struct offer offer;
static struct vfu_doorbells bells;
static struct pci_fn fn;
static struct irq irq;
static const char *why;

static int setup(void **state)
{
	fake_irq_reset();
	memset(&offer, 0, sizeof(offer));
	memset(&bells, 0, sizeof(bells));
	memset(&fn, 0, sizeof(fn));
	bells.irq = &irq;
	fn.bar[BAR].size = 0x1000;
	fn.msix = (struct pci_msix){
		.nr = 4, .table_bar = BAR, .pba_bar = BAR, .table_off = 0x800, .pba_off = 0xc00};
	offer.head.index = BAR;
	offer.head.count = 1;
	offer.io[0] = (struct vfu_io_fd){.offset = 0x100, .size = 2};
	return 0;
}

static int teardown(void **state)
{
	vfu_doorbells_done(&bells);
	assert_int_equal(fake_irq.nr_doorbells, 0);
	return 0;
}

/* Offers it with @nr eventfds, all of which must be gone afterwards. */
static int take(unsigned int nr)
{
	int fds[VFU_MAX_FDS], copy[VFU_MAX_FDS];
	int err;

	why = NULL;
	for (unsigned int i = 0; i < nr; i++)
		copy[i] = fds[i] = eventfd(0, EFD_CLOEXEC);
	err = vfu_doorbells_take(&bells, &fn, BAR, &offer,
				 sizeof(offer.head) + offer.head.count * sizeof(offer.io[0]), fds,
				 nr, &why);
	assert_int_equal(err == -EPROTO, why != NULL);
	for (unsigned int i = 0; i < nr; i++)
		if (i >= bells.nr || bells.bell[i].fd != copy[i])
			assert_int_equal(fcntl(copy[i], F_GETFD), -1);
	return err;
}

static void follows_the_bar(void **state)
{
	offer.head.count = 3;
	offer.io[1] = (struct vfu_io_fd){.offset = 0x104, .size = 2, .fd_index = 1};
	offer.io[2] = (struct vfu_io_fd){.offset = 0x108, .size = 0, .fd_index = 1};
	assert_int_equal(take(2), 0);
	assert_int_equal(bells.nr, 3);
	assert_int_equal(fake_irq.nr_doorbells, 0);
	vfu_doorbells_move(&bells, BAR, 0xc0000000);
	assert_int_equal(fake_irq.nr_doorbells, 3);
	assert_true(fake_irq_doorbell(0xc0000104, 2));
	assert_false(fake_irq_doorbell(0xc0000104, 4));
	assert_true(fake_irq_doorbell(0xc0000108, 4));
	vfu_doorbells_move(&bells, BAR + 1, 0xd0000000); /* not theirs */
	assert_true(fake_irq_doorbell(0xc0000100, 2));
	vfu_doorbells_move(&bells, BAR, 0xc0010000);
	assert_int_equal(fake_irq.nr_doorbells, 3);
	assert_true(fake_irq_doorbell(0xc0010100, 2));
	vfu_doorbells_move(&bells, BAR, 0);
	assert_int_equal(fake_irq.nr_doorbells, 0);
	vfu_doorbells_move(&bells, BAR, 0xc0010000);
	vfu_doorbells_remove_all(&bells);
	assert_int_equal(fake_irq.nr_doorbells, 0);
}

static void left_out(void **state)
{
	offer.head.count = 2;
	offer.io[0].flags = VFU_IOEVENTFD_F_DATAMATCH;
	offer.io[1].type = 1;
	offer.io[1].offset = UINT64_MAX;
	assert_int_equal(take(1), 0);
	assert_int_equal(bells.nr, 0);
	offer.head.count = 0;
	assert_int_equal(take(0), 0);
}

static void edges(void **state)
{
	offer.io[0] = (struct vfu_io_fd){.offset = 0xffe, .size = 2};
	assert_int_equal(take(1), 0);
	offer.io[0] = (struct vfu_io_fd){.offset = 0x7fc, .size = 4}; /* before the table */
	assert_int_equal(take(1), 0);
	offer.io[0] = (struct vfu_io_fd){.offset = 0x840, .size = 4}; /* after it */
	assert_int_equal(take(1), 0);
	assert_int_equal(bells.nr, 3);
}

static void nonsense(void **state)
{
	static const struct vfu_io_fd bad[] = {
		{.offset = 0x1000, .size = 2},
		{.offset = 0xfff, .size = 2},
		{.offset = UINT64_MAX, .size = 2},
		{.offset = UINT64_MAX, .size = 0},
		{.offset = 0x100, .size = 3},
		{.offset = 0x100, .size = 16},
		{.offset = 0x100, .size = UINT64_MAX},
		{.offset = 0x800, .size = 4},
		{.offset = 0x7ff, .size = 2},
		{.offset = 0x83c, .size = 0},
		{.offset = 0xc00, .size = 4},
		{.offset = 0x100, .size = 2, .fd_index = 1},
		{.offset = 0x100, .size = 2, .fd_index = UINT32_MAX},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		offer.io[0] = bad[i];
		assert_int_equal(take(1), -EPROTO);
	}
	setup(NULL);
	offer.head.index = BAR + 1;
	assert_int_equal(take(1), -EPROTO);
	offer.head.index = BAR;
	offer.head.count = VFU_MAX_DOORBELLS + 1;
	assert_int_equal(take(1), -EPROTO);
	assert_int_equal(bells.nr, 0);
}

static void wrong_sizes(void **state)
{
	size_t whole = sizeof(offer.head) + sizeof(offer.io[0]);

	for (size_t len = 0; len < whole + 8; len++) {
		int fd = eventfd(0, EFD_CLOEXEC);
		int err = vfu_doorbells_take(&bells, &fn, BAR, &offer, len, &fd, 1, &why);

		assert_int_equal(err, len == whole ? 0 : -EPROTO);
	}
}

static void other_files(void **state)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_int_equal(vfu_doorbells_take(&bells, &fn, BAR, &offer,
					    sizeof(offer.head) + sizeof(offer.io[0]), &fd, 1, &why),
			 -EPROTO);
	assert_non_null(strstr(why, "no eventfd"));
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* More than there is room for: the rest is served the slow way. */
static void bounded(void **state)
{
	for (int round = 0; round < 3; round++) {
		offer.head.count = VFU_MAX_DOORBELLS;
		for (unsigned int i = 0; i < VFU_MAX_DOORBELLS; i++)
			offer.io[i] = (struct vfu_io_fd){.offset = 4 * i, .size = 4};
		assert_int_equal(take(1), 0);
		assert_int_equal(bells.nr, VFU_MAX_DOORBELLS);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(follows_the_bar), T(left_out),    T(edges),	T(nonsense),
		T(wrong_sizes),	    T(other_files), T(bounded),
	};

	return cmocka_run_group_tests_name("vfu_doorbell", tests, NULL, NULL);
}
