/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pviommu-hostile: a device process that does wrong on purpose. Not sandboxed:
 * it stands for one that has been taken over.
 */
#ifndef TESTS_ATTACK_HOSTILE_H
#define TESTS_ATTACK_HOSTILE_H

#include "devices/runtime/internal.h"
#include "tests/attack/attack_regs.h"

#define HOSTILE_BAR	 0
#define HOSTILE_MSIX_BAR 1

struct hostile {
	struct dev_type type;
	const struct mode *mode;
	struct dev *dev;
	unsigned int after;    /* BAR accesses that are still served well */
	unsigned int accesses; /* so far */

	/* Registers of attack_regs.h. */
	uint64_t iova;
	uint32_t len, status, error, count, refused;
	uint8_t data[ATTACK_DATA_SIZE];
	bool streaming;
	uint64_t stream_iova, stream_value;
};

struct mode {
	const char *name, *what;
	/* A message came in: true: this mode has dealt with it. NULL: serve all well. */
	bool (*message)(struct hostile *h, struct msg *msg);
	/* Spoils config space, BARs. */
	void (*caps)(struct hostile *h, uint8_t *config);
	void (*type)(struct hostile *h);
	/* Once all good accesses are over: what to do in the background. */
	bool (*work)(struct hostile *h);
};

/* The modes beside "dma"; ends with a name of NULL. */
extern const struct mode hostile_modes[];

/* The registers, which also serve all other modes. */
int hostile_read(void *ctx, unsigned int bar, uint64_t off, void *buf, uint32_t len);
int hostile_write(void *ctx, unsigned int bar, uint64_t off, const void *buf, uint32_t len);
bool hostile_stream(struct hostile *h);

#endif
