// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/host_sysfs.h"
#include "vmm/host_use.h"

#define IFF_UP_BIT 1u

struct search {
	const char *root;
	char *dev; /* its folder, resolved */
	char *why;
	size_t size;
};

/* What is used, and how; the rest of the sentence is the remedy. */
static int __attribute__((format(printf, 2, 3))) used(struct search *s, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(s->why, s->size, fmt, args);
	va_end(args);
	return 1;
}

static bool is_below(const struct search *s, const char *path)
{
	size_t len = strlen(s->dev);

	return path && !strncmp(path, s->dev, len) && (path[len] == '/' || !path[len]);
}

/* --- disks --- */

static int controller_below(void *ctx, const char *name)
{
	struct search *s = ctx;
	char *path = NULL;
	int below;

	if (strncmp(name, "nvme", 4))
		return 0;
	path = host_resolve(s->root, "/sys/class/nvme/%s", name);
	below = is_below(s, path);
	free(path);
	return below;
}

/* With several paths to it, an NVMe disk hangs below its subsystem, not below a device. */
static bool disk_below(struct search *s, const char *name)
{
	char *path = host_resolve(s->root, "/sys/class/block/%s", name);
	bool below = is_below(s, path);
	const char *sub = path ? strstr(path, "/nvme-subsystem/") : NULL;

	if (!below && sub) {
		sub += strlen("/nvme-subsystem/");
		below = host_each(s->root, controller_below, s,
				  "/sys/devices/virtual/nvme-subsystem/%.*s",
				  (int)strcspn(sub, "/"), sub) == 1;
	}
	free(path);
	return below;
}

/* Does a line of a table say so? @field: from 0, words apart by blanks. */
static int find_line(struct search *s, const char *table, unsigned int field, const char *word,
		     char *ret_line, size_t size)
{
	char path[PATH_MAX];
	FILE *f;
	int found = 0;

	snprintf(path, sizeof(path), "%s%s", s->root, table);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? 0 : -errno;
	while (!found && fgets(ret_line, (int)size, f)) {
		const char *at = ret_line;

		for (unsigned int i = 0; i < field && *at; i++) {
			at += strcspn(at, " \t");
			at += strspn(at, " \t");
		}
		found = strlen(word) == strcspn(at, " \t\n") && !strncmp(at, word, strlen(word));
	}
	fclose(f);
	return found;
}

/* mountinfo: the fifth word is where; the source stands behind the " - ". */
static const char *mounted_at(char *line)
{
	char *at = line;

	for (unsigned int i = 0; i < 4; i++) {
		at += strcspn(at, " ");
		at += strspn(at, " ");
	}
	at[strcspn(at, " \n")] = '\0';
	return at;
}

/* By source: file systems of several devices (btrfs) have numbers of their own. */
static int mounted_by_name(struct search *s, const char *name, char *line, size_t size)
{
	char path[PATH_MAX], source[NAME_MAX + 8];
	FILE *f;
	int found = 0;

	snprintf(path, sizeof(path), "%s/proc/self/mountinfo", s->root);
	f = fopen(path, "re");
	if (!f)
		return 0;
	snprintf(source, sizeof(source), " /dev/%s ", name);
	while (!found && fgets(line, (int)size, f)) {
		const char *rest = strstr(line, " - ");

		found = rest && strstr(rest, source);
	}
	fclose(f);
	return found;
}

static int opened_alone(struct search *s, const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/dev/%s", s->root, name);
	fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == EBUSY;
}

static int first_name(void *ctx, const char *name)
{
	snprintf(ctx, NAME_MAX + 1, "%s", name);
	return 1;
}

static int look_at_disk(void *ctx, const char *name)
{
	struct search *s = ctx;
	char number[32], line[4096], holder[NAME_MAX + 1], dev[NAME_MAX + 8];

	if (!disk_below(s, name))
		return 0;
	if (!host_read(s->root, number, sizeof(number), "/sys/class/block/%s/dev", name) &&
	    find_line(s, "/proc/self/mountinfo", 2, number, line, sizeof(line)) == 1)
		return used(s, "%s is mounted at %s; unmount it", name, mounted_at(line));
	if (mounted_by_name(s, name, line, sizeof(line)))
		return used(s, "%s is mounted at %s; unmount it", name, mounted_at(line));
	snprintf(dev, sizeof(dev), "/dev/%s", name);
	if (find_line(s, "/proc/swaps", 0, dev, line, sizeof(line)) == 1)
		return used(s, "%s is swap space; take it off (swapoff)", name);
	if (host_each(s->root, first_name, holder, "/sys/class/block/%s/holders", name) == 1)
		return used(s, "%s belongs to %s; take that down", name, holder);
	if (opened_alone(s, name))
		return used(s, "%s is opened by somebody for himself; see who (lsof)", name);
	return 0;
}

/* --- network interfaces --- */

static int look_at_net(void *ctx, const char *name)
{
	struct search *s = ctx;
	char *path = host_resolve(s->root, "/sys/class/net/%s", name);
	bool below = is_below(s, path);
	char master[NAME_MAX + 1];
	uint64_t flags;

	free(path);
	if (!below)
		return 0;
	if (!host_read_link(s->root, master, sizeof(master), "/sys/class/net/%s/master", name))
		return used(s, "%s belongs to %s; take it out", name, master);
	if (!host_read_number(s->root, &flags, "/sys/class/net/%s/flags", name) &&
	    flags & IFF_UP_BIT)
		return used(s, "%s is up; take it down (ip link set %s down)", name, name);
	return 0;
}

int host_in_use(const char *root, const char *bdf, char *ret_why, size_t size)
{
	struct search s = {.root = root, .why = ret_why, .size = size};
	uint64_t display = 0;
	int found;

	s.dev = host_resolve(root, "/sys/bus/pci/devices/%s", bdf);
	if (!s.dev)
		return -ENODEV;
	found = host_each(root, look_at_disk, &s, "/sys/class/block");
	if (!found)
		found = host_each(root, look_at_net, &s, "/sys/class/net");
	if (!found && !host_read_number(root, &display, "/sys/bus/pci/devices/%s/boot_vga", bdf) &&
	    display)
		found = used(&s, "is the machine's display; use another one for the console");
	free(s.dev);
	return found;
}
