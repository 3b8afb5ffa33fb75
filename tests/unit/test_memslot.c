// SPDX-License-Identifier: BSD-2-Clause
/* KVM's memory slots: which number is whose, with a KVM made for tests. */
#include <errno.h>
#include <linux/kvm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <cmocka.h>

#include "vmm/memslot.h"

#define VM_FD 1234
#define SIZE  0x1000u

static struct memslots slots;
static uint64_t size_of[MEMSLOT_MAX]; /* by number, 0: none */
static int error;		      /* of the next call */

/* In the place of the system's. */
int ioctl(int fd, unsigned long request, ...)
{
	const struct kvm_userspace_memory_region *r;
	va_list args;

	va_start(args, request);
	r = va_arg(args, const struct kvm_userspace_memory_region *);
	va_end(args);
	assert_int_equal(fd, VM_FD);
	assert_int_equal(request, KVM_SET_USER_MEMORY_REGION);
	assert_in_range(r->slot, MEMSLOT_FIRST, MEMSLOT_MAX - 1);
	if (error) {
		errno = error;
		error = 0;
		return -1;
	}
	/* Neither moved nor resized: a number has one owner. */
	assert_true(!r->memory_size || !size_of[r->slot]);
	size_of[r->slot] = r->memory_size;
	return 0;
}

static int set_up(void **state)
{
	memset(size_of, 0, sizeof(size_of));
	error = 0;
	return memslots_init(&slots, VM_FD);
}

static int tear_down(void **state)
{
	memslots_done(&slots);
	return 0;
}

static unsigned int add(void)
{
	unsigned int slot = 0;

	assert_int_equal(memslot_add(&slots, 0xc0000000, SIZE, &slots, &slot), 0);
	assert_int_equal(size_of[slot], SIZE);
	return slot;
}

static void numbers(void **state)
{
	unsigned int first = add(), slot = 0;

	memslot_remove(&slots, first);
	assert_int_equal(size_of[first], 0);
	for (unsigned int i = MEMSLOT_FIRST; i < MEMSLOT_MAX; i++)
		add();
	assert_int_equal(memslot_add(&slots, 0, SIZE, &slots, &slot), -ENOSPC);
	memslot_remove(&slots, 100);
	assert_int_equal(add(), 100);
}

static void refused(void **state)
{
	unsigned int slot = 0;

	error = EEXIST;
	assert_int_equal(memslot_add(&slots, 0, SIZE, &slots, &slot), -EEXIST);
	assert_int_equal(slot, 0);
	/* Nobody has it. */
	assert_int_equal(add(), MEMSLOT_FIRST);
}

/* What KVM did not give up is nobody else's: under its number the old memory would answer. */
static void not_given_up(void **state)
{
	unsigned int first = add();

	error = ENOMEM;
	memslot_remove(&slots, first);
	assert_int_not_equal(add(), first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(numbers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(not_given_up, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
