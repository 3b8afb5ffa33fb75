// SPDX-License-Identifier: BSD-2-Clause
/*
 * Refused DMA: told to the embedder at once, and kept for the guest's event
 * queue. What waits is bounded; the guest learns of the first faults and a
 * counter says how many more there were.
 */
#include "lib/priv.h"

static bool enqueue(struct pvi_iommu *iommu, const struct pvi_fault *fault,
		    struct pvi_fault_sink *ret_sink)
{
	bool queued = false;

	pthread_mutex_lock(&iommu->fault_lock);
	*ret_sink = iommu->sink;
	if (iommu->sink.queued && iommu->nr_faults < PVI_FAULT_QUEUE) {
		unsigned int i = (iommu->first_fault + iommu->nr_faults) % PVI_FAULT_QUEUE;

		iommu->faults[i] = *fault;
		iommu->nr_faults++;
		iommu->fresh_faults = true;
		queued = true;
	}
	pthread_mutex_unlock(&iommu->fault_lock);
	return queued;
}

void pvi_fault_report(struct pvi_iommu *iommu, const struct pvi_fault *fault)
{
	struct pvi_fault_sink sink;

	if (iommu->ops.fault)
		iommu->ops.fault(iommu->cfg.ctx, fault);
	/* What the VMM itself switched off is not the guest's mapping error. */
	if (fault->reason == PVI_FAULT_BLOCKED)
		return;
	if (!enqueue(iommu, fault, &sink)) {
		pvi_count(&iommu->faults_dropped, 1);
		return;
	}
	sink.queued(sink.ctx);
}

bool pvi_fault_take(struct pvi_iommu *iommu, struct pvi_fault *ret)
{
	bool any;

	pthread_mutex_lock(&iommu->fault_lock);
	any = iommu->nr_faults;
	if (any) {
		*ret = iommu->faults[iommu->first_fault];
		iommu->first_fault = (iommu->first_fault + 1) % PVI_FAULT_QUEUE;
		iommu->nr_faults--;
	}
	pthread_mutex_unlock(&iommu->fault_lock);
	return any;
}

void pvi_fault_put_back(struct pvi_iommu *iommu, const struct pvi_fault *fault)
{
	bool room;

	pthread_mutex_lock(&iommu->fault_lock);
	room = iommu->nr_faults < PVI_FAULT_QUEUE;
	if (room) {
		iommu->first_fault = (iommu->first_fault + PVI_FAULT_QUEUE - 1) % PVI_FAULT_QUEUE;
		iommu->faults[iommu->first_fault] = *fault;
		iommu->nr_faults++;
	}
	pthread_mutex_unlock(&iommu->fault_lock);
	if (!room)
		pvi_count(&iommu->faults_dropped, 1);
}

bool pvi_fault_fresh(struct pvi_iommu *iommu)
{
	bool fresh;

	pthread_mutex_lock(&iommu->fault_lock);
	fresh = iommu->fresh_faults;
	pthread_mutex_unlock(&iommu->fault_lock);
	return fresh;
}

void pvi_fault_seen(struct pvi_iommu *iommu)
{
	pthread_mutex_lock(&iommu->fault_lock);
	iommu->fresh_faults = false;
	pthread_mutex_unlock(&iommu->fault_lock);
}

void pvi_fault_forget(struct pvi_iommu *iommu)
{
	unsigned int dropped;

	pthread_mutex_lock(&iommu->fault_lock);
	dropped = iommu->nr_faults;
	iommu->nr_faults = 0;
	pthread_mutex_unlock(&iommu->fault_lock);
	pvi_count(&iommu->faults_dropped, dropped);
}

void pvi_fault_set_sink(struct pvi_iommu *iommu, const struct pvi_fault_sink *sink)
{
	pthread_mutex_lock(&iommu->fault_lock);
	iommu->sink = *sink;
	pthread_mutex_unlock(&iommu->fault_lock);
}
