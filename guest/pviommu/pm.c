// SPDX-License-Identifier: GPL-2.0-only
/*
 * When the machine sleeps (suspend, hibernation) the virtio transport resets the device, and some
 * machines reset all of it when they wake up: domains and mappings are gone. What is known to be
 * mapped is mapped again before its devices wake up; that is all but the DMAs under way of
 * single-use and deferred, of which address and size are the driver's. A driver that keeps such a
 * one over a sleep keeps the machine from sleeping: what it has told its device would mean
 * nothing afterwards.
 *
 * Pages that are lost (their UNMAP failed, or their driver went without one) don't: nobody uses
 * their addresses, which nobody gets again. The sleep ends what their device can do with them.
 *
 * The links (endpoint.c) have endpoints sleep before their virtio-iommu, and wake up after it: in
 * between no DMA call is under way. Nor is a request, for what could make one without a driver,
 * the timer of deferred and the shrinker, finds nothing to give back.
 *
 * A device may be plugged in while the machine sleeps, and be found before its virtio-iommu is
 * awake. It is claimed when that is: no driver binds to any device until all are awake.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/virtio_config.h>

#include "dma_alloc.h"

static int settle(struct pvi_endpoint *ep)
{
	s64 pages;

	pvi_strategy_trim(ep);
	/* Nothing binds or is bound while the machine goes to sleep. */
	if (!ep->pdev->dev.driver)
		pvi_write_off(ep);
	pages = pvi_unknown_pages(ep);
	if (!pages)
		return 0;
	pci_err(ep->pdev,
		"pviommu: its driver keeps %lld pages mapped by single-use or deferred, which "
		"can't "
		"be mapped again after a sleep; choose persistent or bounce for it, or unbind it\n",
		pages);
	return -EBUSY;
}

int pvi_freeze(struct virtio_device *vdev)
{
	struct pvi_viommu *v = vdev->priv;
	struct pvi_endpoint *ep;
	int r = 0;

	mutex_lock(&pvi_lock);
	list_for_each_entry (ep, &v->endpoints, node) {
		r = settle(ep);
		if (r)
			break;
	}
	if (!r)
		pvi_rq_sleep(&v->rq);
	mutex_unlock(&pvi_lock);
	if (r)
		return r;
	virtio_reset_device(vdev);
	pvi_events_stop(v);
	vdev->config->del_vqs(vdev);
	return 0;
}

static int remap(struct pvi_endpoint *ep)
{
	int r = pvi_endpoint_attach(ep, ep->strategy->bypass);

	if (!r)
		r = pvi_dma_remap(ep);
	if (!r)
		r = pvi_ep_cache_remap(ep);
	if (!r)
		r = pvi_direct_remap(ep);
	return r ?: pvi_bounce_remap(ep);
}

static int wake(struct pvi_viommu *v)
{
	struct virtqueue *vqs[PVI_NR_VQS];
	bool tell;
	int r = pvi_find_queues(v, vqs);

	if (!r)
		r = pvi_rq_wake(&v->rq, vqs[PVI_VQ_REQUEST]);
	if (r) {
		dev_err(&v->vdev->dev, "no queues after a sleep (%d): every mapping fails\n", r);
		return r;
	}
	tell = pvi_events_fill(v);
	virtio_device_ready(v->vdev);
	if (tell)
		virtqueue_notify(v->event_vq);
	return 0;
}

static void remap_all(struct pvi_viommu *v)
{
	struct pvi_endpoint *ep;
	int r;

	list_for_each_entry (ep, &v->endpoints, node) {
		r = remap(ep);
		if (r)
			pci_err(ep->pdev, "pviommu: what was mapped before a sleep is not: %d\n",
				r);
	}
}

int pvi_restore(struct virtio_device *vdev)
{
	struct pvi_viommu *v = vdev->priv;
	int r;

	/* Whoever finds it awake finds it ready. */
	mutex_lock(&pvi_lock);
	r = wake(v);
	if (!r) {
		remap_all(v);
		pvi_endpoints_claim_new(v);
	}
	mutex_unlock(&pvi_lock);
	return r;
}
