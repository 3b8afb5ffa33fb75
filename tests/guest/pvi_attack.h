/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pvi_attack.ko: drives a device whose DMA addresses the test chooses, to try what a
 * malicious device could: the hostile device of tests/attack/attack_regs.h, or any
 * nvme, whose DMA engine is real.
 */
#ifndef PVI_ATTACK_H
#define PVI_ATTACK_H

#include <linux/completion.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/seq_file.h>

#include "tests/attack/attack_regs.h"

struct attacker;

/* How a device is told to do a DMA. It has a buffer of ATTACK_BYTES. */
struct attack_engine {
	/* ATTACK_S_* of a read of memory into the buffer (ATTACK_C_READ), or the reverse. */
	u32 (*dma)(struct attacker *a, u32 command, u64 iova, u32 len);
	void (*put_data)(struct attacker *a, const void *from);
	void (*get_data)(struct attacker *a, void *to);
	/* Why the last was refused. */
	u32 (*error)(struct attacker *a);
	/* Raises its interrupt: it came. NULL: is not used. */
	bool (*interrupt)(struct attacker *a);
};

extern const struct attack_engine attack_hostile_engine;

struct attacker {
	const struct attack_engine *engine;
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
	u8 *hidden, *withdrawn, *own; /* pages of attack_aim.c */
	dma_addr_t own_addr;
	char aimed[128]; /* what came of the last */
};

/* ---- the device (attack_device.c) ---- */

#define ATTACK_BYTES 64u /* of one access */

static inline u32 attack_dma(struct attacker *a, u32 command, u64 iova, u32 len)
{
	return a->engine->dma(a, command, iova, len);
}

static inline void attack_put_data(struct attacker *a, const void *from)
{
	a->engine->put_data(a, from);
}

static inline void attack_get_data(struct attacker *a, void *to)
{
	a->engine->get_data(a, to);
}

/* A register of the hostile device. */
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

/* All attacks, or the matrix, into @out: the strategy, then between controls. */
int attack_show(struct seq_file *out, void (*what)(struct attacker *a));
/* Large enough for all lines: seq_file would start over, attacks and all, with more. */
#define ATTACK_SHOW_BUFFER 32768
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

/*
 * Where the device sees @memory if the strategy maps all of memory; a low address that no
 * other mapping is given if it does not.
 */
u64 attack_linear(struct attacker *a, u8 *memory);

/* ---- how long it lets it (attack_window.c) ---- */

/*
 * A page that was mapped for writing and is not any more, and a device that keeps writing
 * to it. Lines
 *   WINDOW idle|busy WHEN dmas=N us=T ticks_ms=T others=M
 * of a driver that does nothing else, and of one that goes on mapping other pages: WHEN is
 * "revoked", or "open" if it was not within a second or 4096 others; N writes went through,
 * the last T us after dma_unmap (and by the clock that timers go by, in whole ticks), and M
 * mappings of others later.
 *   WINDOW idle-reclaim|busy-reclaim revoked|open
 * says whether writing to "reclaim" ends it.
 */
void attack_window(struct attacker *a);

/*
 * "SWEEP reached=N of=M": the device reads M pages that no mapping names, some of which
 * were mapped before, and reaches N.
 */
void attack_sweep(struct attacker *a);

/* "HIGH pages=N dmas=M wrong=W": buffers above 4 GiB, read and written by the device. */
void attack_high(struct attacker *a);

/* One write of the device's buffer by an nvme, without asking whether it was refused. */
int attack_nvme_write(struct attacker *a, u64 iova);

/* ---- what was reported (attack_witness.c) ---- */

/*
 * All that was refused until now has been counted: 0, or -errno: nobody knows. What finds no
 * room in the queue is not reported; a sector refused is 65 reports, the queue has room for
 * 256: so one fence at least for each three.
 */
int attack_witness_fence(void);
/* And nothing was taken for it that came from the witness itself. */
bool attack_witness_exact(void);

/* ---- one access where the test wants it (attack_aim.c) ---- */

void attack_aim_add(struct attacker *a);
/* Its file is gone. */
void attack_aim_remove(struct attacker *a);

/* ---- the drivers ---- */

extern struct pci_driver attack_hostile_driver; /* attack_pci.c */
extern struct pci_driver attack_nvme_driver;	/* attack_nvme.c */
extern struct pci_driver attack_witness_driver; /* attack_witness.c */

#endif
