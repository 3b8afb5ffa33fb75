// SPDX-License-Identifier: BSD-2-Clause
/*
 * A disk's process against a hostile VMM: the input is what arrives on the
 * socket, byte for byte, after a good VERSION when its first byte is odd.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/blk/blk.h"
#include "devices/runtime/internal.h"
#include "devices/runtime/log.h"

#define DISK_SIZE (64u << 10)
/* Less than the socket's buffer, so that one thread can do both ends. */
#define MAX_INPUT 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct disk disk;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, DISK_SIZE) || disk_init(&disk, fd, false))
		abort();
	return 0;
}

static void put_version(int sock)
{
	static const uint8_t msg[20] = {0, 0, VFU_VERSION, 0, 20, [18] = VFU_VERSION_MINOR};

	if (write(sock, msg, sizeof(msg)) != sizeof(msg))
		abort();
}

/* Replies are thrown away by whoever reads them; nobody does: a full buffer ends it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct timeval patience = {.tv_usec = 1000};
	struct blk *blk;
	int pair[2];

	if (size < 1 || size > MAX_INPUT)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || blk_new(&disk, NULL, &blk) ||
	    blk_connect(blk, pair[1]))
		abort();
	setsockopt(pair[1], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (data[0] & 1)
		put_version(pair[0]);
	if (write(pair[0], data + 1, size - 1) != (ssize_t)(size - 1))
		abort();
	shutdown(pair[0], SHUT_WR);
	log_fd = -1;
	dev_serve(blk->v.dev);
	blk_free(blk);
	close(pair[0]);
	return 0;
}
