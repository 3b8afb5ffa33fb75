/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Small files of the host's /sys and /proc. @root stands before each path: "" for the host
 * itself, a folder for the trees of tests. The rest is a printf format from "/sys/..." on.
 */
#ifndef VMM_HOST_SYSFS_H
#define VMM_HOST_SYSFS_H

#include <stddef.h>
#include <stdint.h>

#define HOST_FORMAT(string, first) __attribute__((format(printf, string, first)))

/* The file's bytes, without a newline at their end; cut to @size - 1. 0 or -errno. */
int host_read(const char *root, char *ret, size_t size, const char *fmt, ...) HOST_FORMAT(4, 5);
/* A number, decimal or 0x... -EINVAL. */
int host_read_number(const char *root, uint64_t *ret, const char *fmt, ...) HOST_FORMAT(3, 4);
/* The last part of what a link leads to. */
int host_read_link(const char *root, char *ret, size_t size, const char *fmt, ...)
	HOST_FORMAT(4, 5);
/* The path without links, @root and all; malloc()ed. NULL and errno. */
char *host_resolve(const char *root, const char *fmt, ...) HOST_FORMAT(2, 3);
/* Writes @text, in one call as sysfs wants it. */
int host_write(const char *root, const char *text, const char *fmt, ...) HOST_FORMAT(3, 4);

/*
 * Calls @each for the names in a folder, in the order of strcmp(), until one returns not 0,
 * which is then the result. A folder that is not there is an empty one.
 */
int host_each(const char *root, int (*each)(void *ctx, const char *name), void *ctx,
	      const char *fmt, ...) HOST_FORMAT(4, 5);

#endif
