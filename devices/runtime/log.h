/* SPDX-License-Identifier: BSD-2-Clause */
/* One line on stderr, "PROGRAM: ...". */
#ifndef DEVICES_RUNTIME_LOG_H
#define DEVICES_RUNTIME_LOG_H

#include <stdbool.h>

extern const char *log_name; /* set by main: the program, or --name */
extern bool log_verbose;
extern int log_fd; /* stderr; -1: say nothing */

void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define log_debug(...)                         \
	do {                                   \
		if (log_verbose)               \
			log_line(__VA_ARGS__); \
	} while (0)

#endif
