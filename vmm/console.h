/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The serial port's other end: stdin and stdout, a terminal or not.
 *
 * Output is written line by line, an unfinished line after a moment. Where
 * stdout does not take it within a second (a pager that stopped, a pipe that
 * nobody reads), output is dropped until it does, and the guest goes on; the
 * amount is logged at the end. Where stdout is closed all is dropped.
 */
#ifndef VMM_CONSOLE_H
#define VMM_CONSOLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/serial.h"

#define CONSOLE_LINE 512

struct vm;

struct console {
	struct vm *vm;
	struct serial serial;

	/* input: main thread only */
	bool escaped;	    /* the last byte was the escape */
	bool stdin_watched; /* or else stdin waits for room, or ended, or is a file */
	bool stdin_is_file; /* always readable */
	bool stdin_ended;
	int room_fd;	  /* eventfd: the serial port has room again */
	uint8_t left[64]; /* read from stdin, no room yet */
	size_t nr_left;

	/* output */
	pthread_mutex_t lock; /* guards line[] and what follows; innermost */
	uint8_t line[CONSOLE_LINE];
	size_t len;
	int out_fd;
	bool out_own;  /* out_fd is ours to close, and never blocks */
	bool out_sock; /* out_fd is a socket */
	bool stuck;    /* stdout did not take what it was given */
	uint64_t dropped;
	int timer_fd; /* runs while a line is unfinished */
	bool timer_armed;
};

/* Takes the terminal; it is given back at every exit of the process. */
int console_init(struct console *con, struct vm *vm);
void console_done(struct console *con);

/* Writes out what is buffered. Any thread. */
void console_flush(struct console *con);

#endif
