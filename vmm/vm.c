// SPDX-License-Identifier: BSD-2-Clause
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/log.h"
#include "vmm/vm.h"

/* Pages that KVM takes on Intel hosts, in the hole, where nothing else is. Intel: untested. */
#define TSS_ADDR	  0xfffbd000ul
#define IDENTITY_MAP_ADDR 0xfffbc000ull

struct vm_watcher {
	struct vm_watcher *next;
	int fd; /* -1: unwatched, freed after the current round */
	void (*fn)(void *ctx);
	void *ctx;
};

/* A paravirtual /dev/kvm runs real-mode code and hangs on a 64-bit kernel. */
static bool cpu_has_virtualization(void)
{
	unsigned int a, b, c, d;

	if (__get_cpuid(1, &a, &b, &c, &d) && c & (1u << 5)) /* VMX */
		return true;
	return __get_cpuid(0x80000001, &a, &b, &c, &d) && c & (1u << 2); /* SVM */
}

static int open_kvm(struct vm *vm)
{
	static const struct {
		int cap;
		const char *name;
	} need[] = {
		{KVM_CAP_USER_MEMORY, "user memory"},
		{KVM_CAP_IRQCHIP, "irqchip"},
		{KVM_CAP_PIT2, "PIT"},
		{KVM_CAP_IRQ_ROUTING, "IRQ routing"},
		{KVM_CAP_IRQFD, "irqfd"},
		{KVM_CAP_IOEVENTFD, "ioeventfd"},
		{KVM_CAP_SIGNAL_MSI, "MSI"},
		{KVM_CAP_EXT_CPUID, "CPUID"},
		{KVM_CAP_IMMEDIATE_EXIT, "immediate exit"},
		{KVM_CAP_IOEVENTFD_ANY_LENGTH, "ioeventfd of any length"},
	};

	vm->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm_fd < 0) {
		if (errno == EACCES || errno == EPERM)
			log_error("/dev/kvm: no permission; join the group kvm, or run as root");
		else
			log_error("/dev/kvm: %s; load kvm_amd or kvm_intel, and see that the "
				  "firmware (or the outer VM) has virtualisation on",
				  strerror(errno));
		return -EINVAL;
	}
	if (!cpu_has_virtualization()) {
		log_error("/dev/kvm: this CPU shows neither SVM nor VMX, so that it cannot run a "
			  "64-bit guest; use a machine with hardware virtualisation");
		return -EINVAL;
	}
	if (ioctl(vm->kvm_fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
		log_error("/dev/kvm: not the KVM of a current kernel; run Linux 6.1 or later");
		return -EINVAL;
	}
	for (unsigned int i = 0; i < sizeof(need) / sizeof(need[0]); i++) {
		if (ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, need[i].cap) <= 0) {
			log_error("/dev/kvm: lacks %s; run Linux 6.1 or later", need[i].name);
			return -EINVAL;
		}
	}
	return 0;
}

static int create_vm(struct vm *vm)
{
	const struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};
	uint64_t identity = IDENTITY_MAP_ADDR;

	do
		vm->vm_fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
	while (vm->vm_fd < 0 && errno == EINTR);
	if (vm->vm_fd < 0 || ioctl(vm->vm_fd, KVM_SET_TSS_ADDR, TSS_ADDR) ||
	    ioctl(vm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) ||
	    ioctl(vm->vm_fd, KVM_CREATE_IRQCHIP, 0) || ioctl(vm->vm_fd, KVM_CREATE_PIT2, &pit)) {
		int err = -errno;

		log_error("/dev/kvm: cannot make a VM: %s", strerror(-err));
		return err;
	}
	return 0;
}

static int add_memory(struct vm *vm)
{
	for (unsigned int i = 0; i < 2; i++) {
		const struct memory_slot *slot = &vm->mem.slot[i];
		struct kvm_userspace_memory_region region = {
			.slot = i,
			.guest_phys_addr = slot->gpa,
			.memory_size = slot->size,
			.userspace_addr = (uint64_t)(uintptr_t)slot->hva,
		};

		if (slot->size && ioctl(vm->vm_fd, KVM_SET_USER_MEMORY_REGION, &region)) {
			int err = -errno;

			log_error("/dev/kvm: cannot add guest memory: %s", strerror(-err));
			return err;
		}
	}
	return 0;
}

static void on_end(void *ctx)
{
	/* vm_loop() looks at vm->end after each round. */
}

static int init_loop(struct vm *vm)
{
	vm->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	vm->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vm->epoll_fd < 0 || vm->end_fd < 0) {
		int err = -errno;

		log_error("cannot make the main loop: %s", strerror(-err));
		return err;
	}
	return vm_watch(vm, vm->end_fd, on_end, NULL);
}

int vm_init(struct vm *vm, unsigned int nr_cpus, uint64_t mem)
{
	int err;

	memset(vm, 0, sizeof(*vm));
	vm->kvm_fd = vm->vm_fd = vm->epoll_fd = vm->end_fd = vm->mem.fd = vm->vfio_kvm_fd = -1;
	vm->nr_cpus = nr_cpus;
	vm->end = VM_RUNNING;
	err = bus_init(&vm->bus);
	if (err)
		return err;
	err = open_kvm(vm);
	err = err ?: create_vm(vm);
	err = err ?: memory_init(&vm->mem, mem);
	err = err ?: add_memory(vm);
	err = err ?: init_loop(vm);
	err = err ?: memslots_init(&vm->memslots, vm->vm_fd);
	if (!err) {
		err = irq_init(&vm->irq, vm->vm_fd);
		if (err)
			log_error("/dev/kvm: cannot route interrupts: %s", strerror(-err));
	}
	if (!err)
		return 0;
	vm->irq.vm_fd = -1;
	vm_done(vm);
	return err;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void vm_done(struct vm *vm)
{
	while (vm->watchers) {
		struct vm_watcher *w = vm->watchers;

		vm->watchers = w->next;
		free(w);
	}
	if (vm->irq.vm_fd >= 0)
		irq_done(&vm->irq);
	close_fd(vm->end_fd);
	close_fd(vm->epoll_fd);
	close_fd(vm->vfio_kvm_fd);
	memslots_done(&vm->memslots);
	/* The memory slots go with the VM, and only then the memory. */
	close_fd(vm->vm_fd);
	close_fd(vm->kvm_fd);
	memory_done(&vm->mem);
	bus_done(&vm->bus);
}

void vm_end(struct vm *vm, enum vm_end how)
{
	int running = VM_RUNNING;

	if (!atomic_compare_exchange_strong(&vm->end, &running, (int)how))
		return;
	/*
	 * At once and here: another vCPU may be in an access that its device does
	 * not answer, and DMA must not go on for as long as that takes.
	 */
	pci_quiesce_all(&vm->pci);
	eventfd_write(vm->end_fd, 1);
}

int vm_watch(struct vm *vm, int fd, void (*fn)(void *ctx), void *ctx)
{
	struct vm_watcher *w = malloc(sizeof(*w));
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = w};

	if (!w)
		return -ENOMEM;
	*w = (struct vm_watcher){.next = vm->watchers, .fd = fd, .fn = fn, .ctx = ctx};
	if (epoll_ctl(vm->epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
		int err = -errno;

		free(w);
		return err;
	}
	vm->watchers = w;
	return 0;
}

void vm_unwatch(struct vm *vm, int fd)
{
	for (struct vm_watcher *w = vm->watchers; w; w = w->next) {
		if (w->fd != fd)
			continue;
		epoll_ctl(vm->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		w->fd = -1; /* it may be among the events of this very round */
		return;
	}
}

static void free_unwatched(struct vm *vm)
{
	struct vm_watcher **at = &vm->watchers;

	while (*at) {
		struct vm_watcher *w = *at;

		if (w->fd >= 0) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		free(w);
	}
}

enum vm_end vm_loop(struct vm *vm)
{
	struct epoll_event event[8];

	while (!vm_is_ending(vm)) {
		int n = epoll_wait(vm->epoll_fd, event, 8, -1);

		if (n < 0 && errno != EINTR)
			vm_end(vm, VM_END_ERROR);
		for (int i = 0; i < n; i++) {
			struct vm_watcher *w = event[i].data.ptr;

			if (w->fd >= 0)
				w->fn(w->ctx);
		}
		free_unwatched(vm);
	}
	return (enum vm_end)atomic_load(&vm->end);
}
