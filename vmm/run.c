// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/acpi.h"
#include "vmm/bootparams.h"
#include "vmm/console.h"
#include "vmm/devices.h"
#include "vmm/load.h"
#include "vmm/log.h"
#include "vmm/options.h"
#include "vmm/pm.h"
#include "vmm/quirks.h"
#include "vmm/run.h"
#include "vmm/sandbox.h"
#include "vmm/signals.h"
#include "vmm/stats.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

/* What stands beside the VM itself; every part knows how to go away again. */
struct run {
	const struct options *opts;
	struct vm vm;
	struct cpuid *cpuid;
	struct loaded loaded;
	struct stats stats;
	struct pm pm;
	struct signals signals;
	struct console console;
};

/* A 64-bit window for BARs in the upper half of what the guest's CPU can address. */
static int place_mmio64(struct run *run)
{
	uint64_t top = 1ull << cpuid_phys_bits(run->cpuid);
	const struct memory_slot *high = &run->vm.mem.slot[1];
	uint64_t ram_end = high->gpa + high->size;

	if (ram_end > top / 2) {
		log_error("--mem %s: more than this CPU's guests can address; give at most %lluG",
			  run->opts->mem_text,
			  (unsigned long long)((top / 2 - GPA_HIGH_RAM + GPA_HOLE_BASE) / GIB));
		return -EINVAL;
	}
	if (devices_any(&run->vm)) {
		run->vm.pci.mmio64_base = top / 2;
		run->vm.pci.mmio64_size = top / 4;
	}
	return 0;
}

static int init_cpuid(struct run *run)
{
	int err;

	run->cpuid = malloc(sizeof(*run->cpuid));
	if (!run->cpuid)
		return -ENOMEM;
	err = cpuid_supported(run->vm.kvm_fd, run->cpuid);
	if (!err && run->opts->testbed_quirks)
		quirks_cpuid(run->cpuid);
	return err;
}

static int load(struct run *run)
{
	const struct load_config config = {.kernel = run->opts->kernel,
					   .initrd = run->opts->initrd,
					   .mem_text = run->opts->mem_text,
					   .mem = run->opts->mem};

	return load_guest(&run->vm.mem, &config, &run->loaded);
}

static int write_acpi(struct run *run)
{
	const struct acpi_config config = {.nr_cpus = run->vm.nr_cpus,
					   .pci = devices_any(&run->vm),
					   .viommu = run->vm.viommu_fn,
					   .intx = run->vm.groups,
					   .mmio64_base = run->vm.pci.mmio64_base,
					   .mmio64_size = run->vm.pci.mmio64_size};
	uint8_t tables[8192];
	size_t len;
	int err;

	err = acpi_build(&config, BOOT_ACPI, tables, sizeof(tables), &len);
	return err ?: memory_write(&run->vm.mem, BOOT_ACPI, tables, len);
}

static int write_boot_data(struct run *run)
{
	const struct loaded *loaded = &run->loaded;
	const uint8_t *header = loaded->bzimage.header_len ? loaded->bzimage.header : NULL;
	const struct boot_config config = {.setup_header = header,
					   .setup_header_len = loaded->bzimage.header_len,
					   .cmdline = run->opts->cmdline,
					   .initrd_gpa = loaded->initrd_gpa,
					   .initrd_size = loaded->initrd_size,
					   .rsdp = BOOT_ACPI};
	size_t max = boot_cmdline_max(header, loaded->bzimage.header_len);
	int err;

	if (strlen(run->opts->cmdline) > max) {
		log_error(
			"--cmdline: %zu characters, but this kernel takes at most %zu; shorten it",
			strlen(run->opts->cmdline), max);
		return -EINVAL;
	}
	err = write_acpi(run);
	err = err ?: boot_write(&run->vm.mem, &config);
	if (err)
		log_error("cannot write the boot data: %s", strerror(-err));
	return err;
}

static int init_vcpus(struct run *run)
{
	const struct vcpu_config config = {.cpuid = run->cpuid, .entry = run->loaded.entry};

	return vcpus_init(&run->vm, &config);
}

static int init_kvm_stats(struct run *run)
{
	int fd[OPTIONS_MAX_CPUS];

	for (unsigned int i = 0; i < run->vm.nr_cpus; i++)
		fd[i] = run->vm.vcpu[i].fd;
	return run->opts->stats || run->opts->verbose
		       ? kvm_stats_init(&run->vm.kvm_stats, fd, run->vm.nr_cpus)
		       : 0;
}

static int init_pm(struct run *run)
{
	int err = pm_init(&run->pm, &run->vm);

	if (err)
		log_error("cannot set up power management: %s", strerror(-err));
	return err;
}

/* From here on the guest runs; its end is the result. */
static enum vm_end run_guest(struct run *run)
{
	enum vm_end how = VM_END_ERROR;

	if (!sandbox_vmm(run->vm.groups)) {
		vcpus_run(&run->vm);
		how = vm_loop(&run->vm);
	}
	/* A no-op but where the sandbox failed. Devices first, then the IOMMU, then memory. */
	vm_end(&run->vm, VM_END_ERROR);
	devices_quiesce(&run->vm);
	vcpus_stop(&run->vm);
	devices_reset(&run->vm);
	/* A guest that reports its panic has printed why. */
	console_flush(&run->console);
	stats_write(&run->stats, how);
	stats_summary(&run->stats, how);
	return how;
}

/* The ladder: each step knows what stands below it, and takes down its own on the way out. */
static int set_up_and_run(struct run *run, enum vm_end *ret_how)
{
	int err;

	err = stats_init(&run->stats, &run->vm, run->opts->stats);
	if (err)
		return err;
	err = init_pm(run);
	if (err)
		goto out_stats;
	err = signals_init(&run->signals, &run->vm, &run->pm, &run->stats, run->opts->grace);
	if (err)
		goto out_pm;
	err = console_init(&run->console, &run->vm);
	if (err)
		goto out_signals;
	err = init_vcpus(run) ?: init_kvm_stats(run);
	if (!err)
		*ret_how = run_guest(run);
	kvm_stats_done(&run->vm.kvm_stats);
	vcpus_done(&run->vm);
	console_done(&run->console);
out_signals:
	signals_done(&run->signals);
out_pm:
	pm_done(&run->pm);
out_stats:
	stats_done(&run->stats);
	return err;
}

static int with_devices(struct run *run, enum vm_end *ret_how)
{
	int err;

	/* Forks, which it may while there is one thread. */
	err = init_cpuid(run) ?: load(run);
	if (err)
		return err;
	err = devices_init(&run->vm, run->opts);
	if (err)
		return err;
	err = place_mmio64(run) ?: write_boot_data(run);
	err = err ?: set_up_and_run(run, ret_how);
	devices_done(&run->vm);
	return err;
}

static enum vm_end run_vm(const struct options *opts)
{
	uint64_t mem = opts->mem < 2 * MIB ? 2 * MIB : opts->mem; /* the loader refuses less */
	enum vm_end how = VM_END_ERROR;
	struct run *run;
	int err;

	run = calloc(1, sizeof(*run));
	if (!run) {
		log_error("out of memory");
		return VM_END_ERROR;
	}
	run->opts = opts;
	err = vm_init(&run->vm, opts->cpus, mem);
	if (!err) {
		run->vm.iommu_mode = opts->iommu;
		err = with_devices(run, &how);
		vm_done(&run->vm);
	}
	free(run->cpuid);
	free(run);
	if (err)
		return err == -EINVAL ? VM_END_USAGE : VM_END_ERROR;
	return how;
}

int run_command(int argc, char **argv)
{
	struct options opts;
	int status = VM_END_USAGE;

	/* One arena: less memory, and no look at /sys for the number of CPUs in the sandbox. */
	mallopt(M_ARENA_MAX, 1);
	if (!options_parse(&opts, argc, argv)) {
		if (opts.verbose)
			log_level = LOG_INFO;
		if (opts.help) {
			options_usage(stdout);
			status = 0;
		} else {
			status = (int)run_vm(&opts);
		}
	}
	options_done(&opts);
	return status;
}
