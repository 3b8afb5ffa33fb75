// SPDX-License-Identifier: BSD-2-Clause
#include "devices/runtime/listen.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int bind_private(int fd, const struct sockaddr_un *sa)
{
	mode_t old = umask(0177);
	int err = bind(fd, (const struct sockaddr *)sa, sizeof(*sa)) ? -errno : 0;

	umask(old);
	return err;
}

/* A path left behind by a process that was killed refuses connections. */
static int remove_stale(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), err = -EADDRINUSE;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) && errno == ECONNREFUSED)
		err = unlink(sa->sun_path) ? -errno : 0;
	close(fd);
	return err;
}

static int accept_one(int fd, const char *path)
{
	int client;

	if (listen(fd, 1))
		return -errno;
	do {
		client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	} while (client < 0 && errno == EINTR);
	if (client < 0)
		client = -errno;
	unlink(path);
	return client;
}

int listen_once(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct stat st;
	int fd, ret;

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	ret = bind_private(fd, &sa);
	if (ret == -EADDRINUSE && !lstat(path, &st) && S_ISSOCK(st.st_mode)) {
		ret = remove_stale(&sa);
		if (!ret)
			ret = bind_private(fd, &sa);
	}
	if (!ret)
		ret = accept_one(fd, path);
	close(fd);
	return ret;
}
