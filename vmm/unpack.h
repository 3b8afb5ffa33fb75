/* SPDX-License-Identifier: BSD-2-Clause */
/* Decompression of a kernel's payload, whole buffer to whole buffer. */
#ifndef VMM_UNPACK_H
#define VMM_UNPACK_H

#include <stddef.h>
#include <stdint.h>

/*
 * Decompresses @in, whose format its first bytes tell (XZ, Zstandard, gzip);
 * what follows the compressed stream is ignored. *@ret_len is how much of @out
 * was filled. -ENOTSUP: another format; -EINVAL: damaged, or more than @room;
 * -ENOMEM.
 */
int unpack(const uint8_t *in, size_t in_len, uint8_t *out, size_t room, size_t *ret_len);

#endif
