/* SPDX-License-Identifier: GPL-2.0-only */
/* An nvme as a DMA engine: what the device under test and the witness have in common. */
#ifndef PVI_ATTACK_NVME_H
#define PVI_ATTACK_NVME_H

#include <linux/nvme.h>

#include "pvi_attack.h"

#define ATTACK_SECTOR 512u

struct nvme_queue {
	struct nvme_command *sq;
	struct nvme_completion *cq;
	dma_addr_t sq_addr, cq_addr;
	unsigned int id, tail, head, phase;
};

struct nvme_engine {
	struct attacker a;
	struct nvme_queue admin, io;
	void *sector; /* what the disk's first sector is written from and read into */
	dma_addr_t sector_addr;
	u32 status;   /* of the last command */
	bool settled; /* what was refused until now is counted */
};

/* With its admin queue; what it has is freed with its device. 0 or -errno. */
int attack_nvme_enable(struct nvme_engine *e);
void attack_nvme_disable(struct nvme_engine *e);

/*
 * Has the device write 4 bytes to @addr: 0 or -errno. No more, because QEMU asks for the
 * translation, and reports that there is none, for every word.
 */
int attack_nvme_write_word(struct nvme_engine *e, u64 addr);

/* By way of the disk's first sector: the device writes what is at @from to @addr, ... */
int attack_nvme_put(struct attacker *a, u64 addr, const void *from);
/* ... or reads @addr, and @to gets what it read. ATTACK_SECTOR bytes; 0 or -errno. */
int attack_nvme_get(struct attacker *a, u64 addr, void *to);

#endif
