// SPDX-License-Identifier: BSD-2-Clause
#include "devices/runtime/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

const char *log_name = "pviommu-device";
bool log_verbose;
int log_fd = STDERR_FILENO;

void log_line(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n, m;

	/* One write, so that lines of several processes don't mix. */
	n = snprintf(line, sizeof(line), "%s: ", log_name);
	if (n < 0 || n >= (int)sizeof(line) - 1)
		return;
	va_start(ap, fmt);
	m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	if (m < 0)
		return;
	n += m;
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	if (write(log_fd, line, (size_t)n) < 0)
		return; /* nowhere to say so */
}
