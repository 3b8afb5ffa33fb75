// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/log.h"
#include "vmm/memory.h"

static int seal(int fd)
{
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	return 0;
}

static void set_slots(struct memory *mem)
{
	uint64_t low = mem->size < GPA_HOLE_BASE ? mem->size : GPA_HOLE_BASE;

	mem->slot[0] = (struct memory_slot){.gpa = 0, .size = low, .hva = mem->base};
	mem->slot[1] = (struct memory_slot){
		.gpa = GPA_HIGH_RAM, .size = mem->size - low, .hva = mem->base + low};
}

int memory_init(struct memory *mem, uint64_t size)
{
	void *base;
	int err;

	memset(mem, 0, sizeof(*mem));
	mem->fd = memfd_create("guest-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (mem->fd < 0) {
		err = -errno;
		log_error("cannot make guest memory: memfd_create: %s", strerror(errno));
		return err;
	}
	if (size > INT64_MAX || ftruncate(mem->fd, (off_t)size)) {
		err = size > INT64_MAX ? -EFBIG : -errno;
		log_error("cannot make guest memory of %llu bytes: %s", (unsigned long long)size,
			  strerror(-err));
		goto err_close;
	}
	/* No one can make a page vanish under the VMM's feet any more. */
	err = seal(mem->fd);
	if (err) {
		log_error("cannot seal guest memory: %s", strerror(-err));
		goto err_close;
	}
	base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, mem->fd, 0);
	if (base == MAP_FAILED) {
		err = -errno;
		log_error("cannot map guest memory of %llu bytes: %s", (unsigned long long)size,
			  strerror(errno));
		goto err_close;
	}
	/* Both are wishes: where the kernel has neither, the guest runs all the same. */
	madvise(base, size, MADV_HUGEPAGE);
	madvise(base, size, MADV_DONTDUMP);
	mem->base = base;
	mem->size = size;
	set_slots(mem);
	return 0;

err_close:
	close(mem->fd);
	mem->fd = -1;
	return err;
}

void memory_done(struct memory *mem)
{
	if (mem->base)
		munmap(mem->base, mem->size);
	if (mem->fd >= 0)
		close(mem->fd);
	memset(mem, 0, sizeof(*mem));
	mem->fd = -1;
}

void *memory_ram(void *ctx, uint64_t gpa, uint64_t len, uint64_t *ret_len)
{
	struct memory *mem = ctx;

	if (!len)
		return NULL;
	for (unsigned int i = 0; i < 2; i++) {
		const struct memory_slot *slot = &mem->slot[i];
		uint64_t off = gpa - slot->gpa;

		if (gpa < slot->gpa || off >= slot->size)
			continue;
		*ret_len = len < slot->size - off ? len : slot->size - off;
		return slot->hva + off;
	}
	return NULL;
}

/* All of @len bytes at @gpa, or NULL. The slots never touch: what crosses an end is not RAM. */
static uint8_t *all_ram(struct memory *mem, uint64_t gpa, size_t len)
{
	uint64_t room;
	uint8_t *hva = memory_ram(mem, gpa, len, &room);

	return hva && room >= len ? hva : NULL;
}

int memory_write(struct memory *mem, uint64_t gpa, const void *buf, size_t len)
{
	uint8_t *hva = all_ram(mem, gpa, len);

	if (!len)
		return 0;
	if (!hva)
		return -EFAULT;
	memcpy(hva, buf, len);
	return 0;
}

int memory_read(struct memory *mem, uint64_t gpa, void *buf, size_t len)
{
	uint8_t *hva = all_ram(mem, gpa, len);

	if (!len)
		return 0;
	if (!hva)
		return -EFAULT;
	memcpy(buf, hva, len);
	return 0;
}
