// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/bootparams.h"
#include "vmm/log.h"
#include "vmm/serial.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define KICK_SIGNAL		SIGRTMIN
#define STACK_SIZE		(256u << 10)

#define CR0_BOOT		0x80000031ull /* paging, native FPU errors, protected mode */
#define CR4_PAE			0x20ull
#define EFER_BOOT		0x500ull /* long mode, enabled and active */
#define RFLAGS_BOOT		0x2ull
#define MSR_MISC_ENABLE		0x1a0
#define MISC_ENABLE_FAST_STRING 1

/* Closed until vcpus_run(), so that no thread has to be made inside the sandbox. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool open;
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};

static void count(_Atomic uint64_t *counter)
{
	/* One writer: no locked instruction needed. */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

static int fail(const struct vcpu *vcpu, const char *what)
{
	int err = -errno;

	log_error("vCPU %u: %s: %s", vcpu->id, what, strerror(-err));
	return err;
}

static int set_cpuid(struct vcpu *vcpu, const struct cpuid *supported)
{
	int tsc_deadline = ioctl(vcpu->vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER);
	struct cpuid *cpuid = malloc(sizeof(*cpuid));
	int err = 0;

	if (!cpuid) {
		errno = ENOMEM;
		return fail(vcpu, "CPUID");
	}
	*cpuid = *supported;
	cpuid_fit(cpuid, vcpu->id, vcpu->vm->nr_cpus, tsc_deadline > 0);
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid))
		err = fail(vcpu, "KVM_SET_CPUID2");
	free(cpuid);
	return err;
}

static int set_msrs(struct vcpu *vcpu)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry[1];
	} msrs = {.head.nmsrs = 1, .entry = {{MSR_MISC_ENABLE, 0, MISC_ENABLE_FAST_STRING}}};

	/* A wish: a host that does not know the register loses nothing. */
	ioctl(vcpu->fd, KVM_SET_MSRS, &msrs);
	return 0;
}

/* The state that the 64-bit boot protocol asks for; boot_write() made what it points to. */
static int set_boot_registers(struct vcpu *vcpu, uint64_t entry)
{
	const struct kvm_segment code = {.limit = UINT32_MAX,
					 .selector = BOOT_GDT_CS,
					 .type = 11,
					 .present = 1,
					 .s = 1,
					 .l = 1,
					 .g = 1};
	const struct kvm_segment data = {.limit = UINT32_MAX,
					 .selector = BOOT_GDT_DS,
					 .type = 3,
					 .present = 1,
					 .s = 1,
					 .db = 1,
					 .g = 1};
	const struct kvm_regs regs = {
		.rip = entry, .rsi = BOOT_PARAMS, .rsp = BOOT_STACK, .rflags = RFLAGS_BOOT};
	struct kvm_sregs sregs;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs))
		return fail(vcpu, "KVM_GET_SREGS");
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.ss = sregs.fs = sregs.gs = data;
	sregs.gdt.base = BOOT_GDT;
	sregs.gdt.limit = BOOT_GDT_LIMIT;
	sregs.cr0 = CR0_BOOT;
	sregs.cr3 = BOOT_PML4;
	sregs.cr4 |= CR4_PAE;
	sregs.efer = EFER_BOOT;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs))
		return fail(vcpu, "KVM_SET_SREGS");
	if (ioctl(vcpu->fd, KVM_SET_REGS, &regs))
		return fail(vcpu, "KVM_SET_REGS");
	return 0;
}

static void on_pio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	count(&vcpu->exits.pio);
	if (run->io.port >= SERIAL_BASE && run->io.port < SERIAL_BASE + SERIAL_SIZE)
		count(&vcpu->exits.serial);
	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size)
		bus_access(&vcpu->vm->bus, BUS_PIO, run->io.port, data, run->io.size,
			   run->io.direction == KVM_EXIT_IO_OUT);
}

static void on_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	count(&vcpu->exits.mmio);
	bus_access(&vcpu->vm->bus, BUS_MMIO, run->mmio.phys_addr, run->mmio.data, run->mmio.len,
		   run->mmio.is_write);
}

static void on_failure(struct vcpu *vcpu, const char *what, uint64_t detail)
{
	struct kvm_regs regs = {0};

	ioctl(vcpu->fd, KVM_GET_REGS, &regs);
	log_error("vCPU %u: %s (%#llx) at %#llx", vcpu->id, what, (unsigned long long)detail,
		  (unsigned long long)regs.rip);
	vm_end(vcpu->vm, VM_END_ERROR);
}

static void handle_exit(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		on_pio(vcpu);
		return;
	case KVM_EXIT_MMIO:
		on_mmio(vcpu);
		return;
	}
	count(&vcpu->exits.other);
	switch (run->exit_reason) {
	case KVM_EXIT_INTR:
		return;
	case KVM_EXIT_SHUTDOWN:
		vm_end(vcpu->vm, VM_END_CRASH);
		return;
	case KVM_EXIT_SYSTEM_EVENT:
		vm_end(vcpu->vm, run->system_event.type == KVM_SYSTEM_EVENT_SHUTDOWN
					 ? VM_END_POWEROFF
				 : run->system_event.type == KVM_SYSTEM_EVENT_RESET ? VM_END_REBOOT
										    : VM_END_CRASH);
		return;
	case KVM_EXIT_INTERNAL_ERROR:
		on_failure(vcpu, "KVM cannot emulate an instruction", run->internal.suberror);
		return;
	case KVM_EXIT_FAIL_ENTRY:
		on_failure(vcpu, "the CPU refused to enter the guest",
			   run->fail_entry.hardware_entry_failure_reason);
		return;
	default:
		on_failure(vcpu, "an exit that is not known here", run->exit_reason);
	}
}

static void wait_at_gate(void)
{
	pthread_mutex_lock(&gate.lock);
	while (!gate.open)
		pthread_cond_wait(&gate.cond, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

static void *vcpu_main(void *arg)
{
	struct vcpu *vcpu = arg;

	wait_at_gate();
	while (!vm_is_ending(vcpu->vm)) {
		if (ioctl(vcpu->fd, KVM_RUN, 0) == 0)
			handle_exit(vcpu);
		else if (errno != EINTR && errno != EAGAIN)
			on_failure(vcpu, "KVM_RUN failed", (uint64_t)errno);
	}
	return NULL;
}

static int start_thread(struct vcpu *vcpu)
{
	pthread_attr_t attr;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	err = pthread_create(&vcpu->thread, &attr, vcpu_main, vcpu);
	pthread_attr_destroy(&attr);
	if (err) {
		errno = err;
		return fail(vcpu, "cannot start its thread");
	}
	vcpu->started = true;
	return 0;
}

static int vcpu_init(struct vcpu *vcpu, const struct vcpu_config *config)
{
	struct vm *vm = vcpu->vm;
	int size, err;

	vcpu->fd = ioctl(vm->vm_fd, KVM_CREATE_VCPU, vcpu->id);
	if (vcpu->fd < 0)
		return fail(vcpu, "KVM_CREATE_VCPU");
	size = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < (int)sizeof(*vcpu->run))
		return fail(vcpu, "KVM_GET_VCPU_MMAP_SIZE");
	vcpu->run_size = (size_t)size;
	vcpu->run = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED) {
		vcpu->run = NULL;
		return fail(vcpu, "cannot map its state");
	}
	err = set_cpuid(vcpu, config->cpuid);
	err = err ?: set_msrs(vcpu);
	if (!err && vcpu->id == 0)
		err = set_boot_registers(vcpu, config->entry);
	return err ?: start_thread(vcpu);
}

static void on_kick(int sig)
{
	/* Its arrival is all that counts: KVM_RUN returns. */
}

int vcpus_init(struct vm *vm, const struct vcpu_config *config)
{
	const struct sigaction kick = {.sa_handler = on_kick};
	int err;

	if (sigaction(KICK_SIGNAL, &kick, NULL))
		return -errno;
	vm->vcpu = calloc(vm->nr_cpus, sizeof(*vm->vcpu));
	if (!vm->vcpu) {
		log_error("out of memory for the vCPUs");
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < vm->nr_cpus; i++)
		vm->vcpu[i] = (struct vcpu){.vm = vm, .id = i, .fd = -1};
	for (unsigned int i = 0; i < vm->nr_cpus; i++) {
		err = vcpu_init(&vm->vcpu[i], config);
		if (err)
			return err;
	}
	return 0;
}

void vcpus_run(struct vm *vm)
{
	pthread_mutex_lock(&gate.lock);
	gate.open = true;
	pthread_cond_broadcast(&gate.cond);
	pthread_mutex_unlock(&gate.lock);
}

void vcpus_stop(struct vm *vm)
{
	if (!vm->vcpu)
		return;
	vm_end(vm, VM_END_ERROR); /* no effect but where set-up failed half-way */
	vcpus_run(vm);
	for (unsigned int i = 0; i < vm->nr_cpus; i++) {
		struct vcpu *vcpu = &vm->vcpu[i];

		if (!vcpu->started)
			continue;
		/*
		 * Seen by KVM_RUN even when the signal comes just before it: either
		 * the thread is inside and the signal ends it, or it is not and the
		 * flag does.
		 */
		__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
		pthread_kill(vcpu->thread, KICK_SIGNAL);
	}
	for (unsigned int i = 0; i < vm->nr_cpus; i++) {
		if (vm->vcpu[i].started)
			pthread_join(vm->vcpu[i].thread, NULL);
		vm->vcpu[i].started = false;
	}
}

void vcpus_done(struct vm *vm)
{
	vcpus_stop(vm);
	for (unsigned int i = 0; vm->vcpu && i < vm->nr_cpus; i++) {
		if (vm->vcpu[i].run)
			munmap(vm->vcpu[i].run, vm->vcpu[i].run_size);
		if (vm->vcpu[i].fd >= 0)
			close(vm->vcpu[i].fd);
	}
	free(vm->vcpu);
	vm->vcpu = NULL;
}
