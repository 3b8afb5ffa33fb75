// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pviommu/iommu.h>

#include "vmm/devices.h"
#include "vmm/log.h"
#include "vmm/vfio_check.h"
#include "vmm/vfio_device.h"
#include "vmm/vfu_device.h"
#include "vmm/viommu_fn.h"

#define BLK_PROGRAM "pviommu-blk"
/* What Linux's IOVA allocator and every DMA mask can make use of. */
#define IOVA_LAST	       ((1ull << 48) - 1)
#define FAULT_LINES_PER_SECOND 10
/*
 * A chunk of a transfer is copied in microseconds. Memory that takes this long (a
 * page that cannot be read back in, say) costs the device its life, not the guest.
 */
#define DMA_TIMEOUT_MS 10000

static void *iommu_ram(void *ctx, uint64_t gpa, uint64_t len, uint64_t *ret_len)
{
	struct vm *vm = ctx;

	return memory_ram(&vm->mem, gpa, len, ret_len);
}

/* Any device's thread. The guest is told by the event queue, the user here. */
static void iommu_fault(void *ctx, const struct pvi_fault *fault)
{
	static const char *const why[] = {
		[PVI_FAULT_UNKNOWN] = "memory does not answer",
		[PVI_FAULT_DOMAIN] = "not attached to a domain",
		[PVI_FAULT_MAPPING] = "no mapping",
		[PVI_FAULT_BLOCKED] = "its DMA is off",
	};
	struct vm *vm = ctx;
	unsigned int slot = fault->endpoint >> 3;

	/* A rate for each device: a noisy one does not hide another. */
	if (slot >= PCI_MAX_SLOTS || !log_rate_ok(&vm->fault_rate[slot], FAULT_LINES_PER_SECOND))
		return;
	log_warn("DMA fault: endpoint 00:%02x.%u %s IOVA %#llx refused: %s", slot,
		 fault->endpoint & 7, fault->write ? "write to" : "read of",
		 (unsigned long long)fault->address, why[fault->reason]);
}

/* With the library's locks held. */
static void iommu_failed(void *ctx, uint32_t endpoint)
{
	struct vm *vm = ctx;
	unsigned int i = (endpoint >> 3) - (VIOMMU_SLOT + 1);

	if (i >= vm->nr_devices)
		return;
	if (vm->device[i].simulated)
		vfu_device_stuck(vm->device[i].simulated);
	else
		vfio_device_stuck(vm->device[i].assigned);
}

/* --iommu off: the guest sees none, and its devices stay in bypass, which leads to RAM only. */
static int init_iommu(struct vm *vm)
{
	bool bypass = vm->iommu_mode != VM_IOMMU_STRICT;
	static const struct pvi_iommu_ops ops = {
		.ram = iommu_ram, .fault = iommu_fault, .failed = iommu_failed};
	const struct pvi_iommu_config config = {
		.ops = &ops,
		.ctx = vm,
		.input_last = IOVA_LAST,
		.domain_last = UINT32_MAX,
		.allow_bypass = bypass,
		.start_bypass = bypass,
		.dma_timeout_ms = DMA_TIMEOUT_MS,
	};
	int err;

	err = pvi_iommu_new(&config, &vm->iommu);
	if (!err && vm->iommu_mode != VM_IOMMU_OFF)
		err = viommu_fn_new(&vm->pci, vm->iommu, &vm->viommu_fn);
	if (err)
		log_error("cannot make the IOMMU: %s", strerror(-err));
	return err;
}

/* Beside this program, or else where the PATH says; NULL: out of memory. */
static char *find_program(const char *name)
{
	const char *path = getenv("PATH");
	char self[PATH_MAX] = "/";
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *beside, *found;

	self[n > 0 ? n : 1] = '\0';
	*strrchr(self, '/') = '\0';
	if (asprintf(&beside, "%s/%s", self, name) < 0)
		return NULL;
	if (!access(beside, X_OK))
		return beside;
	while (path) {
		const char *end = strchrnul(path, ':');

		if (asprintf(&found, "%.*s/%s", (int)(end - path), path, name) < 0)
			break;
		if (!access(found, X_OK)) {
			free(beside);
			return found;
		}
		free(found);
		path = *end ? end + 1 : NULL;
	}
	return beside; /* the place that the message names */
}

static int open_device(const struct options *opts, unsigned int i, struct vfu_config *config)
{
	char *program;
	int err;

	if (opts->device[i].kind == OPTION_SOCKET)
		return vfu_connect(opts->device[i].path, &config->sock);
	program = find_program(BLK_PROGRAM);
	if (!program) {
		log_error("--disk %s: out of memory; free some", opts->device[i].text);
		return -ENOMEM;
	}
	err = vfu_spawn_disk(program, opts->device[i].path, opts->device[i].read_only,
			     &config->sock, &config->pid);
	free(program);
	return err;
}

static struct vfio_device_config assigned_config(const struct options *opts, unsigned int i)
{
	return (struct vfio_device_config){
		.name = opts->device[i].text,
		.bdf = opts->device[i].path,
		.root = "",
		.slot = VIOMMU_SLOT + 1 + i,
		.unsafe_interrupts = opts->device[i].unsafe_interrupts,
	};
}

/* All real devices, before the first is opened, and reset with it. */
static int check_assigned(const struct vm *vm, const struct options *opts, uint64_t *ret_limit)
{
	struct vfio_device_config config[OPTIONS_MAX_DEVICES];
	unsigned int nr = 0;

	for (unsigned int i = 0; i < opts->nr_devices; i++)
		if (opts->device[i].kind == OPTION_ASSIGN)
			config[nr++] = assigned_config(opts, i);
	return vfio_check(vm, config, nr, ret_limit);
}

static int add_assigned(struct vm *vm, const struct options *opts, unsigned int i)
{
	const struct vfio_device_config config = assigned_config(opts, i);

	return vfio_device_new(vm, &config, &vm->device[i].assigned);
}

static int add_simulated(struct vm *vm, const struct options *opts, unsigned int i)
{
	struct vfu_config config = {
		.name = opts->device[i].text, .sock = -1, .slot = VIOMMU_SLOT + 1 + i};
	int err;

	err = open_device(opts, i, &config);
	if (err)
		return err;
	err = vfu_device_new(vm, &config, &vm->device[i].simulated);
	if (err) {
		close(config.sock);
		if (config.pid)
			vfu_spawn_end(config.pid);
	}
	return err;
}

static int add_devices(struct vm *vm, const struct options *opts)
{
	int err = 0;

	for (unsigned int i = 0; i < opts->nr_devices && !err; i++) {
		if (opts->device[i].kind == OPTION_ASSIGN)
			err = add_assigned(vm, opts, i);
		else
			err = add_simulated(vm, opts, i);
		vm->nr_devices += !err;
	}
	/* But for a lack of memory, it is the option's value that is wrong. */
	return err && err != -ENOMEM ? -EINVAL : err;
}

int devices_init(struct vm *vm, const struct options *opts)
{
	uint64_t limit;
	int err;

	if (!opts->nr_devices)
		return 0;
	err = check_assigned(vm, opts, &limit);
	if (err)
		return err;
	vm->device = calloc(opts->nr_devices, sizeof(vm->device[0]));
	err = vm->device ? pci_init(&vm->pci, &vm->bus, &vm->irq) : -ENOMEM;
	if (err) {
		log_error("cannot make the PCI bus: %s", strerror(-err));
		free(vm->device);
		vm->device = NULL;
		return err;
	}
	err = init_iommu(vm);
	err = err ?: add_devices(vm, opts);
	if (err)
		devices_done(vm);
	else if (limit)
		log_warn("%llu KiB of memory may be locked (ulimit -l): the guest can map no more "
			 "than that for its assigned devices at a time",
			 (unsigned long long)limit >> 10);
	return err;
}

void devices_quiesce(struct vm *vm)
{
	if (!devices_any(vm))
		return;
	/* vm_end() has, on a thread that may not be through with it yet. */
	pci_quiesce_all(&vm->pci);
	for (unsigned int i = 0; i < vm->nr_devices; i++)
		if (vm->device[i].simulated)
			vfu_device_hang_up(vm->device[i].simulated);
}

void devices_reset(struct vm *vm)
{
	if (vm->viommu_fn)
		viommu_fn_system_reset(vm->viommu_fn);
}

void devices_done(struct vm *vm)
{
	if (!devices_any(vm))
		return;
	for (unsigned int i = 0; i < vm->nr_devices; i++) {
		vfu_device_free(vm->device[i].simulated);
		vfio_device_free(vm->device[i].assigned);
	}
	if (vm->viommu_fn)
		viommu_fn_free(vm->viommu_fn);
	pvi_iommu_free(vm->iommu);
	pci_done(&vm->pci);
	free(vm->device);
	vm->device = NULL;
	vm->nr_devices = 0;
	vm->iommu = NULL;
	vm->viommu_fn = NULL;
}
