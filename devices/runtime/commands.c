// SPDX-License-Identifier: BSD-2-Clause
/* The requests of the client, each checked against what it says and what came. */
#include <errno.h>
#include <json-c/json.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/runtime/internal.h"
#include "devices/runtime/log.h"

#define NUM_REGIONS VFIO_PCI_NUM_REGIONS
#define NUM_IRQS    VFIO_PCI_NUM_IRQS

struct reply {
	uint32_t len;
	unsigned int nr_fds;
	int fds[DEV_MAX_DOORBELLS]; /* borrowed */
	uint8_t body[MSG_MAX_BODY];
};

static void add(struct reply *reply, const void *data, size_t len)
{
	memcpy(reply->body + reply->len, data, len);
	reply->len += (uint32_t)len;
}

/* {"capabilities": {"max_data_xfer_size": N, ...}}; what we don't know is skipped. */
static int parse_capabilities(struct dev *dev, const char *text, uint32_t len)
{
	struct json_tokener *tok;
	struct json_object *root, *caps, *size;
	int err = -EINVAL;

	if (!len)
		return 0; /* none given */
	if (text[len - 1])
		return -EINVAL;
	tok = json_tokener_new_ex(8);
	if (!tok)
		return -ENOMEM;
	root = json_tokener_parse_ex(tok, text, (int)len);
	if (json_tokener_get_error(tok) != json_tokener_success ||
	    !json_object_is_type(root, json_type_object))
		goto out;
	err = 0;
	if (!json_object_object_get_ex(root, "capabilities", &caps))
		goto out;
	if (!json_object_is_type(caps, json_type_object)) {
		err = -EINVAL;
		goto out;
	}
	if (json_object_object_get_ex(caps, "max_data_xfer_size", &size)) {
		int64_t n =
			json_object_is_type(size, json_type_int) ? json_object_get_int64(size) : 0;

		if (n <= 0)
			err = -EINVAL;
		else if (n < dev->max_xfer)
			dev->max_xfer = (uint32_t)n;
	}
out:
	json_object_put(root);
	json_tokener_free(tok);
	return err;
}

static int version(struct dev *dev, struct msg *msg, struct reply *reply)
{
	struct vfu_version v;
	char text[128];
	int n, err;

	if (dev->negotiated)
		return -EINVAL;
	memcpy(&v, msg->body, sizeof(v));
	if (v.major != VFU_VERSION_MAJOR)
		return -EPROTONOSUPPORT;
	if (v.minor > VFU_VERSION_MINOR)
		v.minor = VFU_VERSION_MINOR;
	err = parse_capabilities(dev, (const char *)msg->body + sizeof(v),
				 msg->len - (uint32_t)sizeof(v));
	if (err)
		return err;
	n = snprintf(text, sizeof(text),
		     "{\"capabilities\":{\"max_msg_fds\":%u,\"max_data_xfer_size\":%u}}",
		     VFU_MAX_FDS, DEV_MAX_XFER);
	add(reply, &v, sizeof(v));
	add(reply, text, (size_t)n + 1);
	dev->negotiated = true;
	return 0;
}

/* The device has no use for guest memory's fds: they are closed with the message. */
static int dma_map(struct dev *dev, struct msg *msg, struct reply *reply)
{
	struct vfu_dma_map map;

	memcpy(&map, msg->body, sizeof(map));
	return map.argsz < sizeof(map) ? -EINVAL : 0;
}

static int dma_unmap(struct dev *dev, struct msg *msg, struct reply *reply)
{
	struct vfu_dma_unmap unmap;

	memcpy(&unmap, msg->body, sizeof(unmap));
	if (unmap.argsz < sizeof(unmap))
		return -EINVAL;
	unmap.argsz = sizeof(unmap);
	add(reply, &unmap, sizeof(unmap));
	return 0;
}

static int device_info(struct dev *dev, struct msg *msg, struct reply *reply)
{
	uint32_t info[4] = {VFU_DEVICE_INFO_SIZE, VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET,
			    NUM_REGIONS, NUM_IRQS};
	uint32_t argsz;

	memcpy(&argsz, msg->body, sizeof(argsz));
	if (argsz < VFU_DEVICE_INFO_SIZE)
		return -EINVAL;
	add(reply, info, sizeof(info));
	return 0;
}

static uint64_t region_size(const struct dev *dev, uint32_t index)
{
	if (index == VFIO_PCI_CONFIG_REGION_INDEX)
		return DEV_CONFIG_SIZE;
	return index < DEV_MAX_BARS ? dev->type->bar[index].size : 0;
}

static int region_info(struct dev *dev, struct msg *msg, struct reply *reply)
{
	struct vfio_region_info info;

	memcpy(&info, msg->body, sizeof(info));
	if (info.argsz < sizeof(info) || info.index >= NUM_REGIONS)
		return -EINVAL;
	info = (struct vfio_region_info){.argsz = sizeof(info), .index = info.index};
	info.size = region_size(dev, info.index);
	if (info.size)
		info.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	add(reply, &info, sizeof(info));
	return 0;
}

static int region_io_fds(struct dev *dev, struct msg *msg, struct reply *reply)
{
	struct vfu_io_fd sub[DEV_MAX_DOORBELLS];
	struct vfu_io_fds head;
	uint32_t argsz, nr = 0;

	memcpy(&head, msg->body, sizeof(head));
	if (head.argsz < sizeof(head) || head.flags || head.index >= NUM_REGIONS)
		return -EINVAL;
	for (unsigned int i = 0; i < dev->type->nr_doorbells; i++) {
		const struct dev_doorbell *db = &dev->type->doorbell[i];

		if (db->bar != head.index)
			continue;
		reply->fds[nr] = dev->doorbell_fd[i];
		sub[nr] = (struct vfu_io_fd){.offset = db->off,
					     .size = db->size,
					     .fd_index = nr,
					     .type = VFU_IO_FD_TYPE_IOEVENTFD};
		nr++;
	}
	argsz = (uint32_t)(sizeof(head) + nr * sizeof(sub[0]));
	if (head.argsz < argsz) {
		/* Too little room: only how much it takes. */
		head.argsz = argsz;
		head.count = 0;
		add(reply, &head, sizeof(head));
		return 0;
	}
	head.argsz = argsz;
	head.count = nr;
	add(reply, &head, sizeof(head));
	add(reply, sub, nr * sizeof(sub[0]));
	reply->nr_fds = nr;
	return 0;
}

static int irq_info(struct dev *dev, struct msg *msg, struct reply *reply)
{
	struct vfio_irq_info info;

	memcpy(&info, msg->body, sizeof(info));
	if (info.argsz < sizeof(info) || info.index >= NUM_IRQS)
		return -EINVAL;
	info = (struct vfio_irq_info){.argsz = sizeof(info), .index = info.index};
	if (info.index == VFIO_PCI_MSIX_IRQ_INDEX && dev->type->nr_vectors) {
		info.count = dev->type->nr_vectors;
		info.flags = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE;
	}
	add(reply, &info, sizeof(info));
	return 0;
}

static void set_irq_fd(struct dev *dev, unsigned int vector, int fd)
{
	if (dev->irq_fd[vector] >= 0)
		close(dev->irq_fd[vector]);
	dev->irq_fd[vector] = fd;
}

/* Fires vectors by hand: those set in @bools (one byte each), or all. */
static int trigger(struct dev *dev, const struct vfio_irq_set *set, const uint8_t *bools)
{
	for (uint32_t i = 0; i < set->count; i++) {
		if (!bools || bools[i])
			dev_interrupt(dev, set->start + i);
	}
	return 0;
}

static int set_irqs(struct dev *dev, struct msg *msg, struct reply *reply)
{
	uint32_t nr = dev->type->nr_vectors;
	struct vfio_irq_set set;

	memcpy(&set, msg->body, sizeof(set));
	if (set.argsz < sizeof(set) || set.index != VFIO_PCI_MSIX_IRQ_INDEX || set.start > nr ||
	    set.count > nr - set.start)
		return -EINVAL;

	switch (set.flags) {
	case VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER:
		if (set.count)
			return trigger(dev, &set, NULL);
		for (unsigned int i = 0; i < nr; i++)
			set_irq_fd(dev, i, -1);
		return 0;
	case VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER:
		if (msg->len - sizeof(set) < set.count)
			return -EINVAL;
		return trigger(dev, &set, msg->body + sizeof(set));
	case VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER:
		/* One fd for each vector, or none to take them away. */
		if (msg->nr_fds && msg->nr_fds != set.count)
			return -EINVAL;
		for (unsigned int i = 0; i < set.count; i++)
			set_irq_fd(dev, set.start + i, msg->nr_fds ? msg_take_fd(msg, i) : -1);
		return 0;
	default:
		return -EOPNOTSUPP; /* masks are the VMM's */
	}
}

static int bar_access(struct dev *dev, unsigned int bar, uint64_t off, void *buf, uint32_t len,
		      bool write)
{
	const struct dev_type *t = dev->type;

	if (len != 1 && len != 2 && len != 4 && len != 8)
		return -EINVAL;
	if (t->nr_vectors && bar == t->msix_bar) {
		if (!write)
			memset(buf, 0, len);
		return 0;
	}
	return write ? t->ops->write(dev->ctx, bar, off, buf, len)
		     : t->ops->read(dev->ctx, bar, off, buf, len);
}

static int region_access(struct dev *dev, const struct vfu_region_access *a, void *buf, bool write)
{
	uint64_t size = region_size(dev, a->region);

	if (!a->count || a->offset > size || a->count > size - a->offset)
		return -EINVAL;
	if (a->region == VFIO_PCI_CONFIG_REGION_INDEX)
		return config_access(dev, a->offset, buf, a->count, write);
	return bar_access(dev, a->region, a->offset, buf, a->count, write);
}

static int region_read(struct dev *dev, struct msg *msg, struct reply *reply)
{
	struct vfu_region_access a;
	uint8_t data[DEV_CONFIG_SIZE];
	int err;

	memcpy(&a, msg->body, sizeof(a));
	if (msg->len != sizeof(a) || a.count > sizeof(data))
		return -EINVAL;
	err = region_access(dev, &a, data, false);
	if (err)
		return err;
	add(reply, &a, sizeof(a));
	add(reply, data, a.count);
	return 0;
}

static int region_write(struct dev *dev, struct msg *msg, struct reply *reply)
{
	struct vfu_region_access a;
	int err;

	memcpy(&a, msg->body, sizeof(a));
	if (msg->len - sizeof(a) != a.count)
		return -EINVAL;
	err = region_access(dev, &a, msg->body + sizeof(a), true);
	if (err)
		return err;
	add(reply, &a, sizeof(a));
	return 0;
}

static int device_reset(struct dev *dev, struct msg *msg, struct reply *reply)
{
	for (unsigned int i = 0; i < dev->type->nr_doorbells; i++) {
		uint64_t count;

		/* A doorbell rung before the reset is forgotten with it. */
		if (read(dev->doorbell_fd[i], &count, sizeof(count)) < 0)
			continue;
	}
	dev->type->ops->reset(dev->ctx);
	config_init(dev);
	return 0;
}

static const struct {
	int (*run)(struct dev *dev, struct msg *msg, struct reply *reply);
	uint32_t min_len;
} commands[] = {
	[VFU_VERSION] = {version, sizeof(struct vfu_version)},
	[VFU_DMA_MAP] = {dma_map, sizeof(struct vfu_dma_map)},
	[VFU_DMA_UNMAP] = {dma_unmap, sizeof(struct vfu_dma_unmap)},
	[VFU_DEVICE_GET_INFO] = {device_info, VFU_DEVICE_INFO_SIZE},
	[VFU_DEVICE_GET_REGION_INFO] = {region_info, VFU_REGION_INFO_SIZE},
	[VFU_DEVICE_GET_REGION_IO_FDS] = {region_io_fds, sizeof(struct vfu_io_fds)},
	[VFU_DEVICE_GET_IRQ_INFO] = {irq_info, VFU_IRQ_INFO_SIZE},
	[VFU_DEVICE_SET_IRQS] = {set_irqs, sizeof(struct vfio_irq_set)},
	[VFU_REGION_READ] = {region_read, sizeof(struct vfu_region_access)},
	[VFU_REGION_WRITE] = {region_write, sizeof(struct vfu_region_access)},
	[VFU_DEVICE_RESET] = {device_reset, 0},
};

static int run(struct dev *dev, struct msg *msg, struct reply *reply)
{
	uint16_t cmd = msg->hdr.command;

	if (cmd >= sizeof(commands) / sizeof(commands[0]) || !commands[cmd].run)
		return -EOPNOTSUPP;
	if (!dev->negotiated && cmd != VFU_VERSION)
		return -ENOTCONN;
	if (msg->len < commands[cmd].min_len)
		return -EINVAL;
	return commands[cmd].run(dev, msg, reply);
}

int dev_handle(struct dev *dev)
{
	struct msg *msg = &dev->msg;
	struct vfu_header hdr = {
		.id = msg->hdr.id, .command = msg->hdr.command, .flags = VFU_F_REPLY};
	struct reply reply;
	struct iovec iov;
	int err;

	reply.len = 0;
	reply.nr_fds = 0;
	err = run(dev, msg, &reply);
	msg_close_fds(msg);
	if (dev->dead)
		return dev->dead;
	if (err) {
		log_debug("request %u is refused: %s", msg->hdr.command, strerror(-err));
		hdr.flags |= VFU_F_ERROR;
		hdr.error = (uint32_t)-err;
		reply.len = 0;
		reply.nr_fds = 0;
	}
	if (msg->hdr.flags & VFU_F_NO_REPLY)
		return 0;
	iov = (struct iovec){reply.body, reply.len};
	return msg_send(dev->sock, &hdr, &iov, reply.len ? 1 : 0, reply.fds, reply.nr_fds);
}
