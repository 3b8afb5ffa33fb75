/* SPDX-License-Identifier: BSD-2-Clause */
/* The VERSION message of vfio-user: who supports what. */
#ifndef VMM_VFU_VERSION_H
#define VMM_VFU_VERSION_H

#include <stddef.h>
#include <stdint.h>

/* What the device's end can take. */
struct vfu_limits {
	uint32_t max_fds;  /* in one message */
	uint32_t max_data; /* bytes in one region access or DMA message */
};

/* Writes our payload; its length, or -EMSGSIZE. */
int vfu_version_request(void *buf, size_t room);

/*
 * Checks the device's payload. -EPROTO with a constant text in *@ret_why: what
 * it lacks. Absent capabilities get the protocol's defaults.
 */
int vfu_version_reply(const void *buf, size_t len, struct vfu_limits *ret_limits,
		      const char **ret_why);

#endif
