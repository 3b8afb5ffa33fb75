// SPDX-License-Identifier: BSD-2-Clause
#include "devices/runtime/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devices/runtime/dev.h"
#include "devices/runtime/log.h"
#include "devices/runtime/msg.h"

#define NOBODY 65534

static int compare(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return x < y ? -1 : x > y;
}

/* What arrives later must not land on 0 and 1, where someone may print. */
static void null_stdio(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	dup2(fd, 0);
	dup2(fd, 1);
	if (fd > 1)
		close(fd);
}

int sandbox_fds(int *keep, size_t nr)
{
	unsigned int from = 3;

	null_stdio();
	qsort(keep, nr, sizeof(*keep), compare);
	for (size_t i = 0; i <= nr; i++) {
		unsigned int to = i < nr ? (unsigned int)keep[i] : ~0u;

		if (i < nr && keep[i] < 3)
			continue;
		if (from < to && syscall(SYS_close_range, from, i < nr ? to - 1 : to, 0))
			return -errno;
		from = to + 1;
	}
	return 0;
}

/* An empty file system in some directory that exists, as the new root. */
static int empty_root(void)
{
	static const char *const places[] = {"/tmp", "/proc", "/dev", "/sys"};
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY;
	size_t i, nr = sizeof(places) / sizeof(places[0]);

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -errno;
	for (i = 0; i < nr; i++) {
		if (!mount("none", places[i], "tmpfs", flags, "size=4k,nr_inodes=2,mode=555"))
			break;
	}
	if (i == nr || chdir(places[i]))
		return -errno;
	if (!syscall(SYS_pivot_root, ".", ".")) {
		if (umount2(".", MNT_DETACH))
			return -errno;
	} else if (mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".")) {
		/* An initramfs can't be pivoted away from, only covered. */
		return -errno;
	}
	return chdir("/") ? -errno : 0;
}

void sandbox_namespaces(void)
{
	const int own = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID |
			CLONE_NEWCGROUP;
	int err;

	/* Without privileges the same goes inside a user namespace. */
	if (unshare(own) && unshare(own | CLONE_NEWUSER)) {
		log_debug("sandbox: no namespaces: %s", strerror(errno));
		return;
	}
	err = empty_root();
	if (err)
		log_debug("sandbox: no root of its own: %s", strerror(-err));
}

static int set_limits(void)
{
	/* Its own fds, a client's vectors, and the fds of one message. */
	const rlim_t fds = 16 + DEV_MAX_DOORBELLS + DEV_MAX_VECTORS + VFU_MAX_FDS;
	const struct {
		int what;
		rlim_t max;
	} limits[] = {
		{RLIMIT_NOFILE, fds}, {RLIMIT_CORE, 0},	    {RLIMIT_NPROC, 0},
		{RLIMIT_MEMLOCK, 0},  {RLIMIT_MSGQUEUE, 0}, {RLIMIT_SIGPENDING, 0},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct rlimit r = {limits[i].max, limits[i].max}, now;

		if (!getrlimit(limits[i].what, &now) && now.rlim_max < r.rlim_max)
			r.rlim_cur = r.rlim_max = now.rlim_max;
		if (setrlimit(limits[i].what, &r))
			return -errno;
	}
	return 0;
}

static void drop_bounding_set(void)
{
	for (unsigned long cap = 0; cap < 64; cap++) {
		/* Past the kernel's last, or without the right to: nothing to drop. */
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0))
			break;
	}
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &head, none) ? -errno : 0;
}

int sandbox_privileges(bool die_with_parent)
{
	int err;

	err = set_limits();
	if (err)
		return err;
	drop_bounding_set(); /* while root may */
	if (!geteuid() && (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
			   setresuid(NOBODY, NOBODY, NOBODY)))
		return -errno;
	err = drop_capabilities();
	if (err)
		return err;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return -errno;
	/* After the change of user, which clears it. The socket's end covers the gap. */
	if (die_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		return -errno;
	return 0;
}

/* <linux/landlock.h> of the build machine may be older than the kernel. */
struct landlock_rules {
	uint64_t fs, net, scoped;
};

void sandbox_landlock(void)
{
	/* Rights to handle, by ABI; with no rule that allows one, all are denied. */
	static const uint64_t fs[] = {0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff};
	struct landlock_rules rules = {0};
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
	size_t size = 8;
	int fd;

	if (abi < 1) {
		log_debug("sandbox: no Landlock: %s", strerror(errno));
		return;
	}
	rules.fs = fs[abi < 5 ? abi - 1 : 4];
	if (abi >= 4) {
		rules.net = 3; /* bind and connect TCP */
		size = 16;
	}
	if (abi >= 6) {
		rules.scoped = 3; /* abstract sockets, signals */
		size = 24;
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
	if (fd < 0 || syscall(SYS_landlock_restrict_self, fd, 0))
		log_debug("sandbox: Landlock %ld: %s", abi, strerror(errno));
	if (fd >= 0)
		close(fd);
}
