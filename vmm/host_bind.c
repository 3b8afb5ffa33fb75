// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/host_bind.h"
#include "vmm/host_sysfs.h"

#define PCI	    "/sys/bus/pci"
#define VFIO_DRIVER "vfio-pci"

static bool driver_loaded(const char *root)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s" PCI "/drivers/" VFIO_DRIVER, root);
	return !stat(path, &st);
}

/* As root does by hand; where there is no modprobe, the message says what is missing. */
static void load_driver(void)
{
	char *const argv[] = {"modprobe", "-q", VFIO_DRIVER, NULL};
	pid_t pid;

	if (!posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ))
		waitpid(pid, NULL, 0);
}

static int failed(char *ret_why, size_t size, const char *what, int err)
{
	snprintf(ret_why, size, "cannot %s: %s%s", what, strerror(-err),
		 err == -EACCES || err == -EPERM ? "; run as root" : "");
	return err;
}

/* @name: "": none. */
static bool has_driver(const char *root, const struct host_pci *dev, const char *name)
{
	struct host_pci now;

	return !host_pci_read(root, dev->bdf, &now) && !strcmp(now.driver, name);
}

static int unbind(const char *root, const struct host_pci *dev)
{
	if (has_driver(root, dev, ""))
		return 0;
	return host_write(root, dev->bdf, PCI "/devices/%s/driver/unbind", dev->bdf);
}

static int choose(const char *root, const struct host_pci *dev, const char *driver)
{
	return host_write(root, driver, PCI "/devices/%s/driver_override", dev->bdf);
}

/* The kernel looks for the driver; that none takes the device is no error of this call. */
static int probe(const char *root, const struct host_pci *dev)
{
	return host_write(root, dev->bdf, PCI "/drivers_probe");
}

/* By name: a probe could find another driver, or one for a device that had none. */
static int put_back(const char *root, const struct host_pci *was)
{
	int err = choose(root, was, was->override[0] ? was->override : "\n");

	if (err || has_driver(root, was, was->driver))
		return err;
	err = unbind(root, was);
	if (err || !was->driver[0])
		return err;
	return host_write(root, was->bdf, PCI "/drivers/%s/bind", was->driver);
}

int host_bind_vfio(const char *root, const struct host_pci *dev, char *ret_why, size_t size)
{
	int err;

	if (!driver_loaded(root))
		load_driver();
	if (!driver_loaded(root)) {
		snprintf(ret_why, size,
			 "the driver " VFIO_DRIVER
			 " is not there; load it as root: modprobe " VFIO_DRIVER);
		return -ENOENT;
	}
	err = choose(root, dev, VFIO_DRIVER);
	if (err)
		return failed(ret_why, size, "choose its driver", err);
	err = unbind(root, dev);
	if (err)
		failed(ret_why, size, "take it from its driver", err);
	if (!err) {
		err = probe(root, dev);
		if (err || !has_driver(root, dev, VFIO_DRIVER)) {
			err = err ?: -EIO;
			failed(ret_why, size, "give it to " VFIO_DRIVER, err);
		}
	}
	if (err)
		put_back(root, dev);
	return err;
}

/* A group has one user at a time: the kernel opens its file once. */
static bool group_is_open(const char *root, int group)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/dev/vfio/%d", root, group);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == EBUSY;
}

static int a_vm_has_it(char *ret_why, size_t size)
{
	snprintf(ret_why, size, "a VM has it; end that first");
	return -EBUSY;
}

int host_put_back(const char *root, const struct host_pci *was, char *ret_why, size_t size)
{
	int err;

	if (group_is_open(root, was->group))
		return a_vm_has_it(ret_why, size);
	err = put_back(root, was);
	return err ? failed(ret_why, size, "give it back", err) : 0;
}

int host_unbind_vfio(const char *root, const struct host_pci *dev, char *ret_why, size_t size)
{
	int err;

	if (group_is_open(root, dev->group))
		return a_vm_has_it(ret_why, size);
	err = choose(root, dev, "\n");
	if (err)
		return failed(ret_why, size, "choose its driver", err);
	err = unbind(root, dev);
	if (err)
		return failed(ret_why, size, "take it from VFIO", err);
	err = probe(root, dev);
	return err ? failed(ret_why, size, "look for its driver", err) : 0;
}
