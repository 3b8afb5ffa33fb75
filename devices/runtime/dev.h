/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The contract between a simulated device and its runtime. A device is a
 * constant description and a set of callbacks; the runtime speaks vfio-user
 * with the VMM. The device has no guest memory: it reads and writes it with
 * dev_dma_read() and dev_dma_write(), which ask the VMM for each transfer.
 *
 * One thread, one client. A callback may do DMA: messages that arrive meanwhile
 * wait until it has returned. Everything from the client is checked here;
 * everything from the guest (offsets within a BAR are checked) is the device's
 * to check.
 */
#ifndef DEVICES_RUNTIME_DEV_H
#define DEVICES_RUNTIME_DEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/vfio_user.h"

#define DEV_MAX_BARS	  6
#define DEV_MAX_VECTORS	  32
#define DEV_MAX_DOORBELLS 8
#define DEV_CONFIG_SIZE	  256
/* Offset of the MSI-X capability, and of what the device adds. */
#define DEV_MSIX_CAP 0x40
#define DEV_OWN_CAPS 0x50
/* MSI-X table and PBA within their BAR. */
#define DEV_MSIX_TABLE 0x0u
#define DEV_MSIX_PBA   0x800u
/* The most data that one DMA message carries: what devices' buffers hold. */
#define DEV_MAX_XFER VFU_MAX_DATA

struct dev;

struct dev_ops {
	/*
	 * A BAR access of 1, 2, 4 or 8 bytes within the BAR. A failure is told to
	 * the VMM, whose guest then reads ones.
	 */
	int (*read)(void *ctx, unsigned int bar, uint64_t off, void *buf, uint32_t len);
	int (*write)(void *ctx, unsigned int bar, uint64_t off, const void *buf, uint32_t len);
	/* The ioeventfd of doorbell @n was signalled. */
	void (*doorbell)(void *ctx, unsigned int n);
	/*
	 * Does one piece of pending work, so that messages are never kept waiting
	 * for long; true: there is more. Called after each event. May be NULL.
	 */
	bool (*work)(void *ctx);
	/* Back to power-on state; no DMA. */
	void (*reset)(void *ctx);
	/*
	 * Adds capabilities at DEV_OWN_CAPS, to where the MSI-X capability points,
	 * and the bits that may be written. NULL: there are none.
	 */
	void (*caps)(void *ctx, uint8_t *config, uint8_t *writable);
	/* Before a read and after a write of config space from 0x40 on. May be NULL. */
	void (*config)(void *ctx, uint8_t *config, uint32_t off, uint32_t len, bool write);
};

struct dev_bar {
	uint64_t size; /* 0: absent */
	bool is64;     /* takes the next BAR's place as well */
	bool prefetch;
};

struct dev_doorbell {
	uint8_t bar;
	uint32_t off;
	uint32_t size; /* of the writes that ring it */
};

struct dev_type {
	const char *name;
	uint16_t vendor, device, sub_vendor, sub_device;
	uint32_t class_rev; /* class code << 8 | revision */
	struct dev_bar bar[DEV_MAX_BARS];
	unsigned int nr_vectors; /* MSI-X; 0: none */
	unsigned int msix_bar;	 /* holds nothing but table and PBA; the VMM serves it */
	struct dev_doorbell doorbell[DEV_MAX_DOORBELLS];
	unsigned int nr_doorbells;
	const struct dev_ops *ops;
};

/* Takes @sock on success. *@type and @ctx must outlive it. -ENOMEM, -EMFILE. */
int dev_new(const struct dev_type *type, void *ctx, int sock, struct dev **ret_dev);
void dev_free(struct dev *dev);

/* The fds of its doorbells, for a sandbox to keep; how many. */
size_t dev_doorbells(const struct dev *dev, int *ret_fds);

/* Until the client has gone: 0; -EPROTO when it talked nonsense (logged), or another errno. */
int dev_serve(struct dev *dev);

/* Signals MSI-X @vector, after all DMA that was started. */
void dev_interrupt(struct dev *dev, unsigned int vector);

/*
 * Transfers between @buf and guest memory. -EFAULT and the like: refused, and
 * how much of it has happened is unknown; -ECANCELED: a reset is waiting, end
 * what you do; -ENOTCONN: the client has gone.
 */
int dev_dma_read(struct dev *dev, uint64_t iova, void *buf, size_t len);
int dev_dma_write(struct dev *dev, uint64_t iova, const void *buf, size_t len);

/*
 * The same without waiting: several transfers are under way at once, done in
 * order. @buf of a read is filled, and a refusal of any is known, when
 * dev_dma_finish() returns; @buf of a write is free on return. Only a failure to
 * start is returned at once.
 */
int dev_dma_start_read(struct dev *dev, uint64_t iova, void *buf, size_t len);
int dev_dma_start_write(struct dev *dev, uint64_t iova, const void *buf, size_t len);
/* The first failure since the last dev_dma_finish(), or 0. */
int dev_dma_finish(struct dev *dev);

#endif
