// SPDX-License-Identifier: BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "fake_irq.h"
#include "vmm/serial.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };

static struct bus bus;
static struct irq irq;
static struct serial serial;
static uint8_t sent[64];
static size_t nr_sent;
static unsigned int room_calls;

static void output(void *ctx, uint8_t byte)
{
	sent[nr_sent++ % sizeof(sent)] = byte;
}

static void room(void *ctx)
{
	room_calls++;
}

static const struct serial_ops ops = {.output = output, .room = room};

static uint8_t in(unsigned int reg)
{
	uint8_t value;

	bus_access(&bus, BUS_PIO, SERIAL_BASE + reg, &value, 1, false);
	return value;
}

static void out(unsigned int reg, uint8_t value)
{
	bus_access(&bus, BUS_PIO, SERIAL_BASE + reg, &value, 1, true);
}

static int setup(void **state)
{
	fake_irq_reset();
	nr_sent = 0;
	room_calls = 0;
	if (bus_init(&bus) || serial_init(&serial, &bus, &irq, &ops, NULL))
		return -1;
	out(MCR, 0x0b); /* OUT2 gates the interrupt on a PC */
	return 0;
}

static int teardown(void **state)
{
	serial_done(&serial);
	bus_done(&bus);
	return 0;
}

static bool line(void)
{
	return fake_irq.line[IRQ_SERIAL];
}

static void sends(void **state)
{
	for (const char *p = "hello"; *p; p++) {
		assert_int_equal(in(LSR)&0x60, 0x60);
		out(DATA, (uint8_t)*p);
	}
	assert_int_equal(nr_sent, 5);
	assert_memory_equal(sent, "hello", 5);
	assert_false(line());
}

static void transmit_interrupt(void **state)
{
	out(IER, 0x02); /* at once: the transmitter is empty */
	assert_true(line());
	assert_int_equal(in(IIR)&0x0f, 0x02);
	assert_false(line()); /* reading the cause took it back */
	assert_int_equal(in(IIR)&0x0f, 0x01);
	out(DATA, 'x');
	assert_true(line());
	out(IER, 0);
	assert_false(line());
	out(MCR, 0);
	out(IER, 0x02);
	assert_false(line());
}

static void receives(void **state)
{
	out(IER, 0x01);
	assert_int_equal(serial_input(&serial, (const uint8_t *)"ab", 2), 2);
	assert_true(line());
	assert_int_equal(in(IIR)&0x0f, 0x04);
	assert_true(line()); /* until the data is taken */
	assert_int_equal(in(LSR)&1, 1);
	assert_int_equal(in(DATA), 'a');
	assert_true(line());
	assert_int_equal(in(DATA), 'b');
	assert_false(line());
	assert_int_equal(in(LSR)&1, 0);
	assert_int_equal(in(DATA), 0);
}

static void loses_no_input(void **state)
{
	uint8_t byte;
	size_t n = 0;

	for (;;) {
		byte = (uint8_t)n;
		if (!serial_input(&serial, &byte, 1))
			break;
		n++;
	}
	assert_int_equal(n, SERIAL_RX_MAX);
	assert_int_equal(room_calls, 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(in(DATA), (uint8_t)i);
	assert_int_equal(room_calls, 1);
}

static void loopback(void **state)
{
	out(MCR, 0x1a);
	/* Linux tells a port from nothing by this: RTS and OUT2 come back as CTS and DCD. */
	assert_int_equal(in(MSR)&0xf0, 0x90);
	out(DATA, 'z');
	assert_int_equal(nr_sent, 0);
	assert_int_equal(in(DATA), 'z');
}

static void registers(void **state)
{
	out(SCR, 0x5a);
	assert_int_equal(in(SCR), 0x5a);
	out(LCR, 0x83);
	out(DATA, 1);
	out(IER, 2);
	assert_int_equal(in(DATA), 1);
	assert_int_equal(in(IER), 2);
	out(LCR, 0x03);
	assert_int_equal(nr_sent, 0);
	assert_int_equal(in(IER), 0);
	out(IER, 0xff);
	assert_int_equal(in(IER), 0x0f);
	out(IIR, 0x01);
	assert_int_equal(in(IIR)&0xc0, 0xc0); /* a 16550A has FIFOs */
	serial_input(&serial, (const uint8_t *)"x", 1);
	out(IIR, 0x03);
	assert_int_equal(in(LSR)&1, 0);
}

/* Whatever the guest writes where: no crash, and the line follows the registers. */
static void garbage(void **state)
{
	uint32_t x = 1, value;

	for (unsigned int i = 0; i < 100000; i++) {
		x = x * 1664525u + 1013904223u;
		value = x >> 8;
		bus_access(&bus, BUS_PIO, SERIAL_BASE + (x >> 29), &value, 1u << (x >> 27 & 1),
			   x & 1);
		if (!(x >> 20 & 0xff))
			serial_input(&serial, (const uint8_t *)&x, 4);
	}
	out(LCR, 0);
	out(IER, 0);
	assert_false(line());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sends, setup, teardown),
		cmocka_unit_test_setup_teardown(transmit_interrupt, setup, teardown),
		cmocka_unit_test_setup_teardown(receives, setup, teardown),
		cmocka_unit_test_setup_teardown(loses_no_input, setup, teardown),
		cmocka_unit_test_setup_teardown(loopback, setup, teardown),
		cmocka_unit_test_setup_teardown(registers, setup, teardown),
		cmocka_unit_test_setup_teardown(garbage, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
