// SPDX-License-Identifier: BSD-2-Clause
#include "devices/runtime/msg.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void take_control(struct msghdr *mh, struct msg *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		size_t bytes = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		/* The control buffer holds VFU_MAX_FDS, so that no more can arrive. */
		memcpy(msg->fds + msg->nr_fds, CMSG_DATA(c), bytes);
		msg->nr_fds += (unsigned int)(bytes / sizeof(int));
	}
}

/* Some bytes of a header, with fds: > 0, 0 at end of file, -errno. */
static ssize_t recv_some(int sock, void *buf, size_t len, struct msg *msg)
{
	union {
		struct cmsghdr align;
		char raw[CMSG_SPACE(VFU_MAX_FDS * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = buf, .iov_len = len};
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.raw,
		/* Not CMSG_SPACE: its padding would let one more fd in. */
		.msg_controllen = CMSG_LEN((VFU_MAX_FDS - msg->nr_fds) * sizeof(int)),
	};
	ssize_t n;

	do {
		n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	take_control(&mh, msg);
	return mh.msg_flags & MSG_CTRUNC ? -EPROTO : n;
}

int msg_recv_header(int sock, struct msg *msg)
{
	uint8_t *p = (uint8_t *)&msg->hdr;
	size_t got = 0;
	uint32_t type;

	msg->len = 0;
	msg->nr_fds = 0;
	while (got < sizeof(msg->hdr)) {
		ssize_t n = recv_some(sock, p + got, sizeof(msg->hdr) - got, msg);

		if (!n && !got)
			return 0;
		if (n <= 0) {
			msg_close_fds(msg);
			return n ? (int)n : -EPROTO;
		}
		got += (size_t)n;
	}
	type = msg->hdr.flags & VFU_F_TYPE_MASK;
	if (msg->hdr.size < sizeof(msg->hdr) || msg->hdr.size > VFU_MAX_MSG ||
	    (type != VFU_F_COMMAND && type != VFU_F_REPLY)) {
		msg_close_fds(msg);
		return -EPROTO;
	}
	return 1;
}

int msg_recv_bytes(int sock, void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len) {
		ssize_t n = recv(sock, p, len, MSG_WAITALL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EPROTO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int msg_recv_body(int sock, struct msg *msg)
{
	uint32_t len = msg->hdr.size - (uint32_t)sizeof(msg->hdr);
	int err = len > sizeof(msg->body) ? -EMSGSIZE : msg_recv_bytes(sock, msg->body, len);

	if (err)
		msg_close_fds(msg);
	else
		msg->len = len;
	return err;
}

static void put_fds(struct msghdr *mh, void *control, const int *fds, unsigned int nr)
{
	struct cmsghdr *c;

	mh->msg_control = control;
	mh->msg_controllen = CMSG_SPACE(nr * sizeof(int));
	c = CMSG_FIRSTHDR(mh);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(nr * sizeof(int));
	memcpy(CMSG_DATA(c), fds, nr * sizeof(int));
}

static void advance(struct msghdr *mh, size_t n)
{
	mh->msg_control = NULL; /* fds went with the first byte */
	mh->msg_controllen = 0;
	while (mh->msg_iovlen && n >= mh->msg_iov->iov_len) {
		n -= mh->msg_iov->iov_len;
		mh->msg_iov++;
		mh->msg_iovlen--;
	}
	if (n) {
		mh->msg_iov->iov_base = (uint8_t *)mh->msg_iov->iov_base + n;
		mh->msg_iov->iov_len -= n;
	}
}

int msg_send(int sock, struct vfu_header *hdr, const struct iovec *iov, unsigned int nr,
	     const int *fds, unsigned int nr_fds)
{
	union {
		struct cmsghdr align;
		char raw[CMSG_SPACE(VFU_MAX_FDS * sizeof(int))];
	} control = {0};
	struct iovec all[4] = {{.iov_base = hdr, .iov_len = sizeof(*hdr)}};
	struct msghdr mh = {.msg_iov = all, .msg_iovlen = 1};
	size_t size = sizeof(*hdr);

	if (nr > 3 || nr_fds > VFU_MAX_FDS)
		return -EINVAL;
	for (unsigned int i = 0; i < nr; i++) {
		all[mh.msg_iovlen++] = iov[i];
		size += iov[i].iov_len;
	}
	hdr->size = (uint32_t)size;
	if (nr_fds)
		put_fds(&mh, control.raw, fds, nr_fds);
	while (mh.msg_iovlen) {
		ssize_t n = sendmsg(sock, &mh, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		advance(&mh, (size_t)n);
	}
	return 0;
}

int msg_take_fd(struct msg *msg, unsigned int i)
{
	int fd = msg->fds[i];

	msg->fds[i] = -1;
	return fd;
}

void msg_close_fds(struct msg *msg)
{
	for (unsigned int i = 0; i < msg->nr_fds; i++) {
		if (msg->fds[i] >= 0)
			close(msg->fds[i]);
	}
	msg->nr_fds = 0;
}
