// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "fake_irq.h"
#include "fake_vm.h"
#include "vmm/stats.h"
#include "vmm/vcpu.h"

static struct vm vm;
static struct stats stats;
static char folder[] = "/tmp/pvi-stats-XXXXXX";
static char path[64], spare[72], other[64];

static bool exists(const char *name)
{
	struct stat st;

	return !lstat(name, &st);
}

/* The file, which is whole at any time; free it. */
static struct json_object *parse(void)
{
	struct json_object *o = json_object_from_file(path);

	assert_non_null(o);
	return o;
}

static struct json_object *member(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	assert_true(json_object_object_get_ex(o, key, &v));
	return v;
}

static void from_start_to_end(void **state)
{
	struct vcpu vcpu[2] = {{.exits = {.pio = 5, .serial = 3, .mmio = 7, .other = 1}},
			       {.exits = {.pio = 10, .mmio = 20}}};
	struct json_object *o, *exits;

	assert_int_equal(stats_init(&stats, &vm, path), 0);
	o = parse();
	assert_null(member(o, "end"));
	assert_null(member(o, "exit_status"));
	assert_null(member(o, "iommu"));
	assert_int_equal(json_object_array_length(member(o, "devices")), 0);
	json_object_put(o);

	vm.vcpu = vcpu;
	vm.nr_cpus = 2;
	stats_write(&stats, VM_RUNNING);
	o = parse();
	assert_null(member(o, "end"));
	exits = member(o, "exits");
	assert_int_equal(json_object_get_int(member(exits, "pio")), 15);
	assert_int_equal(json_object_get_int(member(exits, "serial")), 3);
	assert_int_equal(json_object_get_int(member(exits, "mmio")), 27);
	assert_int_equal(json_object_get_int(member(exits, "other")), 1);
	json_object_put(o);

	stats_write(&stats, VM_END_REBOOT);
	stats_done(&stats);
	o = parse();
	assert_string_equal(json_object_get_string(member(o, "end")), "reboot");
	assert_int_equal(json_object_get_int(member(o, "exit_status")), VM_END_REBOOT);
	json_object_put(o);
	assert_false(exists(spare));
}

/* Every end has a name; a shorter text leaves nothing of a longer one. */
static void ends(void **state)
{
	assert_int_equal(stats_init(&stats, &vm, path), 0);
	for (int how = VM_END_POWEROFF; how <= VM_END_QUIT; how++) {
		struct json_object *o;

		vm.mem.size = how % 2 ? UINT64_MAX : 0;
		stats_write(&stats, how);
		o = parse();
		assert_true(json_object_get_string_len(member(o, "end")) >= 4);
		assert_int_equal(json_object_get_int(member(o, "exit_status")), how);
		json_object_put(o);
	}
	stats_done(&stats);
}

/* Whoever holds the old file open keeps a whole one: it is replaced, not rewritten. */
static void replaced(void **state)
{
	char before[4096] = "", after[4096] = "";
	FILE *f;

	assert_int_equal(stats_init(&stats, &vm, path), 0);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_true(fread(before, 1, sizeof(before), f) > 0);
	vm.nr_cpus = 5;
	stats_write(&stats, VM_END_QUIT);
	rewind(f);
	assert_true(fread(after, 1, sizeof(after), f) > 0);
	assert_string_equal(before, after);
	fclose(f);
	stats_done(&stats);
}

static void none(void **state)
{
	assert_int_equal(stats_init(&stats, &vm, NULL), 0);
	stats_write(&stats, VM_END_QUIT);
	stats_done(&stats);
}

static void bad_paths(void **state)
{
	assert_int_equal(stats_init(&stats, &vm, folder), -EINVAL);
	assert_int_equal(stats_init(&stats, &vm, "/nowhere/at/all"), -EINVAL);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(stats_init(&stats, &vm, path), -EINVAL);
	assert_int_equal(unlink(path), 0);
	/* Not through a link that someone else may have put there, nor over a folder's. */
	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(stats_init(&stats, &vm, path), -EINVAL);
	assert_false(exists(other));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(spare, 0700), 0);
	assert_int_equal(stats_init(&stats, &vm, path), -EINVAL);
	assert_int_equal(rmdir(spare), 0);
}

static int set_up(void **state)
{
	fake_irq_reset();
	return fake_vm_init(&vm);
}

static int tear_down(void **state)
{
	bus_done(&vm.bus);
	close(vm.epoll_fd);
	close(vm.end_fd);
	unlink(path);
	return 0;
}

static int make_folder(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/stats", folder);
	snprintf(spare, sizeof(spare), "%s.tmp", path);
	snprintf(other, sizeof(other), "%s/other", folder);
	return 0;
}

static int remove_folder(void **state)
{
	return rmdir(folder);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(from_start_to_end), TEST(ends), TEST(replaced), TEST(none), TEST(bad_paths),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
