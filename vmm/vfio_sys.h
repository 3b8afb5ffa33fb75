/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What VFIO is asked by: system calls, with a negative errno for a failure. A file of its
 * own, for tests to replace.
 */
#ifndef VMM_VFIO_SYS_H
#define VMM_VFIO_SYS_H

#include <stddef.h>
#include <stdint.h>

int vfio_sys_open(const char *path);
void vfio_sys_close(int fd);
/* What ioctl(2) returns, or -errno. */
int vfio_sys_ioctl(int fd, unsigned long request, void *arg);
/* All of @len bytes at @off of a device's file, or a failure: -EIO when it gives less. */
int vfio_sys_read(int fd, uint64_t off, void *buf, size_t len);
int vfio_sys_write(int fd, uint64_t off, const void *buf, size_t len);
/* NULL: cannot be mapped. */
void *vfio_sys_map(int fd, uint64_t off, size_t len, int prot);
void vfio_sys_unmap(void *at, size_t len);

#endif
