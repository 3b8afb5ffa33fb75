// SPDX-License-Identifier: BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

#include "fake_irq.h"
#include "vmm/pm.h"
#include "vmm/vm.h"

static struct vm vm;
static struct pm pm;

static int setup(void **state)
{
	fake_irq_reset();
	memset(&vm, 0, sizeof(vm));
	vm.end = VM_RUNNING;
	vm.end_fd = eventfd(0, EFD_CLOEXEC);
	return bus_init(&vm.bus) || pm_init(&pm, &vm);
}

static int teardown(void **state)
{
	pm_done(&pm);
	bus_done(&vm.bus);
	close(vm.end_fd);
	return 0;
}

static uint32_t in(uint16_t port, uint32_t len)
{
	uint32_t value = 0;

	bus_access(&vm.bus, BUS_PIO, port, &value, len, false);
	return value;
}

static void out(uint16_t port, uint32_t value, uint32_t len)
{
	bus_access(&vm.bus, BUS_PIO, port, &value, len, true);
}

static void power_button(void **state)
{
	pm_power_button(&pm);
	assert_int_equal(in(0x600, 2), 0x100);
	assert_false(fake_irq.line[IRQ_SCI]); /* not enabled yet */
	out(0x602, 0x100, 2);
	assert_int_equal(in(0x602, 2), 0x100);
	assert_true(fake_irq.line[IRQ_SCI]);
	out(0x600, 0x001, 2); /* another bit: stays */
	assert_true(fake_irq.line[IRQ_SCI]);
	out(0x602, 0x100, 2); /* a write beside it clears nothing */
	assert_int_equal(in(0x600, 2), 0x100);
	out(0x600, 0x100, 2);
	assert_int_equal(in(0x600, 2), 0);
	assert_false(fake_irq.line[IRQ_SCI]);
	pm_power_button(&pm);
	assert_true(fake_irq.line[IRQ_SCI]);
	out(0x602, 0, 2);
	assert_false(fake_irq.line[IRQ_SCI]);
	/* One byte at a time and all at once are fine, too. */
	out(0x603, 0x01, 1);
	assert_true(fake_irq.line[IRQ_SCI]);
	out(0x600, 0x01000100, 4);
	assert_false(fake_irq.line[IRQ_SCI]);
	assert_int_equal(in(0x602, 2), 0x100);
	assert_int_equal(vm.end, VM_RUNNING);
}

static void power_off(void **state)
{
	assert_int_equal(in(0x604, 2), 1); /* ACPI mode is on */
	out(0x604, 5 << 10, 2);		   /* the type alone */
	assert_int_equal(vm.end, VM_RUNNING);
	out(0x604, 1 << 13 | 3 << 10, 2); /* S3, which there is not */
	assert_int_equal(vm.end, VM_RUNNING);
	assert_int_equal(in(0x604, 2), 1 | 3 << 10);
	out(0x604, 1 << 13 | 5 << 10, 2);
	assert_int_equal(vm.end, VM_END_POWEROFF);
	/* The first reason stays. */
	out(0x608, 1, 1);
	assert_int_equal(vm.end, VM_END_POWEROFF);
}

static void reset_register(void **state)
{
	out(0x608, 0xfe, 1);
	assert_int_equal(vm.end, VM_RUNNING);
	out(0x608, 1, 1);
	assert_int_equal(vm.end, VM_END_REBOOT);
	assert_int_equal(eventfd_write(vm.end_fd, 1), 0);
}

static void keyboard_reset(void **state)
{
	assert_int_equal(in(0x64, 1), 0xff);
	out(0x64, 0xd1, 1);
	assert_int_equal(vm.end, VM_RUNNING);
	out(0x64, 0xfe, 1);
	assert_int_equal(vm.end, VM_END_REBOOT);
}

static void panic(void **state)
{
	assert_int_equal(in(0x505, 1), 1);
	out(0x505, 2, 1); /* "a crash kernel takes over": no end */
	assert_int_equal(vm.end, VM_RUNNING);
	out(0x505, 1, 1);
	assert_int_equal(vm.end, VM_END_PANIC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(power_button, setup, teardown),
		cmocka_unit_test_setup_teardown(power_off, setup, teardown),
		cmocka_unit_test_setup_teardown(reset_register, setup, teardown),
		cmocka_unit_test_setup_teardown(keyboard_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(panic, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
