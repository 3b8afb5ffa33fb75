// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/lockdep.h>
#include <linux/io.h>
#include <linux/slab.h>

#include "pvi_attack.h"

u32 attack_reg(struct attacker *a, unsigned int reg)
{
	return ioread32(a->regs + reg);
}

static u32 hostile_dma(struct attacker *a, u32 command, u64 iova, u32 len)
{
	iowrite32(lower_32_bits(iova), a->regs + ATTACK_IOVA_LO);
	iowrite32(upper_32_bits(iova), a->regs + ATTACK_IOVA_HI);
	iowrite32(len, a->regs + ATTACK_LEN);
	iowrite32(command, a->regs + ATTACK_CMD);
	return attack_reg(a, ATTACK_STATUS);
}

static void hostile_put_data(struct attacker *a, const void *from)
{
	const u32 *word = from;
	unsigned int i;

	for (i = 0; i < ATTACK_BYTES / 4; i++)
		iowrite32(word[i], a->regs + ATTACK_DATA + i * 4);
}

static void hostile_get_data(struct attacker *a, void *to)
{
	u32 *word = to;
	unsigned int i;

	for (i = 0; i < ATTACK_BYTES / 4; i++)
		word[i] = ioread32(a->regs + ATTACK_DATA + i * 4);
}

static u32 hostile_error(struct attacker *a)
{
	return attack_reg(a, ATTACK_ERRNO);
}

static bool hostile_interrupt(struct attacker *a)
{
	reinit_completion(&a->irq);
	iowrite32(ATTACK_C_IRQ, a->regs + ATTACK_CMD);
	return wait_for_completion_timeout(&a->irq, msecs_to_jiffies(2000));
}

const struct attack_engine attack_hostile_engine = {
	.dma = hostile_dma,
	.put_data = hostile_put_data,
	.get_data = hostile_get_data,
	.error = hostile_error,
	.interrupt = hostile_interrupt,
};

/* A legitimate write and a legitimate read, with data that no other access had. */
bool attack_alive(struct attacker *a)
{
	static u32 round;
	u32 words[ATTACK_BYTES / 4], got[ATTACK_BYTES / 4];
	unsigned int i;

	round++;
	for (i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = round * 0x01000193u + i;
	attack_put_data(a, words);
	if (attack_dma(a, ATTACK_C_WRITE, a->control_addr, ATTACK_BYTES) != ATTACK_S_OK)
		return false;
	/* The page may be the driver's copy of what the device has. */
	dma_sync_single_for_cpu(&a->pdev->dev, a->control_addr, ATTACK_BYTES, DMA_BIDIRECTIONAL);
	if (memcmp(a->control, words, ATTACK_BYTES))
		return false;
	for (i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = ~words[i];
	memcpy(a->control, words, ATTACK_BYTES);
	dma_sync_single_for_device(&a->pdev->dev, a->control_addr, ATTACK_BYTES, DMA_BIDIRECTIONAL);
	if (attack_dma(a, ATTACK_C_READ, a->control_addr, ATTACK_BYTES) != ATTACK_S_OK)
		return false;
	attack_get_data(a, got);
	return !memcmp(got, words, ATTACK_BYTES);
}

static struct file *open_knob(struct attacker *a, const char *name, int flags)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/pviommu/%s", pci_name(a->pdev), name);
	return filp_open(path, flags, 0);
}

int attack_text(struct attacker *a, const char *name, char *buf, size_t size)
{
	struct file *f = open_knob(a, name, O_RDONLY);
	ssize_t n;
	loff_t pos = 0;

	if (IS_ERR(f))
		return PTR_ERR(f);
	/* Within a seq_file of ours, another one's lock: it never leads back here. */
	lockdep_off();
	n = kernel_read(f, buf, size - 1, &pos);
	lockdep_on();
	filp_close(f, NULL);
	if (n < 0)
		return n;
	buf[n] = '\0';
	strim(buf);
	return 0;
}

s64 attack_counter(struct attacker *a, const char *name)
{
	char buf[32];
	s64 value;
	int r = attack_text(a, name, buf, sizeof(buf));

	return r ?: kstrtos64(buf, 10, &value) ?: value;
}

int attack_knob(struct attacker *a, const char *name, const char *value)
{
	struct file *f = open_knob(a, name, O_WRONLY);
	ssize_t n;
	loff_t pos = 0;

	if (IS_ERR(f))
		return PTR_ERR(f);
	n = kernel_write(f, value, strlen(value), &pos);
	filp_close(f, NULL);
	return n < 0 ? n : 0;
}
