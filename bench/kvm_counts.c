// SPDX-License-Identifier: BSD-2-Clause
#include <dirent.h>
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/kvm_counts.h"

#define KVM_COUNTS "/sys/kernel/debug/kvm"

static void print_count(const char *folder, const char *name, FILE *out)
{
	char path[600];
	FILE *f;
	char text[32];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "r");
	if (!f)
		return; /* a folder: what the vCPU has beside its counts */
	if (fgets(text, sizeof(text), f))
		fprintf(out, ",\"%s\":%llu", name, strtoull(text, NULL, 10));
	fclose(f);
}

static bool is_count(const char *name)
{
	static const char *const wanted[] = {
		"exits",
		"io_exits",
		"mmio_exits",
		"halt_exits",
		"irq_exits",
		"irq_window_exits",
		"signal_exits",
		"request_irq_exits",
		"nmi_window_exits",
		"hypercalls",
		"irq_injections",
		"insn_emulation",
		"insn_emulation_fail",
		"fpu_reload",
		"host_state_reload",
		"halt_wakeup",
		"pf_taken",
		"pf_fixed",
		"tlb_flush",
		"pages_4k",
		"pages_2m",
		"remote_tlb_flush",
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (!strcmp(name, wanted[i]))
			return true;
	return false;
}

void kvm_counts_print(pid_t pid, FILE *out)
{
	DIR *all = opendir(KVM_COUNTS);
	struct dirent *vm, *entry;
	char prefix[32], folder[300];
	DIR *dir;

	if (!all)
		err(1, KVM_COUNTS);
	snprintf(prefix, sizeof(prefix), "%d-", pid);
	while ((vm = readdir(all))) {
		if (strncmp(vm->d_name, prefix, strlen(prefix)))
			continue;
		snprintf(folder, sizeof(folder), KVM_COUNTS "/%s", vm->d_name);
		dir = opendir(folder);
		if (!dir)
			err(1, "%s", folder);
		while ((entry = readdir(dir)))
			if (is_count(entry->d_name))
				print_count(folder, entry->d_name, out);
		closedir(dir);
	}
	closedir(all);
}
