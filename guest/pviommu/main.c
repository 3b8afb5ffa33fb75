// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module and its virtio driver. Load it after virtio_pci (virtio, virtio_ring,
 * virtio_pci_modern_dev, virtio_pci_legacy_dev, virtio_pci) and before the drivers
 * of devices behind the virtio-iommu: an endpoint gets its domain and its DMA
 * operations before its driver probes. The module can't be removed while an
 * endpoint has a driver; unbind it first.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/idr.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/virtio_ring.h>

#include "compat.h"
#include "pviommu.h"

char *pvi_default_strategy = "single-use";
module_param_named(strategy, pvi_default_strategy, charp, 0444);
MODULE_PARM_DESC(strategy, "of every endpoint at first (single-use): " PVI_STRATEGIES);

unsigned int pvi_cache_pages = 131072;
module_param_named(cap, pvi_cache_pages, uint, 0444);
MODULE_PARM_DESC(cap, "persistent: most 4 KiB pages kept mapped per endpoint (131072)");

unsigned int pvi_bounce_pages = 16384;
module_param_named(bounce, pvi_bounce_pages, uint, 0444);
MODULE_PARM_DESC(bounce, "most 4 KiB pages of a device's bounce pool (16384)");

unsigned int pvi_request_timeout_ms = 5000;
static int set_timeout(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 1, UINT_MAX);
}

static const struct kernel_param_ops timeout_ops = {.set = set_timeout, .get = param_get_uint};
module_param_cb(request_timeout_ms, &timeout_ops, &pvi_request_timeout_ms, 0644);
__MODULE_PARM_TYPE(request_timeout_ms, "uint");
MODULE_PARM_DESC(request_timeout_ms,
		 "how long the virtio-iommu may take to answer, 1 or more (5000)");

bool pvi_rebind;
module_param_named(rebind, pvi_rebind, bool, 0444);
MODULE_PARM_DESC(rebind, "claim devices in use by a driver as well: unbind, claim, bind again");

char *pvi_endpoints;
module_param_named(endpoints, pvi_endpoints, charp, 0444);
MODULE_PARM_DESC(endpoints, "where there is no VIOT: the PCI functions (DDDD:BB:DD.F,...) behind "
			    "the virtio-iommu, or all");

DEFINE_MUTEX(pvi_lock);
LIST_HEAD(pvi_viommus);

/* 1 GiB: its window must lie below 4 GiB for all devices to reach it. */
#define MAX_BOUNCE_PAGES 262144u

/* More would be a device that makes no sense; PROBE replies are allocated at this size. */
#define MAX_PROBE_SIZE 65536u

/* Every field with an access of its own width, as the transport demands. */
static u64 config_get(struct virtio_device *vdev, unsigned int off, unsigned int len)
{
	u8 buf[8] = {0};

	vdev->config->get(vdev, off, buf, len);
	return pvi_get64(buf);
}

#define CONFIG(vdev, field)                                       \
	config_get(vdev, offsetof(struct pvi_wire_config, field), \
		   sizeof_field(struct pvi_wire_config, field))

static int read_config(struct pvi_viommu *v)
{
	struct virtio_device *vdev = v->vdev;
	u64 sizes = CONFIG(vdev, page_size_mask);

	/* Mappings are made in 4 KiB pages: the smallest size must be that or less. */
	if (!sizes || (sizes & -sizes) > PAGE_SIZE) {
		dev_err(&vdev->dev, "page sizes %#llx: 4 KiB pages are needed\n", sizes);
		return -EINVAL;
	}
	v->input = (struct pvi_range){0, UINT64_MAX};
	if (virtio_has_feature(vdev, PVI_F_INPUT_RANGE))
		v->input = (struct pvi_range){CONFIG(vdev, input_start), CONFIG(vdev, input_end)};
	v->domain_first = 0;
	v->domain_last = UINT32_MAX;
	if (virtio_has_feature(vdev, PVI_F_DOMAIN_RANGE)) {
		v->domain_first = CONFIG(vdev, domain_start);
		v->domain_last = CONFIG(vdev, domain_end);
	}
	if (!pvi_range_valid(v->input) || v->domain_first > v->domain_last) {
		dev_err(&vdev->dev, "empty range of IOVAs or domains\n");
		return -EINVAL;
	}
	/* An ida ends there. */
	v->domain_last = min_t(u32, v->domain_last, INT_MAX);
	v->probe_size = virtio_has_feature(vdev, PVI_F_PROBE) ? CONFIG(vdev, probe_size) : 0;
	if (v->probe_size > MAX_PROBE_SIZE) {
		dev_err(&vdev->dev, "probe size %u: at most %u\n", v->probe_size, MAX_PROBE_SIZE);
		return -EINVAL;
	}
	return 0;
}

int pvi_find_queues(struct pvi_viommu *v, struct virtqueue *vqs[PVI_NR_VQS])
{
	int r = pvi_compat_find_vqs(v->vdev, vqs, pvi_events_interrupt);

	if (!r)
		v->event_vq = vqs[PVI_VQ_EVENT];
	return r;
}

static int init_queues(struct pvi_viommu *v)
{
	struct virtqueue *vqs[PVI_NR_VQS];
	int r = pvi_find_queues(v, vqs);

	if (r)
		return r;
	v->nr_events = virtqueue_get_vring_size(v->event_vq);
	v->events = kcalloc(v->nr_events, sizeof(*v->events), GFP_KERNEL);
	r = v->events ? pvi_rq_init(&v->rq, vqs[PVI_VQ_REQUEST]) : -ENOMEM;
	if (r) {
		kfree(v->events);
		v->vdev->config->del_vqs(v->vdev);
	}
	return r;
}

static int pvi_probe(struct virtio_device *vdev)
{
	struct pvi_viommu *v;
	bool tell;
	int r;

	if (!virtio_has_feature(vdev, VIRTIO_F_VERSION_1) ||
	    !virtio_has_feature(vdev, PVI_F_MAP_UNMAP)) {
		dev_err(&vdev->dev, "not a VIRTIO 1 device with MAP and UNMAP\n");
		return -ENODEV;
	}
	v = kzalloc(sizeof(*v), GFP_KERNEL);
	if (!v)
		return -ENOMEM;
	v->vdev = vdev;
	ida_init(&v->domains);
	INIT_LIST_HEAD(&v->endpoints);
	pvi_events_init(v);
	r = read_config(v);
	if (!r)
		r = init_queues(v);
	if (r) {
		kfree(v);
		return r;
	}
	vdev->priv = v;
	tell = pvi_events_fill(v);
	virtio_device_ready(vdev);
	if (tell)
		virtqueue_notify(v->event_vq);

	mutex_lock(&pvi_lock);
	list_add_tail(&v->node, &pvi_viommus);
	mutex_unlock(&pvi_lock);
	pvi_endpoints_claim_all(v);
	/* Only now may drivers that waited for it probe. */
	r = pvi_compat_iommu_add(&v->iommu, vdev);
	v->declared = !r;
	if (r)
		dev_warn(&vdev->dev, "not known as an IOMMU (%d): its endpoints' drivers wait\n",
			 r);
	return 0;
}

/* Hot-unplug, or the module's removal (then no endpoint has a driver). */
static void pvi_remove(struct virtio_device *vdev)
{
	struct pvi_viommu *v = vdev->priv;

	mutex_lock(&pvi_lock);
	list_del(&v->node); /* no endpoint is claimed from here on */
	mutex_unlock(&pvi_lock);
	pvi_endpoints_release_all(v);
	pvi_refuse_no_more();
	if (v->declared)
		pvi_compat_iommu_remove(&v->iommu);
	virtio_reset_device(vdev);
	pvi_events_stop(v);
	vdev->config->del_vqs(vdev);
	pvi_rq_done(&v->rq);
	kfree(v->events);
	ida_destroy(&v->domains);
	kfree(v);
}

/* A request is two descriptors in the ring: no allocation for an indirect table on each. */
static int pvi_validate(struct virtio_device *vdev)
{
	__virtio_clear_bit(vdev, VIRTIO_RING_F_INDIRECT_DESC);
	return 0;
}

static const unsigned int pvi_features[] = {
	PVI_F_INPUT_RANGE, PVI_F_DOMAIN_RANGE, PVI_F_MAP_UNMAP,
	PVI_F_PROBE,	   PVI_F_MMIO,	       PVI_F_BYPASS_CONFIG,
};

static const struct virtio_device_id pvi_ids[] = {
	{PVI_VIRTIO_ID_IOMMU, VIRTIO_DEV_ANY_ID},
	{0},
};
MODULE_DEVICE_TABLE(virtio, pvi_ids);

static struct virtio_driver pvi_driver = {
	.driver.name = KBUILD_MODNAME,
	.driver.owner = THIS_MODULE,
	.driver.suppress_bind_attrs = true,
	.id_table = pvi_ids,
	.feature_table = pvi_features,
	.feature_table_size = ARRAY_SIZE(pvi_features),
	.validate = pvi_validate,
	.probe = pvi_probe,
	.remove = pvi_remove,
	PVI_COMPAT_PM_OPS(pvi_freeze, pvi_restore),
};

struct driven {
	unsigned int by_us;
	struct device *other; /* by another driver; one of them */
};

static int note_driver(struct device *dev, void *data)
{
	struct driven *d = data;

	if (dev_to_virtio(dev)->id.device != PVI_VIRTIO_ID_IOMMU || !dev->driver)
		return 0;
	if (dev->driver == &pvi_driver.driver)
		d->by_us++;
	else
		d->other = dev;
	return 0;
}

/*
 * The kernel's own driver does not let go of a virtio-iommu that has endpoints: without it there
 * is nothing for us to do, and to be there in silence would be no help.
 */
static int check_driven(void)
{
	struct driven d = {0};

	bus_for_each_dev(pvi_driver.driver.bus, NULL, &d, note_driver);
	if (!d.other)
		return 0;
	pr_err("%s is driven by %s, which was there first; keep that from loading (\"blacklist "
	       "%s\" in "
	       "/etc/modprobe.d/pviommu.conf, then update-initramfs -u) and reboot\n",
	       dev_name(d.other), d.other->driver->name, d.other->driver->name);
	return d.by_us ? 0 : -EBUSY;
}

/*
 * There spinlocks sleep, and a DMA call in an interrupt's thread waits for the device like any
 * other task: what this module promises about its waits, it promises for the other kernels.
 */
static int check_kernel(void)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		return 0;
	pr_err("not for PREEMPT_RT kernels, as this one is: boot one without (Debian: "
	       "linux-image-amd64)\n");
	return -EOPNOTSUPP;
}

static int __init pvi_init(void)
{
	int r = check_kernel();

	if (r)
		return r;
	if (!pvi_strategy_find(pvi_default_strategy)) {
		pr_err("strategy=%s: unknown; use one of " PVI_STRATEGIES "\n",
		       pvi_default_strategy);
		return -EINVAL;
	}
	if (!pvi_cache_pages || !pvi_bounce_pages || pvi_bounce_pages > MAX_BOUNCE_PAGES) {
		pr_err("cap=%u bounce=%u: must not be 0; bounce= at most %u\n", pvi_cache_pages,
		       pvi_bounce_pages, MAX_BOUNCE_PAGES);
		return -EINVAL;
	}
	r = iova_cache_get();
	if (r)
		return r;
	r = bus_register_notifier(&pci_bus_type, &pvi_pci_notifier);
	if (r)
		goto put_cache;
	r = register_virtio_driver(&pvi_driver);
	if (r)
		goto drop_notifier;
	r = check_driven();
	if (r)
		goto drop_driver;
	return 0;

drop_driver:
	unregister_virtio_driver(&pvi_driver);
drop_notifier:
	bus_unregister_notifier(&pci_bus_type, &pvi_pci_notifier);
put_cache:
	iova_cache_put();
	return r;
}

static void __exit pvi_exit(void)
{
	unregister_virtio_driver(&pvi_driver);
	bus_unregister_notifier(&pci_bus_type, &pvi_pci_notifier);
	iova_cache_put();
}

module_init(pvi_init);
module_exit(pvi_exit);
MODULE_DESCRIPTION("DMA strategies for devices behind a virtio-iommu");
MODULE_LICENSE("GPL");
