// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vmm/vfu_probe.h"
#include "vmm/vfu_region.h"

/* A VERSION message's payload: some capabilities and room for others'. */
#define VERSION_ROOM	    4096
#define VERSION_REQUEST_MAX 512

/* More than any PCI device's: what is announced beyond them is nonsense. */
#define MAX_REGIONS 64
#define MAX_IRQS    64

/* struct vfio_irq_set without its data. */
#define IRQ_SET_SIZE 20u

/* The longest IOVA space a server of libvfio-user's kind takes. */
#define DMA_SPACE     UINT64_C(0xfffffffffffff000)
#define DMA_SPACE_8TB (UINT64_C(8) << 40)

__attribute__((format(printf, 2, 3))) static int wrong(struct vfu_why *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	return -EPROTO;
}

/* A call whose error replies and short replies are the device's fault. */
static int ask(struct vfu_conn *conn, struct vfu_call *call, size_t least, struct vfu_why *why)
{
	int err = vfu_call(conn, call);

	if (err)
		return err;
	if (call->error)
		return wrong(why, "it refuses %s: %s", vfu_command_name(call->command),
			     strerror(call->error));
	if (call->len < least)
		return wrong(why, "its answer to %s has %zu bytes", vfu_command_name(call->command),
			     call->len);
	return 0;
}

static int probe_version(struct vfu_conn *conn, struct vfu_limits *limits, struct vfu_why *why)
{
	uint8_t req[VERSION_REQUEST_MAX], reply[VERSION_ROOM];
	struct vfu_call call = {
		.command = VFU_VERSION, .req = req, .reply = reply, .room = sizeof(reply)};
	const char *text;
	int n, err;

	n = vfu_version_request(req, sizeof(req));
	if (n < 0)
		return n;
	call.req_len = (size_t)n;
	err = ask(conn, &call, 0, why);
	if (err)
		return err;
	if (vfu_version_reply(reply, call.len, limits, &text))
		return wrong(why, "%s", text);
	return 0;
}

static int probe_info(struct vfu_conn *conn, struct vfio_device_info *info, struct vfu_why *why)
{
	struct vfu_call call = {
		.command = VFU_DEVICE_GET_INFO,
		.req = info,
		.req_len = VFU_DEVICE_INFO_SIZE,
		.reply = info,
		.room = sizeof(*info),
	};
	int err;

	memset(info, 0, sizeof(*info));
	info->argsz = VFU_DEVICE_INFO_SIZE;
	err = ask(conn, &call, VFU_DEVICE_INFO_SIZE, why);
	if (err)
		return err;
	if (!(info->flags & VFIO_DEVICE_FLAGS_PCI))
		return wrong(why, "it is no PCI device");
	if (info->num_regions <= VFIO_PCI_CONFIG_REGION_INDEX || info->num_regions > MAX_REGIONS)
		return wrong(why, "it has %u regions", info->num_regions);
	if (info->num_irqs <= VFIO_PCI_MSIX_IRQ_INDEX || info->num_irqs > MAX_IRQS)
		return wrong(why, "it has %u kinds of interrupts", info->num_irqs);
	return 0;
}

static int probe_region(struct vfu_conn *conn, uint32_t index, uint64_t *ret_size,
			struct vfu_why *why)
{
	struct vfio_region_info info = {.argsz = VFU_REGION_INFO_SIZE, .index = index};
	struct vfu_call call = {
		.command = VFU_DEVICE_GET_REGION_INFO,
		.req = &info,
		.req_len = VFU_REGION_INFO_SIZE,
		.reply = &info,
		.room = sizeof(info),
	};
	int err;

	err = ask(conn, &call, VFU_REGION_INFO_SIZE, why);
	if (err)
		return err;
	if (info.index != index)
		return wrong(why, "asked for region %u it describes region %u", index, info.index);
	*ret_size = info.size;
	return 0;
}

static int probe_msix(struct vfu_conn *conn, uint32_t *ret_nr, struct vfu_why *why)
{
	struct vfio_irq_info info = {.argsz = VFU_IRQ_INFO_SIZE, .index = VFIO_PCI_MSIX_IRQ_INDEX};
	struct vfu_call call = {
		.command = VFU_DEVICE_GET_IRQ_INFO,
		.req = &info,
		.req_len = VFU_IRQ_INFO_SIZE,
		.reply = &info,
		.room = sizeof(info),
	};
	int err;

	err = ask(conn, &call, VFU_IRQ_INFO_SIZE, why);
	if (err)
		return err;
	if (info.index != VFIO_PCI_MSIX_IRQ_INDEX)
		return wrong(why, "asked for its MSI-X interrupts it describes kind %u",
			     info.index);
	if (info.count && !(info.flags & VFIO_IRQ_INFO_EVENTFD))
		return wrong(why, "its MSI-X interrupts take no eventfds");
	*ret_nr = info.count;
	return 0;
}

static int probe_config(struct vfu_conn *conn, const struct vfu_limits *limits, uint8_t *cfg,
			struct vfu_why *why)
{
	uint32_t step = limits->max_data < VFU_REGION_MAX ? limits->max_data : VFU_REGION_MAX;
	uint64_t size = 0;
	int err;

	err = probe_region(conn, VFIO_PCI_CONFIG_REGION_INDEX, &size, why);
	if (err)
		return err;
	if (size < PCI_CFG_LEGACY || size > PCI_CFG_SIZE)
		return wrong(why, "its config space has %llu bytes", (unsigned long long)size);
	for (uint32_t off = 0; off < PCI_CFG_LEGACY; off += step) {
		uint32_t n = PCI_CFG_LEGACY - off < step ? PCI_CFG_LEGACY - off : step;

		err = vfu_region_read(conn, VFIO_PCI_CONFIG_REGION_INDEX, off, cfg + off, n);
		if (err == -EIO)
			return wrong(why, "its config space can't be read");
		if (err)
			return err;
	}
	return 0;
}

int vfu_probe(struct vfu_conn *conn, struct vfu_limits *ret_limits, struct vfu_desc *ret_desc,
	      struct vfu_why *ret_why)
{
	struct vfio_device_info info;
	struct vfu_desc desc = {0};
	struct vfu_limits limits;
	int err;

	err = probe_version(conn, &limits, ret_why);
	if (!err)
		err = probe_info(conn, &info, ret_why);
	for (uint32_t i = 0; !err && i < PCI_MAX_BARS; i++)
		err = probe_region(conn, VFIO_PCI_BAR0_REGION_INDEX + i, &desc.bar_size[i],
				   ret_why);
	if (!err)
		err = probe_msix(conn, &desc.nr_msix, ret_why);
	if (!err)
		err = probe_config(conn, &limits, desc.cfg, ret_why);
	if (err)
		return err;
	*ret_limits = limits;
	*ret_desc = desc;
	return 0;
}

static int probe_bar_doorbells(struct vfu_conn *conn, const struct pci_fn *fn, uint32_t bar,
			       struct vfu_doorbells *bells, struct vfu_why *why)
{
	uint8_t reply[sizeof(struct vfu_io_fds) + VFU_MAX_DOORBELLS * sizeof(struct vfu_io_fd)];
	const struct vfu_io_fds req = {.argsz = sizeof(reply), .index = bar};
	int fds[VFU_MAX_FDS];
	struct vfu_call call = {
		.command = VFU_DEVICE_GET_REGION_IO_FDS,
		.req = &req,
		.req_len = sizeof(req),
		.reply = reply,
		.room = sizeof(reply),
		.reply_fds = fds,
		.fd_room = VFU_MAX_FDS,
	};
	const char *text = NULL;
	int err;

	err = vfu_call(conn, &call);
	if (err || call.error)
		return err;
	err = vfu_doorbells_take(bells, fn, bar, reply, call.len, fds, call.nr_reply_fds, &text);
	return err == -EPROTO ? wrong(why, "%s", text) : err;
}

int vfu_probe_doorbells(struct vfu_conn *conn, const struct pci_fn *fn, struct vfu_doorbells *bells,
			struct vfu_why *ret_why)
{
	int err = 0;

	for (uint32_t bar = 0; !err && bar < PCI_MAX_BARS; bar++)
		if (fn->bar[bar].size)
			err = probe_bar_doorbells(conn, fn, bar, bells, ret_why);
	return err;
}

static int map_dma(struct vfu_conn *conn, uint64_t size, int *ret_error)
{
	const struct vfu_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFU_DMA_F_READ | VFU_DMA_F_WRITE,
		.size = size,
	};
	uint8_t reply[sizeof(map)];
	struct vfu_call call = {
		.command = VFU_DMA_MAP,
		.req = &map,
		.req_len = sizeof(map),
		.reply = reply,
		.room = sizeof(reply),
	};
	int err = vfu_call(conn, &call);

	*ret_error = call.error;
	return err;
}

/*
 * Once for all IOVAs and without a descriptor: what is mapped when is decided
 * for each access. A device that takes no such message may ask all the same.
 */
int vfu_probe_dma(struct vfu_conn *conn)
{
	int error, err;

	err = map_dma(conn, DMA_SPACE, &error);
	if (!err && error)
		err = map_dma(conn, DMA_SPACE_8TB, &error);
	return err;
}

static int set_irqs(struct vfu_conn *conn, uint32_t start, const int *fds, unsigned int nr,
		    struct vfu_why *why)
{
	const struct vfio_irq_set set = {
		.argsz = IRQ_SET_SIZE,
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_MSIX_IRQ_INDEX,
		.start = start,
		.count = nr,
	};
	uint8_t reply[IRQ_SET_SIZE];
	struct vfu_call call = {
		.command = VFU_DEVICE_SET_IRQS,
		.req = &set,
		.req_len = IRQ_SET_SIZE,
		.fds = fds,
		.nr_fds = nr,
		.reply = reply,
		.room = sizeof(reply),
	};

	return ask(conn, &call, 0, why);
}

int vfu_probe_irqs(struct vfu_conn *conn, const struct vfu_limits *limits,
		   const struct irq_vectors *irqs, struct vfu_why *ret_why)
{
	int fds[PCI_MAX_VECTORS];
	int err = 0;

	if (irqs->nr && !limits->max_fds)
		return wrong(ret_why, "it has interrupts but takes no file descriptors");
	for (unsigned int i = 0; i < irqs->nr; i++)
		fds[i] = irqs->vector[i].fd;
	for (unsigned int i = 0, n; !err && i < irqs->nr; i += n) {
		n = irqs->nr - i < limits->max_fds ? irqs->nr - i : limits->max_fds;
		err = set_irqs(conn, i, fds + i, n, ret_why);
	}
	return err;
}
