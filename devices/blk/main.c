// SPDX-License-Identifier: BSD-2-Clause
/* pviommu-blk: a disk as a process. It owns the image and one socket, nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/blk/blk.h"
#include "devices/runtime/listen.h"
#include "devices/runtime/log.h"
#include "devices/runtime/sandbox.h"

#define EXIT_USAGE 2

struct options {
	const char *socket, *disk, *serial;
	int fd, disk_fd;
	bool read_only;
};

static const char usage[] = "Usage: pviommu-blk --socket PATH --disk PATH[,ro] [OPTION]...\n"
			    "       pviommu-blk --fd N --disk-fd N [OPTION]...\n"
			    "Serves a virtio disk over vfio-user to one client, then exits.\n"
			    "\n"
			    "  --socket PATH     make this socket and wait for the client on it\n"
			    "  --disk PATH[,ro]  raw image file or block device; ro: read-only\n"
			    "  --fd N            the client's socket is this file descriptor\n"
			    "  --disk-fd N       the image is this file descriptor\n"
			    "  --read-only       like ,ro\n"
			    "  --serial TEXT     serial number, 1 to 20 characters\n"
			    "  --name NAME       what messages start with\n"
			    "  --verbose         say more\n"
			    "  --help, --version\n";

static _Noreturn void bad(const char *fmt, const char *value, const char *why)
{
	log_line(fmt, value, why);
	exit(EXIT_USAGE);
}

static int parse_fd(const char *option, const char *text)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || end == text || *end || n < 0 || n > 1 << 20 || fcntl((int)n, F_GETFD) < 0)
		bad("--%s: '%s' is no open file descriptor: pass one that is inherited", option,
		    text);
	return (int)n;
}

static void parse(int argc, char **argv, struct options *o)
{
	enum { FD = 1, DISK_FD, SOCKET, DISK, READ_ONLY, SERIAL, NAME, VERBOSE, HELP, VERSION };
	static const struct option longs[] = {
		{"fd", required_argument, NULL, FD},
		{"disk-fd", required_argument, NULL, DISK_FD},
		{"socket", required_argument, NULL, SOCKET},
		{"disk", required_argument, NULL, DISK},
		{"read-only", no_argument, NULL, READ_ONLY},
		{"serial", required_argument, NULL, SERIAL},
		{"name", required_argument, NULL, NAME},
		{"verbose", no_argument, NULL, VERBOSE},
		{"help", no_argument, NULL, HELP},
		{"version", no_argument, NULL, VERSION},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case FD:
			o->fd = parse_fd("fd", optarg);
			break;
		case DISK_FD:
			o->disk_fd = parse_fd("disk-fd", optarg);
			break;
		case SOCKET:
			o->socket = optarg;
			break;
		case DISK:
			o->disk = optarg;
			break;
		case READ_ONLY:
			o->read_only = true;
			break;
		case SERIAL:
			if (!*optarg || strlen(optarg) > BLK_SERIAL_SIZE)
				bad("--serial: '%s' is not 1 to 20 characters long%s", optarg, "");
			o->serial = optarg;
			break;
		case NAME:
			log_name = optarg;
			break;
		case VERBOSE:
			log_verbose = true;
			break;
		case HELP:
			fputs(usage, stdout);
			exit(0);
		case VERSION:
			puts("pviommu-blk " PVI_VERSION);
			exit(0);
		default:
			exit(EXIT_USAGE); /* getopt has named it */
		}
	}
	if (optind < argc)
		bad("'%s' is no option: see --help%s", argv[optind], "");
	if ((o->fd < 0) == !o->socket)
		bad("give either --socket PATH or --fd N%s%s", "", "");
	if ((o->disk_fd < 0) == !o->disk)
		bad("give either --disk PATH or --disk-fd N%s%s", "", "");
}

/* PATH[,ro] to an fd. */
static int open_disk(struct options *o)
{
	size_t len = strlen(o->disk);
	char *path;
	int fd;

	if (len > 3 && !strcmp(o->disk + len - 3, ",ro")) {
		o->read_only = true;
		len -= 3;
	}
	path = strndup(o->disk, len);
	if (!path)
		bad("--disk %s: %s", o->disk, strerror(ENOMEM));
	fd = open(path, (o->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		bad("--disk %s: %s", o->disk, strerror(errno));
	free(path);
	return fd;
}

static const char *disk_problem(int err)
{
	switch (err) {
	case -EISDIR:
		return "is a directory: give a raw image file or a block device";
	case -ENOTBLK:
		return "is neither a file nor a block device";
	case -EBADF:
		return "is not open for reading and writing: open it so, or say read-only";
	case -ENODATA:
		return "is smaller than a sector: enlarge it, e.g. with truncate -s 64M";
	case -EBUSY:
		return "is in use by another process: end it, or use both read-only";
	default:
		return strerror(-err);
	}
}

static int get_client(const struct options *o)
{
	int sock = o->fd, type;
	socklen_t len = sizeof(type);

	if (o->socket) {
		sock = listen_once(o->socket);
		if (sock < 0)
			bad("--socket %s: %s", o->socket, strerror(-sock));
	} else if (getsockopt(sock, SOL_SOCKET, SO_TYPE, &type, &len) || type != SOCK_STREAM) {
		bad("--fd: the descriptor is no stream socket%s%s", "", "");
	}
	return sock;
}

/* Everything that is kept, named; whatever else was inherited goes. */
static int sandbox(const struct blk *blk, const struct options *o, int sock, int *doorbells,
		   size_t nr)
{
	int keep[2 + DEV_MAX_DOORBELLS] = {sock, blk->disk->fd};
	int err;

	memcpy(keep + 2, doorbells, nr * sizeof(*doorbells));
	err = sandbox_fds(keep, 2 + nr);
	if (err)
		return err;
	sandbox_namespaces();
	err = sandbox_privileges(!o->socket);
	if (err)
		return err;
	sandbox_landlock();
	return sandbox_syscalls(disk_calls, disk_nr_calls);
}

int main(int argc, char **argv)
{
	struct options o = {.fd = -1, .disk_fd = -1};
	int doorbells[DEV_MAX_DOORBELLS], sock, err;
	struct disk disk;
	struct blk *blk;

	log_name = "pviommu-blk";
	parse(argc, argv, &o);
	signal(SIGPIPE, SIG_IGN);
	if (o.disk)
		o.disk_fd = open_disk(&o);
	err = disk_init(&disk, o.disk_fd, o.read_only);
	if (err)
		bad("--disk %s %s", o.disk ? o.disk : "(given as fd)", disk_problem(err));
	sock = get_client(&o);

	err = blk_new(&disk, o.serial, &blk);
	if (!err)
		err = blk_connect(blk, sock);
	if (!err)
		err = sandbox(blk, &o, sock, doorbells, dev_doorbells(blk->v.dev, doorbells));
	if (err) {
		log_line("can't start: %s", strerror(-err));
		return 1;
	}
	err = dev_serve(blk->v.dev);
	blk_free(blk);
	return err ? 1 : 0;
}
