// SPDX-License-Identifier: GPL-2.0-only
/*
 * Claiming and releasing endpoints. A PCI function that the VIOT puts behind one of
 * our virtio-iommus is claimed while it has no driver: it gets a domain, is ATTACHed,
 * and its DMA operations become ours.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/idr.h>
#include <linux/module.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "dma_alloc.h"

/* All claimed endpoints, by the address of their struct device. */
static DEFINE_XARRAY(claimed);

struct pvi_endpoint *pvi_endpoint_of(struct device *dev)
{
	return xa_load(&claimed, (unsigned long)dev);
}

/* Of a virtio device: 0x1040 and its type. */
static bool is_virtio_iommu(const struct pci_dev *pdev)
{
	return pdev->vendor == PCI_VENDOR_ID_REDHAT_QUMRANET &&
	       pdev->device == 0x1040 + PVI_VIRTIO_ID_IOMMU;
}

/*
 * Bridges forward the DMA of others. A virtio-iommu's own is never translated, nor another one's:
 * what that one's endpoints reach would hang on this one.
 */
bool pvi_may_be_endpoint(struct pvi_viommu *v, struct pci_dev *pdev, u32 *ret_id)
{
	if (pdev->hdr_type != PCI_HEADER_TYPE_NORMAL ||
	    pdev->class >> 16 == PCI_BASE_CLASS_BRIDGE || is_virtio_iommu(pdev) ||
	    &pdev->dev == v->vdev->dev.parent)
		return false;
	return pvi_viot_lookup(v, pdev, ret_id);
}

static int init_iovas(struct pvi_endpoint *ep)
{
	struct pvi_range in = ep->viommu->input;
	/* Page 0 stays free: 0 is how the allocator says no, and a driver's usual mistake. */
	unsigned long start = max_t(u64, (in.first + ~PAGE_MASK) >> PAGE_SHIFT, 1);

	return pvi_space_init(&ep->space, start, in.last >> PAGE_SHIFT);
}

static struct pvi_endpoint *endpoint_alloc(struct pvi_viommu *v, struct pci_dev *pdev, u32 id)
{
	struct pvi_endpoint *ep = kzalloc(sizeof(*ep), GFP_KERNEL);
	int domain, bypass;

	if (!ep)
		return NULL;
	ep->counts.pcpu = alloc_percpu(struct pvi_percpu_counts);
	if (!ep->counts.pcpu)
		goto free_ep;
	domain = ida_alloc_range(&v->domains, v->domain_first, v->domain_last, GFP_KERNEL);
	if (domain < 0)
		goto free_counts;
	bypass = ida_alloc_range(&v->domains, v->domain_first, v->domain_last, GFP_KERNEL);
	if (bypass < 0)
		goto free_domain;
	ep->viommu = v;
	ep->id = id;
	ep->domain = domain;
	ep->bypass_domain = bypass;
	if (init_iovas(ep))
		goto free_bypass;
	ep->pdev = pci_dev_get(pdev);
	ep->ops = pvi_dma_ops;
	mutex_init(&ep->strategy_lock);
	spin_lock_init(&ep->coherent_lock);
	ep->coherent = RB_ROOT;
	return ep;

free_bypass:
	ida_free(&v->domains, bypass);
free_domain:
	ida_free(&v->domains, domain);
free_counts:
	free_percpu(ep->counts.pcpu);
free_ep:
	kfree(ep);
	return NULL;
}

/* It is in no domain any more, or never was. */
static void free_domains(struct pvi_endpoint *ep)
{
	ida_free(&ep->viommu->domains, ep->bypass_domain);
	ida_free(&ep->viommu->domains, ep->domain);
}

/* After free_domains(), or else their ids stay taken. */
static void endpoint_free(struct pvi_endpoint *ep)
{
	pvi_dma_forget_all(ep);
	pvi_space_done(&ep->space);
	pci_dev_put(ep->pdev);
	free_percpu(ep->counts.pcpu);
	kfree(ep);
}

int pvi_endpoint_attach(struct pvi_endpoint *ep, bool bypass)
{
	struct pvi_batch b;

	pvi_batch_init(&b, ep);
	if (bypass)
		pvi_batch_attach(&b, ep->bypass_domain, PVI_ATTACH_F_BYPASS);
	else
		pvi_batch_attach(&b, ep->domain, 0);
	return pvi_batch_wait(&b);
}

/*
 * Drops what a driver may have left mapped, too. A domain that it may still be in is never
 * another's: that one would reach what is mapped there, and this one the other's.
 */
static void leave_domain(struct pvi_endpoint *ep)
{
	struct pvi_batch b;
	int r;

	pvi_batch_init(&b, ep);
	pvi_batch_detach(&b);
	r = pvi_batch_wait(&b);
	/* Asleep it is reset: there are no domains. */
	if (!r || ep->viommu->rq.asleep)
		free_domains(ep);
	else
		pci_err(ep->pdev,
			"pviommu: DETACH failed (%d): domains %u and %u are not used again\n", r,
			ep->domain, ep->bypass_domain);
}

/* The endpoint is whole: from here on the DMA API and sysfs find it. */
static int publish(struct pvi_endpoint *ep)
{
	struct device *dev = &ep->pdev->dev;
	int r;

	/*
	 * The order of shutdown and suspend is the reverse of the order in which devices
	 * were added, and the virtio device comes after its endpoints: without the link
	 * 6.1 resets the virtio-iommu first, and their last DMAs fault and time out.
	 */
	if (!device_link_add(dev, &ep->viommu->vdev->dev, DL_FLAG_STATELESS))
		return -ENOMEM;
	r = xa_err(xa_store(&claimed, (unsigned long)dev, ep, GFP_KERNEL));
	if (r)
		goto del_link;
	r = pvi_sysfs_add(ep);
	if (r)
		goto erase;
	list_add_tail_rcu(&ep->node, &ep->viommu->endpoints);
	return 0;

erase:
	xa_erase(&claimed, (unsigned long)dev);
del_link:
	device_link_remove(dev, &ep->viommu->vdev->dev);
	return r;
}

static int set_up(struct pvi_endpoint *ep)
{
	int r = pvi_endpoint_probe(ep);

	if (!r)
		r = pvi_strategy_set(ep, pvi_strategy_find(pvi_default_strategy));
	return r ?: publish(ep);
}

/*
 * It stays in a domain of its own, in which nothing is mapped: out of it, it would be in the
 * VM's bypass where there is one. The ids of its domains are not used again.
 */
static void undo_set_up(struct pvi_endpoint *ep)
{
	bool bypass = ep->strategy && ep->strategy->bypass;

	pvi_refuse(ep->pdev);
	pvi_strategy_free(ep);
	if (bypass && pvi_endpoint_attach(ep, false))
		pci_err(ep->pdev, "pviommu: it stays in bypass, and can reach all memory\n");
}

static int adopt(struct pvi_viommu *v, struct pci_dev *pdev, u32 id)
{
	struct pvi_endpoint *ep = endpoint_alloc(v, pdev, id);
	int r;

	if (!ep)
		return -ENOMEM;
	r = pvi_endpoint_attach(ep, false);
	if (!r) {
		r = set_up(ep);
		if (!r)
			goto done;
		undo_set_up(ep);
	} else if (!READ_ONCE(v->rq.broken)) {
		/* After a time-out an ATTACH may still come true. */
		free_domains(ep);
	}
	endpoint_free(ep);
	return r;

done:
	pci_info(pdev, "pviommu: endpoint %#x, domain %u, %s\n", id, ep->domain,
		 ep->strategy->name);
	return 0;
}

/* With pvi_lock, and no driver bound or able to bind. */
static void claim(struct pvi_viommu *v, struct pci_dev *pdev, u32 id)
{
	int r;

	lockdep_assert_held(&pvi_lock);
	if (pvi_endpoint_of(&pdev->dev))
		return;
	/* Since 6.12 those of the kernel's IOMMU layer are none that one can see. */
	if ((pdev->dev.dma_ops && !pvi_is_refused(pdev)) || device_iommu_mapped(&pdev->dev)) {
		pci_err(pdev, "pviommu: not claimed: another IOMMU driver has it\n");
		return;
	}
	r = adopt(v, pdev, id);
	if (!r)
		return;
	pvi_refuse(pdev);
	pci_err(pdev,
		"pviommu: endpoint %#x not claimed (error %d): it can do no DMA; to try again: "
		"echo 1 >/sys/bus/pci/devices/%s/remove; echo 1 >/sys/bus/pci/rescan\n",
		id, r, pci_name(pdev));
}

/* With pvi_lock, and no driver bound or able to bind. */
static void release(struct pvi_endpoint *ep)
{
	lockdep_assert_held(&pvi_lock);
	pvi_sysfs_remove(ep);
	set_dma_ops(&ep->pdev->dev, NULL);
	xa_erase(&claimed, (unsigned long)&ep->pdev->dev);
	pvi_strategy_free(ep);
	leave_domain(ep);
	/* By its ends: those of a device that was unplugged are gone already. */
	device_link_remove(&ep->pdev->dev, &ep->viommu->vdev->dev);
	list_del_rcu(&ep->node);
	synchronize_rcu(); /* the event interrupt may be counting a fault */
	endpoint_free(ep);
}

static int has_driver(struct device *dev, void *unused)
{
	return dev->driver != NULL;
}

/*
 * A virtio transport whose virtio device has no driver yet is bound but idle, which
 * is what loading us between virtio_pci and virtio_blk looks like.
 */
static bool in_use(struct pci_dev *pdev)
{
	if (!pdev->dev.driver)
		return false;
	if (strcmp(pdev->dev.driver->name, "virtio-pci"))
		return true;
	return device_for_each_child(&pdev->dev, NULL, has_driver);
}

enum outcome { TRIED, UNBINDABLE, IN_USE };

/* Only with the device's lock is it known whether it has a driver, and whose name that is. */
static enum outcome try_claim(struct pvi_viommu *v, struct pci_dev *pdev, u32 id)
{
	enum outcome o = TRIED;

	device_lock(&pdev->dev);
	if (!pdev->dev.driver) {
		mutex_lock(&pvi_lock);
		claim(v, pdev, id);
		mutex_unlock(&pvi_lock);
	} else if (!in_use(pdev) || pvi_rebind) {
		o = UNBINDABLE;
	} else {
		pci_warn(pdev,
			 "pviommu: not claimed: in use by %s; load pviommu first, or with "
			 "rebind=1\n",
			 pdev->dev.driver->name);
		o = IN_USE;
	}
	device_unlock(&pdev->dev);
	return o;
}

static void claim_existing(struct pvi_viommu *v, struct pci_dev *pdev, u32 id)
{
	if (try_claim(v, pdev, id) != UNBINDABLE)
		return;
	device_release_driver(&pdev->dev);
	if (try_claim(v, pdev, id) == UNBINDABLE)
		pci_warn(pdev, "pviommu: not claimed: a driver was bound meanwhile\n");
	if (device_attach(&pdev->dev) <= 0)
		pci_warn(pdev, "pviommu: its driver did not bind again\n");
}

void pvi_endpoints_claim_all(struct pvi_viommu *v)
{
	struct pci_dev *pdev = NULL;
	unsigned int n = 0;
	u32 id;

	for_each_pci_dev(pdev)
	{
		if (!pvi_may_be_endpoint(v, pdev, &id))
			continue;
		claim_existing(v, pdev, id);
		n++;
	}
	pvi_viot_check_names(v);
	if (!n)
		dev_warn(&v->vdev->dev, "no endpoint: the ACPI VIOT names none behind this device; "
					"without a VIOT, name "
					"them by endpoints=\n");
}

void pvi_endpoints_release_all(struct pvi_viommu *v)
{
	struct pvi_endpoint *ep;
	struct pci_dev *pdev;

	for (;;) {
		mutex_lock(&pvi_lock);
		ep = list_first_entry_or_null(&v->endpoints, struct pvi_endpoint, node);
		pdev = ep ? pci_dev_get(ep->pdev) : NULL;
		mutex_unlock(&pvi_lock);
		if (!pdev)
			return;
		device_release_driver(&pdev->dev);
		device_lock(&pdev->dev);
		mutex_lock(&pvi_lock);
		ep = pvi_endpoint_of(&pdev->dev);
		if (ep && !pdev->dev.driver)
			release(ep);
		mutex_unlock(&pvi_lock);
		device_unlock(&pdev->dev);
		pci_dev_put(pdev);
	}
}

void pvi_endpoints_claim_new(struct pvi_viommu *v)
{
	struct pci_dev *pdev = NULL;
	u32 id;

	for_each_pci_dev(pdev)
	{
		if (!pdev->dev.driver && pvi_may_be_endpoint(v, pdev, &id))
			claim(v, pdev, id);
	}
}

static void device_added(struct pci_dev *pdev)
{
	struct pvi_viommu *v;
	u32 id;

	mutex_lock(&pvi_lock);
	list_for_each_entry (v, &pvi_viommus, node) {
		if (pvi_may_be_endpoint(v, pdev, &id)) {
			if (!v->rq.asleep) /* else pm.c does */
				claim(v, pdev, id);
			break;
		}
	}
	mutex_unlock(&pvi_lock);
}

static void device_removed(struct pci_dev *pdev)
{
	struct pvi_endpoint *ep;

	mutex_lock(&pvi_lock);
	ep = pvi_endpoint_of(&pdev->dev);
	if (ep)
		release(ep);
	mutex_unlock(&pvi_lock);
}

/* The driver is gone with all that it mapped: nothing needs to stay reachable. */
static void driver_unbound(struct pvi_endpoint *ep)
{
	s64 streaming, coherent;

	pvi_strategy_stop(ep);
	streaming =
		atomic64_read(&ep->counts.mapped_pages) - atomic64_read(&ep->counts.fixed_pages);
	coherent = atomic64_read(&ep->counts.coherent_pages);
	if (streaming || coherent)
		pci_warn(ep->pdev, "pviommu: its driver left %lld pages mapped, %lld coherent\n",
			 streaming, coherent);
	pvi_write_off(ep);
}

/* With the device's lock, which the module's removal waits for before it releases @ep. */
static void unpin(struct pvi_endpoint *ep)
{
	if (ep->pinned)
		module_put(THIS_MODULE);
	ep->pinned = false;
}

/*
 * Driver events come with the device's lock held, the others without. While a driver
 * is bound, the module can't go: its code is in the driver's DMA path.
 */
static int notify(struct notifier_block *nb, unsigned long event, void *data)
{
	struct pci_dev *pdev = to_pci_dev((struct device *)data);
	struct pvi_endpoint *ep;

	switch (event) {
	case BUS_NOTIFY_ADD_DEVICE:
		device_added(pdev);
		return NOTIFY_OK;
	case BUS_NOTIFY_REMOVED_DEVICE:
		device_removed(pdev);
		return NOTIFY_OK;
	}
	ep = pvi_endpoint_of(&pdev->dev);
	if (!ep)
		return NOTIFY_DONE;
	switch (event) {
	case BUS_NOTIFY_BIND_DRIVER:
		if (!ep->pinned)
			ep->pinned = try_module_get(THIS_MODULE);
		/* Of one whose probe failed, too, which has given back what it would by now. */
		pvi_strategy_stop(ep);
		pvi_write_off(ep);
		return NOTIFY_OK;
	case BUS_NOTIFY_UNBOUND_DRIVER:
		driver_unbound(ep);
		unpin(ep);
		return NOTIFY_OK;
	case BUS_NOTIFY_DRIVER_NOT_BOUND:
		/* Its probe failed. What it manages by devres it gives back only now. */
		pvi_strategy_stop(ep);
		unpin(ep);
		return NOTIFY_OK;
	}
	return NOTIFY_DONE;
}

struct notifier_block pvi_pci_notifier = {.notifier_call = notify};
