/* SPDX-License-Identifier: BSD-2-Clause */
/* What the runtime's files share; devices use dev.h. */
#ifndef DEVICES_RUNTIME_INTERNAL_H
#define DEVICES_RUNTIME_INTERNAL_H

#include "devices/runtime/dev.h"
#include "devices/runtime/msg.h"

/* DMA messages under way. */
#define DMA_SLOTS 32
/* Requests that may wait while the device does DMA; a client with more talks nonsense. */
#define MAX_DEFERRED 64

struct dma_slot {
	void *buf; /* of a read; NULL: a write */
	uint64_t iova;
	uint32_t len;
	uint16_t id;
	bool busy;
};

struct deferred {
	struct deferred *next;
	struct msg msg;
};

struct dev {
	const struct dev_type *type;
	void *ctx;
	int sock;
	bool negotiated;
	int dead; /* 0, or why the connection has ended (-errno) */
	uint32_t max_xfer;

	uint8_t config[DEV_CONFIG_SIZE];
	uint8_t writable[DEV_CONFIG_SIZE];
	int irq_fd[DEV_MAX_VECTORS];
	int doorbell_fd[DEV_MAX_DOORBELLS];

	struct dma_slot slot[DMA_SLOTS];
	unsigned int slots_busy, reads_busy;
	uint16_t next_id;
	int dma_err;

	struct deferred *deferred, **deferred_tail;
	unsigned int nr_deferred;
	bool reset_waiting; /* a DEVICE_RESET is among the deferred */

	struct msg msg; /* the one being handled */

	/* For devices that break the protocol on purpose: true: it has been dealt with. */
	bool (*spy)(void *ctx, struct msg *msg);
};

/* Fills config space with what it holds at power-on. */
void config_init(struct dev *dev);
int config_access(struct dev *dev, uint64_t off, void *buf, uint32_t len, bool write);

/* Answers dev->msg; -errno: the connection is of no more use. */
int dev_handle(struct dev *dev);

/* One message, whatever its address; @in of a read, @out of a write, NULL the other. */
int dma_start_one(struct dev *dev, uint64_t iova, void *in, const void *out, uint32_t len);

/* Takes one message off the socket while DMA is under way: a reply, or one to defer. */
void dma_wait_one(struct dev *dev);

#endif
