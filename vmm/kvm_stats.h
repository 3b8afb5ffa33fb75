/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM's own counts of a VM's vCPUs (KVM_GET_STATS_FD): exits by kind, those that the VMM
 * never sees among them. Opened before the sandbox; a host without them has none.
 */
#ifndef VMM_KVM_STATS_H
#define VMM_KVM_STATS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct kvm_stats {
	int *fd; /* of each vCPU */
	unsigned int nr;
	/* What is counted; the same for all of them. */
	char (*name)[48];
	uint32_t *at; /* offset of its value in the file */
	unsigned int nr_counts;
};

/* @vcpu_fd: of each vCPU. 0, with nothing in it where the host has no statistics; -ENOMEM. */
int kvm_stats_init(struct kvm_stats *stats, const int *vcpu_fd, unsigned int nr);
void kvm_stats_done(struct kvm_stats *stats);

/* One JSON object: the sum of each count over the vCPUs; null where there are none. */
void kvm_stats_write(const struct kvm_stats *stats, FILE *out);
/* Those of exits that are not 0, in words. */
void kvm_stats_write_exits(const struct kvm_stats *stats, FILE *out);

#endif
