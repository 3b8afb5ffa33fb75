// SPDX-License-Identifier: BSD-2-Clause
/* Each test is a process of its own: what is blocked and ignored is the process's. */
#include <json-c/json.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <cmocka.h>

#include "fake_irq.h"
#include "fake_vm.h"
#include "vmm/pm.h"
#include "vmm/signals.h"
#include "vmm/stats.h"

#define POWER_BUTTON 0x100

static struct vm vm;
static struct pm pm;
static struct stats stats;
static struct signals sig;
static char path[] = "/tmp/pvi-signals-XXXXXX";

/* Runs @fn in a child that fails like a test; what it returned. */
static enum vm_end in_child(enum vm_end (*fn)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		alarm(60);
		/* Whoever started the tests may have had them ignored (nohup, &). */
		signal(SIGHUP, SIG_DFL);
		signal(SIGINT, SIG_DFL);
		fake_irq_reset();
		if (fake_vm_init(&vm) || pm_init(&pm, &vm) || stats_init(&stats, &vm, path))
			_exit(99);
		_exit((int)fn());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return (enum vm_end)WEXITSTATUS(status);
}

static bool button_pressed(void)
{
	uint16_t value = 0;

	bus_access(&vm.bus, BUS_PIO, PM_BASE, &value, 2, false);
	return value & POWER_BUTTON;
}

static void watch_each_round(void (*fn)(void *ctx))
{
	int tick = eventfd(1, EFD_CLOEXEC);

	if (tick < 0 || vm_watch(&vm, tick, fn, NULL))
		_exit(99);
}

static enum vm_end start(unsigned int grace, int signo)
{
	if (signals_init(&sig, &vm, &pm, &stats, grace))
		return 99;
	raise(signo);
	return vm_loop(&vm);
}

static void again_once_asked(void *ctx)
{
	/* The first one only presses the button. */
	if (button_pressed() && !vm_is_ending(&vm))
		raise(SIGTERM);
}

static enum vm_end twice(void)
{
	watch_each_round(again_once_asked);
	return start(1000, SIGTERM);
}

static void second_time_ends(void **state)
{
	assert_int_equal(in_child(twice), VM_END_KILLED);
}

static enum vm_end no_grace(void)
{
	enum vm_end how = start(0, SIGHUP);

	return button_pressed() ? 99 : how;
}

static void no_grace_ends_at_once(void **state)
{
	assert_int_equal(in_child(no_grace), VM_END_KILLED);
}

static enum vm_end after_grace(void)
{
	enum vm_end how = start(1, SIGINT);

	return button_pressed() ? how : 99;
}

static void grace_is_over_some_time(void **state)
{
	struct timespec begin, end;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	assert_int_equal(in_child(after_grace), VM_END_KILLED);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_true((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000 >=
		    1000);
}

static void end_by_guest(void *ctx)
{
	vm_end(&vm, VM_END_POWEROFF);
}

/* The guest heeds the button: that it was pressed decides no more. */
static enum vm_end heeded(void)
{
	enum vm_end how;

	watch_each_round(end_by_guest);
	how = start(1000, SIGTERM);
	signals_done(&sig);
	return how;
}

static void guest_powers_off(void **state)
{
	assert_int_equal(in_child(heeded), VM_END_POWEROFF);
}

/* As under nohup: SIGHUP goes by, SIGTERM does not. */
static enum vm_end ignored(void)
{
	signal(SIGHUP, SIG_IGN);
	if (signals_init(&sig, &vm, &pm, &stats, 0))
		return 99;
	raise(SIGHUP);
	watch_each_round(end_by_guest);
	return vm_loop(&vm);
}

static void ignored_signals_stay_so(void **state)
{
	assert_int_equal(in_child(ignored), VM_END_POWEROFF);
}

static void end_once_written(void *ctx)
{
	struct json_object *o = json_object_from_file(path), *v;

	if (o && json_object_object_get_ex(o, "vcpus", &v) && json_object_get_int(v) == 7)
		vm_end(&vm, json_object_object_get_ex(o, "end", &v) && v ? 99 : VM_END_QUIT);
	json_object_put(o);
}

static enum vm_end statistics(void)
{
	vm.nr_cpus = 7; /* not what the first version of the file says */
	watch_each_round(end_once_written);
	return start(1000, SIGUSR1);
}

static void writes_statistics(void **state)
{
	assert_int_equal(in_child(statistics), VM_END_QUIT);
}

static int make_path(void **state)
{
	int fd = mkstemp(path);

	return fd < 0 || close(fd);
}

static int remove_path(void **state)
{
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(second_time_ends),	   cmocka_unit_test(no_grace_ends_at_once),
		cmocka_unit_test(grace_is_over_some_time), cmocka_unit_test(guest_powers_off),
		cmocka_unit_test(ignored_signals_stay_so), cmocka_unit_test(writes_statistics),
	};

	return cmocka_run_group_tests(tests, make_path, remove_path);
}
