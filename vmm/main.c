// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <string.h>

#include "vmm/assign.h"
#include "vmm/log.h"
#include "vmm/run.h"

static void usage(FILE *out)
{
	fputs("usage: pviommu COMMAND [OPTION]...\n"
	      "\n"
	      "Runs virtual machines whose devices reach guest memory only through a\n"
	      "paravirtual IOMMU.\n"
	      "\n"
	      "  run         run a virtual machine; see pviommu run --help\n"
	      "  devices     list the host's PCI devices and which can be assigned\n"
	      "  assign      take a PCI device from the host, for pviommu run --assign\n"
	      "  release     give it back\n"
	      "  --help      this text\n"
	      "  --version   the version\n",
	      out);
}

int main(int argc, char **argv)
{
	if (argc >= 2 && !strcmp(argv[1], "run"))
		return run_command(argc - 1, argv + 1);
	if (argc >= 2 && !strcmp(argv[1], "devices"))
		return devices_command("", argc - 1, argv + 1);
	if (argc >= 2 && !strcmp(argv[1], "assign"))
		return assign_command("", argc - 1, argv + 1);
	if (argc >= 2 && !strcmp(argv[1], "release"))
		return release_command("", argc - 1, argv + 1);
	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		usage(stdout);
		return 0;
	}
	if (argc == 2 && !strcmp(argv[1], "--version")) {
		puts("pviommu " PVI_VERSION);
		return 0;
	}
	if (argc < 2)
		log_error("no command; give one, as in pviommu run --kernel FILE");
	else
		log_error("%s: no such command; see pviommu --help", argv[1]);
	return 2;
}
