// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/host_sysfs.h"
#include "vmm/host_use.h"

#define IFF_UP_BIT 1u
#define MOUNTS	   "/proc/self/mountinfo"
#define SWAPS	   "/proc/swaps"
#define MAX_DEPTH  24 /* of folders below a device: hubs in hubs */

struct search {
	const char *root;
	char *dev; /* its folder, resolved */
	char *why;
	size_t size;
	int err; /* the first look that failed, @why says which */
	char *line;
	size_t line_size;
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

/* What cannot be looked at; the search goes on, for what is used may be found elsewhere. */
static int __attribute__((format(printf, 3, 4)))
unknown(struct search *s, int err, const char *fmt, ...)
{
	va_list args;
	size_t len;

	if (s->err)
		return 0;
	s->err = err;
	va_start(args, fmt);
	vsnprintf(s->why, s->size, fmt, args);
	va_end(args);
	len = strlen(s->why);
	snprintf(s->why + len, s->size - len, ": %s%s", strerror(-err),
		 err == -EACCES || err == -EPERM ? "; run as root" : "");
	return 0;
}

static bool is_below(const struct search *s, const char *path)
{
	size_t len = strlen(s->dev);

	return !strncmp(path, s->dev, len) && (path[len] == '/' || !path[len]);
}

/* What @name of a class is, resolved; NULL: it has just gone, or unknown(). */
static char *resolve(struct search *s, const char *class, const char *name)
{
	char *path = host_resolve(s->root, "/sys/class/%s/%s", class, name);

	if (!path && errno != ENOENT)
		unknown(s, -errno, "/sys/class/%s/%s", class, name);
	return path;
}

/* --- disks --- */

static int controller_below(void *ctx, const char *name)
{
	struct search *s = ctx;
	char *path = NULL;
	int below;

	if (strncmp(name, "nvme", 4))
		return 0;
	path = resolve(s, "nvme", name);
	below = path && is_below(s, path);
	free(path);
	return below;
}

/* With several paths to it, an NVMe disk hangs below its subsystem, not below a device. */
static bool disk_below(struct search *s, const char *name)
{
	char *path = resolve(s, "block", name);
	bool below = path && is_below(s, path);
	const char *sub = path ? strstr(path, "/nvme-subsystem/") : NULL;
	int err;

	if (!below && sub) {
		sub += strlen("/nvme-subsystem/");
		err = host_each(s->root, controller_below, s,
				"/sys/devices/virtual/nvme-subsystem/%.*s", (int)strcspn(sub, "/"),
				sub);
		below = err == 1;
		if (err < 0)
			unknown(s, err, "the controllers of %s", name);
	}
	free(path);
	return below;
}

/* @field: from 0, words apart by blanks. */
static bool has_word(const char *line, unsigned int field, const char *word)
{
	for (unsigned int i = 0; i < field && *line; i++) {
		line += strcspn(line, " \t");
		line += strspn(line, " \t");
	}
	return strlen(word) == strcspn(line, " \t\n") && !strncmp(line, word, strlen(word));
}

static bool is_number(const char *line, const char *number)
{
	return has_word(line, 2, number);
}

/* By source: file systems of several devices (btrfs) have numbers of their own. */
static bool is_source(const char *line, const char *source)
{
	const char *rest = strstr(line, " - ");

	return rest && strstr(rest, source);
}

static bool is_swap(const char *line, const char *dev)
{
	return has_word(line, 0, dev);
}

/* Has the table a line that is of @word? It is s->line then. */
static bool find_line(struct search *s, const char *table,
		      bool (*is)(const char *line, const char *word), const char *word)
{
	char path[PATH_MAX];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s%s", s->root, table);
	f = fopen(path, "re");
	if (!f) {
		/* Not every kernel can swap. */
		if (errno != ENOENT || strcmp(table, SWAPS))
			unknown(s, -errno, "%s", table);
		return false;
	}
	while (!found && getline(&s->line, &s->line_size, f) >= 0)
		found = is(s->line, word);
	if (!found && !feof(f))
		unknown(s, -errno, "%s", table);
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

/* So are file systems that other mount namespaces have mounted, too. */
static bool opened_alone(struct search *s, const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/dev/%s", s->root, name);
	fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0) {
		close(fd);
		return false;
	}
	/* A drive may be empty, or dead. */
	if (errno != EBUSY && errno != ENOMEDIUM && errno != ENXIO)
		unknown(s, -errno, "/dev/%s", name);
	return errno == EBUSY;
}

static int first_name(void *ctx, const char *name)
{
	snprintf(ctx, NAME_MAX + 1, "%s", name);
	return 1;
}

static int look_at_disk(void *ctx, const char *name)
{
	struct search *s = ctx;
	char number[32], holder[NAME_MAX + 1], dev[NAME_MAX + 8], source[NAME_MAX + 10];
	int err;

	if (!disk_below(s, name))
		return 0;
	err = host_read(s->root, number, sizeof(number), "/sys/class/block/%s/dev", name);
	/* One of the paths to a disk: not for use but through the disk. */
	if (err == -ENOENT)
		return 0;
	if (err)
		return unknown(s, err, "/sys/class/block/%s/dev", name);
	snprintf(dev, sizeof(dev), "/dev/%s", name);
	snprintf(source, sizeof(source), " %s ", dev);
	if (find_line(s, MOUNTS, is_number, number) || find_line(s, MOUNTS, is_source, source))
		return used(s, "%s is mounted at %s; unmount it", name, mounted_at(s->line));
	if (find_line(s, SWAPS, is_swap, dev))
		return used(s, "%s is swap space; take it off (swapoff)", name);
	err = host_each(s->root, first_name, holder, "/sys/class/block/%s/holders", name);
	if (err == 1)
		return used(s, "%s belongs to %s; take that down", name, holder);
	if (err)
		unknown(s, err, "/sys/class/block/%s/holders", name);
	if (opened_alone(s, name))
		return used(s, "%s is opened by somebody for himself; see who (lsof)", name);
	return 0;
}

/* --- network interfaces --- */

static int look_at_net(void *ctx, const char *name)
{
	struct search *s = ctx;
	char *path = resolve(s, "net", name);
	bool below = path && is_below(s, path);
	char master[NAME_MAX + 1];
	uint64_t flags;
	int err;

	free(path);
	if (!below)
		return 0;
	err = host_read_link(s->root, master, sizeof(master), "/sys/class/net/%s/master", name);
	if (!err)
		return used(s, "%s belongs to %s; take it out", name, master);
	if (err != -ENOENT)
		unknown(s, err, "/sys/class/net/%s/master", name);
	err = host_read_number(s->root, &flags, "/sys/class/net/%s/flags", name);
	if (err)
		return unknown(s, err, "/sys/class/net/%s/flags", name);
	if (flags & IFF_UP_BIT)
		return used(s, "%s is up; take it down (ip link set %s down)", name, name);
	return 0;
}

/* A folder below the device, of that depth at most. */
struct folder {
	struct search *s;
	const char *path;
	unsigned int depth;
	unsigned int nr; /* that it shows */
};

static int count(void *ctx, const char *name)
{
	((struct folder *)ctx)->nr++;
	return 0;
}

/*
 * The folder of a device's interfaces shows those of our network namespace only, but stays while
 * there is any, and its links count all.
 */
static int look_at_folder(void *ctx, const char *name)
{
	const struct folder *above = ctx;
	struct folder f = {.s = above->s, .depth = above->depth - 1};
	char path[PATH_MAX];
	struct stat st;
	int found = 0;

	if (snprintf(path, sizeof(path), "%s/%s", above->path, name) >= (int)sizeof(path))
		return unknown(f.s, -ENAMETOOLONG, "%s", above->path);
	if (lstat(path, &st))
		return errno == ENOENT ? 0 : unknown(f.s, -errno, "%s", path);
	if (!S_ISDIR(st.st_mode) || !above->depth)
		return 0;
	f.path = path;
	if (!strcmp(name, "net")) {
		found = host_each("", count, &f, "%s", path);
		if (!found && (!f.nr || st.st_nlink > f.nr + 2))
			return used(f.s,
				    "an interface of it is in another network namespace; bring it "
				    "back (ip -n NAMESPACE link set INTERFACE netns 1)");
	}
	found = found ?: host_each("", look_at_folder, &f, "%s", path);
	return found < 0 ? unknown(f.s, found, "%s", path) : found;
}

static int look_below(struct search *s)
{
	struct folder f = {.s = s, .path = s->dev, .depth = MAX_DEPTH};
	int found = host_each("", look_at_folder, &f, "%s", s->dev);

	return found < 0 ? unknown(s, found, "%s", s->dev) : found;
}

/* --- the rest --- */

static int look_at_display(struct search *s, const char *bdf)
{
	uint64_t display;
	int err = host_read_number(s->root, &display, "/sys/bus/pci/devices/%s/boot_vga", bdf);

	if (err == -ENOENT)
		return 0;
	if (err)
		return unknown(s, err, "/sys/bus/pci/devices/%s/boot_vga", bdf);
	return display ? used(s, "is the machine's display; use another one for the console") : 0;
}

static int look_at_class(struct search *s, int (*look)(void *ctx, const char *name),
			 const char *class)
{
	int found = host_each(s->root, look, s, "/sys/class/%s", class);

	return found < 0 ? unknown(s, found, "/sys/class/%s", class) : found;
}

int host_in_use(const char *root, const char *bdf, char *ret_why, size_t size)
{
	struct search s = {.root = root, .why = ret_why, .size = size};
	int found;

	s.dev = host_resolve(root, "/sys/bus/pci/devices/%s", bdf);
	if (!s.dev) {
		unknown(&s, -errno, "/sys/bus/pci/devices/%s", bdf);
		return s.err;
	}
	found = look_at_class(&s, look_at_disk, "block");
	found = found ?: look_at_class(&s, look_at_net, "net");
	found = found ?: look_below(&s);
	found = found ?: look_at_display(&s, bdf);
	free(s.line);
	free(s.dev);
	return found ?: s.err;
}
