// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "host_tree.h"
#include "vmm/host_sysfs.h"

#define PCI "/sys/bus/pci"

char tree_root[64];
struct tree_kernel tree_kernel;

static void make_folders(char *path)
{
	for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		mkdir(path, 0755);
		*at = '/';
	}
}

#define PLACE(path, fmt)                                                  \
	do {                                                              \
		va_list args;                                             \
		int n = snprintf(path, sizeof(path), "%s", tree_root);    \
		va_start(args, fmt);                                      \
		vsnprintf(path + n, sizeof(path) - (size_t)n, fmt, args); \
		va_end(args);                                             \
		make_folders(path);                                       \
	} while (0)

void tree_file(const char *text, const char *fmt, ...)
{
	char path[PATH_MAX];
	FILE *f;

	PLACE(path, fmt);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

void tree_link(const char *target, const char *fmt, ...)
{
	char path[PATH_MAX];

	PLACE(path, fmt);
	unlink(path);
	assert_int_equal(symlink(target, path), 0);
}

void tree_remove(const char *fmt, ...)
{
	char path[PATH_MAX];

	PLACE(path, fmt);
	remove(path);
}

void tree_bind(const char *bdf, const char *driver)
{
	char target[128];

	if (!driver) {
		tree_remove(PCI "/devices/%s/driver", bdf);
		return;
	}
	snprintf(target, sizeof(target), "../../../bus/pci/drivers/%s", driver);
	tree_file("", PCI "/drivers/%s/unbind", driver);
	tree_link(target, PCI "/devices/%s/driver", bdf);
}

static void add(const char *bdf, const char *class_code, int group, uint8_t header)
{
	char target[64], config[PATH_MAX], bytes[64] = {0};
	FILE *f;

	snprintf(target, sizeof(target), "../../../devices/pci0/%s", bdf);
	tree_link(target, PCI "/devices/%s", bdf);
	tree_file("0x8086\n", "/sys/devices/pci0/%s/vendor", bdf);
	tree_file("0x10d3\n", "/sys/devices/pci0/%s/device", bdf);
	tree_file(class_code, "/sys/devices/pci0/%s/class", bdf);
	tree_file("\n", "/sys/devices/pci0/%s/driver_override", bdf);
	bytes[14] = (char)header;
	snprintf(config, sizeof(config), "%s/sys/devices/pci0/%s/config", tree_root, bdf);
	f = fopen(config, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, sizeof(bytes), 1, f), 1);
	fclose(f);
	if (group < 0)
		return;
	snprintf(target, sizeof(target), "../../../kernel/iommu_groups/%d", group);
	tree_link(target, "/sys/devices/pci0/%s/iommu_group", bdf);
	tree_file("", "/sys/kernel/iommu_groups/%d/devices/%s", group, bdf);
}

void tree_new(void)
{
	strcpy(tree_root, "/tmp/pvi-host-XXXXXX");
	assert_non_null(mkdtemp(tree_root));
	/* For tests that go on as another user. */
	assert_int_equal(chmod(tree_root, 0755), 0);
	tree_kernel = (struct tree_kernel){.fail_in = -1};
	add(TREE_A, "0x020000\n", 5, 0);
	add(TREE_B, "0x010802\n", 6, 0x80);
	add(TREE_C, "0x00ff00\n", 7, 0);
	add(TREE_D, "0x020000\n", 7, 0);
	add(TREE_BRIDGE, "0x060401\n", 7, 1);
	add(TREE_BARE, "0xff0000\n", -1, 0);
	tree_file("", PCI "/drivers_probe");
	tree_file("", PCI "/drivers/vfio-pci/unbind");
	tree_bind(TREE_A, "e1000e");
	tree_bind(TREE_B, "nvme");
	tree_bind(TREE_D, "e1000");
	tree_bind(TREE_BRIDGE, "pcieport");
}

void tree_free(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", tree_root);
	assert_int_equal(system(command), 0);
}

int tree_set_up(void **state)
{
	tree_new();
	return 0;
}

int tree_tear_down(void **state)
{
	tree_free();
	return 0;
}

/* Of the driver core: what an override, an unbind and a probe do. */
static void probe(const char *bdf)
{
	char override[64], name[64];

	if (host_read_link(tree_root, name, sizeof(name), PCI "/devices/%s/driver", bdf) == 0)
		return;
	assert_int_equal(host_read(tree_root, override, sizeof(override),
				   PCI "/devices/%s/driver_override", bdf),
			 0);
	if (tree_kernel.knows_ids)
		tree_bind(bdf, "vfio-pci");
	else if (!override[0])
		tree_bind(bdf, strcmp(bdf, TREE_B) ? "e1000e" : "nvme");
	else if (!tree_kernel.takes_nothing)
		tree_bind(bdf, override);
}

/* And a bind to a driver by its name, whose ids are not looked at here. */
static int bind(const char *bdf, const char *driver)
{
	char override[64];

	assert_int_equal(host_read(tree_root, override, sizeof(override),
				   PCI "/devices/%s/driver_override", bdf),
			 0);
	if (override[0] && strcmp(override, driver))
		return -ENODEV;
	tree_bind(bdf, driver);
	return 0;
}

int host_write(const char *root, const char *text, const char *fmt, ...)
{
	char path[PATH_MAX], driver[64];
	va_list args;
	char *bdf;

	assert_string_equal(root, tree_root);
	va_start(args, fmt);
	vsnprintf(path, sizeof(path), fmt, args);
	va_end(args);
	tree_kernel.writes++;
	if (tree_kernel.fail_in == 0) {
		tree_kernel.fail_in = tree_kernel.fails_on ? 0 : -1;
		return -tree_kernel.error;
	}
	tree_kernel.fail_in -= tree_kernel.fail_in > 0;
	if (strstr(path, "/driver_override")) {
		tree_file(strcmp(text, "\n") ? text : "", "%s", path);
	} else if (strstr(path, "/driver/unbind")) {
		bdf = strstr(path, "/devices/") + strlen("/devices/");
		*strchr(bdf, '/') = '\0';
		assert_string_equal(bdf, text);
		tree_bind(bdf, NULL);
	} else if (sscanf(path, PCI "/drivers/%63[^/]/bin%*[d]", driver) == 1) {
		return bind(text, driver);
	} else {
		assert_string_equal(path, PCI "/drivers_probe");
		probe(text);
	}
	return 0;
}
