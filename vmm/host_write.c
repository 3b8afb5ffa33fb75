// SPDX-License-Identifier: BSD-2-Clause
/* The one way by which the host's /sys is changed. Apart from the rest, for tests to replace. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/host_sysfs.h"

int host_write(const char *root, const char *text, const char *fmt, ...)
{
	char path[PATH_MAX], rest[PATH_MAX];
	size_t len = strlen(text);
	va_list args;
	ssize_t n;
	int fd, err;

	va_start(args, fmt);
	n = vsnprintf(rest, sizeof(rest), fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(rest) ||
	    snprintf(path, sizeof(path), "%s%s", root, rest) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	err = n < 0 ? -errno : (size_t)n == len ? 0 : -EIO;
	close(fd);
	return err;
}
