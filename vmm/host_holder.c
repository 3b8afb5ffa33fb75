// SPDX-License-Identifier: BSD-2-Clause
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "vmm/host_holder.h"
#include "vmm/host_sysfs.h"

struct search {
	const char *root;
	char name[16]; /* of the group's node */
	dev_t number;
	const char *pid; /* that is looked at */
	char *why;
	size_t size;
	int err; /* of the first that could not be looked at */
};

/* Only files called as the node are asked what they are: others may be slow to answer (FUSE). */
static int is_group(void *ctx, const char *fd)
{
	struct search *s = ctx;
	char name[sizeof(s->name)], path[PATH_MAX];
	struct stat st;

	if (host_read_link(s->root, name, sizeof(name), "/proc/%s/fd/%s", s->pid, fd) ||
	    strcmp(name, s->name))
		return 0;
	snprintf(path, sizeof(path), "%s/proc/%s/fd/%s", s->root, s->pid, fd);
	return !stat(path, &st) && S_ISCHR(st.st_mode) && st.st_rdev == s->number;
}

static int look_at_process(void *ctx, const char *name)
{
	struct search *s = ctx;
	int found;

	if (!isdigit((unsigned char)name[0]))
		return 0;
	s->pid = name;
	found = host_each(s->root, is_group, s, "/proc/%s/fd", name);
	if (found == 1) {
		snprintf(s->why, s->size, "a VM has it, process %s; end that first", name);
		return 1;
	}
	/* It may just have ended. */
	if (found < 0 && found != -ESRCH && !s->err)
		s->err = found;
	return 0;
}

int host_group_holder(const char *root, const struct host_pci *dev, char *ret_why, size_t size)
{
	struct search s = {.root = root, .why = ret_why, .size = size};
	unsigned int major, minor;
	char number[32];
	int found;

	snprintf(s.name, sizeof(s.name), "%d", dev->group);
	found = host_read(root, number, sizeof(number), "/sys/class/vfio/%d/dev", dev->group);
	/* No device of it is VFIO's. */
	if (found == -ENOENT)
		return 0;
	if (!found && sscanf(number, "%u:%u", &major, &minor) != 2)
		found = -EINVAL;
	if (found) {
		snprintf(ret_why, size, "/sys/class/vfio/%d/dev: %s", dev->group, strerror(-found));
		return found;
	}
	s.number = makedev(major, minor);
	found = host_each(root, look_at_process, &s, "/proc");
	if (found == 1)
		return 1;
	s.err = found ?: s.err;
	if (s.err)
		snprintf(ret_why, size, "a VM may have it; run as root to see the files of each");
	return s.err;
}
