// SPDX-License-Identifier: BSD-2-Clause
#include "kernel_log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int log_fd = -1;

void kernel_log_open(void)
{
	log_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(log_fd >= 0);
}

void kernel_log_skip(void)
{
	assert_true(lseek(log_fd, 0, SEEK_END) >= 0);
}

/* DMAR: [DMA Write NO_PASID] Request device [00:06.0] fault addr 0x10000 [fault reason ... */
static bool is_fault(const char *line, const char *what, uint64_t page)
{
	const char *at = strstr(line, "DMAR: [DMA "), *addr = strstr(line, "fault addr ");
	unsigned long long value;

	return at && addr && !strncmp(at + 11, what, strlen(what)) &&
	       sscanf(addr + 11, "%llx", &value) == 1 && (value & ~0xfffull) == page;
}

bool kernel_log_has_fault(const char *what, uint64_t page, int timeout_ms)
{
	struct pollfd p = {.fd = log_fd, .events = POLLIN};
	char line[1024];

	while (poll(&p, 1, timeout_ms) == 1) {
		ssize_t n = read(log_fd, line, sizeof(line) - 1);

		/* EPIPE: messages were lost before this one. */
		if (n < 0 && errno != EPIPE)
			return false;
		line[n > 0 ? n : 0] = '\0';
		if (is_fault(line, what, page))
			return true;
	}
	return false;
}
