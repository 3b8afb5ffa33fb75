// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "vmm/vfu_sock.h"

#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

uint64_t vfu_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* One sendmsg() of what is left; the number of bytes, 0: no room now, or -errno. */
static ssize_t send_some(int sock, const uint8_t *buf, size_t len, const int *fds,
			 unsigned int nr_fds)
{
	union {
		char buf[CMSG_SPACE(VFU_MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (nr_fds) {
		struct cmsghdr *cmsg;

		memset(&control, 0, sizeof(control));
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, nr_fds * sizeof(int));
	}
	n = sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

int vfu_sock_send(int sock, const uint8_t *buf, size_t len, const int *fds, unsigned int nr_fds,
		  uint64_t deadline)
{
	while (len) {
		struct pollfd pfd = {.fd = sock, .events = POLLOUT};
		ssize_t n = send_some(sock, buf, len, fds, nr_fds);
		uint64_t now;

		if (n < 0)
			return -ECONNRESET;
		if (n > 0) {
			nr_fds = 0; /* they went with the first byte */
			buf += n;
			len -= (size_t)n;
			continue;
		}
		now = vfu_now_ns();
		if (now >= deadline)
			return -ETIMEDOUT;
		poll(&pfd, 1, (int)((deadline - now) / NS_PER_MS) + 1);
	}
	return 0;
}

void vfu_fds_close(struct vfu_fds *fds)
{
	for (unsigned int i = 0; i < fds->nr; i++)
		if (fds->fd[i] >= 0)
			close(fds->fd[i]);
}

static void take_fds(struct msghdr *msg, struct vfu_fds *fds)
{
	struct cmsghdr *cmsg;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		size_t nr = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < nr && fds->nr < VFU_MAX_FDS; i++)
			memcpy(&fds->fd[fds->nr++], CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
	}
}

int vfu_sock_receive(int sock, void *buf, size_t len, struct vfu_fds *fds)
{
	union {
		char buf[CMSG_SPACE(VFU_MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	uint8_t *at = buf;

	while (len) {
		struct iovec iov = {.iov_base = at, .iov_len = len};
		struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
		ssize_t n;

		if (fds && !fds->nr) {
			msg.msg_control = control.buf;
			msg.msg_controllen = sizeof(control.buf);
		}
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -ECONNRESET;
		if (msg.msg_controllen)
			take_fds(&msg, fds);
		if (fds && (msg.msg_flags & MSG_CTRUNC))
			return -EMFILE;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}
