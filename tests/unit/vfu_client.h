/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vfio-user client for tests of device processes: the device runs in a thread
 * behind a socketpair, the test is the VMM. While the test waits it serves DMA
 * from fake guest RAM.
 */
#ifndef TESTS_UNIT_VFU_CLIENT_H
#define TESTS_UNIT_VFU_CLIENT_H

#include <pthread.h>

#include "tests/unit/ring.h"

#include "core/vfio_user.h"
#include "devices/runtime/dev.h"

#define CLIENT_VECTORS 2

struct client {
	int sock;
	struct ring_ram *ram;
	uint64_t no_write_first, no_write_last; /* read-only part of RAM, if last > 0 */
	uint16_t next_id;
	unsigned int dma_reads, dma_writes, dma_refused;
	uint32_t largest_dma;
	int irq[CLIENT_VECTORS];
	int doorbell;
	struct dev *dev;
	pthread_t thread;
	int served; /* what dev_serve() returned */
};

/* Starts @type in a thread; no message is sent yet. */
void client_start(struct client *c, struct ring_ram *ram, const struct dev_type *type, void *ctx);
/* For a device that made its own dev, on the other end of client_pair(). */
int client_pair(struct client *c, struct ring_ram *ram);
void client_run(struct client *c, struct dev *dev);
/* Closes the socket; what dev_serve() returned. The dev stays the caller's when it made it. */
int client_join(struct client *c);

/* Sends a message without waiting; its id. */
uint16_t client_send(struct client *c, uint16_t cmd, uint32_t flags, const void *body, size_t len,
		     const int *fds, unsigned int nr_fds);

/*
 * The reply to @id, DMA served meanwhile: its body's length, or the error that it
 * carries (-errno). Fails the test after some seconds, or at end of file.
 */
int client_reply(struct client *c, uint16_t id, void *body, size_t room);

/* Both. */
int client_call(struct client *c, uint16_t cmd, const void *body, size_t len, void *reply,
		size_t room);

int client_version(struct client *c, const char *json);
int client_read(struct client *c, uint32_t region, uint64_t off, void *buf, uint32_t len);
int client_write(struct client *c, uint32_t region, uint64_t off, const void *buf, uint32_t len);
uint64_t client_get(struct client *c, uint64_t off, uint32_t len);
void client_put(struct client *c, uint64_t off, uint64_t value, uint32_t len);

/* Gives it eventfds for its vectors, takes its first doorbell. */
void client_wire(struct client *c);

/* Serves DMA until vector @v fires; false when it has not within @ms. */
bool client_wait_irq(struct client *c, unsigned int v, int ms);
/* Has it fired? Forgets it. */
bool client_irq(struct client *c, unsigned int v);
/* Serves one DMA request that has come, or is coming. */
void client_serve_one(struct client *c);
void client_ring(struct client *c);

/* Open fds of this process. */
unsigned int client_count_fds(void);

#endif
