/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's memory slots beyond those of RAM: device memory that the guest reaches without an exit. */
#ifndef VMM_MEMSLOT_H
#define VMM_MEMSLOT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define MEMSLOT_FIRST 2 /* RAM has those below */
#define MEMSLOT_MAX   512

struct memslots {
	int vm_fd;
	pthread_mutex_t lock; /* guards used[]; innermost */
	bool used[MEMSLOT_MAX];
};

int memslots_init(struct memslots *slots, int vm_fd);
void memslots_done(struct memslots *slots);

/* Page-aligned; @hva stays mapped until memslot_remove(). -ENOSPC, or KVM's. */
int memslot_add(struct memslots *slots, uint64_t gpa, uint64_t size, void *hva,
		unsigned int *ret_slot);
/*
 * On return no vCPU reaches it; but where the kernel has no memory left, they reach it still,
 * and no other memory under that number.
 */
void memslot_remove(struct memslots *slots, unsigned int slot);

#endif
