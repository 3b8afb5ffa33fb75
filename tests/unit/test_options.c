// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "vmm/log.h"
#include "vmm/options.h"

static char said[2048];

/* Parses @line split at blanks; what was logged is in said. */
static int parse(struct options *opts, const char *line)
{
	static char copy[1024];
	char *argv[80] = {"run"};
	int argc = 1, pipe_fd[2], saved, err;
	ssize_t n;

	assert_true(strlen(line) < sizeof(copy));
	strcpy(copy, line);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
		assert_true(argc < 79);
		argv[argc++] = word;
	}
	assert_int_equal(pipe2(pipe_fd, O_NONBLOCK), 0);
	saved = dup(STDERR_FILENO);
	dup2(pipe_fd[1], STDERR_FILENO);
	err = options_parse(opts, argc, argv);
	dup2(saved, STDERR_FILENO);
	n = read(pipe_fd[0], said, sizeof(said) - 1);
	said[n > 0 ? n : 0] = '\0';
	close(saved);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	return err;
}

static void defaults(void **state)
{
	struct options opts;

	assert_int_equal(parse(&opts, "--kernel k"), 0);
	assert_string_equal(opts.kernel, "k");
	assert_null(opts.initrd);
	assert_null(opts.stats);
	assert_string_equal(opts.cmdline, OPTIONS_DEFAULT_CMDLINE);
	assert_int_equal(opts.mem, 512ull << 20);
	assert_int_equal(opts.cpus, 1);
	assert_int_equal(opts.grace, 10);
	assert_int_equal(opts.iommu, VM_IOMMU_STRICT);
	assert_int_equal(opts.nr_devices, 0);
	assert_false(opts.verbose || opts.testbed_quirks || opts.help);
	assert_string_equal(said, "");
	options_done(&opts);
}

static void all_of_them(void **state)
{
	struct options opts;

	assert_int_equal(parse(&opts, "-v --kernel=k --initrd i --cmdline c --mem 5g --cpus 8 "
				      "--disk a,ro --device socket=/s --disk b --iommu off "
				      "--stats f --grace 0 --testbed-quirks"),
			 0);
	assert_string_equal(opts.initrd, "i");
	assert_string_equal(opts.cmdline, "c");
	assert_string_equal(opts.stats, "f");
	assert_int_equal(opts.mem, 5ull << 30);
	assert_string_equal(opts.mem_text, "5g");
	assert_int_equal(opts.cpus, 8);
	assert_int_equal(opts.grace, 0);
	assert_int_equal(opts.iommu, VM_IOMMU_OFF);
	assert_true(opts.verbose && opts.testbed_quirks);
	/* In the order of the command line: it decides the slots. */
	assert_int_equal(opts.nr_devices, 3);
	assert_int_equal(opts.device[0].kind, OPTION_DISK);
	assert_string_equal(opts.device[0].path, "a");
	assert_true(opts.device[0].read_only);
	assert_string_equal(opts.device[0].text, "a,ro");
	assert_int_equal(opts.device[1].kind, OPTION_SOCKET);
	assert_string_equal(opts.device[1].path, "/s");
	assert_string_equal(opts.device[2].path, "b");
	assert_false(opts.device[2].read_only);
	options_done(&opts);
}

static void assigned(void **state)
{
	static const char *const bad[] = {
		"0000:01:00",	     "01:00.0,", "01:00.0,x", "eth0", "01:00.0,unsafe-interrupts,",
		",unsafe-interrupts"};
	struct options opts;
	char line[80];

	assert_int_equal(parse(&opts, "--kernel k --assign 0A:00.1 --disk d "
				      "--assign 0000:01:00.0,unsafe-interrupts"),
			 0);
	assert_int_equal(opts.nr_devices, 3);
	assert_int_equal(opts.device[0].kind, OPTION_ASSIGN);
	assert_string_equal(opts.device[0].path, "0000:0a:00.1");
	assert_string_equal(opts.device[0].text, "0A:00.1");
	assert_false(opts.device[0].unsafe_interrupts);
	assert_string_equal(opts.device[2].path, "0000:01:00.0");
	assert_true(opts.device[2].unsafe_interrupts);
	options_done(&opts);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), "--kernel k --assign %s", bad[i]);
		assert_int_equal(parse(&opts, line), -EINVAL);
		assert_non_null(strstr(said, "not a PCI address"));
		options_done(&opts);
	}
	assert_int_equal(parse(&opts, "--kernel k --assign 01:00.0 --assign 0000:01:00.0"),
			 -EINVAL);
	assert_non_null(strstr(said, "given twice"));
	options_done(&opts);
}

static void sizes(void **state)
{
	static const struct {
		const char *line;
		uint64_t mem; /* 0: refused */
	} cases[] = {
		{"--kernel k --mem 134217728", 128ull << 20},
		{"--kernel k --mem 131072K", 128ull << 20},
		{"--kernel k --mem 128M", 128ull << 20},
		{"--kernel k --mem 1024G", 1ull << 40},
		{"--kernel k --mem 1025G", 0},
		{"--kernel k --mem 18014398509481984K", 0}, /* wraps to 0 */
		{"--kernel k --mem 18446744073709551616", 0},
		{"--kernel k --mem 134217729", 0},
		{"--kernel k --mem M", 0},
		{"--kernel k --mem 128MB", 0},
		{"--kernel k --mem +128M", 0},
		{"--kernel k --mem 0x8000000", 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct options opts;
		int err = parse(&opts, cases[i].line);

		assert_int_equal(err, cases[i].mem ? 0 : -EINVAL);
		if (cases[i].mem)
			assert_int_equal(opts.mem, cases[i].mem);
		else
			assert_ptr_equal(strstr(said, "pviommu: --mem "), said);
		options_done(&opts);
	}
}

static void refusals(void **state)
{
	static const struct {
		const char *line, *message;
	} cases[] = {
		{"", "pviommu: --kernel: missing"},
		{"--kernel", "pviommu: --kernel: needs a value"},
		{"--nonsense", "pviommu: --nonsense: no such option"},
		{"--kernel k --verbose=1", "pviommu: --verbose=1: no such option, or no value"},
		{"-q", "pviommu: -q: no such option"},
		{"--kernel k word", "pviommu: word: not an option"},
		{"--cpus 0", "pviommu: --cpus 0: not a number from 1 to 8"},
		{"--cpus 9", "pviommu: --cpus 9: not a number from 1 to 8"},
		{"--grace 1s", "pviommu: --grace 1s: not a number"},
		{"--iommu none", "pviommu: --iommu none: no such mode"},
		{"--device /s", "pviommu: --device /s: not of the form socket=PATH"},
		{"--disk=", "pviommu: --disk : no path"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct options opts;

		assert_int_equal(parse(&opts, cases[i].line), -EINVAL);
		assert_ptr_equal(strstr(said, cases[i].message), said);
		/* One line, and no more. */
		assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
		options_done(&opts);
	}
}

static void too_many_devices(void **state)
{
	char line[1024] = "--kernel k";
	struct options opts;

	for (int i = 0; i < OPTIONS_MAX_DEVICES; i++)
		strcat(line, " --disk d");
	assert_int_equal(parse(&opts, line), 0);
	assert_int_equal(opts.nr_devices, OPTIONS_MAX_DEVICES);
	options_done(&opts);
	strcat(line, " --disk e");
	assert_int_equal(parse(&opts, line), -EINVAL);
	assert_ptr_equal(strstr(said, "pviommu: --disk e: one device too many"), said);
	options_done(&opts);
}

static void help_needs_no_kernel(void **state)
{
	struct options opts;

	assert_int_equal(parse(&opts, "--help"), 0);
	assert_true(opts.help);
	options_done(&opts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(all_of_them),
		cmocka_unit_test(assigned),
		cmocka_unit_test(sizes),
		cmocka_unit_test(refusals),
		cmocka_unit_test(too_many_devices),
		cmocka_unit_test(help_needs_no_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
