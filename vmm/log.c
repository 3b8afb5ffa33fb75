// SPDX-License-Identifier: BSD-2-Clause
/* Messages on stderr. */
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vmm/log.h"

#define NS_PER_S 1000000000ull

enum log_level log_level = LOG_WARN;
bool log_raw;

/* Guards every struct log_rate; innermost, messages are rare. */
static pthread_mutex_t rate_lock = PTHREAD_MUTEX_INITIALIZER;

/*
 * A reader of stderr that stopped must not stop the guest's I/O: a message that
 * finds no room within this time is lost.
 */
#define WRITE_TIMEOUT_MS 100

static void write_line(const char *line, size_t len)
{
	struct pollfd pfd = {.fd = STDERR_FILENO, .events = POLLOUT};

	if (poll(&pfd, 1, WRITE_TIMEOUT_MS) <= 0)
		return;
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nowhere left to say so */
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	static const char prefix[] = "pviommu: ";
	char line[512];
	size_t at = sizeof(prefix) - 1;
	size_t room = sizeof(line) - at - 2; /* CR LF */
	va_list ap;
	int n;

	if (level > log_level)
		return;
	memcpy(line, prefix, at);
	va_start(ap, fmt);
	n = vsnprintf(line + at, room, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= room)
		n = (int)room - 1;
	/* Names may come from a device or a file: no control characters to the terminal. */
	for (size_t end = at + (size_t)n; at < end; at++)
		if ((unsigned char)line[at] < ' ' || line[at] == 0x7f)
			line[at] = '?';
	if (log_raw)
		line[at++] = '\r';
	line[at++] = '\n';
	write_line(line, at);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

#define MAX_SPAN_NS (64 * NS_PER_S)

bool log_rate_ok(struct log_rate *rate, unsigned int burst)
{
	uint64_t now = now_ns();
	unsigned int dropped = 0;
	bool ok;

	pthread_mutex_lock(&rate_lock);
	if (!rate->span_ns || now - rate->window_ns >= rate->span_ns) {
		/* What never stops must not fill a disk: the windows grow while it lasts. */
		if (!rate->dropped)
			rate->span_ns = NS_PER_S;
		else if (rate->span_ns < MAX_SPAN_NS)
			rate->span_ns *= 2;
		rate->window_ns = now;
		rate->count = 0;
		dropped = rate->dropped;
		rate->dropped = 0;
	}
	ok = rate->count < burst;
	if (ok)
		rate->count++;
	else
		rate->dropped++;
	pthread_mutex_unlock(&rate_lock);
	if (dropped)
		log_warn("(%u messages of this kind dropped)", dropped);
	return ok;
}
