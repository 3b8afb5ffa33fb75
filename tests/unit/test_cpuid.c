// SPDX-License-Identifier: BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "vmm/cpuid.h"
#include "vmm/quirks.h"

/* Leaves as a host might report them, with its own topology all over them. */
static struct cpuid host(void)
{
	struct cpuid c = {.head.nent = 9};
	const struct kvm_cpuid_entry2 leaves[] = {
		{.function = 0x1, .eax = 0xabcdef, .ebx = 0x07100800, .ecx = 0x7ffafbff},
		{.function = 0x4, .index = 0, .eax = 0xfc03c121},
		{.function = 0x7, .ebx = 0x209c01a9, .ecx = 0x61e},
		{.function = 0xb, .index = 0, .eax = 1, .ebx = 2, .ecx = 0x100, .edx = 7},
		{.function = 0xb, .index = 1, .eax = 5, .ebx = 16, .ecx = 0x201, .edx = 7},
		{.function = 0xb, .index = 2, .eax = 9, .ebx = 9, .ecx = 2, .edx = 7},
		{.function = 0xd, .eax = 7, .ebx = 8, .ecx = 9},
		{.function = 0x80000008, .eax = 0x3028, .ecx = 0x400f},
		{.function = 0x8000001e, .eax = 7, .ebx = 0x103, .ecx = 1},
	};

	memcpy(c.entry, leaves, sizeof(leaves));
	return c;
}

static const struct kvm_cpuid_entry2 *leaf(const struct cpuid *c, uint32_t function, uint32_t index)
{
	for (uint32_t i = 0; i < c->head.nent; i++)
		if (c->entry[i].function == function && c->entry[i].index == index)
			return &c->entry[i];
	return NULL;
}

static void topology(void **state)
{
	static const unsigned int bits[] = {0, 0, 1, 2, 2, 3, 3, 3, 3};

	for (unsigned int nr = 1; nr <= 8; nr++) {
		for (unsigned int id = 0; id < nr; id++) {
			struct cpuid c = host();

			cpuid_fit(&c, id, nr, true);
			assert_int_equal(leaf(&c, 1, 0)->ebx >> 24, id);
			assert_int_equal(leaf(&c, 1, 0)->ebx >> 16 & 0xff, 1u << bits[nr]);
			assert_int_equal(leaf(&c, 1, 0)->ebx & 0xffff, 0x0800);
			assert_int_equal(leaf(&c, 1, 0)->edx >> 28 & 1, nr > 1);
			assert_int_equal(leaf(&c, 0xb, 0)->ebx, 1);
			assert_int_equal(leaf(&c, 0xb, 0)->edx, id);
			assert_int_equal(leaf(&c, 0xb, 1)->eax, bits[nr]);
			assert_int_equal(leaf(&c, 0xb, 1)->ebx, nr);
			assert_int_equal(leaf(&c, 0xb, 2)->ebx, 0);
			assert_int_equal(leaf(&c, 0x80000008, 0)->ecx & 0xff, nr - 1);
			assert_int_equal(leaf(&c, 0x80000008, 0)->ecx >> 12 & 0xf, bits[nr]);
			assert_int_equal(leaf(&c, 0x8000001e, 0)->eax, id);
			assert_int_equal(leaf(&c, 0x8000001e, 0)->ebx, id);
			/* A cache is shared by one thread, in a package of so many ids. */
			assert_int_equal(leaf(&c, 4, 0)->eax >> 14 & 0xfff, 0);
			assert_int_equal(leaf(&c, 4, 0)->eax >> 26, (1u << bits[nr]) - 1);
		}
	}
}

static void features(void **state)
{
	struct cpuid c = host();

	cpuid_fit(&c, 0, 1, true);
	assert_true(leaf(&c, 1, 0)->ecx & 1u << 31);
	assert_true(leaf(&c, 1, 0)->ecx & 1u << 24);
	cpuid_fit(&c, 0, 1, false);
	assert_false(leaf(&c, 1, 0)->ecx & 1u << 24);
	/* Without quirks what KVM supports stays: XSAVE, AVX, the CPU's signature. */
	assert_true(leaf(&c, 1, 0)->ecx & 1u << 26);
	assert_int_equal(leaf(&c, 1, 0)->eax, 0xabcdef);
	assert_int_equal(leaf(&c, 0xd, 0)->eax, 7);
}

static void phys_bits(void **state)
{
	struct cpuid c = host();

	assert_int_equal(cpuid_phys_bits(&c), 40);
	c.head.nent = 1;
	assert_int_equal(cpuid_phys_bits(&c), 36);
}

static void quirks(void **state)
{
	struct cpuid c = host();
	uint32_t ecx = leaf(&c, 1, 0)->ecx;

	quirks_cpuid(&c);
	assert_int_equal(leaf(&c, 1, 0)->eax, 0x00a20f10);
	assert_int_equal(leaf(&c, 0xd, 0)->eax | leaf(&c, 0xd, 0)->ebx, 0);
	/* XSAVE, OSXSAVE, AVX, FMA, F16C; and no other. */
	assert_int_equal(ecx ^ leaf(&c, 1, 0)->ecx,
			 ecx & (1u << 26 | 1u << 27 | 1u << 28 | 1u << 12 | 1u << 29));
	assert_false(leaf(&c, 7, 0)->ebx & 1u << 5);
	assert_false(leaf(&c, 7, 0)->ecx & (1u << 3 | 1u << 9 | 1u << 10));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(topology),
		cmocka_unit_test(features),
		cmocka_unit_test(phys_bits),
		cmocka_unit_test(quirks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
