// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "devices/runtime/internal.h"
#include "devices/runtime/log.h"

int dev_new(const struct dev_type *type, void *ctx, int sock, struct dev **ret_dev)
{
	struct dev *dev;

	if (type->nr_vectors > DEV_MAX_VECTORS || type->nr_doorbells > DEV_MAX_DOORBELLS)
		return -EINVAL;
	dev = calloc(1, sizeof(*dev));
	if (!dev)
		return -ENOMEM;
	dev->type = type;
	dev->ctx = ctx;
	dev->sock = -1;
	dev->max_xfer = DEV_MAX_XFER;
	dev->deferred_tail = &dev->deferred;
	memset(dev->irq_fd, -1, sizeof(dev->irq_fd));
	memset(dev->doorbell_fd, -1, sizeof(dev->doorbell_fd));
	for (unsigned int i = 0; i < type->nr_doorbells; i++) {
		dev->doorbell_fd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (dev->doorbell_fd[i] < 0) {
			int err = -errno;

			dev_free(dev);
			return err;
		}
	}
	config_init(dev);
	dev->sock = sock;
	*ret_dev = dev;
	return 0;
}

static struct deferred *take_deferred(struct dev *dev)
{
	struct deferred *d = dev->deferred;

	if (!d)
		return NULL;
	dev->deferred = d->next;
	if (!dev->deferred)
		dev->deferred_tail = &dev->deferred;
	dev->nr_deferred--;
	return d;
}

void dev_free(struct dev *dev)
{
	struct deferred *d;

	if (!dev)
		return;
	while ((d = take_deferred(dev))) {
		msg_close_fds(&d->msg);
		free(d);
	}
	for (unsigned int i = 0; i < DEV_MAX_VECTORS; i++) {
		if (dev->irq_fd[i] >= 0)
			close(dev->irq_fd[i]);
	}
	for (unsigned int i = 0; i < DEV_MAX_DOORBELLS; i++) {
		if (dev->doorbell_fd[i] >= 0)
			close(dev->doorbell_fd[i]);
	}
	if (dev->sock >= 0)
		close(dev->sock);
	free(dev);
}

size_t dev_doorbells(const struct dev *dev, int *ret_fds)
{
	memcpy(ret_fds, dev->doorbell_fd, dev->type->nr_doorbells * sizeof(int));
	return dev->type->nr_doorbells;
}

void dev_interrupt(struct dev *dev, unsigned int vector)
{
	uint64_t one = 1;

	/* The interrupt says that data has arrived: let it. */
	while (dev->slots_busy && !dev->dead)
		dma_wait_one(dev);
	if (vector >= dev->type->nr_vectors || dev->irq_fd[vector] < 0)
		return;
	if (write(dev->irq_fd[vector], &one, sizeof(one)) < 0)
		log_debug("vector %u: %s", vector, strerror(errno));
}

static int handle(struct dev *dev)
{
	if (dev->spy && dev->spy(dev->ctx, &dev->msg)) {
		msg_close_fds(&dev->msg);
		return dev->dead;
	}
	return dev_handle(dev);
}

/* One message from the socket, answered. 0: end of file. */
static int serve_message(struct dev *dev)
{
	int r = msg_recv_header(dev->sock, &dev->msg);

	if (r <= 0)
		return r;
	if ((dev->msg.hdr.flags & VFU_F_TYPE_MASK) != VFU_F_COMMAND) {
		msg_close_fds(&dev->msg);
		return -EPROTO; /* nothing is asked of the VMM now */
	}
	r = msg_recv_body(dev->sock, &dev->msg);
	if (r)
		return r;
	r = handle(dev);
	return r ? r : 1;
}

static int serve_deferred(struct dev *dev)
{
	struct deferred *d;

	while (!dev->dead && (d = take_deferred(dev))) {
		int err;

		memcpy(&dev->msg, &d->msg, offsetof(struct msg, body) + d->msg.len);
		free(d);
		if (dev->msg.hdr.command == VFU_DEVICE_RESET)
			dev->reset_waiting = false;
		err = handle(dev);
		if (err)
			return err;
	}
	return dev->dead;
}

static void ring_doorbells(struct dev *dev, const struct pollfd *pfd)
{
	for (unsigned int i = 0; i < dev->type->nr_doorbells; i++) {
		uint64_t count;

		if ((pfd[i].revents & POLLIN) &&
		    read(dev->doorbell_fd[i], &count, sizeof(count)) == sizeof(count))
			dev->type->ops->doorbell(dev->ctx, i);
	}
}

static int serve(struct dev *dev)
{
	struct pollfd pfd[1 + DEV_MAX_DOORBELLS] = {{.fd = dev->sock, .events = POLLIN}};
	nfds_t nr = 1 + dev->type->nr_doorbells;
	bool busy = false;

	for (unsigned int i = 0; i < dev->type->nr_doorbells; i++)
		pfd[1 + i] = (struct pollfd){.fd = dev->doorbell_fd[i], .events = POLLIN};

	for (;;) {
		int r = poll(pfd, nr, busy ? 0 : -1);

		if (r < 0 && errno != EINTR)
			return -errno;
		if (r > 0) {
			ring_doorbells(dev, pfd + 1);
			if (pfd[0].revents) {
				r = serve_message(dev);
				if (r <= 0)
					return r;
			}
		}
		busy = dev->type->ops->work && dev->type->ops->work(dev->ctx);
		/* What came meanwhile may be more work: look again before sleeping. */
		busy = busy || dev->deferred;
		r = serve_deferred(dev);
		if (r)
			return r;
	}
}

int dev_serve(struct dev *dev)
{
	int err = serve(dev);

	if (dev->dead)
		err = dev->dead;
	if (!err || err == -ENOTCONN || err == -ECONNRESET || err == -EPIPE)
		return 0; /* the VMM has gone: our end as well */
	log_line("the connection to the VMM is broken: %s", strerror(-err));
	return err;
}
