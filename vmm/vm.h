/* SPDX-License-Identifier: BSD-2-Clause */
/* One virtual machine: everything that `pviommu run` puts together, in the order it does. */
#ifndef VMM_VM_H
#define VMM_VM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/bus.h"
#include "vmm/irq.h"
#include "vmm/kvm_stats.h"
#include "vmm/log.h"
#include "vmm/memory.h"
#include "vmm/memslot.h"
#include "vmm/pci.h"

/* How the run ends; the command's exit status (documented in pviommu-run(1)). */
enum vm_end {
	VM_END_POWEROFF = 0,
	VM_END_ERROR = 1,  /* the host or the VMM failed */
	VM_END_USAGE = 2,  /* bad input from the user */
	VM_END_REBOOT = 3, /* the guest asked for a reset */
	VM_END_PANIC = 4,  /* the guest reported a panic (pvpanic) */
	VM_END_CRASH = 5,  /* triple fault */
	VM_END_KILLED = 6, /* SIGTERM, and the guest did not power off in time */
	VM_END_QUIT = 7,   /* the user left by the console's escape */
};

enum vm_iommu { VM_IOMMU_STRICT, VM_IOMMU_BOOT_BYPASS, VM_IOMMU_OFF };

struct vcpu;
struct vm_watcher;
struct vfio_container;
struct vfio_group;

/* One of them. */
struct vm_device {
	struct vfu_device *simulated;
	struct vfio_device *assigned;
};

struct vm {
	int kvm_fd;
	int vm_fd;
	unsigned int nr_cpus;
	enum vm_iommu iommu_mode;
	struct memory mem;
	struct bus bus;
	struct irq irq;
	struct pci_bus pci;
	struct pvi_iommu *iommu;     /* NULL without devices */
	struct viommu_fn *viommu_fn; /* NULL with --iommu off */
	struct vm_device *device;    /* in slot order */
	unsigned int nr_devices;
	struct vfio_group *groups;	  /* of the host, that assigned devices belong to */
	struct vfio_container *container; /* that takes all of them; NULL: none, or one each */
	int vfio_kvm_fd;		  /* KVM's list of these groups; -1: none */
	struct memslots memslots;
	struct log_rate fault_rate[PCI_MAX_SLOTS]; /* of the messages about DMA faults */

	struct vcpu *vcpu; /* nr_cpus of them */
	struct kvm_stats kvm_stats;
	int epoll_fd;
	int end_fd;		     /* eventfd: end has been set */
	_Atomic int end;	     /* enum vm_end, or VM_RUNNING */
	struct vm_watcher *watchers; /* main thread only */
};

#define VM_RUNNING (-1)

/*
 * Opens KVM, makes the VM with its memory (bytes) and irqchip, the buses and
 * the main loop's fds. Logs what is wrong; -EINVAL is the user's to repair.
 */
int vm_init(struct vm *vm, unsigned int nr_cpus, uint64_t mem);
/* The rest has been taken down already, vCPUs and devices first. */
void vm_done(struct vm *vm);

/* The main loop: returns once vm_end() was called. */
enum vm_end vm_loop(struct vm *vm);

static inline bool vm_is_ending(struct vm *vm)
{
	return atomic_load_explicit(&vm->end, memory_order_acquire) != VM_RUNNING;
}

/*
 * Ends the VM; any thread, any number of times, the first reason stays. The one
 * who gives it quiesces the devices: when this returns to it, no DMA lands any
 * more. The main loop then returns. Call it without the lock of a function or a
 * device.
 */
void vm_end(struct vm *vm, enum vm_end how);

/*
 * Adds @fd to the main loop: @fn runs on the main thread when it is readable.
 * Main thread only.
 */
int vm_watch(struct vm *vm, int fd, void (*fn)(void *ctx), void *ctx);
/* Main thread only, also from within a watcher. */
void vm_unwatch(struct vm *vm, int fd);

#endif
