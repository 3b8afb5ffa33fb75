// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/wire.h"
#include "fake_vfu.h"

/* Larger than any message that the client may send here, and than it should take. */
#define ROOM (2u << 20)

void fake_vfu_init(struct fake_vfu *s)
{
	uint8_t *cfg = s->cfg;

	memset(s, 0, sizeof(*s));
	s->version = "{\"capabilities\":{\"max_msg_fds\":2,\"max_data_xfer_size\":65536}}";
	s->bar_size[0] = FAKE_BAR_SIZE;
	s->bar_size[1] = 0x1000;
	s->cfg_size = 4096;
	s->nr_regions = VFIO_PCI_NUM_REGIONS;
	s->nr_irqs = VFIO_PCI_NUM_IRQS;
	s->nr_msix = 3;
	s->info_flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
	s->doorbell_fd = -1;
	pvi_put32(cfg + PCI_VENDOR_ID, 0x10421af4);
	pvi_put16(cfg + PCI_STATUS, PCI_STATUS_CAP_LIST);
	pvi_put32(cfg + PCI_CLASS_REVISION, 0x01800001);
	cfg[PCI_CAPABILITY_LIST] = FAKE_MSIX_CAP;
	cfg[FAKE_MSIX_CAP] = PCI_CAP_ID_MSIX;
	cfg[FAKE_MSIX_CAP + 1] = FAKE_VNDR_CAP;
	pvi_put16(cfg + FAKE_MSIX_CAP + PCI_MSIX_FLAGS, 2);
	pvi_put32(cfg + FAKE_MSIX_CAP + PCI_MSIX_TABLE, 1);
	pvi_put32(cfg + FAKE_MSIX_CAP + PCI_MSIX_PBA, 0x800 | 1);
	cfg[FAKE_VNDR_CAP] = PCI_CAP_ID_VNDR;
	cfg[FAKE_VNDR_CAP + 2] = 16;
	cfg[FAKE_VNDR_CAP + 15] = 0xab;
	memset(s->irq, 0xff, sizeof(s->irq));
	pthread_mutex_init(&s->lock, NULL);
}

void fake_vfu_send(struct fake_vfu *s, const struct vfu_header *head, const void *payload,
		   size_t len, const int *fds, unsigned int nr_fds)
{
	char control[CMSG_SPACE(253 * sizeof(int))] = {0};
	struct iovec iov[2] = {{(void *)(uintptr_t)head, sizeof(*head)},
			       {(void *)(uintptr_t)payload, len}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = len ? 2 : 1};

	if (nr_fds) {
		struct cmsghdr *cmsg;

		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, nr_fds * sizeof(int));
	}
	/* A blocking socket takes all of it, or the client has gone. */
	while (iov[0].iov_len + iov[1].iov_len) {
		ssize_t n = sendmsg(s->sock, &msg, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		msg.msg_controllen = 0;
		for (int i = 0; i < 2; i++) {
			size_t part = (size_t)n < iov[i].iov_len ? (size_t)n : iov[i].iov_len;

			iov[i].iov_base = (char *)iov[i].iov_base + part;
			iov[i].iov_len -= part;
			n -= (ssize_t)part;
		}
	}
}

void fake_vfu_reply(struct fake_vfu *s, const struct vfu_header *head, const void *payload,
		    size_t len)
{
	const struct vfu_header reply = {
		.id = head->id,
		.command = head->command,
		.size = (uint32_t)(sizeof(reply) + len),
		.flags = VFU_F_REPLY,
	};

	fake_vfu_send(s, &reply, payload, len, NULL, 0);
}

void fake_vfu_error(struct fake_vfu *s, const struct vfu_header *head, int err)
{
	const struct vfu_header reply = {
		.id = head->id,
		.command = head->command,
		.size = sizeof(reply),
		.flags = VFU_F_REPLY | VFU_F_ERROR,
		.error = (uint32_t)err,
	};

	fake_vfu_send(s, &reply, NULL, 0, NULL, 0);
}

static bool receive(struct fake_vfu *s, void *buf, size_t len)
{
	char control[CMSG_SPACE(VFU_MAX_FDS * sizeof(int))];
	uint8_t *at = buf;

	while (len) {
		struct iovec iov = {at, len};
		struct msghdr msg = {.msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = control,
				     .msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(s->sock, &msg, MSG_CMSG_CLOEXEC);
		struct cmsghdr *cmsg;

		if (n <= 0)
			return false;
		cmsg = CMSG_FIRSTHDR(&msg);
		if (cmsg) {
			s->nr_fds = (unsigned int)((cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			memcpy(s->fds, CMSG_DATA(cmsg), s->nr_fds * sizeof(int));
		}
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static int dma(struct fake_vfu *s, uint16_t command, uint64_t addr, void *out, const void *in,
	       size_t len)
{
	struct {
		struct vfu_dma head;
		uint8_t data[ROOM];
	} *m = malloc(sizeof(*m));
	struct vfu_header head = {.id = s->next_id++, .command = command};
	size_t in_len = in ? len : 0;
	int ret = -1;

	m->head = (struct vfu_dma){addr, len};
	if (in)
		memcpy(m->data, in, len);
	head.size = (uint32_t)(sizeof(head) + sizeof(m->head) + in_len);
	fake_vfu_send(s, &head, m, sizeof(m->head) + in_len, NULL, 0);
	if (receive(s, &head, sizeof(head)) && head.command == command &&
	    head.id == (uint16_t)(s->next_id - 1) &&
	    (head.flags & VFU_F_TYPE_MASK) == VFU_F_REPLY &&
	    receive(s, m, head.size - sizeof(head))) {
		ret = head.flags & VFU_F_ERROR ? (int)head.error : 0;
		if (!ret && head.size != sizeof(head) + sizeof(m->head) + (out ? len : 0))
			ret = -1;
		if (!ret && out)
			memcpy(out, m->data, len);
	}
	free(m);
	return ret;
}

int fake_vfu_dma_read(struct fake_vfu *s, uint64_t addr, void *buf, size_t len)
{
	return dma(s, VFU_DMA_READ, addr, buf, NULL, len);
}

int fake_vfu_dma_write(struct fake_vfu *s, uint64_t addr, const void *buf, size_t len)
{
	return dma(s, VFU_DMA_WRITE, addr, NULL, buf, len);
}

static void version(struct fake_vfu *s, const struct vfu_header *head)
{
	uint8_t buf[1024] = {0};
	const struct vfu_version v = {VFU_VERSION_MAJOR, VFU_VERSION_MINOR};
	size_t len = strlen(s->version);

	memcpy(buf, &v, sizeof(v));
	memcpy(buf + sizeof(v), s->version, len);
	fake_vfu_reply(s, head, buf, sizeof(v) + len + 1);
}

static void region_info(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload)
{
	struct vfio_region_info info;

	memcpy(&info, payload, sizeof(info));
	if (info.index < 6)
		info.size = s->bar_size[info.index];
	else
		info.size = info.index == VFIO_PCI_CONFIG_REGION_INDEX ? s->cfg_size : 0;
	info.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	fake_vfu_reply(s, head, &info, sizeof(info));
}

static void irq_info(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload)
{
	struct vfio_irq_info info;

	memcpy(&info, payload, sizeof(info));
	info.count = info.index == VFIO_PCI_MSIX_IRQ_INDEX ? s->nr_msix : 0;
	info.flags = VFIO_IRQ_INFO_EVENTFD;
	fake_vfu_reply(s, head, &info, sizeof(info));
}

static void io_fds(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload)
{
	struct {
		struct vfu_io_fds head;
		struct vfu_io_fd fd;
	} reply = {.fd = {.offset = 0x100, .size = 2}};
	struct vfu_header h = {.id = head->id, .command = head->command, .flags = VFU_F_REPLY};

	memcpy(&reply.head, payload, sizeof(reply.head));
	reply.head.count = reply.head.index == 0;
	h.size = sizeof(h) + sizeof(reply.head);
	if (reply.head.count) {
		h.size += sizeof(reply.fd);
		s->doorbell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
	fake_vfu_send(s, &h, &reply, h.size - sizeof(h), &s->doorbell_fd, reply.head.count);
}

static void set_irqs(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload)
{
	struct vfio_irq_set set;

	memcpy(&set, payload, sizeof(set));
	if (s->nr_fds > s->max_irq_fds)
		s->max_irq_fds = s->nr_fds;
	if (set.index != VFIO_PCI_MSIX_IRQ_INDEX || set.count != s->nr_fds ||
	    set.start + set.count > FAKE_MAX_IRQS) {
		fake_vfu_error(s, head, EINVAL);
		return;
	}
	for (uint32_t i = 0; i < set.count; i++) {
		if (s->irq[set.start + i] >= 0)
			close(s->irq[set.start + i]);
		s->irq[set.start + i] = s->fds[i];
	}
	s->nr_fds = 0;
	fake_vfu_reply(s, head, NULL, 0);
}

static void region(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload)
{
	struct {
		struct vfu_region_access head;
		uint8_t data[256];
	} a;
	bool write = head->command == VFU_REGION_WRITE;
	uint8_t *mem;
	size_t size;

	memcpy(&a.head, payload, sizeof(a.head));
	mem = a.head.region == VFIO_PCI_CONFIG_REGION_INDEX ? s->cfg : s->bar;
	size = a.head.region == VFIO_PCI_CONFIG_REGION_INDEX ? sizeof(s->cfg) : sizeof(s->bar);
	if (a.head.count > sizeof(a.data) || a.head.offset + a.head.count > size) {
		fake_vfu_error(s, head, EINVAL);
		return;
	}
	if (write)
		memcpy(mem + a.head.offset, payload + sizeof(a.head), a.head.count);
	else
		memcpy(a.data, mem + a.head.offset, a.head.count);
	s->command = pvi_get16(s->cfg + PCI_COMMAND);
	fake_vfu_reply(s, head, &a, sizeof(a.head) + (write ? 0 : a.head.count));
}

static void answer(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload)
{
	struct vfio_device_info info = {
		.argsz = VFU_DEVICE_INFO_SIZE,
		.flags = s->info_flags,
		.num_regions = s->nr_regions,
		.num_irqs = s->nr_irqs,
	};

	switch (head->command) {
	case VFU_VERSION:
		version(s, head);
		break;
	case VFU_DEVICE_GET_INFO:
		fake_vfu_reply(s, head, &info, VFU_DEVICE_INFO_SIZE);
		break;
	case VFU_DEVICE_GET_REGION_INFO:
		region_info(s, head, payload);
		break;
	case VFU_DEVICE_GET_IRQ_INFO:
		irq_info(s, head, payload);
		break;
	case VFU_DEVICE_GET_REGION_IO_FDS:
		if (s->doorbell)
			io_fds(s, head, payload);
		else
			fake_vfu_error(s, head, ENOTSUP);
		break;
	case VFU_DEVICE_SET_IRQS:
		set_irqs(s, head, payload);
		break;
	case VFU_REGION_READ:
	case VFU_REGION_WRITE:
		region(s, head, payload);
		break;
	case VFU_DMA_MAP:
		s->nr_dma_maps++;
		fake_vfu_reply(s, head, NULL, 0);
		break;
	case VFU_DEVICE_RESET:
		s->nr_resets++;
		fake_vfu_reply(s, head, NULL, 0);
		break;
	default:
		fake_vfu_error(s, head, ENOTSUP);
	}
}

static void *run(void *arg)
{
	struct fake_vfu *s = arg;
	uint8_t *payload = malloc(ROOM);
	struct vfu_header head;

	while (receive(s, &head, sizeof(head))) {
		size_t len = head.size - sizeof(head);

		if (len > ROOM || !receive(s, payload, len))
			break;
		pthread_mutex_lock(&s->lock);
		if (!s->hook || !s->hook(s, &head, payload, len))
			answer(s, &head, payload);
		while (s->nr_fds)
			close(s->fds[--s->nr_fds]);
		pthread_mutex_unlock(&s->lock);
	}
	shutdown(s->sock, SHUT_RDWR);
	free(payload);
	return NULL;
}

int fake_vfu_start(struct fake_vfu *s)
{
	int sock[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock))
		abort();
	s->sock = sock[1];
	if (pthread_create(&s->thread, NULL, run, s))
		abort();
	return sock[0];
}

void fake_vfu_stop(struct fake_vfu *s)
{
	pthread_join(s->thread, NULL);
	close(s->sock);
	for (unsigned int i = 0; i < FAKE_MAX_IRQS; i++)
		if (s->irq[i] >= 0)
			close(s->irq[i]);
	if (s->doorbell_fd >= 0)
		close(s->doorbell_fd);
	pthread_mutex_destroy(&s->lock);
}
