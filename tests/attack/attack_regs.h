/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Registers of the hostile device: a PCI function whose DMA addresses the guest
 * driver chooses, so that a test can try every access that a malicious device
 * could. BAR 0, 4 KiB, 32-bit little-endian accesses. One MSI-X vector (table in
 * BAR 1). Shared by the device process and the guest's test driver.
 */
#ifndef PVI_ATTACK_REGS_H
#define PVI_ATTACK_REGS_H

#define ATTACK_VENDOR	 0x1234
#define ATTACK_DEVICE	 0x5056

#define ATTACK_ID	 0x00  /* r: ATTACK_MAGIC */
#define ATTACK_IOVA_LO	 0x08  /* rw */
#define ATTACK_IOVA_HI	 0x0c  /* rw */
#define ATTACK_LEN	 0x10  /* rw: bytes, at most ATTACK_DATA_SIZE */
#define ATTACK_CMD	 0x14  /* w: ATTACK_C_*, done before the write completes */
#define ATTACK_STATUS	 0x18  /* r: ATTACK_S_* of the last command */
#define ATTACK_ERRNO	 0x1c  /* r: errno of a refused command */
#define ATTACK_COUNT	 0x20  /* r: writes that the stream has had accepted */
#define ATTACK_REFUSED	 0x24  /* r: writes that the stream has had refused */
#define ATTACK_DATA	 0x800 /* rw: the device's buffer */
#define ATTACK_DATA_SIZE 0x800

#define ATTACK_MAGIC	 0x50564941

#define ATTACK_C_READ	 1 /* DMA from IOVA into DATA */
#define ATTACK_C_WRITE	 2 /* DMA from DATA to IOVA */
#define ATTACK_C_IRQ	 3 /* MSI-X vector 0 */
#define ATTACK_C_STREAM	 4 /* keep writing a counter (u64) to IOVA, between other messages */
#define ATTACK_C_STOP	 5 /* end the stream */

#define ATTACK_S_IDLE	 0
#define ATTACK_S_OK	 1
#define ATTACK_S_REFUSED 2
#define ATTACK_S_BAD	 3 /* no such command, or a bad length */

#endif
