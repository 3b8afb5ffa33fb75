/* SPDX-License-Identifier: BSD-2-Clause */
/* A 16550A serial port at COM1. */
#ifndef VMM_SERIAL_H
#define VMM_SERIAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/bus.h"
#include "vmm/irq.h"

#define SERIAL_BASE 0x3f8
#define SERIAL_SIZE 8
/* A line's worth of typing; the guest drains it faster than anyone pastes. */
#define SERIAL_RX_MAX 1024

struct serial_ops {
	/* The guest sent a byte. A vCPU thread; the serial lock is not held. */
	void (*output)(void *ctx, uint8_t byte);
	/* There is room for input again, after serial_input() took less than all. */
	void (*room)(void *ctx);
};

struct serial {
	struct irq *irq;
	const struct serial_ops *ops;
	void *ctx;
	pthread_mutex_t lock; /* guards all below; before irq's */
	uint8_t ier, lcr, mcr, scratch, divisor[2];
	bool fifo;
	bool tx_empty; /* the "transmitter empty" interrupt is pending */
	bool wants_room;
	bool level; /* of the interrupt line */
	uint8_t rx[SERIAL_RX_MAX];
	size_t rx_first, rx_nr;
};

int serial_init(struct serial *serial, struct bus *bus, struct irq *irq,
		const struct serial_ops *ops, void *ctx);
void serial_done(struct serial *serial);

/* Bytes for the guest to receive; returns how many there was room for. */
size_t serial_input(struct serial *serial, const uint8_t *bytes, size_t len);

#endif
