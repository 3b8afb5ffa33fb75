// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/vmlinux.h"
#include "vmm/load.h"
#include "vmm/log.h"
#include "vmm/sandbox.h"
#include "vmm/unpack.h"

#define PAGE 4096ull
#define MIB  (1ull << 20)
/* No kernel is this big; a file that says so is not one. */
#define MAX_UNPACKED (1ull << 30)
/* What a stock kernel needs beside its image and its initrd to reach init. */
#define WORKING_MEMORY (10 * MIB)
/* Where old kernels want the initrd to end (initrd_addr_max). */
#define INITRD_LIMIT 0x80000000ull

struct input {
	const char *option, *path;
	int fd;
	uint64_t size;
};

static int input_open(struct input *in, const char *option, const char *path)
{
	struct stat st;

	*in = (struct input){.option = option, .path = path};
	/* Not to hang on a FIFO that nobody writes to. */
	in->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (in->fd < 0) {
		log_error("%s %s: %s; give a file that can be read", option, path, strerror(errno));
		return -EINVAL;
	}
	if (fstat(in->fd, &st) || !S_ISREG(st.st_mode)) {
		log_error("%s %s: not a regular file; give one", option, path);
		close(in->fd);
		return -EINVAL;
	}
	in->size = (uint64_t)st.st_size;
	return 0;
}

static int input_read(const struct input *in, uint64_t off, void *buf, uint64_t len)
{
	uint8_t *to = buf;

	while (len) {
		ssize_t n = pread(in->fd, to, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			log_error("%s %s: %s; check the disk that holds it", in->option, in->path,
				  n ? strerror(errno) : "became shorter while it was read");
			return -EIO;
		}
		to += n;
		off += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

/* What the unpacking child tells its parent. */
struct verdict {
	int err;
	struct vmlinux_image image;
	char why[128];
};

static int unpack_and_load(const uint8_t *in, const struct bzimage *bz, struct memory *mem,
			   struct vmlinux_image *ret_image, const char **ret_why)
{
	const uint8_t *last = in + bz->payload_len - 4;
	uint64_t room = (uint64_t)last[0] | (uint64_t)last[1] << 8 | (uint64_t)last[2] << 16 |
			(uint64_t)last[3] << 24;
	struct vmlinux_source src = {.fd = -1};
	uint8_t *out;
	int err;

	*ret_why = "is damaged; get a whole one";
	if (!room || room > MAX_UNPACKED)
		return -EINVAL;
	out = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*ret_why = "cannot be unpacked: out of memory; free some, or give its vmlinux";
	if (out == MAP_FAILED)
		return -ENOMEM;
	madvise(out, room, MADV_HUGEPAGE);
	err = unpack(in, bz->payload_len, out, room, &src.size);
	if (err == -ENOMEM)
		return err;
	*ret_why = "is compressed in a way other than XZ, Zstandard or gzip; give its vmlinux";
	if (err == -ENOTSUP)
		return err;
	*ret_why = "is damaged; get a whole one";
	if (err)
		return err;
	src.data = out;
	return vmlinux_load(&src, mem, ret_image, ret_why);
}

/*
 * The decompressors are big and the file may be hostile: both stay in a child
 * that can do nothing but compute, and whose memory is gone when it is.
 */
static _Noreturn void unpack_child(const struct input *in, const struct bzimage *bz,
				   struct memory *mem, int out_fd)
{
	uint64_t first = bz->payload_off & ~(PAGE - 1);
	struct verdict verdict = {0};
	const char *why = "";
	const uint8_t *map;

	map = mmap(NULL, bz->payload_off - first + bz->payload_len, PROT_READ,
		   MAP_PRIVATE | MAP_POPULATE, in->fd, (off_t)first);
	if (map == MAP_FAILED || sandbox_loader(out_fd)) {
		verdict.err = -errno ?: -EIO;
		why = "cannot be unpacked: no memory, or no seccomp; give its vmlinux";
	} else {
		verdict.err = unpack_and_load(map + (bz->payload_off - first), bz, mem,
					      &verdict.image, &why);
	}
	snprintf(verdict.why, sizeof(verdict.why), "%s", why);
	/* A short write shows as a short read, and counts as a failure there. */
	_exit(write(out_fd, &verdict, sizeof(verdict)) == sizeof(verdict) ? 0 : 1);
}

static int unpack_in_child(const struct input *in, const struct bzimage *bz, struct memory *mem,
			   struct vmlinux_image *ret_image)
{
	struct verdict verdict;
	int pipe_fd[2];
	ssize_t n;
	pid_t pid;

	if (pipe2(pipe_fd, O_CLOEXEC)) {
		log_error("cannot make a pipe: %s", strerror(errno));
		return -EIO;
	}
	pid = fork();
	if (pid < 0) {
		log_error("cannot start a process: %s", strerror(errno));
		close(pipe_fd[0]);
		close(pipe_fd[1]);
		return -EIO;
	}
	if (!pid)
		unpack_child(in, bz, mem, pipe_fd[1]);
	close(pipe_fd[1]);
	do
		n = read(pipe_fd[0], &verdict, sizeof(verdict));
	while (n < 0 && errno == EINTR);
	close(pipe_fd[0]);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != sizeof(verdict)) {
		log_error("--kernel %s: unpacking it failed; get a whole one", in->path);
		return -EINVAL;
	}
	*ret_image = verdict.image;
	if (verdict.err && verdict.err != -ENOSPC) {
		verdict.why[sizeof(verdict.why) - 1] = '\0';
		log_error("--kernel %s: %s", in->path, verdict.why);
		return -EINVAL;
	}
	return verdict.err;
}

/* -ENOSPC: not logged, ret_image->end is set. */
static int load_kernel(const struct input *in, struct memory *mem, struct loaded *ret,
		       struct vmlinux_image *ret_image)
{
	uint64_t len = in->size < BZIMAGE_HEAD ? in->size : BZIMAGE_HEAD;
	uint8_t head[BZIMAGE_HEAD];
	const char *why = NULL;
	int err;

	err = input_read(in, 0, head, len);
	if (err)
		return err;
	if (vmlinux_magic(head, len)) {
		const struct vmlinux_source src = {.fd = in->fd, .size = in->size};

		err = vmlinux_load(&src, mem, ret_image, &why);
	} else if (bzimage_magic(head, len)) {
		err = bzimage_parse(head, len, in->size, &ret->bzimage, &why);
		if (!err)
			return unpack_in_child(in, &ret->bzimage, mem, ret_image);
	} else {
		why = in->size ? "is not a kernel; give a Linux bzImage or vmlinux for x86-64"
			       : "is empty; give a Linux bzImage or vmlinux for x86-64";
		err = -EINVAL;
	}
	if (err && err != -ENOSPC)
		log_error("--kernel %s: %s", in->path, why);
	return err;
}

static uint64_t round_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

static int check_room(const struct load_config *config, uint64_t kernel_end, uint64_t initrd_size)
{
	/* An initrd lies there packed, and its files beside it, until it is unpacked. */
	uint64_t least = round_up(kernel_end + 2 * initrd_size + WORKING_MEMORY, MIB);

	if (config->mem >= least)
		return 0;
	log_error("--mem %s: too small for this kernel%s; give at least %lluM", config->mem_text,
		  initrd_size ? " and --initrd" : "", (unsigned long long)(least / MIB));
	return -EINVAL;
}

static int load_initrd(const struct input *in, struct memory *mem, uint64_t kernel_end,
		       struct loaded *ret)
{
	uint64_t top = mem->slot[0].size < INITRD_LIMIT ? mem->slot[0].size : INITRD_LIMIT;
	uint64_t space = round_up(in->size, PAGE);
	uint64_t gpa;

	if (space > top || top - space < kernel_end) {
		log_error("--initrd %s: does not fit below 2 GiB after the kernel; give a smaller "
			  "one",
			  in->path);
		return -EINVAL;
	}
	gpa = (top - space) & ~(PAGE - 1);
	ret->initrd_gpa = gpa;
	ret->initrd_size = in->size;
	return input_read(in, 0, mem->base + gpa, in->size);
}

int load_guest(struct memory *mem, const struct load_config *config, struct loaded *ret)
{
	struct loaded loaded = {0};
	struct vmlinux_image image = {0};
	struct input kernel, initrd = {.fd = -1};
	int err;

	err = input_open(&kernel, "--kernel", config->kernel);
	if (err)
		return err;
	if (config->initrd) {
		err = input_open(&initrd, "--initrd", config->initrd);
		if (err)
			goto out;
		if (!initrd.size) {
			log_error("--initrd %s: is empty; give a cpio archive", initrd.path);
			err = -EINVAL;
			goto out;
		}
		if (initrd.size >= INITRD_LIMIT) {
			log_error("--initrd %s: is bigger than 2 GiB; give a smaller one",
				  initrd.path);
			err = -EINVAL;
			goto out;
		}
	}
	err = load_kernel(&kernel, mem, &loaded, &image);
	if (!err || err == -ENOSPC)
		err = check_room(config, image.end, initrd.size) ?: err;
	if (!err && initrd.size)
		err = load_initrd(&initrd, mem, image.end, &loaded);
	if (!err) {
		loaded.entry = image.entry;
		*ret = loaded;
	}
out:
	close(kernel.fd);
	if (initrd.fd >= 0)
		close(initrd.fd);
	return err;
}
