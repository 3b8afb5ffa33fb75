// SPDX-License-Identifier: BSD-2-Clause
/* Mode "dma": any access that the guest's test driver names, as attack_regs.h says. */
#include <errno.h>
#include <string.h>

#include "core/wire.h"
#include "tests/attack/hostile.h"

/* Goes out as it is: addresses that wrap, lengths of nothing. */
static int access_guest(struct hostile *h, uint64_t iova, void *in, const void *out, uint32_t len)
{
	int err = dma_start_one(h->dev, iova, in, out, len);

	return err ? err : dev_dma_finish(h->dev);
}

static void command(struct hostile *h, uint32_t cmd)
{
	bool dma = cmd == ATTACK_C_READ || cmd == ATTACK_C_WRITE;
	int err = 0;

	h->error = 0;
	if (dma && h->len > ATTACK_DATA_SIZE) {
		h->status = ATTACK_S_BAD;
		return;
	}
	switch (cmd) {
	case ATTACK_C_READ:
		err = access_guest(h, h->iova, h->data, NULL, h->len);
		break;
	case ATTACK_C_WRITE:
		err = access_guest(h, h->iova, NULL, h->data, h->len);
		break;
	case ATTACK_C_IRQ:
		dev_interrupt(h->dev, 0);
		break;
	case ATTACK_C_STREAM:
		h->streaming = true;
		h->stream_iova = h->iova;
		h->count = h->refused = 0;
		h->stream_value = 0;
		break;
	case ATTACK_C_STOP:
		h->streaming = false;
		break;
	default:
		h->status = ATTACK_S_BAD;
		return;
	}
	h->status = err ? ATTACK_S_REFUSED : ATTACK_S_OK;
	h->error = (uint32_t)-err;
}

bool hostile_stream(struct hostile *h)
{
	int err;

	if (!h->streaming)
		return false;
	h->stream_value++;
	err = access_guest(h, h->stream_iova, NULL, &h->stream_value, sizeof(h->stream_value));
	if (!err)
		h->count++;
	else if (err != -ECANCELED)
		h->refused++;
	return true;
}

static uint32_t *reg(struct hostile *h, uint64_t off)
{
	switch (off) {
	case ATTACK_LEN:
		return &h->len;
	case ATTACK_STATUS:
		return &h->status;
	case ATTACK_ERRNO:
		return &h->error;
	case ATTACK_COUNT:
		return &h->count;
	case ATTACK_REFUSED:
		return &h->refused;
	default:
		return NULL;
	}
}

static bool in_data(uint64_t off, uint32_t len)
{
	return off >= ATTACK_DATA && off - ATTACK_DATA + len <= ATTACK_DATA_SIZE;
}

int hostile_read(void *ctx, unsigned int bar, uint64_t off, void *buf, uint32_t len)
{
	struct hostile *h = ctx;
	uint32_t value = 0;

	h->accesses++;
	if (in_data(off, len)) {
		memcpy(buf, h->data + (off - ATTACK_DATA), len);
		return 0;
	}
	if (len != 4)
		return -EINVAL;
	if (off == ATTACK_ID)
		value = ATTACK_MAGIC;
	else if (off == ATTACK_IOVA_LO)
		value = (uint32_t)h->iova;
	else if (off == ATTACK_IOVA_HI)
		value = (uint32_t)(h->iova >> 32);
	else if (reg(h, off))
		value = *reg(h, off);
	pvi_put32(buf, value);
	return 0;
}

int hostile_write(void *ctx, unsigned int bar, uint64_t off, const void *buf, uint32_t len)
{
	struct hostile *h = ctx;
	uint32_t value;

	h->accesses++;
	if (in_data(off, len)) {
		memcpy(h->data + (off - ATTACK_DATA), buf, len);
		return 0;
	}
	if (len != 4)
		return -EINVAL;
	value = pvi_get32(buf);
	if (off == ATTACK_IOVA_LO)
		h->iova = (h->iova & ~(uint64_t)UINT32_MAX) | value;
	else if (off == ATTACK_IOVA_HI)
		h->iova = (h->iova & UINT32_MAX) | (uint64_t)value << 32;
	else if (off == ATTACK_LEN)
		h->len = value;
	else if (off == ATTACK_CMD)
		command(h, value);
	return 0;
}
