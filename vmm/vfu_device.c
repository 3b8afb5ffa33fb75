// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <json-c/json.h>

#include <pviommu/iommu.h>

#include "vmm/log.h"
#include "vmm/vfu_device.h"
#include "vmm/vfu_probe.h"
#include "vmm/vfu_region.h"
#include "vmm/vfu_remains.h"
#include "vmm/vm.h"

/* Where x86 takes interrupt messages: never memory, whatever is mapped there. */
static const struct pvi_reserved msi_window = {
	.first = 0xfee00000, .last = 0xfeefffff, .msi = true};

struct vfu_device {
	struct pci_fn fn;
	char *name;
	pid_t pid;
	struct vfu_conn *conn;
	struct vfu_limits limits;
	struct pvi_endpoint *endpoint;
	atomic_uint_fast64_t region_reads, region_writes;

	/*
	 * Guards all below. Taken inside the function's lock, outside those of
	 * DMA and of interrupts; held for no message.
	 */
	pthread_mutex_t lock;
	struct irq_vectors irqs;
	struct vfu_doorbells bells;
	bool running; /* start-up is over: failures are news */
	bool failed, quiesced, master;
	bool alive_at_quiesce;		      /* its process, which the VM's end ends */
	char reason[160];		      /* of the failure */
	struct vfu_remains remains;	      /* what shows once it has failed */
	struct pvi_endpoint_stats at_quiesce; /* counters when last quiesced */
};

static struct vfu_device *to_dev(struct pci_fn *fn)
{
	return fn->ctx;
}

/* --- DMA and failure: the connection's callbacks --- */

static int dev_dma_read(void *ctx, uint64_t addr, void *buf, size_t len)
{
	return pvi_dma_read(((struct vfu_device *)ctx)->endpoint, addr, buf, len);
}

static int dev_dma_write(void *ctx, uint64_t addr, const void *buf, size_t len)
{
	return pvi_dma_write(((struct vfu_device *)ctx)->endpoint, addr, buf, len);
}

/* Lock held. On return without DMA, none is in flight. */
static void update_dma(struct vfu_device *dev)
{
	pvi_endpoint_set_dma(dev->endpoint, dev->master && !dev->failed && !dev->quiesced);
}

/* Lock held: no DMA, no interrupts, no doorbells. */
static void cut_off(struct vfu_device *dev)
{
	update_dma(dev);
	irq_vectors_detach_all(&dev->irqs);
	vfu_doorbells_remove_all(&dev->bells);
}

static void dev_failed(void *ctx, const char *reason)
{
	struct vfu_device *dev = ctx;
	bool running;

	pthread_mutex_lock(&dev->lock);
	dev->failed = true;
	snprintf(dev->reason, sizeof(dev->reason), "%s", reason);
	cut_off(dev);
	running = dev->running;
	pthread_mutex_unlock(&dev->lock);
	if (running)
		log_error("device %s %s: it is cut off from memory and interrupts, and needs a "
			  "reset",
			  dev->name, reason);
}

static const struct vfu_conn_ops conn_ops = {
	.dma_read = dev_dma_read,
	.dma_write = dev_dma_write,
	.failed = dev_failed,
};

/* --- the function's operations --- */

static bool access_valid(uint32_t len)
{
	return len == 1 || len == 2 || len == 4 || len == 8;
}

static void dev_bar_read(struct pci_fn *fn, unsigned int bar, uint64_t off, void *buf, uint32_t len)
{
	struct vfu_device *dev = to_dev(fn);

	dev->region_reads++;
	if (access_valid(len) && !vfu_region_read(dev->conn, bar, off, buf, len))
		return;
	memset(buf, 0xff, len);
	pthread_mutex_lock(&dev->lock);
	if (dev->failed)
		vfu_remains_read(&dev->remains, bar, off, buf, len);
	pthread_mutex_unlock(&dev->lock);
}

static void dev_bar_write(struct pci_fn *fn, unsigned int bar, uint64_t off, const void *buf,
			  uint32_t len)
{
	struct vfu_device *dev = to_dev(fn);

	dev->region_writes++;
	if (access_valid(len) && !vfu_region_write(dev->conn, bar, off, buf, len))
		return;
	pthread_mutex_lock(&dev->lock);
	if (dev->failed)
		vfu_remains_write(&dev->remains, bar, off, buf, len);
	pthread_mutex_unlock(&dev->lock);
}

/* The device may want to know; what counts is that its DMA is off. */
static void dev_bus_master(struct pci_fn *fn, bool on)
{
	struct vfu_device *dev = to_dev(fn);

	pthread_mutex_lock(&dev->lock);
	dev->master = on;
	update_dma(dev);
	pthread_mutex_unlock(&dev->lock);
	vfu_region_write(dev->conn, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND,
			 fn->cfg + PCI_COMMAND, 2);
}

static void dev_bar_moved(struct pci_fn *fn, unsigned int bar, uint64_t gpa)
{
	struct vfu_device *dev = to_dev(fn);

	pthread_mutex_lock(&dev->lock);
	if (!dev->failed && !dev->quiesced)
		vfu_doorbells_move(&dev->bells, bar, gpa);
	pthread_mutex_unlock(&dev->lock);
}

static void dev_vector(struct pci_fn *fn, unsigned int vector, const struct irq_msi *msi)
{
	struct vfu_device *dev = to_dev(fn);
	int err = 0;

	pthread_mutex_lock(&dev->lock);
	if (!dev->failed && !dev->quiesced)
		err = irq_vectors_set(&dev->irqs, vector, msi);
	pthread_mutex_unlock(&dev->lock);
	if (err)
		log_error("device %s: vector %u can't be delivered: %s", dev->name, vector,
			  strerror(-err));
}

static bool dev_pending(struct pci_fn *fn, unsigned int vector)
{
	struct vfu_device *dev = to_dev(fn);
	bool pending;

	pthread_mutex_lock(&dev->lock);
	pending = irq_vectors_pending(&dev->irqs, vector);
	pthread_mutex_unlock(&dev->lock);
	return pending;
}

static bool process_alive(const struct vfu_device *dev)
{
	siginfo_t info = {0};

	if (!dev->pid)
		return !dev->failed;
	return !waitid(P_PID, (id_t)dev->pid, &info, WEXITED | WNOHANG | WNOWAIT) && !info.si_pid;
}

static void dev_quiesce(struct pci_fn *fn)
{
	struct vfu_device *dev = to_dev(fn);

	pthread_mutex_lock(&dev->lock);
	if (!dev->quiesced) {
		dev->quiesced = true;
		cut_off(dev);
		pvi_endpoint_get_stats(dev->endpoint, &dev->at_quiesce);
		dev->alive_at_quiesce = process_alive(dev);
	}
	pthread_mutex_unlock(&dev->lock);
}

static void dev_reset(struct pci_fn *fn)
{
	struct vfu_device *dev = to_dev(fn);
	struct vfu_why why;
	struct vfu_call call = {.command = VFU_DEVICE_RESET};

	if (vfu_call(dev->conn, &call))
		return;
	if (call.error)
		vfu_conn_fail(dev->conn, -EPROTO, "can't be reset: %s", strerror(call.error));
	else if (vfu_probe_irqs(dev->conn, &dev->limits, &dev->irqs, &why) == -EPROTO)
		vfu_conn_fail(dev->conn, -EPROTO, "after its reset, %s", why.text);
	pthread_mutex_lock(&dev->lock);
	dev->quiesced = false;
	update_dma(dev);
	pthread_mutex_unlock(&dev->lock);
}

static const struct pci_fn_ops fn_ops = {
	.bar_read = dev_bar_read,
	.bar_write = dev_bar_write,
	.bus_master = dev_bus_master,
	.bar_moved = dev_bar_moved,
	.vector = dev_vector,
	.pending = dev_pending,
	.quiesce = dev_quiesce,
	.reset = dev_reset,
};

/* --- start and end --- */

/* Everything that the device has a say in. */
static int negotiate(struct vfu_device *dev, struct vm *vm, struct vfu_why *why)
{
	struct vfu_desc desc;
	struct irq_vectors irqs;
	int err;

	err = vfu_probe(dev->conn, &dev->limits, &desc, why);
	if (!err)
		err = vfu_config_build(&desc, &dev->fn, why->text, sizeof(why->text));
	if (err)
		return err;
	err = irq_vectors_init(&irqs, &vm->irq, dev->fn.msix.nr);
	if (err) {
		snprintf(why->text, sizeof(why->text), "there are no interrupts left for it: %s",
			 strerror(-err));
		return err;
	}
	pthread_mutex_lock(&dev->lock);
	vfu_remains_init(&dev->remains, dev->fn.cfg);
	dev->irqs = irqs;
	pthread_mutex_unlock(&dev->lock);
	err = vfu_probe_doorbells(dev->conn, &dev->fn, &dev->bells, why);
	if (!err)
		err = vfu_probe_dma(dev->conn);
	if (!err)
		err = vfu_probe_irqs(dev->conn, &dev->limits, &irqs, why);
	return err;
}

static int bring_up(struct vfu_device *dev, struct vm *vm, unsigned int slot, struct vfu_why *why)
{
	int err;

	err = negotiate(dev, vm, why);
	if (err)
		return err;
	err = pci_fn_add(&vm->pci, slot, &dev->fn);
	if (err) {
		snprintf(why->text, sizeof(why->text),
			 err == -EINVAL ? "its MSI-X table or PBA does not fit its BARs"
					: "its PCI slot can't be used");
		return err == -EINVAL ? -EPROTO : err;
	}
	pthread_mutex_lock(&dev->lock);
	dev->running = true;
	err = dev->failed ? vfu_conn_state(dev->conn, NULL) : 0;
	pthread_mutex_unlock(&dev->lock);
	if (err)
		pci_fn_remove(&dev->fn);
	return err;
}

static void destroy(struct vfu_device *dev)
{
	pvi_endpoint_remove(dev->endpoint);
	pthread_mutex_destroy(&dev->lock);
	free(dev->name);
	free(dev);
}

static int create(struct vm *vm, const struct vfu_config *config, struct vfu_device **ret_dev)
{
	const struct pvi_endpoint_config endpoint = {.reserved = &msi_window, .nr_reserved = 1};
	struct vfu_device *dev = calloc(1, sizeof(*dev));
	int err = -ENOMEM;

	if (!dev)
		return -ENOMEM;
	dev->name = strdup(config->name);
	if (!dev->name)
		goto err_free;
	dev->fn.name = dev->name;
	dev->fn.ops = &fn_ops;
	dev->fn.ctx = dev;
	dev->pid = config->pid;
	dev->irqs.irq = &vm->irq;
	dev->bells.irq = &vm->irq;
	err = -pthread_mutex_init(&dev->lock, NULL);
	if (err)
		goto err_free;
	err = pvi_endpoint_add(vm->iommu, config->slot << 3, &endpoint, &dev->endpoint);
	if (err)
		goto err_lock;
	*ret_dev = dev;
	return 0;

err_lock:
	pthread_mutex_destroy(&dev->lock);
err_free:
	free(dev->name);
	free(dev);
	return err;
}

/* The conn works on its own descriptor: the caller keeps its socket on failure. */
static int connect_dev(struct vfu_device *dev, const struct vfu_config *config)
{
	int sock = fcntl(config->sock, F_DUPFD_CLOEXEC, 0);
	int err;

	if (sock < 0)
		return -errno;
	err = vfu_conn_new(sock, config->timeout_ms, &conn_ops, dev, &dev->conn);
	if (err)
		close(sock);
	return err;
}

static void disconnect(struct vfu_device *dev)
{
	vfu_conn_free(dev->conn);
	irq_vectors_done(&dev->irqs);
	vfu_doorbells_done(&dev->bells);
}

/* One line for the user: what is wrong, and whose fault it is. */
static void complain(struct vfu_device *dev, const struct vfu_why *why, int err)
{
	if (why->text[0])
		log_error("device %s: %s%s", dev->name, why->text,
			  err == -EPROTO ? ": repair or replace its program" : "");
	else if (dev->failed)
		log_error("device %s %s: see what its program says", dev->name, dev->reason);
	else
		log_error("device %s: %s", dev->name, strerror(-err));
}

int vfu_device_new(struct vm *vm, const struct vfu_config *config, struct vfu_device **ret_dev)
{
	struct vfu_why why = {""};
	struct vfu_device *dev;
	int err;

	err = create(vm, config, &dev);
	if (err) {
		log_error("device %s: %s", config->name, strerror(-err));
		return err;
	}
	err = connect_dev(dev, config);
	if (!err) {
		err = bring_up(dev, vm, config->slot, &why);
		if (!err) {
			close(config->sock);
			*ret_dev = dev;
			return 0;
		}
		disconnect(dev);
	}
	complain(dev, &why, err);
	destroy(dev);
	return err;
}

void vfu_device_hang_up(struct vfu_device *dev)
{
	vfu_conn_hang_up(dev->conn);
}

void vfu_device_stuck(struct vfu_device *dev)
{
	log_error("device %s: guest memory did not answer its transfer: its DMA is off, and it "
		  "needs a reset",
		  dev->name);
	vfu_conn_cut(dev->conn);
}

void vfu_device_free(struct vfu_device *dev)
{
	if (!dev)
		return;
	dev_quiesce(&dev->fn);
	disconnect(dev);
	pci_fn_remove(&dev->fn);
	if (dev->pid)
		vfu_spawn_end(dev->pid);
	destroy(dev);
}

/* --- counters --- */

static void add_int(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

static void add_exits(struct json_object *o, const struct pci_exits *exits)
{
	struct json_object *e = json_object_new_object();

	add_int(e, "config", exits->config);
	add_int(e, "msix_table", exits->table);
	add_int(e, "mmio", exits->mmio);
	add_int(e, "pio", exits->pio);
	json_object_object_add(o, "exits", e);
}

/* Lock held. */
static void add_state(struct vfu_device *dev, struct json_object *o)
{
	char bdf[16];
	bool alive;

	snprintf(bdf, sizeof(bdf), "0000:00:%02x.0", dev->fn.slot);
	json_object_object_add(o, "name", json_object_new_string(dev->name));
	add_int(o, "slot", dev->fn.slot);
	json_object_object_add(o, "bdf", json_object_new_string(bdf));
	add_int(o, "endpoint", dev->fn.slot << 3);
	add_int(o, "pid", (uint64_t)dev->pid);
	alive = dev->quiesced ? dev->alive_at_quiesce : process_alive(dev);
	json_object_object_add(o, "alive", json_object_new_boolean(alive));
	json_object_object_add(o, "failed",
			       dev->failed ? json_object_new_string(dev->reason) : NULL);
}

static uint64_t accepted(const struct pvi_endpoint_stats *s)
{
	return s->dma_reads + s->dma_writes;
}

/* Lock held. */
static void add_quiesce(struct vfu_device *dev, struct json_object *o,
			const struct pvi_endpoint_stats *now)
{
	if (!dev->quiesced)
		return;
	add_int(o, "dma_at_quiesce", accepted(&dev->at_quiesce));
	add_int(o, "dma_after_quiesce", accepted(now) - accepted(&dev->at_quiesce));
	add_int(o, "refused_after_quiesce",
		now->blocked + now->faults - dev->at_quiesce.blocked - dev->at_quiesce.faults);
}

void vfu_device_stats(struct vfu_device *dev, FILE *out)
{
	struct json_object *o = json_object_new_object();
	struct pvi_endpoint_stats s;

	pvi_endpoint_get_stats(dev->endpoint, &s);
	pthread_mutex_lock(&dev->lock);
	add_state(dev, o);
	add_int(o, "dma_reads", s.dma_reads);
	add_int(o, "dma_writes", s.dma_writes);
	add_int(o, "dma_read_bytes", s.dma_read_bytes);
	add_int(o, "dma_write_bytes", s.dma_write_bytes);
	add_int(o, "faults", s.faults);
	add_int(o, "blocked", s.blocked);
	add_int(o, "mapped_pages", s.mapped_pages);
	add_exits(o, &dev->fn.exits);
	add_int(o, "region_reads", dev->region_reads);
	add_int(o, "region_writes", dev->region_writes);
	add_quiesce(dev, o, &s);
	pthread_mutex_unlock(&dev->lock);
	fputs(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
							JSON_C_TO_STRING_NOSLASHESCAPE),
	      out);
	json_object_put(o);
}
