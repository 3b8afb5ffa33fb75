// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/memslot.h"

int memslots_init(struct memslots *slots, int vm_fd)
{
	memset(slots, 0, sizeof(*slots));
	slots->vm_fd = vm_fd;
	return -pthread_mutex_init(&slots->lock, NULL);
}

void memslots_done(struct memslots *slots)
{
	pthread_mutex_destroy(&slots->lock);
}

static int set(struct memslots *slots, unsigned int slot, uint64_t gpa, uint64_t size, void *hva)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uint64_t)(uintptr_t)hva,
	};

	return ioctl(slots->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) ? -errno : 0;
}

int memslot_add(struct memslots *slots, uint64_t gpa, uint64_t size, void *hva,
		unsigned int *ret_slot)
{
	unsigned int slot;
	int err;

	pthread_mutex_lock(&slots->lock);
	for (slot = MEMSLOT_FIRST; slot < MEMSLOT_MAX && slots->used[slot]; slot++)
		;
	if (slot < MEMSLOT_MAX)
		slots->used[slot] = true;
	pthread_mutex_unlock(&slots->lock);
	if (slot == MEMSLOT_MAX)
		return -ENOSPC;
	err = set(slots, slot, gpa, size, hva);
	if (!err) {
		*ret_slot = slot;
		return 0;
	}
	pthread_mutex_lock(&slots->lock);
	slots->used[slot] = false;
	pthread_mutex_unlock(&slots->lock);
	return err;
}

void memslot_remove(struct memslots *slots, unsigned int slot)
{
	/* For want of kernel memory KVM may keep it: its number is used up then. */
	if (set(slots, slot, 0, 0, NULL))
		return;
	pthread_mutex_lock(&slots->lock);
	slots->used[slot] = false;
	pthread_mutex_unlock(&slots->lock);
}
