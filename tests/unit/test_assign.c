// SPDX-License-Identifier: BSD-2-Clause
/* The commands assign, release and devices, with a kernel made for tests. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "host_tree.h"
#include "vmm/assign.h"
#include "vmm/host_pci.h"
#include "vmm/host_sysfs.h"

static char said[4096]; /* stdout and stderr */

static int set_up(void **state)
{
	tree_new();
	tree_file("0x1002\n", "/sys/devices/pci0/" TREE_A "/net/eth0/flags");
	tree_link("../../devices/pci0/" TREE_A "/net/eth0", "/sys/class/net/eth0");
	return 0;
}

static int run(int (*command)(const char *, int, char **), const char *a, const char *b,
	       const char *c)
{
	char *argv[] = {"command", (char *)a, (char *)b, (char *)c, NULL};
	int argc = 1, pipe_fd[2], out, err, status;
	ssize_t n;

	while (argv[argc])
		argc++;
	fflush(stdout);
	assert_int_equal(pipe2(pipe_fd, O_NONBLOCK), 0);
	out = dup(STDOUT_FILENO);
	err = dup(STDERR_FILENO);
	dup2(pipe_fd[1], STDOUT_FILENO);
	dup2(pipe_fd[1], STDERR_FILENO);
	status = command(tree_root, argc, argv);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	n = read(pipe_fd[0], said, sizeof(said) - 1);
	said[n > 0 ? n : 0] = '\0';
	close(out);
	close(err);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	return status;
}

static void bound_to(const char *bdf, const char *driver)
{
	struct host_pci dev;

	assert_int_equal(host_pci_read(tree_root, bdf, &dev), 0);
	assert_string_equal(dev.driver, driver);
}

/* One line that names the device and says @word. */
static void refused(int status, const char *bdf, const char *word)
{
	assert_int_equal(status, 2);
	assert_non_null(strstr(said, bdf));
	assert_non_null(strstr(said, word));
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
}

static void there_and_back(void **state)
{
	assert_int_equal(run(assign_command, TREE_A, NULL, NULL), 0);
	bound_to(TREE_A, "vfio-pci");
	assert_non_null(strstr(said, "was e1000e, IOMMU group 5"));
	assert_int_equal(run(assign_command, TREE_A, NULL, NULL), 0);
	assert_non_null(strstr(said, "already"));
	assert_int_equal(run(release_command, TREE_A, NULL, NULL), 0);
	bound_to(TREE_A, "e1000e");
	assert_non_null(strstr(said, "given back, e1000e"));
	/* Later the kernel would choose freely again. */
	assert_int_equal(run(assign_command, "00:02.0", "00:03.0", NULL), 0);
	bound_to(TREE_A, "vfio-pci");
	bound_to(TREE_B, "vfio-pci");
	tree_file("1\n", "/sys/devices/pci0/" TREE_A "/sriov_numvfs");
	refused(run(release_command, TREE_A, NULL, NULL), TREE_A,
		"virtual functions on; end the VMs");
	bound_to(TREE_A, "vfio-pci");
}

static void who_is_refused(void **state)
{
	refused(run(assign_command, "0000:09:00.0", NULL, NULL), "0000:09:00.0", "no such");
	refused(run(assign_command, "eth0", NULL, NULL), "eth0", "not a PCI address");
	refused(run(assign_command, TREE_BRIDGE, NULL, NULL), TREE_BRIDGE, "bridge");
	refused(run(assign_command, TREE_BARE, NULL, NULL), TREE_BARE, "IOMMU");
	tree_file("2\n", "/sys/devices/pci0/" TREE_B "/sriov_numvfs");
	refused(run(assign_command, TREE_B, NULL, NULL), TREE_B, "virtual functions on");
	refused(run(assign_command, "--force", TREE_B, NULL), TREE_B, "virtual functions on");
	refused(run(release_command, TREE_A, NULL, NULL), TREE_A, "e1000e");
	refused(run(release_command, TREE_C, NULL, NULL), TREE_C, "no driver");
	refused(run(assign_command, "--frce", TREE_A, NULL), "--frce", "no such option");
	refused(run(assign_command, NULL, NULL, NULL), "assign", "no device");
	refused(run(release_command, NULL, NULL, NULL), "release", "no device");
	refused(run(devices_command, "x", NULL, NULL), "x", "takes nothing");
	assert_int_equal(tree_kernel.writes, 0);
}

static void in_use(void **state)
{
	tree_file("0x1003\n", "/sys/devices/pci0/" TREE_A "/net/eth0/flags");
	refused(run(assign_command, TREE_A, NULL, NULL), TREE_A, "eth0 is up");
	assert_int_equal(tree_kernel.writes, 0);
	bound_to(TREE_A, "e1000e");
	/* Nor is it taken where that cannot be told. */
	tree_file("up\n", "/sys/devices/pci0/" TREE_A "/net/eth0/flags");
	refused(run(assign_command, TREE_A, NULL, NULL), TREE_A,
		"cannot tell whether it is in use: /sys/class/net/eth0/flags: Invalid argument, or "
		"say --force");
	assert_int_equal(tree_kernel.writes, 0);
	assert_int_equal(run(devices_command, NULL, NULL, NULL), 0);
	assert_non_null(strstr(said, "unknown: /sys/class/net/eth0/flags: Invalid argument\n"));
	assert_int_equal(run(assign_command, "--force", TREE_A, NULL), 0);
	bound_to(TREE_A, "vfio-pci");
}

/* Whichever cannot be had, none is touched. */
static void none_is_touched(void **state)
{
	refused(run(assign_command, TREE_A, TREE_B, TREE_BRIDGE), TREE_BRIDGE, "bridge");
	refused(run(assign_command, TREE_A, "0000:09:00.0", NULL), "0000:09:00.0", "no such");
	tree_file("0x1003\n", "/sys/devices/pci0/" TREE_A "/net/eth0/flags");
	refused(run(assign_command, TREE_B, TREE_A, NULL), TREE_A, "eth0 is up");
	assert_int_equal(tree_kernel.writes, 0);
	/* Twice the same is no two. */
	assert_int_equal(run(assign_command, TREE_B, "00:03.0", NULL), 0);
	bound_to(TREE_B, "vfio-pci");
}

/* The kernel refuses one: those before go back to whom they had, or to nobody. */
static void all_or_none(void **state)
{
	char override[32];

	tree_bind(TREE_D, "vfio-pci");
	tree_file("nvme\n", "/sys/devices/pci0/" TREE_B "/driver_override");
	tree_kernel.fail_in = 5; /* B takes three writes, C two */
	tree_kernel.error = EIO;
	assert_int_equal(run(assign_command, TREE_B, TREE_C, TREE_A), 1);
	assert_non_null(strstr(said, "assign " TREE_A ": cannot choose its driver"));
	assert_non_null(strstr(said, TREE_B ": given back, nvme"));
	assert_non_null(strstr(said, TREE_C ": given back, no driver"));
	bound_to(TREE_A, "e1000e");
	bound_to(TREE_B, "nvme");
	bound_to(TREE_C, "");
	assert_int_equal(host_read(tree_root, override, sizeof(override),
				   "/sys/bus/pci/devices/" TREE_B "/driver_override"),
			 0);
	assert_string_equal(override, "nvme");
	/* What was VFIO's before stays so. */
	tree_kernel.fail_in = 3;
	assert_int_equal(run(assign_command, TREE_D, TREE_B, TREE_A), 1);
	assert_null(strstr(said, TREE_D ": given"));
	bound_to(TREE_B, "nvme");
	bound_to(TREE_D, "vfio-pci");
	/* And what cannot go back is told of. */
	tree_kernel.fail_in = 3;
	tree_kernel.fails_on = true;
	assert_int_equal(run(assign_command, TREE_B, TREE_A, NULL), 1);
	assert_non_null(strstr(said, TREE_B ": stays with vfio-pci: cannot give it back"));
	bound_to(TREE_A, "e1000e");
}

/* vfio-pci knows its ids, and so has it again at once. */
static void taken_again(void **state)
{
	assert_int_equal(run(assign_command, TREE_A, TREE_B, NULL), 0);
	tree_kernel.knows_ids = true;
	refused(run(release_command, TREE_A, NULL, NULL), TREE_A,
		"vfio-pci took it again, for it knows its ids; take them from it: "
		"echo 8086 10d3 >/sys/bus/pci/drivers/vfio-pci/remove_id");
	/* A device that was its driver's goes back to that all the same. */
	assert_int_equal(run(assign_command, TREE_C, NULL, NULL), 0);
	tree_bind(TREE_A, "e1000e");
	tree_kernel.fail_in = 3;
	tree_kernel.error = EIO;
	assert_int_equal(run(assign_command, TREE_A, TREE_D, NULL), 1);
	bound_to(TREE_A, "e1000e");
	tree_kernel.knows_ids = false;
	assert_int_equal(run(release_command, TREE_B, NULL, NULL), 0);
	bound_to(TREE_B, "nvme");
}

static void no_driver(void **state)
{
	tree_remove("/sys/bus/pci/drivers/vfio-pci/unbind");
	tree_remove("/sys/bus/pci/drivers/vfio-pci");
	refused(run(assign_command, TREE_A, NULL, NULL), TREE_A, "modprobe vfio-pci");
	assert_int_equal(tree_kernel.writes, 0);
}

/* Whichever step fails, its own driver has it after that. */
static void undone(void **state)
{
	for (int step = 0; step < 3; step++) {
		tree_kernel.fail_in = step;
		tree_kernel.error = EACCES;
		refused(run(assign_command, TREE_A, NULL, NULL), TREE_A, "run as root");
		bound_to(TREE_A, "e1000e");
	}
	tree_kernel.fail_in = -1;
	tree_kernel.takes_nothing = true;
	assert_int_equal(run(assign_command, TREE_A, NULL, NULL), 1);
	bound_to(TREE_A, "e1000e");
	tree_kernel.takes_nothing = false;
	assert_int_equal(run(assign_command, TREE_A, NULL, NULL), 0);
	tree_kernel.fail_in = 1;
	tree_kernel.error = EIO;
	assert_int_equal(run(release_command, TREE_A, NULL, NULL), 1);
	bound_to(TREE_A, "vfio-pci");
}

static const char *line_of(const char *bdf)
{
	static char line[512];
	const char *at = strstr(said, bdf);

	assert_non_null(at);
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
	return line;
}

static void list(void **state)
{
	char node[128];

	assert_int_equal(run(assign_command, TREE_C, NULL, NULL), 0);
	assert_non_null(strstr(said, TREE_D ": of the same group, is bound to e1000"));
	tree_file("0x1003\n", "/sys/devices/pci0/" TREE_A "/net/eth0/flags");
	assert_int_equal(run(devices_command, NULL, NULL, NULL), 0);
	assert_non_null(strstr(line_of(TREE_A), "network"));
	assert_non_null(strstr(line_of(TREE_A), "no: eth0 is up"));
	assert_non_null(strstr(line_of(TREE_B), "yes, after pviommu assign"));
	assert_non_null(strstr(line_of(TREE_C), "no: " TREE_D " of its group is bound to e1000"));
	assert_non_null(strstr(line_of(TREE_BRIDGE), "no: is a bridge"));
	assert_non_null(strstr(line_of(TREE_BARE), "no: no IOMMU"));
	assert_int_equal(run(assign_command, TREE_D, NULL, NULL), 0);
	assert_int_equal(run(devices_command, NULL, NULL, NULL), 0);
	assert_non_null(strstr(line_of(TREE_C), "vfio-pci      yes"));
	tree_file("IO-APIC\n", "/sys/kernel/irq/9/chip_name");
	assert_int_equal(run(devices_command, NULL, NULL, NULL), 0);
	assert_non_null(strstr(line_of(TREE_B), "no: the host does not remap interrupts"));
	assert_non_null(strstr(line_of(TREE_C), "no: the host does not remap interrupts"));
	tree_file("Y\n", "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts");
	assert_int_equal(run(devices_command, NULL, NULL, NULL), 0);
	assert_non_null(strstr(line_of(TREE_C), "or say " TREE_C ",unsafe-interrupts"));
	tree_file("N\n", "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts");
	tree_file("IR-IO-APIC\n", "/sys/kernel/irq/9/chip_name");
	assert_int_equal(run(devices_command, NULL, NULL, NULL), 0);
	assert_non_null(strstr(line_of(TREE_C), "vfio-pci      yes"));
	/* A VM that has one device of a group has all. */
	tree_file("1:3\n", "/sys/class/vfio/7/dev");
	tree_link("/dev/null", "/dev/vfio/7");
	snprintf(node, sizeof(node), "%s/dev/vfio/7", tree_root);
	tree_link(node, "/proc/12/fd/4");
	assert_int_equal(run(devices_command, NULL, NULL, NULL), 0);
	assert_non_null(strstr(line_of(TREE_C), "no: a VM has it, process 12"));
	assert_non_null(strstr(line_of(TREE_D), "no: a VM has it, process 12"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(there_and_back, set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(who_is_refused, set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(in_use, set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(none_is_touched, set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(all_or_none, set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(taken_again, set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(no_driver, set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(undone, set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(list, set_up, tree_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
