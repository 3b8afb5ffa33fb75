// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/vfio_sys.h"

int vfio_sys_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void vfio_sys_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

int vfio_sys_ioctl(int fd, unsigned long request, void *arg)
{
	int r = ioctl(fd, request, arg);

	return r < 0 ? -errno : r;
}

int vfio_sys_read(int fd, uint64_t off, void *buf, size_t len)
{
	ssize_t n = pread(fd, buf, len, (off_t)off);

	return n < 0 ? -errno : (size_t)n == len ? 0 : -EIO;
}

int vfio_sys_write(int fd, uint64_t off, const void *buf, size_t len)
{
	ssize_t n = pwrite(fd, buf, len, (off_t)off);

	return n < 0 ? -errno : (size_t)n == len ? 0 : -EIO;
}

void *vfio_sys_map(int fd, uint64_t off, size_t len, int prot)
{
	void *at = mmap(NULL, len, prot, MAP_SHARED, fd, (off_t)off);

	return at == MAP_FAILED ? NULL : at;
}

void vfio_sys_unmap(void *at, size_t len)
{
	munmap(at, len);
}
