// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <pviommu/vfio.h>

#include "core/wire.h"
#include "vmm/log.h"
#include "vmm/vfio_bar.h"
#include "vmm/vfio_config.h"
#include "vmm/vfio_container.h"
#include "vmm/vfio_device.h"
#include "vmm/vfio_group.h"
#include "vmm/vfio_irq.h"
#include "vmm/vfio_reset.h"
#include "vmm/vfio_sys.h"
#include "vmm/vm.h"

/* Where x86 takes interrupt messages: never memory, whatever is mapped there. */
#define MSI_FIRST 0xfee00000ull
#define MSI_LAST  0xfeefffffull

#define WHY_SIZE  400

struct vfio_device {
	struct pci_fn fn;
	const char *name;
	struct host_pci host;
	struct vfio_group *group;
	int fd;
	int line_error; /* why it has no line, though it could have; 0 */
	struct vfio_desc desc;
	struct vfio_msi msi;
	struct vfio_reset how_reset;
	struct pvi_endpoint *endpoint;
	atomic_uint_fast64_t region_reads, region_writes;
	atomic_bool quiesced; /* set with the lock held: trapped accesses read it without */
	atomic_bool failed;   /* by the IOMMU, which holds its locks then */

	/* Guards all below. Taken inside the function's lock, outside the IOMMU's. */
	pthread_mutex_t lock;
	struct vfio_bars bars;
	struct vfio_irq irq;
	unsigned int nr_msi; /* vectors that have an MSI's message */
	bool master;
	bool irq_trouble, bar_trouble; /* told */
};

static struct vfio_device *to_dev(struct pci_fn *fn)
{
	return fn->ctx;
}

/* --- bus mastery and DMA --- */

/*
 * The device answers at its real BARs all the time: whether the guest sees them is up to
 * KVM's slots and the bus.
 */
static void write_command(struct vfio_device *dev, bool master)
{
	uint8_t command[2];

	pvi_put16(command, PCI_COMMAND_MEMORY | PCI_COMMAND_IO | (master ? PCI_COMMAND_MASTER : 0));
	(void)vfio_sys_write(dev->fd, dev->desc.config_at + PCI_COMMAND, command, 2);
}

/* Lock held. */
static void update_dma(struct vfio_device *dev)
{
	bool on = dev->master && !dev->quiesced;

	if (on && pvi_endpoint_set_dma(dev->endpoint, true))
		on = false;
	write_command(dev, on);
	/* It may have failed just now, and lost what was written since. */
	if (on && dev->failed)
		write_command(dev, false);
	if (!on)
		(void)pvi_endpoint_set_dma(dev->endpoint, false);
}

static void dev_bus_master(struct pci_fn *fn, bool on)
{
	struct vfio_device *dev = to_dev(fn);

	pthread_mutex_lock(&dev->lock);
	dev->master = on;
	update_dma(dev);
	pthread_mutex_unlock(&dev->lock);
}

void vfio_device_stuck(struct vfio_device *dev)
{
	dev->failed = true;
	write_command(dev, false);
	log_error("--assign %s: the host's IOMMU does not give up a mapping: the device has lost "
		  "its bus mastery; end the VM",
		  dev->name);
}

/* --- BARs --- */

static void dev_bar_read(struct pci_fn *fn, unsigned int bar, uint64_t off, void *buf, uint32_t len)
{
	struct vfio_device *dev = to_dev(fn);

	dev->region_reads++;
	if (dev->quiesced || vfio_bars_read(&dev->desc, bar, off, buf, len))
		memset(buf, 0xff, len);
}

static void dev_bar_write(struct pci_fn *fn, unsigned int bar, uint64_t off, const void *buf,
			  uint32_t len)
{
	struct vfio_device *dev = to_dev(fn);

	dev->region_writes++;
	if (!dev->quiesced && bar != PCI_ROM_BAR)
		(void)vfio_bars_write(&dev->desc, bar, off, buf, len);
}

static void dev_bar_moved(struct pci_fn *fn, unsigned int bar, uint64_t gpa)
{
	struct vfio_device *dev = to_dev(fn);
	int err = 0;

	pthread_mutex_lock(&dev->lock);
	/* A port is no place for memory, whatever VFIO lets us map of that BAR. */
	if (!dev->quiesced && !fn->bar[bar].io)
		err = vfio_bars_move(&dev->bars, bar, gpa);
	if (err && !dev->bar_trouble) {
		dev->bar_trouble = true;
		log_warn("--assign %s: KVM does not map BAR %u: %s; accesses are trapped, and slow",
			 dev->name, bar, strerror(-err));
	}
	pthread_mutex_unlock(&dev->lock);
}

/* --- interrupts --- */

/* Lock held. */
static void irq_trouble(struct vfio_device *dev, const char *what, int err)
{
	if (!dev->irq_trouble)
		log_error("--assign %s: %s: %s; its interrupts are off", dev->name, what,
			  strerror(-err));
	dev->irq_trouble = true;
}

static void dev_vector(struct pci_fn *fn, unsigned int vector, const struct irq_msi *msi)
{
	struct vfio_device *dev = to_dev(fn);
	int err = 0;

	pthread_mutex_lock(&dev->lock);
	if (!dev->quiesced)
		err = vfio_irq_vector(&dev->irq, vector, msi);
	if (err)
		irq_trouble(dev, "a vector can't be delivered", err);
	pthread_mutex_unlock(&dev->lock);
}

static bool dev_pending(struct pci_fn *fn, unsigned int vector)
{
	struct vfio_device *dev = to_dev(fn);
	bool pending;

	pthread_mutex_lock(&dev->lock);
	pending = vfio_irq_pending(&dev->irq, vector);
	pthread_mutex_unlock(&dev->lock);
	return pending;
}

/* Lock held. The messages of MSI, which differ in their lowest bits; no others. */
static void set_messages(struct vfio_device *dev, unsigned int nr, struct irq_msi first)
{
	int err = 0;

	/* As with MSI-X: what is no interrupt message stays silent. */
	if (first.address < MSI_FIRST || first.address > MSI_LAST)
		nr = 0;
	for (unsigned int i = nr; i < dev->nr_msi; i++)
		vfio_irq_vector(&dev->irq, i, NULL);
	dev->nr_msi = nr;
	for (unsigned int i = 0; i < nr && !err; i++) {
		const struct irq_msi msi = {first.address, (first.data & ~(nr - 1)) | i};

		err = vfio_irq_vector(&dev->irq, i, &msi);
	}
	if (err)
		irq_trouble(dev, "a message can't be delivered", err);
}

/* Lock held. The mode that config space asks for. */
static int follow_config(struct vfio_device *dev)
{
	const struct pci_fn *fn = &dev->fn;
	bool line = fn->cfg[PCI_INTERRUPT_PIN] &&
		    !(pvi_get16(fn->cfg + PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE);
	struct irq_msi first = {0};
	unsigned int nr = fn->msix_enabled ? 0 : vfio_config_msi(fn, &dev->msi, &first);

	if (nr) {
		set_messages(dev, nr, first);
		return vfio_irq_enter(&dev->irq, VFIO_IRQ_MSI, nr);
	}
	/* MSI-X has told of its vectors by now: those stay. */
	for (unsigned int i = 0; i < dev->nr_msi; i++)
		if (!fn->vector[i].live)
			vfio_irq_vector(&dev->irq, i, NULL);
	dev->nr_msi = 0;
	if (fn->msix_enabled)
		return vfio_irq_enter(&dev->irq, VFIO_IRQ_MSIX, fn->msix.nr);
	return vfio_irq_enter(&dev->irq, line ? VFIO_IRQ_INTX : VFIO_IRQ_OFF, line);
}

static void dev_config_written(struct pci_fn *fn)
{
	struct vfio_device *dev = to_dev(fn);
	int err = 0;

	pthread_mutex_lock(&dev->lock);
	if (!dev->quiesced)
		err = follow_config(dev);
	if (err)
		irq_trouble(dev, "its kind of interrupt can't be switched", err);
	pthread_mutex_unlock(&dev->lock);
}

/* --- reset --- */

static void do_reset(struct vfio_device *dev)
{
	int err = vfio_reset_do(&dev->how_reset);

	if (err)
		log_error("--assign %s: its reset failed: %s", dev->name, strerror(-err));
	write_command(dev, false);
}

static void dev_quiesce(struct pci_fn *fn)
{
	struct vfio_device *dev = to_dev(fn);

	pthread_mutex_lock(&dev->lock);
	if (!dev->quiesced) {
		dev->quiesced = true;
		update_dma(dev);
		vfio_irq_enter(&dev->irq, VFIO_IRQ_OFF, 0);
		irq_vectors_detach_all(&dev->irq.vectors);
		/* vCPUs may still run: none of them sets it going again. */
		vfio_bars_withdraw(&dev->bars);
		do_reset(dev);
	}
	pthread_mutex_unlock(&dev->lock);
}

static void dev_reset(struct pci_fn *fn)
{
	struct vfio_device *dev = to_dev(fn);

	pthread_mutex_lock(&dev->lock);
	if (!dev->quiesced)
		do_reset(dev);
	dev->quiesced = false;
	dev->failed = false;
	update_dma(dev);
	if (follow_config(dev))
		irq_trouble(dev, "its interrupts can't be set up again", -EIO);
	pthread_mutex_unlock(&dev->lock);
}

static const struct pci_fn_ops fn_ops = {
	.bar_read = dev_bar_read,
	.bar_write = dev_bar_write,
	.bus_master = dev_bus_master,
	.bar_moved = dev_bar_moved,
	.config_written = dev_config_written,
	.vector = dev_vector,
	.pending = dev_pending,
	.quiesce = dev_quiesce,
	.reset = dev_reset,
};

/* --- start and end: a ladder, each step takes down what stands below it --- */

static int fail(char *why, int err, const char *what)
{
	snprintf(why, WHY_SIZE, "%s: %s", what, strerror(-err));
	return err;
}

/* With the line on, as at power-on. Without one the device needs messages. */
static int start_interrupts(struct vfio_device *dev, char *why)
{
	struct pci_fn *fn = &dev->fn;
	int err = follow_config(dev);

	if (!err)
		return 0;
	if (!fn->msix.nr && !dev->msi.cap) {
		snprintf(why, WHY_SIZE,
			 err == -EBUSY ? "shares its interrupt line with a device of the host, and "
					 "can't mask it; move it to another slot of the machine"
				       : "its interrupt can't be set up: %s",
			 strerror(-err));
		return -EINVAL;
	}
	dev->line_error = err;
	fn->cfg[PCI_INTERRUPT_PIN] = 0;
	return 0;
}

static int add_endpoint(struct vfio_device *dev, struct vm *vm, unsigned int slot, char *why)
{
	const struct pvi_reserved msi = {MSI_FIRST, MSI_LAST, true};
	const struct pvi_endpoint_config config = {
		.reserved = &msi,
		.nr_reserved = 1,
		.backend = pvi_vfio_backend(dev->group->container->vfio),
	};
	int err = pvi_endpoint_add(vm->iommu, slot << 3, &config, &dev->endpoint);

	return err ? fail(why, err, "the IOMMU does not take it") : 0;
}

static int add_function(struct vfio_device *dev, struct vm *vm, unsigned int slot, char *why)
{
	unsigned int nr = dev->fn.msix.nr > dev->msi.nr ? dev->fn.msix.nr : dev->msi.nr;
	int err;

	err = vfio_irq_init(&dev->irq, &vm->irq, dev->fd, nr, pci_slot_gsi(slot));
	if (err)
		return fail(why, err, "there are no interrupts left for it");
	vfio_bars_init(&dev->bars, &vm->memslots, &dev->desc, &dev->fn.msix);
	err = start_interrupts(dev, why);
	if (err)
		goto err_irq;
	err = add_endpoint(dev, vm, slot, why);
	if (err)
		goto err_irq;
	err = pci_fn_add(&vm->pci, slot, &dev->fn);
	if (!err)
		return 0;
	if (err == -EINVAL)
		snprintf(why, WHY_SIZE, "its BARs and its MSI-X table don't fit each other");
	else
		fail(why, err, "its PCI slot can't be used");
	pvi_endpoint_remove(dev->endpoint);
err_irq:
	vfio_bars_done(&dev->bars);
	vfio_irq_done(&dev->irq);
	return err;
}

static int first_reset(struct vfio_device *dev, char *why)
{
	int err = vfio_reset_do(&dev->how_reset);

	/* The kernel wants to know whom it hits, a function that nobody uses among them. */
	if (err == -EINVAL && dev->how_reset.kind == VFIO_RESET_BUS) {
		snprintf(why, WHY_SIZE,
			 "only a reset of its bus clears it, for which vfio-pci must have all that "
			 "is on it; take the rest of IOMMU group %d, too: pviommu assign",
			 dev->host.group);
		return err;
	}
	return err ? fail(why, err, "its reset failed") : 0;
}

/* Reset comes first: what its last user left behind is not the guest's. */
static int open_device(struct vfio_device *dev, char *why)
{
	const char *what;
	int err;

	dev->fd = vfio_group_open_device(dev->group, dev->host.bdf);
	if (dev->fd < 0)
		return fail(why, dev->fd, "can't be opened");
	err = vfio_probe(dev->fd, &dev->desc, &what);
	if (err) {
		snprintf(why, WHY_SIZE, "VFIO does not tell of %s: %s", what, strerror(-err));
		return err;
	}
	vfio_reset_init(&dev->how_reset, &dev->desc, dev->group->fd, dev->group->id);
	err = first_reset(dev, why);
	if (err)
		return err;
	write_command(dev, false);
	return vfio_config_build(&dev->desc, &dev->fn, &dev->msi, why, WHY_SIZE);
}

static int bring_up(struct vfio_device *dev, struct vm *vm, const struct vfio_device_config *config,
		    char *why)
{
	int err;

	if (host_pci_read(config->root, config->bdf, &dev->host)) {
		snprintf(why, WHY_SIZE, "no such PCI device; see pviommu devices");
		return -EINVAL;
	}
	err = vfio_group_check(config->root, &dev->host, config->unsafe_interrupts, why, WHY_SIZE);
	err = err ?: vfio_group_get(vm, &dev->host, &dev->group, why, WHY_SIZE);
	if (err)
		return err;
	err = open_device(dev, why);
	err = err ?: add_function(dev, vm, config->slot, why);
	if (err) {
		vfio_sys_close(dev->fd);
		vfio_group_put(dev->group);
	}
	return err;
}

/* What is not as it should be, of a device that works all the same. */
static void say_shortcomings(const struct vfio_device *dev)
{
	if (dev->how_reset.kind == VFIO_RESET_NONE)
		log_warn("--assign %s: has no reset: the guest finds it as its last user left it",
			 dev->name);
	if (dev->line_error)
		log_warn("--assign %s: its interrupt line can't be had (%s): the guest gets "
			 "messages only",
			 dev->name,
			 dev->line_error == -EBUSY ? "the host shares it"
						   : strerror(-dev->line_error));
}

int vfio_device_new(struct vm *vm, const struct vfio_device_config *config,
		    struct vfio_device **ret_dev)
{
	struct vfio_device *dev = calloc(1, sizeof(*dev));
	char why[WHY_SIZE] = "out of memory";
	int err = -ENOMEM;

	if (dev) {
		dev->fd = -1;
		dev->name = config->name;
		dev->fn = (struct pci_fn){.ops = &fn_ops, .name = config->name, .ctx = dev};
		err = -pthread_mutex_init(&dev->lock, NULL);
		if (!err) {
			err = bring_up(dev, vm, config, why);
			if (!err) {
				say_shortcomings(dev);
				*ret_dev = dev;
				return 0;
			}
			pthread_mutex_destroy(&dev->lock);
		}
	}
	log_error("--assign %s: %s", config->name, why);
	free(dev);
	return err;
}

void vfio_device_free(struct vfio_device *dev)
{
	if (!dev)
		return;
	dev_quiesce(&dev->fn);
	pci_fn_remove(&dev->fn);
	pvi_endpoint_remove(dev->endpoint);
	vfio_bars_done(&dev->bars);
	vfio_irq_done(&dev->irq);
	vfio_sys_close(dev->fd);
	vfio_group_put(dev->group);
	pthread_mutex_destroy(&dev->lock);
	free(dev);
}

/* --- counters --- */

void vfio_device_stats(struct vfio_device *dev, FILE *out)
{
	struct vfio_container_stats *g = &dev->group->container->stats;
	struct pvi_endpoint_stats s;

	pvi_endpoint_get_stats(dev->endpoint, &s);
	pthread_mutex_lock(&dev->lock);
	/* The name is an address and an option: nothing in it that JSON would escape. */
	fprintf(out,
		"{\"name\":\"%s\",\"slot\":%u,\"bdf\":\"0000:00:%02x.0\",\"endpoint\":%u,"
		"\"host_bdf\":\"%s\",\"group\":%d,\"reset\":\"%s\",\"interrupts\":\"%s\","
		"\"vectors\":%u,\"failed\":%s,",
		dev->name, dev->fn.slot, dev->fn.slot, dev->fn.slot << 3, dev->host.bdf,
		dev->host.group, vfio_reset_name(dev->how_reset.kind), vfio_irq_name(dev->irq.mode),
		dev->irq.nr_on,
		s.failed ? "\"the host's IOMMU did not give up a mapping\"" : "null");
	pthread_mutex_unlock(&dev->lock);
	pci_exits_write(&dev->fn.exits, out);
	fprintf(out,
		",\"region_reads\":%" PRIu64 ",\"region_writes\":%" PRIu64
		",\"mapped_pages\":%" PRIu64 ",\"pinned_bytes\":%" PRIu64
		",\"peak_pinned_bytes\":%" PRIu64 ",\"host_maps\":%" PRIu64
		",\"host_map_ns\":%" PRIu64 ",\"host_unmaps\":%" PRIu64
		",\"host_unmap_ns\":%" PRIu64 "}",
		dev->region_reads, dev->region_writes, s.mapped_pages, g->pinned_bytes,
		g->peak_pinned_bytes, g->map_calls, g->map_ns, g->unmap_calls, g->unmap_ns);
}

void vfio_device_summary(struct vfio_device *dev)
{
	const struct vfio_container_stats *g = &dev->group->container->stats;
	const struct pci_exits *e = &dev->fn.exits;

	log_info("--assign %s: exits: %" PRIu64 " config, %" PRIu64 " MSI-X table, %" PRIu64
		 " memory, %" PRIu64 " port; its group %d: %" PRIu64 " KiB locked at most, %" PRIu64
		 " host maps in %" PRIu64 " us, %" PRIu64 " unmaps in %" PRIu64 " us; reset: %s",
		 dev->name, e->config, e->table, e->mmio, e->pio, dev->group->id,
		 g->peak_pinned_bytes >> 10, g->map_calls, g->map_ns / 1000, g->unmap_calls,
		 g->unmap_ns / 1000, vfio_reset_name(dev->how_reset.kind));
}
