// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <pviommu/iommu.h>

#include "core/wire.h"
#include "vmm/log.h"
#include "vmm/stats.h"
#include "vmm/vcpu.h"
#include "vmm/vfio_device.h"
#include "vmm/vfu_device.h"

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static const char *end_name(int how)
{
	static const char *const name[] = {
		[VM_END_POWEROFF] = "poweroff", [VM_END_ERROR] = "error", [VM_END_USAGE] = "usage",
		[VM_END_REBOOT] = "reboot",	[VM_END_PANIC] = "panic", [VM_END_CRASH] = "crash",
		[VM_END_KILLED] = "killed",	[VM_END_QUIT] = "quit",
	};

	return name[how];
}

static void write_end(const struct stats *stats, int how, FILE *out)
{
	uint64_t ms = (now_ns() - stats->start_ns) / 1000000;

	if (how == VM_RUNNING)
		fputs("\"end\":null,\"exit_status\":null,", out);
	else
		fprintf(out, "\"end\":\"%s\",\"exit_status\":%d,", end_name(how), how);
	fprintf(out, "\"seconds\":%" PRIu64 ".%03u,", ms / 1000, (unsigned int)(ms % 1000));
}

/* Of all vCPUs. */
struct exits {
	uint64_t pio, serial, mmio, other;
};

static struct exits sum_exits(const struct vm *vm)
{
	struct exits sum = {0};

	for (unsigned int i = 0; vm->vcpu && i < vm->nr_cpus; i++) {
		const struct vcpu_exits *exits = &vm->vcpu[i].exits;

		sum.pio += atomic_load_explicit(&exits->pio, memory_order_relaxed);
		sum.serial += atomic_load_explicit(&exits->serial, memory_order_relaxed);
		sum.mmio += atomic_load_explicit(&exits->mmio, memory_order_relaxed);
		sum.other += atomic_load_explicit(&exits->other, memory_order_relaxed);
	}
	return sum;
}

static void write_exits(const struct vm *vm, FILE *out)
{
	const struct exits e = sum_exits(vm);

	fprintf(out,
		"\"exits\":{\"pio\":%" PRIu64 ",\"serial\":%" PRIu64 ",\"mmio\":%" PRIu64
		",\"other\":%" PRIu64 "},",
		e.pio, e.serial, e.mmio, e.other);
}

static void write_iommu(const struct vm *vm, FILE *out)
{
	static const char *const request[] = {
		[0] = "unknown",     [PVI_T_ATTACH] = "attach", [PVI_T_DETACH] = "detach",
		[PVI_T_MAP] = "map", [PVI_T_UNMAP] = "unmap",	[PVI_T_PROBE] = "probe",
	};
	struct pvi_iommu_stats s;

	if (!vm->viommu_fn) {
		fputs("\"iommu\":null,", out);
		return;
	}
	pvi_iommu_get_stats(vm->iommu, &s);
	fputs("\"iommu\":{", out);
	for (unsigned int i = 0; i < sizeof(request) / sizeof(request[0]); i++)
		fprintf(out, "\"%s\":%" PRIu64 ",", request[i], s.requests[i]);
	fprintf(out,
		"\"kicks\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"malformed\":%" PRIu64
		",\"faults_reported\":%" PRIu64 ",\"faults_dropped\":%" PRIu64
		",\"domains\":%" PRIu64 ",\"mappings\":%" PRIu64 ",\"table_bytes\":%" PRIu64
		",\"bad_accesses\":%" PRIu64 "},",
		s.kicks, s.refused, s.malformed, s.faults_reported, s.faults_dropped, s.domains,
		s.mappings, s.table_bytes, s.bad_accesses);
}

static void write_all(const struct stats *stats, int how, FILE *out)
{
	const struct vm *vm = stats->vm;

	fputs("{\"version\":\"" PVI_VERSION "\",", out);
	write_end(stats, how, out);
	fprintf(out, "\"vcpus\":%u,\"mem_bytes\":%" PRIu64 ",", vm->nr_cpus, vm->mem.size);
	write_exits(vm, out);
	fputs("\"kvm\":", out);
	kvm_stats_write(&vm->kvm_stats, out);
	fputc(',', out);
	write_iommu(vm, out);
	fputs("\"devices\":[", out);
	for (unsigned int i = 0; i < vm->nr_devices; i++) {
		if (i)
			fputc(',', out);
		if (vm->device[i].simulated)
			vfu_device_stats(vm->device[i].simulated, out);
		else
			vfio_device_stats(vm->device[i].assigned, out);
	}
	fputs("]}\n", out);
}

static int replace(int fd, const char *bytes, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pwrite(fd, bytes + done, len - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += (size_t)n;
	}
	return ftruncate(fd, (off_t)len) ? -errno : 0;
}

static int put(struct stats *stats, const char *bytes, size_t len)
{
	int err;

	err = replace(stats->spare_fd, bytes, len);
	if (err)
		return err;
	if (!renameat2(AT_FDCWD, stats->spare_path, AT_FDCWD, stats->path, RENAME_EXCHANGE)) {
		int fd = stats->fd;

		stats->fd = stats->spare_fd;
		stats->spare_fd = fd;
		return 0;
	}
	/* A file system that cannot exchange names: in place, the next best. */
	return replace(stats->fd, bytes, len);
}

static int format_and_put(struct stats *stats, int how)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int err;

	if (!out)
		return -ENOMEM;
	write_all(stats, how, out);
	if (fclose(out)) {
		free(text);
		return -ENOMEM;
	}
	err = put(stats, text, len);
	free(text);
	return err;
}

void stats_write(struct stats *stats, int how)
{
	int err;

	if (!stats->path)
		return;
	err = format_and_put(stats, how);
	if (err)
		log_error("--stats %s: %s; the counts are lost", stats->path, strerror(-err));
}

static int open_file(const char *path)
{
	struct stat st;
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EISDIR;
	}
	return fd;
}

int stats_init(struct stats *stats, struct vm *vm, const char *path)
{
	int err;

	*stats = (struct stats){
		.vm = vm, .path = path, .fd = -1, .spare_fd = -1, .start_ns = now_ns()};
	if (!path)
		return 0;
	if (asprintf(&stats->spare_path, "%s.tmp", path) < 0) {
		stats->spare_path = NULL;
		err = -ENOMEM;
		goto err_path;
	}
	err = stats->fd = open_file(path);
	if (err < 0)
		goto err_path;
	err = stats->spare_fd = open_file(stats->spare_path);
	if (err < 0)
		goto err_path;
	err = format_and_put(stats, VM_RUNNING);
	if (!err)
		return 0;
err_path:
	log_error("--stats %s: %s; give a file that can be written", path,
		  err == -EISDIR ? "not a regular file" : strerror(-err));
	stats_done(stats);
	return -EINVAL;
}

void stats_done(struct stats *stats)
{
	if (stats->spare_fd >= 0) {
		unlinkat(AT_FDCWD, stats->spare_path, 0);
		close(stats->spare_fd);
	}
	if (stats->fd >= 0)
		close(stats->fd);
	free(stats->spare_path);
	*stats = (struct stats){.fd = -1, .spare_fd = -1};
}

static void say_kvm_counts(const struct vm *vm)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return;
	kvm_stats_write_exits(&vm->kvm_stats, out);
	if (!fclose(out))
		log_info("KVM counted:%s", text);
	free(text);
}

void stats_summary(const struct stats *stats, int how)
{
	const struct vm *vm = stats->vm;
	const struct exits e = sum_exits(vm);
	uint64_t ms = (now_ns() - stats->start_ns) / 1000000;

	if (log_level < LOG_INFO)
		return;
	log_info("ended by %s after %" PRIu64 ".%03u s; exits: %" PRIu64 " port (%" PRIu64
		 " of them serial), %" PRIu64 " memory, %" PRIu64 " other",
		 end_name(how), ms / 1000, (unsigned int)(ms % 1000), e.pio, e.serial, e.mmio,
		 e.other);
	if (vm->kvm_stats.nr_counts)
		say_kvm_counts(vm);
	for (unsigned int i = 0; i < vm->nr_devices; i++)
		if (vm->device[i].assigned)
			vfio_device_summary(vm->device[i].assigned);
}
