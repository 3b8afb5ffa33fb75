// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/kvm_stats.h"

#define NAME_MAX_SIZE 256u
#define MAX_COUNTS    256u

/* A plain count that only grows: no histograms, no states. */
static int is_count(const struct kvm_stats_desc *d)
{
	return (d->flags & KVM_STATS_TYPE_MASK) == KVM_STATS_TYPE_CUMULATIVE &&
	       (d->flags & KVM_STATS_UNIT_MASK) == KVM_STATS_UNIT_NONE && d->size == 1;
}

static int read_counts(struct kvm_stats *stats, int fd, const struct kvm_stats_header *head)
{
	size_t size = sizeof(struct kvm_stats_desc) + head->name_size;
	struct kvm_stats_desc *d = calloc(1, size + 1);
	int err = 0;

	stats->name = calloc(head->num_desc, sizeof(*stats->name));
	stats->at = calloc(head->num_desc, sizeof(*stats->at));
	if (!d || !stats->name || !stats->at)
		err = -ENOMEM;
	for (uint32_t i = 0; i < head->num_desc && !err; i++) {
		if (pread(fd, d, size, (off_t)(head->desc_offset + i * size)) != (ssize_t)size)
			break;
		if (!is_count(d) || strnlen(d->name, head->name_size) >= sizeof(*stats->name))
			continue;
		strcpy(stats->name[stats->nr_counts], d->name);
		stats->at[stats->nr_counts++] = head->data_offset + d->offset;
	}
	free(d);
	return err;
}

int kvm_stats_init(struct kvm_stats *stats, const int *vcpu_fd, unsigned int nr)
{
	struct kvm_stats_header head;
	int err = 0;

	memset(stats, 0, sizeof(*stats));
	stats->fd = calloc(nr, sizeof(*stats->fd));
	if (!stats->fd)
		return -ENOMEM;
	for (; stats->nr < nr; stats->nr++) {
		int fd = ioctl(vcpu_fd[stats->nr], KVM_GET_STATS_FD, NULL);

		if (fd < 0)
			break;
		stats->fd[stats->nr] = fd;
	}
	if (stats->nr && pread(stats->fd[0], &head, sizeof(head), 0) == sizeof(head) &&
	    head.name_size <= NAME_MAX_SIZE && head.num_desc <= MAX_COUNTS)
		err = read_counts(stats, stats->fd[0], &head);
	if (err)
		kvm_stats_done(stats);
	return err;
}

void kvm_stats_done(struct kvm_stats *stats)
{
	for (unsigned int i = 0; i < stats->nr; i++)
		close(stats->fd[i]);
	free(stats->fd);
	free(stats->name);
	free(stats->at);
	memset(stats, 0, sizeof(*stats));
}

static uint64_t sum_of(const struct kvm_stats *stats, unsigned int i)
{
	uint64_t sum = 0, value;

	for (unsigned int cpu = 0; cpu < stats->nr; cpu++)
		if (pread(stats->fd[cpu], &value, sizeof(value), stats->at[i]) == sizeof(value))
			sum += value;
	return sum;
}

void kvm_stats_write(const struct kvm_stats *stats, FILE *out)
{
	if (!stats->nr_counts) {
		fputs("null", out);
		return;
	}
	for (unsigned int i = 0; i < stats->nr_counts; i++) {
		fprintf(out, "%c\"%s\":%" PRIu64, i ? ',' : '{', stats->name[i], sum_of(stats, i));
	}
	fputc('}', out);
}

void kvm_stats_write_exits(const struct kvm_stats *stats, FILE *out)
{
	for (unsigned int i = 0; i < stats->nr_counts; i++) {
		uint64_t sum = strstr(stats->name[i], "exits") ? sum_of(stats, i) : 0;

		if (sum)
			fprintf(out, " %s %" PRIu64, stats->name[i], sum);
	}
}
