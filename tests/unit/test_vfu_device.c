// SPDX-License-Identifier: BSD-2-Clause
/* A simulated device as the guest and the VMM see it, with a scripted one at the other end. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <json-c/json.h>

#include <pviommu/iommu.h>

#include "fake_irq.h"
#include "fake_vfu.h"
#include "pci_guest.h"
#include "vmm/log.h"
#include "vmm/vfu_config.h"
#include "vmm/vfu_device.h"
#include "vmm/vm.h"

#define SLOT	   4
#define BASE	   0xc0000000ull
#define MSIX	   (BASE + 0x10000)
#define RAM_SIZE   (1u << 20)
#define SHORT_MS   150
#define PATIENT_MS 20000

struct machine {
	struct vm vm;
	struct fake_vfu s;
	struct vfu_device *dev;
	int sock;
};

static void *guest_ram(void *ctx, uint64_t gpa, uint64_t len, uint64_t *ret_len)
{
	return memory_ram(ctx, gpa, len, ret_len);
}

static void add_iommu(struct machine *m, bool bypass)
{
	static const struct pvi_iommu_ops ops = {.ram = guest_ram};
	const struct pvi_iommu_config config = {
		.ops = &ops,
		.ctx = &m->vm.mem,
		.input_last = UINT64_MAX,
		.domain_last = UINT32_MAX,
		.allow_bypass = bypass,
		.start_bypass = bypass,
	};

	assert_int_equal(pvi_iommu_new(&config, &m->vm.iommu), 0);
}

static int setup(void **state)
{
	static struct machine machine;
	struct machine *m = &machine;

	memset(m, 0, sizeof(*m));
	log_level = LOG_ERROR;
	fake_irq_reset();
	assert_int_equal(memory_init(&m->vm.mem, RAM_SIZE), 0);
	assert_int_equal(bus_init(&m->vm.bus), 0);
	assert_int_equal(irq_init(&m->vm.irq, -1), 0);
	assert_int_equal(pci_init(&m->vm.pci, &m->vm.bus, &m->vm.irq), 0);
	add_iommu(m, true);
	fake_vfu_init(&m->s);
	m->sock = -1;
	*state = m;
	return 0;
}

static int bring_up(struct machine *m, unsigned int timeout_ms)
{
	struct vfu_config config = {.name = "test",
				    .sock = fake_vfu_start(&m->s),
				    .slot = SLOT,
				    .timeout_ms = timeout_ms};
	int err;

	err = vfu_device_new(&m->vm, &config, &m->dev);
	if (err)
		close(config.sock); /* still the caller's */
	return err;
}

static void place_bars(struct machine *m)
{
	struct bus *bus = &m->vm.bus;

	guest_cfg_write(bus, SLOT, PCI_BASE_ADDRESS_0, BASE, 4);
	guest_cfg_write(bus, SLOT, PCI_BASE_ADDRESS_1, MSIX, 4);
	guest_cfg_write(bus, SLOT, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
}

/* The device, once it has dealt with all that it has answered. */
static struct fake_vfu *peek(struct machine *m)
{
	pthread_mutex_lock(&m->s.lock);
	pthread_mutex_unlock(&m->s.lock);
	return &m->s;
}

static void start(struct machine *m, unsigned int timeout_ms)
{
	assert_int_equal(bring_up(m, timeout_ms), 0);
	place_bars(m);
}

static void bus_master(struct machine *m, bool on)
{
	guest_cfg_write(&m->vm.bus, SLOT, PCI_COMMAND,
			PCI_COMMAND_MEMORY | (on ? PCI_COMMAND_MASTER : 0), 2);
}

static void stop(struct machine *m)
{
	if (!m->dev)
		return;
	vfu_device_free(m->dev);
	m->dev = NULL;
	fake_vfu_stop(&m->s);
}

static int teardown(void **state)
{
	struct machine *m = *state;

	stop(m);
	/* Nothing is left behind. */
	assert_int_equal(fake_irq.nr_irqfds, 0);
	assert_int_equal(fake_irq.nr_doorbells, 0);
	assert_int_equal(m->vm.irq.nr_gsi, 0);
	pci_done(&m->vm.pci);
	irq_done(&m->vm.irq);
	bus_done(&m->vm.bus);
	pvi_iommu_free(m->vm.iommu);
	memory_done(&m->vm.mem);
	return 0;
}

static struct json_object *stats(struct machine *m)
{
	struct json_object *o;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	vfu_device_stats(m->dev, f);
	fclose(f);
	o = json_tokener_parse(text);
	assert_non_null(o);
	free(text);
	return o;
}

static int64_t counter(struct machine *m, const char *name)
{
	struct json_object *o = stats(m);
	struct json_object *v;
	int64_t n;

	assert_true(json_object_object_get_ex(o, name, &v));
	n = json_object_get_int64(v);
	json_object_put(o);
	return n;
}

/* --- a device that behaves --- */

static void shown_to_the_guest(void **state)
{
	struct machine *m = *state;
	struct bus *bus = &m->vm.bus;

	start(m, PATIENT_MS);
	assert_int_equal(guest_cfg_read(bus, SLOT, 0, 4), 0x10421af4);
	assert_int_equal(guest_cfg_read(bus, SLOT, PCI_CLASS_REVISION, 4), 0x01800001);
	assert_int_equal(guest_cfg_read(bus, SLOT, FAKE_VNDR_CAP, 4), 0x00100009);
	assert_int_equal(guest_cfg_read(bus, SLOT, FAKE_VNDR_CAP + 12, 4), 0xab000000);
	assert_int_equal(guest_cfg_read(bus, SLOT, FAKE_MSIX_CAP, 4), 0x00020000 | 0x6011);
	guest_write(bus, BASE + 8, 0x1122334455667788, 8);
	assert_int_equal(peek(m)->bar[8], 0x88);
	assert_int_equal(peek(m)->bar[15], 0x11);
	assert_int_equal(guest_read(bus, BASE + 10, 2), 0x5566);
	assert_int_equal(counter(m, "region_reads"), 1);
	assert_int_equal(counter(m, "region_writes"), 1);
	assert_int_equal(peek(m)->nr_dma_maps, 1);
	/* Three vectors, and at most two descriptors a message for this device. */
	assert_int_equal(peek(m)->max_irq_fds, 2);
	assert_true(peek(m)->irq[2] >= 0);
}

static bool refuse_access(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
			  size_t len)
{
	struct vfu_region_access a;

	if (head->command != VFU_REGION_READ)
		return false;
	memcpy(&a, payload, sizeof(a));
	if (a.region)
		return false;
	fake_vfu_error(s, head, EINVAL);
	return true;
}

/* That is the access's error, not the device's end. */
static void refused_access(void **state)
{
	struct machine *m = *state;

	m->s.hook = refuse_access;
	start(m, PATIENT_MS);
	assert_int_equal(guest_read(&m->vm.bus, BASE, 4), UINT32_MAX);
	assert_int_equal(guest_read(&m->vm.bus, BASE, 4), UINT32_MAX);
	guest_write(&m->vm.bus, BASE, 7, 4);
	assert_int_equal(peek(m)->bar[0], 7);
}

static void interrupts(void **state)
{
	struct machine *m = *state;
	struct bus *bus = &m->vm.bus;
	int fd;

	start(m, PATIENT_MS);
	fd = dup(peek(m)->irq[1]);
	guest_cfg_write(bus, SLOT, FAKE_MSIX_CAP + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE, 2);
	guest_write(bus, MSIX + 16, 0xfee01000, 8);
	guest_write(bus, MSIX + 24, 0x55, 4);
	assert_int_equal(fake_irq.nr_irqfds, 0);
	assert_int_equal(guest_read(bus, MSIX + 0x800, 8), 0);
	eventfd_write(fd, 1);
	assert_int_equal(guest_read(bus, MSIX + 0x800, 8), 1 << 1); /* pending */
	guest_write(bus, MSIX + 28, 0, 4);
	assert_int_equal(fake_irq.nr_irqfds, 1);
	assert_int_equal(m->vm.irq.msi[fake_irq.irqfd[0].gsi].data, 0x55);
	assert_int_equal(guest_read(bus, MSIX + 0x800, 8), 0);
	guest_write(bus, MSIX + 24, 0x56, 4); /* moved to another CPU, say */
	assert_int_equal(fake_irq.nr_irqfds, 1);
	assert_int_equal(m->vm.irq.msi[fake_irq.irqfd[0].gsi].data, 0x56);
	guest_cfg_write(bus, SLOT, FAKE_MSIX_CAP + PCI_MSIX_FLAGS, 0, 2);
	assert_int_equal(fake_irq.nr_irqfds, 0);
	close(fd);
}

static void doorbells(void **state)
{
	struct machine *m = *state;
	struct bus *bus = &m->vm.bus;
	eventfd_t count = 0;

	m->s.doorbell = true;
	assert_int_equal(bring_up(m, PATIENT_MS), 0);
	assert_int_equal(fake_irq.nr_doorbells, 0);
	place_bars(m);
	assert_int_equal(fake_irq.nr_doorbells, 1);
	assert_true(fake_irq_doorbell(BASE + 0x100, 2));
	assert_int_equal(eventfd_read(peek(m)->doorbell_fd, &count), 0);
	assert_int_equal(count, 1);
	guest_cfg_write(bus, SLOT, PCI_BASE_ADDRESS_0, BASE + 0x4000, 4);
	assert_false(fake_irq_doorbell(BASE + 0x100, 2));
	assert_true(fake_irq_doorbell(BASE + 0x4100, 2));
	guest_cfg_write(bus, SLOT, PCI_COMMAND, 0, 2);
	assert_int_equal(fake_irq.nr_doorbells, 0);
	/* Where KVM has no room for it, the write itself reaches the device. */
	fake_irq.doorbell_error = -ENOSPC;
	place_bars(m);
	assert_int_equal(fake_irq.nr_doorbells, 0);
	guest_write(bus, BASE + 0x100, 3, 2);
	assert_int_equal(peek(m)->bar[0x100], 3);
}

/* --- DMA --- */

/* A guest write to register 0x10 makes the device do DMA before it answers. */
struct dma_job {
	uint64_t addr;
	bool write;
	uint8_t buf[64];
	int result;
};

static bool dma_on_write(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
			 size_t len)
{
	struct dma_job *job = s->ctx;
	struct vfu_region_access a;

	if (head->command != VFU_REGION_WRITE)
		return false;
	memcpy(&a, payload, sizeof(a));
	if (a.region || a.offset != 0x10)
		return false;
	if (job->write)
		job->result = fake_vfu_dma_write(s, job->addr, job->buf, sizeof(job->buf));
	else
		job->result = fake_vfu_dma_read(s, job->addr, job->buf, sizeof(job->buf));
	return false;
}

static int do_dma(struct machine *m, struct dma_job *job)
{
	job->result = -2;
	pthread_mutex_lock(&m->s.lock);
	m->s.ctx = job;
	pthread_mutex_unlock(&m->s.lock);
	guest_write(&m->vm.bus, BASE + 0x10, 1, 4);
	peek(m);
	return job->result;
}

static void dma_needs_bus_master(struct machine *m)
{
	struct dma_job job = {.addr = 0x2000};
	uint8_t secret[64];

	m->s.hook = dma_on_write;
	memset(secret, 0xc3, sizeof(secret));
	assert_int_equal(memory_write(&m->vm.mem, 0x2000, secret, sizeof(secret)), 0);
	start(m, PATIENT_MS);
	assert_int_equal(do_dma(m, &job), EACCES);
	bus_master(m, true);
	assert_int_equal(peek(m)->command, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	assert_int_equal(do_dma(m, &job), 0);
	assert_memory_equal(job.buf, secret, sizeof(secret));
	job = (struct dma_job){.addr = 0x3000, .write = true, .buf = {1, 2, 3}};
	assert_int_equal(do_dma(m, &job), 0);
	assert_int_equal(m->vm.mem.base[0x3002], 3);
	job.addr = RAM_SIZE - 63; /* one byte too far */
	assert_int_equal(do_dma(m, &job), EFAULT);
	job.addr = 0xfee00000;
	assert_int_equal(do_dma(m, &job), EFAULT);
	job.addr = UINT64_MAX - 10; /* wraps */
	assert_int_equal(do_dma(m, &job), EFAULT);
	assert_int_equal(m->vm.mem.base[RAM_SIZE - 1], 0);
	bus_master(m, false);
	assert_int_equal(peek(m)->command, PCI_COMMAND_MEMORY);
	job.addr = 0x3000;
	assert_int_equal(do_dma(m, &job), EACCES);
	assert_int_equal(counter(m, "dma_reads"), 1);
	assert_int_equal(counter(m, "dma_writes"), 1);
	assert_int_equal(counter(m, "dma_read_bytes"), 64);
	assert_int_equal(counter(m, "dma_write_bytes"), 64);
	assert_int_equal(counter(m, "blocked"), 2);
	assert_int_equal(counter(m, "faults"), 3);
}

static void bypass_dma(void **state)
{
	dma_needs_bus_master(*state);
}

static void strict_dma(void **state)
{
	struct machine *m = *state;
	struct dma_job job = {.addr = 0x2000};

	pvi_iommu_free(m->vm.iommu);
	add_iommu(m, false);
	m->s.hook = dma_on_write;
	start(m, PATIENT_MS);
	bus_master(m, true);
	assert_int_equal(do_dma(m, &job), EFAULT); /* attached to no domain */
	assert_int_equal(counter(m, "faults"), 1);
	assert_int_equal(counter(m, "dma_reads"), 0);
	assert_int_equal(counter(m, "endpoint"), SLOT << 3);
}

static void quiescing(void **state)
{
	struct machine *m = *state;
	struct dma_job job = {.addr = 0x2000};

	m->s.hook = dma_on_write;
	m->s.doorbell = true;
	start(m, PATIENT_MS);
	bus_master(m, true);
	assert_int_equal(do_dma(m, &job), 0);
	pci_quiesce_all(&m->vm.pci);
	assert_int_equal(fake_irq.nr_doorbells, 0);
	assert_int_equal(do_dma(m, &job), EACCES);
	/* The guest can't switch it on again: vCPUs may still run. */
	bus_master(m, false);
	bus_master(m, true);
	assert_int_equal(do_dma(m, &job), EACCES);
	assert_int_equal(counter(m, "dma_at_quiesce"), 1);
	assert_int_equal(counter(m, "dma_after_quiesce"), 0);
	assert_int_equal(counter(m, "refused_after_quiesce"), 2);
	pci_fn_reset(m->vm.pci.fn[SLOT]);
	assert_int_equal(peek(m)->nr_resets, 1);
	place_bars(m);
	assert_int_equal(fake_irq.nr_doorbells, 1);
	assert_int_equal(do_dma(m, &job), EACCES);
	bus_master(m, true);
	assert_int_equal(do_dma(m, &job), 0);
}

/* --- failure --- */

static bool on_bar_read(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload)
{
	struct vfu_region_access a;

	if (head->command != VFU_REGION_READ)
		return false;
	memcpy(&a, payload, sizeof(a));
	return a.region == 0;
}

static bool hang(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
		 size_t len)
{
	return on_bar_read(s, head, payload);
}

static bool die(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
		size_t len)
{
	if (!on_bar_read(s, head, payload))
		return false;
	shutdown(s->sock, SHUT_RDWR);
	return true;
}

/* Says four bytes, sends eight; or answers for another place. */
static bool lie(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
		size_t len)
{
	struct {
		struct vfu_region_access head;
		uint8_t data[8];
	} a = {.data = {0}};

	if (!on_bar_read(s, head, payload))
		return false;
	memcpy(&a.head, payload, sizeof(a.head));
	fake_vfu_reply(s, head, &a, sizeof(a));
	return true;
}

static bool elsewhere(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
		      size_t len)
{
	struct {
		struct vfu_region_access head;
		uint8_t data[4];
	} a = {.data = {0}};

	if (!on_bar_read(s, head, payload))
		return false;
	memcpy(&a.head, payload, sizeof(a.head));
	a.head.offset += 4;
	fake_vfu_reply(s, head, &a, sizeof(a.head) + 4);
	return true;
}

static void expect_failure(struct machine *m, fake_vfu_hook *hook, unsigned int timeout_ms,
			   const char *reason)
{
	struct bus *bus = &m->vm.bus;
	struct json_object *o, *v;

	fake_vfu_init(&m->s);
	m->s.hook = hook;
	m->s.doorbell = true;
	start(m, timeout_ms);
	bus_master(m, true);
	guest_cfg_write(bus, SLOT, FAKE_MSIX_CAP + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE, 2);
	guest_write(bus, MSIX, 0xfee01000, 8);
	guest_write(bus, MSIX + 12, 0, 4);
	assert_int_equal(fake_irq.nr_irqfds, 1);
	assert_int_equal(fake_irq.nr_doorbells, 1);
	assert_int_equal(guest_read(bus, BASE, 4), UINT32_MAX);
	/* Whoever noticed first may still be at it: wait for it to say so. */
	do {
		o = stats(m);
		json_object_object_get_ex(o, "failed", &v);
		if (v)
			break;
		json_object_put(o);
	} while (true);
	assert_non_null(strstr(json_object_get_string(v), reason));
	json_object_put(o);
	assert_int_equal(fake_irq.nr_irqfds, 0);
	assert_int_equal(fake_irq.nr_doorbells, 0);
	/* The rest of the guest goes on; nothing brings the device back. */
	guest_write(bus, BASE, 1, 4);
	assert_int_equal(guest_read(bus, BASE, 8), UINT64_MAX);
	guest_write(bus, MSIX + 12, 1, 4);
	guest_write(bus, MSIX + 12, 0, 4);
	guest_cfg_write(bus, SLOT, PCI_BASE_ADDRESS_0, BASE + 0x4000, 4);
	bus_master(m, false);
	bus_master(m, true);
	assert_int_equal(fake_irq.nr_irqfds, 0);
	assert_int_equal(fake_irq.nr_doorbells, 0);
	assert_int_equal(guest_cfg_read(bus, SLOT, 0, 4), 0x10421af4);
	stop(m);
}

static struct machine *stuck_machine;

/* What the IOMMU says of a transfer that does not end. */
static bool stuck(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
		  size_t len)
{
	if (!stuck_machine->dev || head->command != VFU_REGION_READ)
		return false;
	vfu_device_stuck(stuck_machine->dev);
	return true;
}

static void failures(void **state)
{
	struct machine *m = *state;

	stuck_machine = m;
	expect_failure(m, stuck, PATIENT_MS, "closed");

	expect_failure(m, hang, SHORT_MS, "did not answer REGION_READ within 150 ms");
	expect_failure(m, die, PATIENT_MS, "ended or closed its connection");
	expect_failure(m, lie, PATIENT_MS, "answered a REGION_READ of 4 bytes");
	expect_failure(m, elsewhere, PATIENT_MS, "with something else");
}

/* --- nonsense at start-up --- */

static void refused(struct machine *m, int err)
{
	assert_int_equal(bring_up(m, PATIENT_MS), err);
	assert_null(m->dev);
	fake_vfu_stop(&m->s);
	assert_null(m->vm.pci.fn[SLOT]);
	assert_int_equal(m->vm.irq.nr_gsi, 0);
	fake_vfu_init(&m->s);
}

static void absurd_descriptions(void **state)
{
	struct machine *m = *state;
	struct fake_vfu *s = &m->s;

	s->bar_size[0] = 0x1001;
	refused(m, -EPROTO);
	s->bar_size[3] = UINT64_MAX;
	refused(m, -EPROTO);
	s->bar_size[3] = 2 * VFU_MAX_BAR_SIZE;
	refused(m, -EPROTO);
	s->bar_size[1] = 0x10; /* the MSI-X table does not fit */
	refused(m, -EPROTO);
	s->cfg_size = 64;
	refused(m, -EPROTO);
	s->cfg_size = UINT32_MAX;
	refused(m, -EPROTO);
	s->nr_regions = 3;
	refused(m, -EPROTO);
	s->nr_regions = UINT32_MAX;
	refused(m, -EPROTO);
	s->nr_irqs = 1;
	refused(m, -EPROTO);
	s->nr_msix = 2; /* fewer than its capability has */
	refused(m, -EPROTO);
	s->info_flags = 0;
	refused(m, -EPROTO);
	s->version = "{\"capabilities\":{\"max_msg_fds\":\"many\"}}";
	refused(m, -EPROTO);
	s->version = "{\"capabilities\":{\"max_msg_fds\":0}}";
	refused(m, -EPROTO);
	s->version = "[";
	refused(m, -EPROTO);
	s->cfg[FAKE_VNDR_CAP + 1] = FAKE_MSIX_CAP; /* a loop */
	refused(m, -EPROTO);
	/* And after all that, a good one. */
	start(m, PATIENT_MS);
}

/* At the @nth message, the device does what @how says. */
struct script {
	unsigned int nth, seen;
	enum { HOW_ERROR, HOW_EOF, HOW_SHORT, HOW_LONG, HOW_SILENT, HOW_MAX } how;
};

static bool misbehave(struct fake_vfu *s, const struct vfu_header *head, const uint8_t *payload,
		      size_t len)
{
	static const uint8_t junk[8192];
	struct script *script = s->ctx;

	if (script->seen++ != script->nth)
		return false;
	switch (script->how) {
	case HOW_ERROR:
		fake_vfu_error(s, head, EPERM);
		break;
	case HOW_EOF:
		shutdown(s->sock, SHUT_RDWR);
		break;
	case HOW_SHORT:
		fake_vfu_reply(s, head, junk, 3);
		break;
	case HOW_LONG:
		fake_vfu_reply(s, head, junk, sizeof(junk));
		break;
	default:
		break;
	}
	return true;
}

/* Every message of the start-up dialog, and every way to spoil it. */
static void spoilt_dialogs(void **state)
{
	struct machine *m = *state;
	struct script script = {.nth = UINT32_MAX};
	unsigned int messages;

	m->s.hook = misbehave;
	m->s.ctx = &script;
	m->s.doorbell = true;
	start(m, PATIENT_MS);
	peek(m);
	messages = script.seen - 1; /* less the write of the command register */
	stop(m);
	assert_in_range(messages, 12, 40);
	for (unsigned int how = 0; how < HOW_MAX; how++) {
		for (unsigned int nth = 0; nth < messages; nth++) {
			script = (struct script){.nth = nth, .how = how};
			fake_vfu_init(&m->s);
			m->s.hook = misbehave;
			m->s.ctx = &script;
			m->s.doorbell = true;
			if (bring_up(m, how == HOW_SILENT ? SHORT_MS / 3 : PATIENT_MS)) {
				assert_null(m->dev);
				fake_vfu_stop(&m->s);
				continue;
			}
			/* Doorbells and DMA_MAP are the only ones it may refuse. */
			assert_int_not_equal(how, HOW_EOF);
			assert_int_not_equal(how, HOW_LONG);
			assert_int_not_equal(how, HOW_SILENT);
			stop(m);
		}
	}
}

static void peer_gone(void **state)
{
	struct machine *m = *state;
	struct vfu_config config = {.name = "test", .slot = SLOT};
	int sock[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
	close(sock[1]);
	config.sock = sock[0];
	assert_int_equal(vfu_device_new(&m->vm, &config, &m->dev), -ECONNRESET);
	close(sock[0]);
}

static void slot_taken(void **state)
{
	struct machine *m = *state;
	static struct pci_fn other;

	other.ops = m->vm.pci.bridge.ops;
	assert_int_equal(pci_fn_add(&m->vm.pci, SLOT, &other), 0);
	assert_int_equal(bring_up(m, PATIENT_MS), -EBUSY);
	fake_vfu_stop(&m->s);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(shown_to_the_guest),	T(refused_access), T(interrupts), T(doorbells),
		T(bypass_dma),		T(strict_dma),	   T(quiescing),  T(failures),
		T(absurd_descriptions), T(spoilt_dialogs), T(peer_gone),  T(slot_taken),
	};

	return cmocka_run_group_tests_name("vfu_device", tests, NULL, NULL);
}
