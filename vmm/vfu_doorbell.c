// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/vfu_doorbell.h"

/* What the kernel calls it: KVM must not be handed a file of another kind. */
static bool is_eventfd(int fd)
{
	static const char eventfd_name[] = "anon_inode:[eventfd]";
	char path[32], name[sizeof(eventfd_name)];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, name, sizeof(name));
	return n == (ssize_t)strlen(eventfd_name) && !memcmp(name, eventfd_name, (size_t)n);
}

static bool meets(uint64_t off, uint64_t size, uint64_t area, uint64_t area_size)
{
	return off < area + area_size && area < off + size;
}

static bool in_msix(const struct pci_fn *fn, unsigned int bar, uint64_t off, uint64_t size)
{
	const struct pci_msix *m = &fn->msix;

	return m->nr &&
	       ((bar == m->table_bar && meets(off, size, m->table_off, 16ull * m->nr)) ||
		(bar == m->pba_bar && meets(off, size, m->pba_off, (m->nr + 63) / 64 * 8)));
}

static const char *check(const struct pci_fn *fn, unsigned int bar, const struct vfu_io_fd *io,
			 const int *fds, unsigned int nr_fds)
{
	uint64_t size = io->size ? io->size : 1;

	if (io->size > 8 || (io->size & (io->size - 1)))
		return "it offers a doorbell of an odd size";
	if (io->offset >= fn->bar[bar].size || size > fn->bar[bar].size - io->offset)
		return "it offers a doorbell beyond its BAR";
	if (in_msix(fn, bar, io->offset, size))
		return "it offers a doorbell over its MSI-X table";
	if (io->fd_index >= nr_fds)
		return "it offers a doorbell without an eventfd";
	if (!is_eventfd(fds[io->fd_index]))
		return "it offers a doorbell that is no eventfd";
	return NULL;
}

/* The eventfd may serve several doorbells: each gets its own descriptor. */
static int add(struct vfu_doorbells *bells, unsigned int bar, const struct vfu_io_fd *io, int fd)
{
	int own;

	if (bells->nr == VFU_MAX_DOORBELLS)
		return 0;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own < 0)
		return -errno;
	bells->bell[bells->nr++] = (struct vfu_doorbell){
		.bar = bar, .off = io->offset, .size = (uint32_t)io->size, .fd = own};
	return 0;
}

/* A value to match, or a kind other than ioeventfd: the device gets the write itself. */
static bool servable(const struct vfu_io_fd *io)
{
	return io->type == VFU_IO_FD_TYPE_IOEVENTFD && !(io->flags & VFU_IOEVENTFD_F_DATAMATCH);
}

static int take(struct vfu_doorbells *bells, const struct pci_fn *fn, unsigned int bar,
		const uint8_t *payload, size_t len, const int *fds, unsigned int nr_fds,
		const char **ret_why)
{
	const char *why = NULL;
	struct vfu_io_fds head;
	int err = 0;

	if (len < sizeof(head)) {
		*ret_why = "its doorbells' description is too short";
		return -EPROTO;
	}
	memcpy(&head, payload, sizeof(head));
	len -= sizeof(head);
	if (head.index != bar || head.count > VFU_MAX_DOORBELLS ||
	    len != head.count * sizeof(struct vfu_io_fd))
		why = "its doorbells' description has a wrong size";
	for (uint32_t i = 0; !why && !err && i < head.count; i++) {
		struct vfu_io_fd io;

		memcpy(&io, payload + sizeof(head) + i * sizeof(io), sizeof(io));
		if (!servable(&io))
			continue;
		why = check(fn, bar, &io, fds, nr_fds);
		if (!why)
			err = add(bells, bar, &io, fds[io.fd_index]);
	}
	if (why)
		*ret_why = why;
	return why ? -EPROTO : err;
}

int vfu_doorbells_take(struct vfu_doorbells *bells, const struct pci_fn *fn, unsigned int bar,
		       const void *payload, size_t len, int *fds, unsigned int nr_fds,
		       const char **ret_why)
{
	int err = take(bells, fn, bar, payload, len, fds, nr_fds, ret_why);

	for (unsigned int i = 0; i < nr_fds; i++)
		close(fds[i]);
	return err;
}

static void remove_one(struct vfu_doorbells *bells, struct vfu_doorbell *bell)
{
	if (bell->gpa)
		irq_ioeventfd_del(bells->irq, bell->gpa, bell->size, bell->fd);
	bell->gpa = 0;
}

void vfu_doorbells_move(struct vfu_doorbells *bells, unsigned int bar, uint64_t gpa)
{
	for (unsigned int i = 0; i < bells->nr; i++) {
		struct vfu_doorbell *bell = &bells->bell[i];

		if (bell->bar != bar)
			continue;
		remove_one(bells, bell);
		if (gpa && !irq_ioeventfd_add(bells->irq, gpa + bell->off, bell->size, bell->fd))
			bell->gpa = gpa + bell->off;
	}
}

void vfu_doorbells_remove_all(struct vfu_doorbells *bells)
{
	for (unsigned int i = 0; i < bells->nr; i++)
		remove_one(bells, &bells->bell[i]);
}

void vfu_doorbells_done(struct vfu_doorbells *bells)
{
	vfu_doorbells_remove_all(bells);
	for (unsigned int i = 0; i < bells->nr; i++)
		close(bells->bell[i].fd);
	bells->nr = 0;
}
