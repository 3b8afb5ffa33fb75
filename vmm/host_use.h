/* SPDX-License-Identifier: BSD-2-Clause */
/* Is a device of the host in use? Taking it away would then hurt somebody. */
#ifndef VMM_HOST_USE_H
#define VMM_HOST_USE_H

#include <stddef.h>

/*
 * Looks at everything below the function @bdf: block devices that are mounted, swapped to,
 * held by another (RAID, LVM, dm) or opened for itself alone; network interfaces that are up,
 * part of another or in another network namespace; the display that the firmware uses. 1: in
 * use, and @ret_why says by what and what to do, in words to stand behind "BDF: "; 0: not;
 * -errno: it cannot be told, and @ret_why names the file that could not be looked at, and why.
 * @root: host_sysfs.h.
 */
int host_in_use(const char *root, const char *bdf, char *ret_why, size_t size);

#endif
