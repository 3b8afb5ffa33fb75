// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU's edu: one DMA at a time, between memory and a page of its own. It is told machine
 * addresses, past the kernel's DMA API.
 */
#include <linux/delay.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/ktime.h>
#include <asm/xen/page.h>
#include "ptdma_module.h"

#define REG_SOURCE	0x80
#define REG_DESTINATION 0x88
#define REG_COUNT	0x90
#define REG_COMMAND	0x98
#define COMMAND_RUN	1
#define COMMAND_TO_MEM	2
#define OWN_PAGE	0x40000
#define WAIT_US		(10 * USEC_PER_SEC)

u64 ptdma_address(unsigned long pfn, unsigned int offset)
{
	return (u64)pfn_to_mfn(pfn) << PAGE_SHIFT | offset;
}

static int transfer(struct ptdma *p, u64 address, bool to_memory)
{
	ktime_t end = ktime_add_us(ktime_get(), WAIT_US);

	lo_hi_writeq(to_memory ? OWN_PAGE : address, p->regs + REG_SOURCE);
	lo_hi_writeq(to_memory ? address : OWN_PAGE, p->regs + REG_DESTINATION);
	lo_hi_writeq(PTDMA_BYTES, p->regs + REG_COUNT);
	lo_hi_writeq(COMMAND_RUN | (to_memory ? COMMAND_TO_MEM : 0), p->regs + REG_COMMAND);
	while (readl(p->regs + REG_COMMAND) & COMMAND_RUN) {
		if (ktime_after(ktime_get(), end))
			return -ETIMEDOUT;
		usleep_range(1000, 5000);
	}
	return 0;
}

/* The device's page is filled from ours first, and what it got comes back through ours. */
int ptdma_dma(struct ptdma *p, struct ptdma_dma *d)
{
	u64 ours = ptdma_address(page_to_pfn(p->own), 0);
	int r;

	d->address = ptdma_address(d->pfn, d->offset);
	memcpy(page_address(p->own), d->bytes, PTDMA_BYTES);
	r = transfer(p, ours, false);
	if (!r)
		r = transfer(p, d->address, d->to_memory);
	if (!r && !d->to_memory) {
		memset(page_address(p->own), 0, PTDMA_BYTES);
		r = transfer(p, ours, true);
		memcpy(d->bytes, page_address(p->own), PTDMA_BYTES);
	}
	return r;
}
