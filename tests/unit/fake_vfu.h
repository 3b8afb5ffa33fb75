/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vfio-user device for tests, in a thread: well-behaved by default; a hook sees
 * each message first and may answer nonsense instead.
 */
#ifndef FAKE_VFU_H
#define FAKE_VFU_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/vfio_user.h"

#define FAKE_MSIX_CAP 0x40
#define FAKE_VNDR_CAP 0x60
#define FAKE_BAR_SIZE 0x1000u
#define FAKE_MAX_IRQS 8

struct fake_vfu;

/* True: the message is dealt with. */
typedef bool fake_vfu_hook(struct fake_vfu *s, const struct vfu_header *head,
			   const uint8_t *payload, size_t len);

struct fake_vfu {
	/* What it says of itself; change before fake_vfu_start(). */
	const char *version; /* JSON */
	uint8_t cfg[256];
	uint64_t bar_size[6];
	uint32_t cfg_size, nr_regions, nr_irqs, nr_msix, info_flags;
	bool doorbell; /* at BAR 0, offset 0x100, 2 bytes */
	fake_vfu_hook *hook;
	void *ctx;

	int sock;
	pthread_t thread;
	uint16_t next_id;
	int doorbell_fd;

	/* What it was told; read after fake_vfu_stop(), or while it waits for nothing. */
	pthread_mutex_t lock;
	uint8_t bar[FAKE_BAR_SIZE];
	int irq[FAKE_MAX_IRQS];
	unsigned int nr_dma_maps, nr_resets, max_irq_fds;
	uint16_t command;
	int fds[VFU_MAX_FDS]; /* that came with the message at hand */
	unsigned int nr_fds;
};

void fake_vfu_init(struct fake_vfu *s);

/* The client's end of the connection. */
int fake_vfu_start(struct fake_vfu *s);

/* Waits for the thread, which ends with the connection. */
void fake_vfu_stop(struct fake_vfu *s);

/* For hooks. */
void fake_vfu_send(struct fake_vfu *s, const struct vfu_header *head, const void *payload,
		   size_t len, const int *fds, unsigned int nr_fds);
void fake_vfu_reply(struct fake_vfu *s, const struct vfu_header *head, const void *payload,
		    size_t len);
void fake_vfu_error(struct fake_vfu *s, const struct vfu_header *head, int err);

/* DMA, from the device's thread; 0 or the errno of the reply; -1: the connection ended. */
int fake_vfu_dma_read(struct fake_vfu *s, uint64_t addr, void *buf, size_t len);
int fake_vfu_dma_write(struct fake_vfu *s, uint64_t addr, const void *buf, size_t len);

#endif
