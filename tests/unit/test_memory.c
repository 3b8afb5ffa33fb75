// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "vmm/log.h"
#include "vmm/memory.h"

static void one_slot(void **state)
{
	struct memory mem;
	uint64_t len = 77;
	char buf[8];

	assert_int_equal(memory_init(&mem, 1 << 20), 0);
	assert_ptr_equal(memory_ram(&mem, 0, 1, &len), mem.base);
	assert_int_equal(len, 1);
	assert_ptr_equal(memory_ram(&mem, 0xfffff, UINT64_MAX, &len), mem.base + 0xfffff);
	assert_int_equal(len, 1);
	len = 77;
	assert_null(memory_ram(&mem, 1 << 20, 1, &len));
	assert_null(memory_ram(&mem, UINT64_MAX, 1, &len));
	assert_null(memory_ram(&mem, GPA_HIGH_RAM, 1, &len));
	assert_null(memory_ram(&mem, 0, 0, &len));
	assert_int_equal(len, 77);

	assert_int_equal(memory_write(&mem, 0xffffc, "abcd", 4), 0);
	assert_int_equal(memory_write(&mem, 0xffffc, "abcde", 5), -EFAULT);
	assert_int_equal(memory_write(&mem, UINT64_MAX, "abcde", 5), -EFAULT);
	assert_int_equal(memory_read(&mem, 0xffffd, buf, 3), 0);
	assert_memory_equal(buf, "bcd", 3);
	assert_int_equal(memory_read(&mem, 0xffffd, buf, 4), -EFAULT);
	memory_done(&mem);
}

static void around_the_hole(void **state)
{
	struct memory mem;
	uint64_t len;

	/* Nothing is touched, so nothing is allocated. */
	assert_int_equal(memory_init(&mem, 5ull << 30), 0);
	assert_ptr_equal(memory_ram(&mem, GPA_HOLE_BASE - 1, 100, &len),
			 mem.base + GPA_HOLE_BASE - 1);
	assert_int_equal(len, 1);
	assert_null(memory_ram(&mem, GPA_HOLE_BASE, 1, &len));
	assert_null(memory_ram(&mem, GPA_HIGH_RAM - 1, 1, &len));
	assert_ptr_equal(memory_ram(&mem, GPA_HIGH_RAM, 100, &len), mem.base + GPA_HOLE_BASE);
	assert_int_equal(len, 100);
	assert_non_null(memory_ram(&mem, GPA_HIGH_RAM + (2ull << 30) - 1, 1, &len));
	assert_null(memory_ram(&mem, GPA_HIGH_RAM + (2ull << 30), 1, &len));
	memory_done(&mem);
}

static void is_sealed(void **state)
{
	struct memory mem;

	assert_int_equal(memory_init(&mem, 1 << 20), 0);
	assert_int_equal(ftruncate(mem.fd, 4096), -1);
	assert_int_equal(ftruncate(mem.fd, 2 << 20), -1);
	assert_int_equal(fcntl(mem.fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_true(fcntl(mem.fd, F_GETFD) & FD_CLOEXEC);
	memory_done(&mem);
	assert_int_equal(mem.fd, -1);
}

static void too_much(void **state)
{
	struct memory mem;

	log_level = LOG_ERROR - 1;
	assert_int_not_equal(memory_init(&mem, UINT64_MAX - 4095), 0);
	assert_int_equal(mem.fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_slot),
		cmocka_unit_test(around_the_hole),
		cmocka_unit_test(is_sealed),
		cmocka_unit_test(too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
