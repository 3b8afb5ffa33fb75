/* SPDX-License-Identifier: BSD-2-Clause */
/* A device that runs by itself: one client on a socket in the file system. */
#ifndef DEVICES_RUNTIME_LISTEN_H
#define DEVICES_RUNTIME_LISTEN_H

/*
 * Makes socket @path (mode 0600), waits for one client, removes the path.
 * The client's fd, or -errno: -EADDRINUSE, -ENAMETOOLONG, ...
 */
int listen_once(const char *path);

#endif
