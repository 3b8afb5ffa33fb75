/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command's messages, one line each on stderr: "pviommu: ...". In raw
 * terminal mode lines end in CR LF. Messages that a guest or a device can cause
 * are said once, or go through log_rate.
 */
#ifndef VMM_LOG_H
#define VMM_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

extern enum log_level log_level; /* messages above it are dropped; set by main */
extern bool log_raw;		 /* the terminal is in raw mode; set by console.c */

void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_msg(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_msg(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_msg(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_DEBUG, __VA_ARGS__)

/*
 * At most @burst messages in a window of this @rate: a second, doubled each time
 * that messages were dropped in it, up to about a minute. Says how many it
 * dropped when the next one passes. Any thread. Starts zeroed.
 */
struct log_rate {
	uint64_t window_ns; /* when it began */
	uint64_t span_ns;
	unsigned int count;
	unsigned int dropped;
};

bool log_rate_ok(struct log_rate *rate, unsigned int burst);

#endif
