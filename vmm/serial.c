// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "vmm/serial.h"

/* Registers. */
enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCRATCH };

#define IER_RX	     0x01
#define IER_TX	     0x02
#define IER_ALL	     0x0f
#define IIR_NONE     0x01
#define IIR_TX	     0x02
#define IIR_RX	     0x04
#define IIR_FIFO     0xc0
#define FCR_ENABLE   0x01
#define FCR_CLEAR_RX 0x02
#define LCR_DLAB     0x80
#define MCR_LOOP     0x10
#define MCR_OUT2     0x08 /* gates the interrupt line on a PC */
#define MCR_ALL	     0x1f
#define LSR_DATA     0x01
#define LSR_TX_EMPTY 0x60 /* holding and shift register: bytes leave at once */
#define MSR_READY    0xb0 /* carrier, data set ready, clear to send */

/* Lock held. */
static uint8_t pending(const struct serial *s)
{
	if (s->ier & IER_RX && s->rx_nr)
		return IIR_RX;
	if (s->ier & IER_TX && s->tx_empty)
		return IIR_TX;
	return IIR_NONE;
}

/* Lock held. */
static void update_irq(struct serial *s)
{
	bool level = pending(s) != IIR_NONE && s->mcr & MCR_OUT2;

	if (level == s->level)
		return;
	s->level = level;
	irq_line(s->irq, IRQ_SERIAL, level);
}

static size_t put_rx(struct serial *s, const uint8_t *bytes, size_t len)
{
	size_t n = 0;

	while (n < len && s->rx_nr < SERIAL_RX_MAX) {
		s->rx[(s->rx_first + s->rx_nr) % SERIAL_RX_MAX] = bytes[n++];
		s->rx_nr++;
	}
	return n;
}

/* Returns whether the owner waits for room and there is some. Lock held. */
static bool take_room_wish(struct serial *s)
{
	bool tell = s->wants_room && s->rx_nr <= SERIAL_RX_MAX / 2;

	if (tell)
		s->wants_room = false;
	return tell;
}

static uint8_t read_data(struct serial *s)
{
	uint8_t byte;

	if (s->lcr & LCR_DLAB)
		return s->divisor[0];
	if (!s->rx_nr)
		return 0;
	byte = s->rx[s->rx_first];
	s->rx_first = (s->rx_first + 1) % SERIAL_RX_MAX;
	s->rx_nr--;
	return byte;
}

static uint8_t read_iir(struct serial *s)
{
	uint8_t cause = pending(s);

	/* Reading it acknowledges this one cause. */
	if (cause == IIR_TX)
		s->tx_empty = false;
	return cause | (s->fifo ? IIR_FIFO : 0);
}

static uint8_t read_msr(const struct serial *s)
{
	if (!(s->mcr & MCR_LOOP))
		return MSR_READY;
	/* Looped back: DTR to DSR, RTS to CTS, OUT1 to RI, OUT2 to DCD. */
	return (uint8_t)((s->mcr & 0x01) << 5 | (s->mcr & 0x02) << 3 | (s->mcr & 0x0c) << 4);
}

static uint8_t read_reg(struct serial *s, uint64_t reg)
{
	switch (reg) {
	case REG_DATA:
		return read_data(s);
	case REG_IER:
		return s->lcr & LCR_DLAB ? s->divisor[1] : s->ier;
	case REG_IIR_FCR:
		return read_iir(s);
	case REG_LCR:
		return s->lcr;
	case REG_MCR:
		return s->mcr;
	case REG_LSR:
		return LSR_TX_EMPTY | (s->rx_nr ? LSR_DATA : 0);
	case REG_MSR:
		return read_msr(s);
	default:
		return s->scratch;
	}
}

static void serial_read(void *ctx, uint64_t off, void *buf, uint32_t len)
{
	struct serial *s = ctx;
	bool tell;

	memset(buf, 0xff, len);
	pthread_mutex_lock(&s->lock);
	*(uint8_t *)buf = read_reg(s, off);
	tell = take_room_wish(s);
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
	if (tell)
		s->ops->room(s->ctx);
}

/* Returns whether @value is a byte to send. Lock held. */
static bool write_data(struct serial *s, uint8_t value)
{
	if (s->lcr & LCR_DLAB) {
		s->divisor[0] = value;
		return false;
	}
	s->tx_empty = true; /* sent as soon as written */
	if (!(s->mcr & MCR_LOOP))
		return true;
	put_rx(s, &value, 1);
	return false;
}

static void write_ier(struct serial *s, uint8_t value)
{
	if (s->lcr & LCR_DLAB) {
		s->divisor[1] = value;
		return;
	}
	/* Enabling it while the transmitter is empty raises it: drivers count on that. */
	if (value & IER_TX && !(s->ier & IER_TX))
		s->tx_empty = true;
	s->ier = value & IER_ALL;
}

static void write_fcr(struct serial *s, uint8_t value)
{
	s->fifo = value & FCR_ENABLE;
	if (value & FCR_CLEAR_RX)
		s->rx_nr = 0;
}

/* Returns whether @value is a byte to send. Lock held. */
static bool write_reg(struct serial *s, uint64_t reg, uint8_t value)
{
	switch (reg) {
	case REG_DATA:
		return write_data(s, value);
	case REG_IER:
		write_ier(s, value);
		break;
	case REG_IIR_FCR:
		write_fcr(s, value);
		break;
	case REG_LCR:
		s->lcr = value;
		break;
	case REG_MCR:
		s->mcr = value & MCR_ALL;
		break;
	case REG_SCRATCH:
		s->scratch = value;
		break;
	}
	return false;
}

static void serial_write(void *ctx, uint64_t off, const void *buf, uint32_t len)
{
	uint8_t value = *(const uint8_t *)buf;
	struct serial *s = ctx;
	bool send, tell;

	pthread_mutex_lock(&s->lock);
	send = write_reg(s, off, value);
	tell = take_room_wish(s);
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
	if (send)
		s->ops->output(s->ctx, value);
	if (tell)
		s->ops->room(s->ctx);
}

static const struct bus_ops serial_bus_ops = {.read = serial_read, .write = serial_write};

size_t serial_input(struct serial *s, const uint8_t *bytes, size_t len)
{
	size_t n;

	pthread_mutex_lock(&s->lock);
	n = put_rx(s, bytes, len);
	if (n < len)
		s->wants_room = true;
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
	return n;
}

int serial_init(struct serial *s, struct bus *bus, struct irq *irq, const struct serial_ops *ops,
		void *ctx)
{
	const struct bus_region region = {
		.base = SERIAL_BASE, .size = SERIAL_SIZE, .ops = &serial_bus_ops, .ctx = s};
	int err;

	memset(s, 0, sizeof(*s));
	s->irq = irq;
	s->ops = ops;
	s->ctx = ctx;
	s->divisor[0] = 12; /* 9600 baud, as after power-on */
	err = pthread_mutex_init(&s->lock, NULL);
	if (err)
		return -err;
	err = bus_add(bus, BUS_PIO, &region);
	if (err)
		pthread_mutex_destroy(&s->lock);
	return err;
}

void serial_done(struct serial *s)
{
	pthread_mutex_destroy(&s->lock);
}
