/* SPDX-License-Identifier: BSD-2-Clause */
/* A struct vm without KVM: main loop and buses, nothing else. With fake_irq.c. */
#ifndef FAKE_VM_H
#define FAKE_VM_H

#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/vm.h"

static inline int fake_vm_init(struct vm *vm)
{
	memset(vm, 0, sizeof(*vm));
	vm->kvm_fd = vm->vm_fd = vm->mem.fd = -1;
	vm->irq.vm_fd = -1;
	vm->nr_cpus = 1;
	vm->end = VM_RUNNING;
	vm->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	vm->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return vm->epoll_fd < 0 || vm->end_fd < 0 || bus_init(&vm->bus);
}

#endif
