// SPDX-License-Identifier: BSD-2-Clause
/* The modes that test how the VMM bears a device process that breaks the protocol. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/wire.h"
#include "tests/attack/hostile.h"

static bool is_region(const struct msg *msg)
{
	return msg->hdr.command == VFU_REGION_READ || msg->hdr.command == VFU_REGION_WRITE;
}

/* An access to the BAR, after the good ones are used up. */
static bool is_bad_access(struct hostile *h, const struct msg *msg)
{
	struct vfu_region_access a;

	memcpy(&a, msg->body, sizeof(a));
	return is_region(msg) && msg->len >= sizeof(a) && a.region == HOSTILE_BAR &&
	       h->accesses >= h->after;
}

static struct vfu_header reply_to(const struct msg *msg)
{
	return (struct vfu_header){
		.id = msg->hdr.id, .command = msg->hdr.command, .flags = VFU_F_REPLY};
}

static bool hang_version(struct hostile *h, struct msg *msg)
{
	return msg->hdr.command == VFU_VERSION;
}

static bool hang_access(struct hostile *h, struct msg *msg)
{
	return is_bad_access(h, msg);
}

static bool bad_json(struct hostile *h, struct msg *msg)
{
	const struct vfu_version v = {VFU_VERSION_MAJOR, VFU_VERSION_MINOR};
	struct iovec iov[2] = {{(void *)&v, sizeof(v)}, {"{\"capabilities\":{[[[", 21}};
	struct vfu_header hdr = reply_to(msg);

	if (msg->hdr.command != VFU_VERSION)
		return false;
	msg_send(h->dev->sock, &hdr, iov, 2, NULL, 0);
	return true;
}

/* The same bytes each time. */
static bool nonsense(struct hostile *h, struct msg *msg)
{
	uint32_t x = 2463534242u;
	uint8_t noise[4096];

	if (msg->hdr.command == VFU_VERSION)
		return false;
	for (size_t i = 0; i < sizeof(noise); i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		noise[i] = (uint8_t)x;
	}
	send(h->dev->sock, noise, sizeof(noise), MSG_NOSIGNAL);
	return true;
}

static bool dup_reply(struct hostile *h, struct msg *msg)
{
	struct vfu_header hdr = reply_to(msg);
	struct msg copy = *msg;
	struct iovec iov = {copy.body, sizeof(struct vfu_region_access)};

	if (!is_bad_access(h, msg))
		return false;
	msg->nr_fds = 0; /* the copy's */
	if (dev_handle(h->dev))
		return true;
	msg_send(h->dev->sock, &hdr, &iov, 1, NULL, 0);
	msg_close_fds(&copy);
	return true;
}

/* A reply whose length is not what its request implies. */
static bool wrong_size(struct hostile *h, struct msg *msg)
{
	struct vfu_header hdr = reply_to(msg);
	uint8_t body[sizeof(struct vfu_region_access) + 64] = {0};
	struct iovec iov = {body, sizeof(body)};

	if (!is_bad_access(h, msg))
		return false;
	memcpy(body, msg->body, sizeof(struct vfu_region_access));
	msg_send(h->dev->sock, &hdr, &iov, 1, NULL, 0);
	return true;
}

/* A header that says it is shorter than a header. */
static bool short_msg(struct hostile *h, struct msg *msg)
{
	struct vfu_header hdr = reply_to(msg);

	if (!is_bad_access(h, msg))
		return false;
	hdr.size = 8;
	send(h->dev->sock, &hdr, sizeof(hdr), MSG_NOSIGNAL);
	return true;
}

/* As many fds as a message can carry, with each answer. */
static bool fd_flood(struct hostile *h, struct msg *msg)
{
	struct vfu_header hdr = reply_to(msg);
	struct vfu_region_access a;
	uint8_t data[8] = {0};
	struct iovec iov[2] = {{msg->body, sizeof(a)}, {data, 0}};
	int fds[VFU_MAX_FDS];

	if (!is_bad_access(h, msg))
		return false;
	memcpy(&a, msg->body, sizeof(a));
	if (msg->hdr.command == VFU_REGION_READ && a.count <= sizeof(data)) {
		hostile_read(h, HOSTILE_BAR, a.offset, data, a.count);
		iov[1].iov_len = a.count;
	}
	for (unsigned int i = 0; i < VFU_MAX_FDS; i++)
		fds[i] = STDERR_FILENO;
	msg_send(h->dev->sock, &hdr, iov, 2, fds, VFU_MAX_FDS);
	return true;
}

static bool end_early(struct hostile *h, struct msg *msg)
{
	if (is_bad_access(h, msg))
		_exit(0);
	return false;
}

/* Asks for DMA, and never reads an answer. */
static bool flood_unread(struct hostile *h, struct msg *msg)
{
	struct vfu_dma dma = {.address = 0, .count = VFU_MAX_DATA};
	struct iovec iov = {&dma, sizeof(dma)};
	struct vfu_header hdr = {.command = VFU_DMA_READ};

	if (!is_bad_access(h, msg))
		return false;
	while (!msg_send(h->dev->sock, &hdr, &iov, 1, NULL, 0))
		hdr.id++;
	_exit(0);
}

/* Keeps as much DMA under way as the runtime can, for ever. */
static bool flood(struct hostile *h)
{
	static uint8_t sink[DEV_MAX_XFER];

	for (unsigned int i = 0; i < DMA_SLOTS; i++)
		dma_start_one(h->dev, 0, sink, NULL, sizeof(sink));
	dev_dma_finish(h->dev);
	return true;
}

static bool irq_flood(struct hostile *h)
{
	for (unsigned int i = 0; i < 64; i++)
		dev_interrupt(h->dev, 0);
	return true;
}

static void huge_bar(struct hostile *h)
{
	h->type.bar[2] = (struct dev_bar){.size = (uint64_t)1 << 40, .is64 = true};
}

static void odd_bar(struct hostile *h)
{
	h->type.bar[2] = (struct dev_bar){.size = 12288};
}

static void cap_loop(struct hostile *h, uint8_t *config)
{
	config[DEV_OWN_CAPS] = config[DEV_OWN_CAPS + 16] = PCI_CAP_ID_VNDR;
	config[DEV_OWN_CAPS + 1] = DEV_OWN_CAPS + 16;
	config[DEV_OWN_CAPS + 16 + 1] = DEV_OWN_CAPS;
	config[DEV_OWN_CAPS + 2] = config[DEV_OWN_CAPS + 16 + 2] = 16;
}

/* The table ends beyond its BAR. */
static void bad_msix(struct hostile *h, uint8_t *config)
{
	config[DEV_MSIX_CAP + PCI_CAP_LIST_NEXT] = 0;
	pvi_put32(config + DEV_MSIX_CAP + PCI_MSIX_TABLE, 0xff8 | HOSTILE_MSIX_BAR);
}

const struct mode hostile_modes[] = {
	{"hang-version", "does not answer VERSION", .message = hang_version},
	{"hang-access", "does not answer register accesses", .message = hang_access},
	{"bad-json", "answers VERSION with broken JSON", .message = bad_json},
	{"nonsense", "sends random bytes after VERSION", .message = nonsense},
	{"dup-reply", "answers register accesses twice", .message = dup_reply},
	{"wrong-size", "answers register accesses with too much", .message = wrong_size},
	{"short-msg", "sends a size below the header's", .message = short_msg},
	{"fd-flood", "sends 64 fds with every answer", .message = fd_flood},
	{"eof", "exits in a register access", .message = end_early},
	{"flood", "asks for DMA without end", .work = flood},
	{"flood-unread", "asks for DMA, reads no answer", .message = flood_unread},
	{"irq-flood", "interrupts without end", .work = irq_flood},
	{"huge-bar", "has a BAR of 1 TiB", .type = huge_bar},
	{"odd-bar", "has a BAR of 12 KiB", .type = odd_bar},
	{"cap-loop", "has a capability list that loops", .caps = cap_loop},
	{"bad-msix", "has its MSI-X table outside the BAR", .caps = bad_msix},
	{0},
};
