/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pvi_attack.ko: drives the hostile device of tests/attack/attack_regs.h, whose DMA
 * addresses its driver chooses, to try what a malicious device could.
 */
#ifndef PVI_ATTACK_H
#define PVI_ATTACK_H

#include <linux/completion.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/seq_file.h>

#include "tests/attack/attack_regs.h"

struct attacker {
	struct pci_dev *pdev;
	void __iomem *regs;
	struct completion irq;
	struct dentry *dir;
	struct mutex lock; /* one run, or one change of the stream, at a time */
	struct seq_file *out;
	u8 *control; /* a page that is mapped both ways during a run */
	dma_addr_t control_addr;
	void *stream; /* a page the device keeps writing to; NULL: it does not */
	dma_addr_t stream_addr;
};

/* ---- the device (attack_device.c) ---- */

#define ATTACK_BYTES 64u /* of one access */

/* The device's answer (ATTACK_S_*) to a read of memory into its buffer, or the reverse. */
u32 attack_dma(struct attacker *a, u32 command, u64 iova, u32 len);
void attack_put_data(struct attacker *a, const void *from);
void attack_get_data(struct attacker *a, void *to);
u32 attack_reg(struct attacker *a, unsigned int reg);

/* The device works: its read and write of the control page do, exactly. */
bool attack_alive(struct attacker *a);

/* The endpoint's counter in sysfs, or -errno. */
s64 attack_counter(struct attacker *a, const char *name);
/* Writes to a file of the endpoint's pviommu folder; reads its first word. */
int attack_knob(struct attacker *a, const char *name, const char *value);
int attack_text(struct attacker *a, const char *name, char *buf, size_t size);

/* ---- trying (attack_run.c) ---- */

/* What one attack has had: printed as "ATTACK name tried blocked detail". */
struct attack_score {
	unsigned int tried;
	unsigned int blocked;
	char detail[160];
};

/*
 * A device access that must be refused: the device is told so, it learns nothing of
 * @memory or changes nothing in it (NULL: there is no memory to look at), the guest
 * sees a fault, and the device goes on working.
 */
void attack_read(struct attacker *a, struct attack_score *s, u64 iova, const u8 *memory);
void attack_write(struct attacker *a, struct attack_score *s, u64 iova, const u8 *memory);
/* Both. */
void attack_both(struct attacker *a, struct attack_score *s, u64 iova, const u8 *memory);

/* The outcome of a read or write of the device's, with @memory as it should not see it. */
const char *attack_outcome(struct attacker *a, u32 command, u64 iova, const u8 *memory);
void attack_note(struct attack_score *s, const char *format, ...) __printf(2, 3);

/* Fills @page with what a device must not learn. */
void attack_fill_secret(u8 *page, size_t size);

/* All attacks, or the matrix, into a->out: between controls. */
void attack_all(struct attacker *a, void (*what)(struct attacker *a));
void attack_cases_run(struct attacker *a);

/* ---- the attacks (attack_cases.c) ---- */

struct attack_case {
	const char *name;
	void (*run)(struct attacker *a, struct attack_score *s);
};

extern const struct attack_case attack_cases[];
extern const unsigned int nr_attack_cases;

/* Access between the driver's dma_unmap and the end of the mapping, if there is such a time. */
void attack_reuse(struct attacker *a);

/* ---- what a strategy lets a device do, whether it should or not (attack_matrix.c) ---- */

/*
 * Lines "MATRIX name read write", each "possible", "harmless" (the device was let in, but
 * found nothing and changed nothing of the guest's) or "refused"; and those of
 * attack_reuse(). Touches no memory but its own, whatever the strategy.
 */
void attack_matrix(struct attacker *a);

#endif
