/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of `pviommu run`, checked. */
#ifndef VMM_OPTIONS_H
#define VMM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "vmm/vm.h"

#define OPTIONS_MAX_CPUS	8
#define OPTIONS_MAX_DEVICES	30 /* slots 2 to 31; slot 1 is the virtio-iommu's */

#define OPTIONS_DEFAULT_CMDLINE "console=ttyS0 panic=-1"

enum option_device { OPTION_DISK, OPTION_SOCKET, OPTION_ASSIGN };

struct options {
	const char *kernel;
	const char *initrd; /* NULL: none */
	const char *cmdline;
	const char *stats;    /* NULL: none */
	uint64_t mem;	      /* bytes, a multiple of 4 KiB */
	const char *mem_text; /* as given */
	unsigned int cpus;
	unsigned int grace; /* seconds */
	enum vm_iommu iommu;
	bool verbose;
	bool testbed_quirks;
	struct {
		enum option_device kind;
		char *path; /* allocated; of --assign the address, as /sys spells it */
		bool read_only;
		bool unsafe_interrupts;
		const char *text; /* the option's value as given */
	} device[OPTIONS_MAX_DEVICES];
	unsigned int nr_devices;
	bool help; /* --help was given: nothing else counts */
};

/*
 * @argv[0] is the sub-command's name. The strings of @ret point into @argv.
 * Logs the one thing that is wrong: -EINVAL. options_done() in either case.
 */
int options_parse(struct options *ret, int argc, char **argv);
void options_done(struct options *opts);

void options_usage(FILE *out);

#endif
