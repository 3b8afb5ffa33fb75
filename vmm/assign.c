// SPDX-License-Identifier: BSD-2-Clause
/* `pviommu assign` and `release`. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/assign.h"
#include "vmm/host_bind.h"
#include "vmm/host_pci.h"
#include "vmm/host_use.h"
#include "vmm/log.h"

#define WHY_SIZE 256

enum { DONE = 0, FAILED = 1, USAGE = 2 };

static void usage(const char *command, FILE *out)
{
	if (!strcmp(command, "assign"))
		fputs("usage: pviommu assign [--force] BDF...\n"
		      "\n"
		      "Takes PCI devices of the host from their drivers and gives them to "
		      "vfio-pci,\n"
		      "for pviommu run --assign: all of them or none. A device in use is refused: "
		      "a\n"
		      "mounted disk, an interface that is up.\n"
		      "\n"
		      "  --force     take it even when it is in use, or that cannot be told\n"
		      "  -h, --help  this text\n",
		      out);
	else
		fputs("usage: pviommu release BDF...\n"
		      "\n"
		      "Gives PCI devices back to the host's own drivers.\n"
		      "\n"
		      "  -h, --help  this text\n",
		      out);
}

static int find(const char *root, const char *command, const char *text, struct host_pci *ret)
{
	char bdf[HOST_PCI_BDF_SIZE];

	if (host_pci_parse(text, strlen(text), bdf)) {
		log_error("%s %s: not a PCI address; give one as 0000:01:00.0", command, text);
		return -EINVAL;
	}
	if (host_pci_read(root, bdf, ret)) {
		log_error("%s %s: no such PCI device; see pviommu devices", command, text);
		return -ENODEV;
	}
	return 0;
}

/* Bound it is; can it be used? */
static void say_bound(const char *root, const struct host_pci *was)
{
	struct host_pci other;

	printf("%s: bound to vfio-pci%s%s, IOMMU group %d\n", was->bdf,
	       was->driver[0] ? ", was " : "", was->driver, was->group);
	if (host_pci_group_blocker(root, was, &other) == 1)
		printf("%s: of the same group, is bound to %s: assign it, too\n", other.bdf,
		       other.driver);
}

/* Can it be taken? Looks only. */
static int check_one(const char *root, const char *text, bool force, struct host_pci *ret)
{
	struct host_pci dev;
	char why[WHY_SIZE];
	int used;

	if (find(root, "assign", text, &dev))
		return USAGE;
	if (host_pci_assignable(&dev, why, sizeof(why))) {
		log_error("assign %s: %s", text, why);
		return USAGE;
	}
	used = force || host_pci_is_vfio(&dev) ? 0 : host_in_use(root, dev.bdf, why, sizeof(why));
	if (used) {
		log_error("assign %s: %s: %s, or say --force", text,
			  used == 1 ? "in use" : "cannot tell whether it is in use", why);
		return USAGE;
	}
	*ret = dev;
	return DONE;
}

/* *@ret_was: what it was before, where it was not VFIO's already. */
static int assign_one(const char *root, const char *text, bool force, struct host_pci *ret_was)
{
	struct host_pci dev;
	char why[WHY_SIZE];
	int err, status = check_one(root, text, force, &dev);

	if (status)
		return status;
	if (host_pci_is_vfio(&dev)) {
		printf("%s: is bound to %s already, IOMMU group %d\n", dev.bdf, dev.driver,
		       dev.group);
		return DONE;
	}
	err = host_bind_vfio(root, &dev, why, sizeof(why));
	if (err) {
		log_error("assign %s: %s", text, why);
		return err == -EACCES || err == -EPERM || err == -ENOENT ? USAGE : FAILED;
	}
	say_bound(root, &dev);
	*ret_was = dev;
	return DONE;
}

/* After one that could not be had, and was told of. */
static void give_back(const char *root, const struct host_pci *was)
{
	char why[WHY_SIZE];

	if (host_put_back(root, was, why, sizeof(why)))
		log_error("assign %s: stays with vfio-pci: %s", was->bdf, why);
	else
		printf("%s: given back, %s\n", was->bdf,
		       was->driver[0] ? was->driver : "no driver");
}

/* All of them or none. */
static int assign_all(const char *root, int nr, char **text, bool force)
{
	struct host_pci *was = calloc((size_t)nr, sizeof(*was)), dev;
	int status = DONE, done = 0;

	if (!was) {
		log_error("assign: out of memory; free some");
		return FAILED;
	}
	for (int i = 0; i < nr && !status; i++)
		status = check_one(root, text[i], force, &dev);
	while (!status && done < nr) {
		status = assign_one(root, text[done], force, &was[done]);
		done += !status;
	}
	while (status && done--)
		if (was[done].bdf[0])
			give_back(root, &was[done]);
	free(was);
	return status;
}

int assign_command(const char *root, int argc, char **argv)
{
	bool force = false;
	int at = 1;

	for (; at < argc && argv[at][0] == '-'; at++) {
		if (!strcmp(argv[at], "--help") || !strcmp(argv[at], "-h")) {
			usage("assign", stdout);
			return DONE;
		}
		if (strcmp(argv[at], "--force")) {
			log_error("assign %s: no such option; see pviommu assign --help", argv[at]);
			return USAGE;
		}
		force = true;
	}
	if (at == argc) {
		log_error("assign: no device; give its PCI address, see pviommu devices");
		return USAGE;
	}
	return assign_all(root, argc - at, argv + at, force);
}

static int release_one(const char *root, const char *text)
{
	struct host_pci dev, now;
	char why[WHY_SIZE];
	int err;

	if (find(root, "release", text, &dev))
		return USAGE;
	if (!host_pci_is_vfio(&dev)) {
		log_error("release %s: is not bound to VFIO, but to %s; nothing to do", text,
			  dev.driver[0] ? dev.driver : "no driver");
		return USAGE;
	}
	/* They would go with it, and the kernel waits for a VM that has one. */
	if (dev.nr_vfs) {
		log_error("release %s: has %u of its virtual functions on; end the VMs that have "
			  "them, and turn them off: echo 0 >/sys/bus/pci/devices/%s/sriov_numvfs",
			  text, dev.nr_vfs, dev.bdf);
		return USAGE;
	}
	err = host_unbind_vfio(root, &dev, why, sizeof(why));
	if (err) {
		log_error("release %s: %s", text, why);
		return err == -EACCES || err == -EPERM || err == -EBUSY ? USAGE : FAILED;
	}
	if (host_pci_read(root, dev.bdf, &now))
		now.driver[0] = '\0';
	if (host_pci_is_vfio(&now)) {
		log_error("release %s: %s took it again, for it knows its ids; take them from it: "
			  "echo %04x %04x >/sys/bus/pci/drivers/%s/remove_id (and from "
			  "vfio-pci.ids= where that says so), then release it again",
			  text, now.driver, now.vendor, now.device, now.driver);
		return USAGE;
	}
	printf("%s: given back, %s\n", dev.bdf, now.driver[0] ? now.driver : "no driver took it");
	return DONE;
}

int release_command(const char *root, int argc, char **argv)
{
	int status = DONE;

	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		usage("release", stdout);
		return DONE;
	}
	if (argc < 2) {
		log_error("release: no device; give its PCI address, see pviommu devices");
		return USAGE;
	}
	for (int at = 1; at < argc && !status; at++)
		status = release_one(root, argv[at]);
	return status;
}
