// SPDX-License-Identifier: BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>
#include <cmocka.h>

#include "vmm/log.h"

static int pipe_fd[2];
static int saved_stderr;

static int setup(void **state)
{
	if (pipe2(pipe_fd, O_NONBLOCK))
		return -1;
	saved_stderr = dup(STDERR_FILENO);
	dup2(pipe_fd[1], STDERR_FILENO);
	log_level = LOG_WARN;
	log_raw = false;
	return 0;
}

static int teardown(void **state)
{
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	return 0;
}

static const char *said(void)
{
	static char buf[2048];
	ssize_t n = read(pipe_fd[0], buf, sizeof(buf) - 1);

	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static void one_line(void **state)
{
	log_error("disk %d", 7);
	assert_string_equal(said(), "pviommu: disk 7\n");
	log_info("not at this level");
	assert_string_equal(said(), "");
	log_raw = true;
	log_warn("x");
	assert_string_equal(said(), "pviommu: x\r\n");
}

static void nothing_unprintable(void **state)
{
	log_error("a\033[2Jb\nc\177");
	assert_string_equal(said(), "pviommu: a?[2Jb?c?\n");
}

static void bounded(void **state)
{
	char text[1000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_error("%s", text);
	const char *line = said();

	assert_true(strlen(line) < 512);
	assert_int_equal(line[strlen(line) - 1], '\n');
}

static void rate(void **state)
{
	struct log_rate r = {0};
	unsigned int ok = 0;

	for (unsigned int i = 0; i < 50; i++)
		ok += log_rate_ok(&r, 5);
	/* The loop may straddle two windows on a busy machine, no more. */
	assert_true(ok == 5 || ok == 10);
	r.window_ns -= 1000000000ull;
	said();
	assert_true(log_rate_ok(&r, 5));
	assert_non_null(strstr(said(), "messages of this kind dropped"));
}

static void flood(void **state)
{
	const uint64_t second = 1000000000ull;
	struct log_rate r = {0};

	/* Windows of 1, 2, 4 ... 64 seconds, and no longer. */
	for (unsigned int i = 0; i < 10; i++) {
		for (unsigned int j = 0; j < 20; j++)
			log_rate_ok(&r, 5);
		assert_true(r.span_ns == second << (i < 6 ? i : 6));
		r.window_ns -= r.span_ns;
	}
	/* A window without a drop ends it. */
	log_rate_ok(&r, 5);
	r.window_ns -= r.span_ns;
	log_rate_ok(&r, 5);
	assert_true(r.span_ns == second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_line, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_unprintable, setup, teardown),
		cmocka_unit_test_setup_teardown(bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(rate, setup, teardown),
		cmocka_unit_test_setup_teardown(flood, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
