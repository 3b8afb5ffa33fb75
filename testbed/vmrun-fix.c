// SPDX-License-Identifier: BSD-2-Clause
/*
 * Preloaded into the QEMU that is L1: mends what makes it give a nested guest an interrupt
 * twice, the second time with interrupts off.
 *
 * When VMRUN injects an interrupt, QEMU (7.2, svm_helper.c) notes the vector as the CPU's
 * exception, and then delivers it at once; nobody takes the note back, as is done after an
 * interrupt on any other way. If the CPU's thread is asked to leave its loop before another
 * exception, interrupt or exit of the guest replaces it, it finds the note there and delivers
 * the vector again, whatever the guest is doing: which then most often waits for ever for a lock
 * that the first handler holds. The counting clock leaves the loop at each of its deadlines, the
 * other one only when another thread wants it to.
 *
 * do_interrupt_x86_hardirq() is what delivers it, and all other callers take the note back
 * themselves: here it does so, too. Where the binary is not of the form known here, nothing is
 * changed.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef void deliver_fn(void *cpu, int vector, int is_int, int error_code, uintptr_t next_eip,
			int is_hw);

static deliver_fn *do_interrupt_all;
/* Of the registers in the CPU, which is what the function gets; of its exception. */
static uint32_t registers_at, exception_at;

static void deliver(char *registers, int vector, int is_hw)
{
	const int32_t none = -1;
	char *cpu = registers - registers_at;

	memcpy(cpu + exception_at, &none, sizeof(none));
	do_interrupt_all(cpu, vector, 0, 0, 0, is_hw);
}

/* Is @code the @size bytes of @known, in which zeros stand for anything? */
static bool matches(const uint8_t *code, const char *known, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (known[i] && code[i] != (uint8_t)known[i])
			return false;
	return true;
}

__attribute__((constructor)) static void mend(void)
{
	/* mov %edx,%r9d; sub $registers_at,%rdi */
	static const char begins[] = "\x41\x89\xd1\x48\x81\xef";
	/* sub $8,%rsp; movl $-1,exception_at(%rdi) */
	static const char raises[] = "\x48\x83\xec\x08\xc7\x87\0\0\0\0\xff\xff\xff\xff";
	/* jmp *0(%rip), and where to */
	uint8_t jump[6 + sizeof(void *)] = {0xff, 0x25};
	uint8_t *hardirq = dlsym(RTLD_DEFAULT, "do_interrupt_x86_hardirq");
	const uint8_t *noexc = dlsym(RTLD_DEFAULT, "cpu_loop_exit_noexc");
	void (*to)(char *, int, int) = deliver;
	uintptr_t page;
	size_t size;

	do_interrupt_all = (deliver_fn *)dlsym(RTLD_DEFAULT, "do_interrupt_all");
	if (!do_interrupt_all || !hardirq || !noexc ||
	    !matches(hardirq, begins, sizeof(begins) - 1) ||
	    !matches(noexc, raises, sizeof(raises) - 1)) {
		fputs("vmrun-fix: this QEMU is not known here, and is left as it is\n", stderr);
		return;
	}
	memcpy(&registers_at, hardirq + 6, sizeof(registers_at));
	memcpy(&exception_at, noexc + 6, sizeof(exception_at));
	memcpy(jump + 6, &to, sizeof(to));
	page = (uintptr_t)hardirq & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
	size = (uintptr_t)hardirq + sizeof(jump) - page;
	if (mprotect((void *)page, size, PROT_READ | PROT_WRITE)) {
		perror("vmrun-fix: mprotect");
		return;
	}
	memcpy(hardirq, jump, sizeof(jump));
	if (mprotect((void *)page, size, PROT_READ | PROT_EXEC))
		perror("vmrun-fix: mprotect");
}
