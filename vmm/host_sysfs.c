// SPDX-License-Identifier: BSD-2-Clause
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/host_sysfs.h"

static int HOST_FORMAT(3, 0) make_path(char *ret, const char *root, const char *fmt, va_list args)
{
	size_t len = strlen(root);
	int n;

	if (len >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(ret, root, len);
	n = vsnprintf(ret + len, PATH_MAX - len, fmt, args);
	return n < 0 || (size_t)n >= PATH_MAX - len ? -ENAMETOOLONG : 0;
}

#define MAKE_PATH(path, root, fmt, ret_err)                 \
	do {                                                \
		va_list args;                               \
		va_start(args, fmt);                        \
		ret_err = make_path(path, root, fmt, args); \
		va_end(args);                               \
	} while (0)

static int read_path(const char *path, char *ret, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t done = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		n = read(fd, ret + done, size - 1 - done);
		done += n > 0 ? (size_t)n : 0;
	} while ((n > 0 && done < size - 1) || (n < 0 && errno == EINTR));
	n = n < 0 ? -errno : 0;
	close(fd);
	if (n)
		return (int)n;
	if (done && ret[done - 1] == '\n')
		done--;
	ret[done] = '\0';
	return 0;
}

int host_read(const char *root, char *ret, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX];
	int err;

	MAKE_PATH(path, root, fmt, err);
	return err ?: read_path(path, ret, size);
}

int host_read_number(const char *root, uint64_t *ret, const char *fmt, ...)
{
	char path[PATH_MAX], text[32], *end;
	unsigned long long value;
	int err;

	MAKE_PATH(path, root, fmt, err);
	err = err ?: read_path(path, text, sizeof(text));
	if (err)
		return err;
	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || *end || !isdigit((unsigned char)text[0]))
		return -EINVAL;
	*ret = value;
	return 0;
}

int host_read_link(const char *root, char *ret, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *name;
	ssize_t n;
	int err;

	MAKE_PATH(path, root, fmt, err);
	if (err)
		return err;
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	name = strrchr(target, '/');
	name = name ? name + 1 : target;
	if (strlen(name) >= size)
		return -ENAMETOOLONG;
	strcpy(ret, name);
	return 0;
}

char *host_resolve(const char *root, const char *fmt, ...)
{
	char path[PATH_MAX];
	int err;

	MAKE_PATH(path, root, fmt, err);
	if (err) {
		errno = -err;
		return NULL;
	}
	return realpath(path, NULL);
}

static int not_dot(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int host_each(const char *root, int (*each)(void *ctx, const char *name), void *ctx,
	      const char *fmt, ...)
{
	char path[PATH_MAX];
	struct dirent **entry;
	int err, nr;

	MAKE_PATH(path, root, fmt, err);
	if (err)
		return err;
	nr = scandir(path, &entry, not_dot, by_name);
	if (nr < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	for (int i = 0; i < nr; i++) {
		if (!err)
			err = each(ctx, entry[i]->d_name);
		free(entry[i]);
	}
	free(entry);
	return err;
}
