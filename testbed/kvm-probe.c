// SPDX-License-Identifier: BSD-2-Clause
/*
 * Tells whether this machine runs 64-bit guests on KVM. /dev/kvm alone does not: some
 * paravirtual flavours of it run real-mode code only, and hang later. So a small guest goes
 * the way a kernel goes, from protected mode through PAE paging into long mode, and proves
 * by its arithmetic that it arrived. Exit status 0: it does; 1: it does not, with the reason.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#define MEMORY_SIZE 0x200000
#define PAGE_TABLES 0x1000 /* one page each: PML4, PDPT, PD */
#define GDT	    0x4000
#define CODE	    0x5000
#define PORT	    0xf4
#define ANSWER	    0x600df00dU
#define PATIENCE_S  3

/* Starts in 32-bit protected mode at CODE, without paging. */
static const uint8_t guest_code[] = {
	0x0f, 0x20, 0xe0,		       /* mov  %cr4, %eax */
	0x83, 0xc8, 0x20,		       /* or   $PAE, %eax */
	0x0f, 0x22, 0xe0,		       /* mov  %eax, %cr4 */
	0xb8, 0x00, 0x10, 0x00, 0x00,	       /* mov  $PAGE_TABLES, %eax */
	0x0f, 0x22, 0xd8,		       /* mov  %eax, %cr3 */
	0xb9, 0x80, 0x00, 0x00, 0xc0,	       /* mov  $MSR_EFER, %ecx */
	0x0f, 0x32,			       /* rdmsr */
	0x0d, 0x00, 0x01, 0x00, 0x00,	       /* or   $LME, %eax */
	0x0f, 0x30,			       /* wrmsr */
	0x0f, 0x20, 0xc0,		       /* mov  %cr0, %eax */
	0x0d, 0x00, 0x00, 0x00, 0x80,	       /* or   $PG, %eax */
	0x0f, 0x22, 0xc0,		       /* mov  %eax, %cr0 */
	0xea, 0x31, 0x50, 0x00, 0x00, 0x08, 0, /* ljmp $8, $1f (offset 0x31) */
	0x90,				       /* nop */
	/* 1: 64-bit: the answer is the upper half of a 64-bit sum. */
	0x48, 0xb8, 0x0d, 0xf0, 0x0d, 0x60, 0x00, 0, 0, 0, /* mov $ANSWER, %rax */
	0x48, 0xc1, 0xe0, 0x20,				   /* shl  $32, %rax */
	0x48, 0xc1, 0xe8, 0x20,				   /* shr  $32, %rax */
	0x66, 0xba, 0xf4, 0x00,				   /* mov  $PORT, %dx */
	0xef,						   /* out  %eax, %dx */
	0xf4,						   /* hlt */
};
_Static_assert(CODE == 0x5000 && PAGE_TABLES == 0x1000 && PORT == 0xf4 && ANSWER == 0x600df00d,
	       "the guest's code holds these numbers");

static int no(const char *why)
{
	printf("no 64-bit guests here: %s\n", why);
	return 1;
}

static int no_errno(const char *what)
{
	printf("no 64-bit guests here: %s: %s\n", what, strerror(errno));
	return 1;
}

/* A nested or emulated KVM shows the flag too; the flavours to avoid do not. */
static bool cpu_has_virtualisation(void)
{
	FILE *f = fopen("/proc/cpuinfo", "r");
	char line[8192];
	bool found = false;

	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f))
		if (!strncmp(line, "flags", 5))
			found = strstr(line, " svm ") || strstr(line, " vmx ");
	fclose(f);
	return found;
}

static void fill_memory(uint8_t *memory)
{
	uint64_t *tables = (uint64_t *)(memory + PAGE_TABLES);
	uint64_t *gdt = (uint64_t *)(memory + GDT);

	tables[0] = (PAGE_TABLES + 0x1000) | 3; /* present, writable */
	tables[512] = (PAGE_TABLES + 0x2000) | 3;
	tables[1024] = 0 | 0x83;     /* the first 2 MiB */
	gdt[1] = 0x00209a0000000000; /* 64-bit code */
	memcpy(memory + CODE, guest_code, sizeof(guest_code));
}

static int set_registers(int vcpu)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs = {.rip = CODE, .rflags = 2};
	struct kvm_segment flat = {.limit = 0xffffffff, .present = 1, .db = 1, .s = 1, .g = 1};

	if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
		return -1;
	flat.type = 3;
	flat.selector = 16;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = flat;
	flat.type = 11;
	flat.selector = 8;
	sregs.cs = flat;
	sregs.gdt = (struct kvm_dtable){.base = GDT, .limit = 15};
	sregs.cr0 = 0x11; /* PE, ET */
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0)
		return -1;
	return ioctl(vcpu, KVM_SET_REGS, &regs);
}

/* Long mode is what the CPUID given to the guest allows. */
static int set_cpuid(int kvm, int vcpu)
{
	enum { MOST = 256 };
	struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + MOST * sizeof(struct kvm_cpuid_entry2));
	int r = -1;

	if (!cpuid)
		return -1;
	cpuid->nent = MOST;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid) == 0)
		r = ioctl(vcpu, KVM_SET_CPUID2, cpuid);
	free(cpuid);
	return r;
}

/* Real hardware keeps these two in guest space; elsewhere they may be missing. */
static void place_intel_pages(int vm)
{
	uint64_t map = 0xfffbc000;

	if (ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, &map) == 0)
		ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000);
}

static void out_of_patience(int number)
{
	static const char text[] = "no 64-bit guests here: the guest hangs\n";

	(void)!write(STDOUT_FILENO, text, sizeof(text) - 1);
	_exit(1);
}

/* Without SA_RESTART nothing else is needed: the handler does not return. */
static void limit_time(void)
{
	struct sigaction action = {.sa_handler = out_of_patience};
	struct itimerval timer = {.it_value.tv_sec = PATIENCE_S};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static int run(int vcpu, struct kvm_run *state)
{
	uint32_t value;

	if (ioctl(vcpu, KVM_RUN, 0) < 0)
		return no_errno("KVM_RUN");
	if (state->exit_reason != KVM_EXIT_IO || state->io.port != PORT || state->io.size != 4) {
		printf("no 64-bit guests here: the guest stops with exit %u\n", state->exit_reason);
		return 1;
	}
	memcpy(&value, (char *)state + state->io.data_offset, 4);
	if (value != ANSWER)
		return no("the guest does not compute in 64 bits");
	return 0;
}

int main(void)
{
	struct kvm_userspace_memory_region region = {.memory_size = MEMORY_SIZE};
	struct kvm_run *state;
	uint8_t *memory;
	int kvm, vm, vcpu, size;

	if (!cpu_has_virtualisation())
		return no("the CPU has neither svm nor vmx");
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		return no_errno("/dev/kvm");
	limit_time();
	if (ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return no("another version of KVM");
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		return no_errno("KVM_CREATE_VM");
	place_intel_pages(vm);
	memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return no_errno("memory");
	fill_memory(memory);
	region.userspace_addr = (uintptr_t)memory;
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return no_errno("KVM_SET_USER_MEMORY_REGION");
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		return no_errno("KVM_CREATE_VCPU");
	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	state = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (size < (int)sizeof(*state) || state == MAP_FAILED)
		return no("KVM_GET_VCPU_MMAP_SIZE");
	if (set_cpuid(kvm, vcpu) < 0 || set_registers(vcpu) < 0)
		return no_errno("the registers");
	if (run(vcpu, state))
		return 1;
	puts("64-bit guests run here");
	return 0;
}
