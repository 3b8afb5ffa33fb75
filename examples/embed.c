// SPDX-License-Identifier: BSD-2-Clause
/*
 * A complete embedding of libpviommu: a "VM" of 1 MiB of memory, one device, and a
 * guest that drives the virtio-iommu through its registers and queues. The guest
 * attaches the device, maps a page, lets it do DMA, takes the page away, and reads
 * why the next DMA failed.
 *
 *   cc embed.c $(pkg-config --cflags --libs pviommu) && ./a.out
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pviommu/iommu.h>
#include <pviommu/viommu.h>

/* ---- the VMM: guest memory, interrupts, and what becomes of a refused DMA ---- */

#define RAM_SIZE 0x100000u

struct vm {
	uint8_t *ram; /* guest-physical 0 on */
	unsigned int interrupts[PVI_VIOMMU_VECTORS];
	struct pvi_iommu *iommu;
	struct pvi_viommu *viommu;
	struct pvi_endpoint *device;
};

static void *vm_ram(void *ctx, uint64_t gpa, uint64_t len, uint64_t *ret_len)
{
	struct vm *vm = ctx;

	if (gpa >= RAM_SIZE)
		return NULL;
	*ret_len = len < RAM_SIZE - gpa ? len : RAM_SIZE - gpa;
	return vm->ram + gpa;
}

static void vm_fault(void *ctx, const struct pvi_fault *fault)
{
	printf("vmm: endpoint %u: DMA %s at 0x%llx refused\n", fault->endpoint,
	       fault->write ? "write" : "read", (unsigned long long)fault->address);
}

/* A VMM would signal the guest's MSI-X vector. */
static void vm_interrupt(void *ctx, uint16_t vector)
{
	struct vm *vm = ctx;

	vm->interrupts[vector]++;
}

static const struct pvi_iommu_ops iommu_ops = {.ram = vm_ram, .fault = vm_fault};
static const struct pvi_viommu_ops viommu_ops = {.interrupt = vm_interrupt};

static int vm_start(struct vm *vm)
{
	/* What DMA may not use: on x86, where interrupt messages go. */
	const struct pvi_reserved msi = {0xfee00000, 0xfeefffff, true};
	const struct pvi_iommu_config ic = {
		.ops = &iommu_ops,
		.ctx = vm,
		.input_last = (1ull << 48) - 1,
		.domain_last = 0xffff,
		.dma_timeout_ms = 1000,
	};
	const struct pvi_viommu_config vc = {.ops = &viommu_ops, .ctx = vm};
	const struct pvi_endpoint_config ec = {.reserved = &msi, .nr_reserved = 1, .dma_on = true};
	int err;

	vm->ram = calloc(1, RAM_SIZE);
	if (!vm->ram)
		return -1;
	err = pvi_iommu_new(&ic, &vm->iommu);
	if (!err)
		err = pvi_viommu_new(vm->iommu, &vc, &vm->viommu);
	/* 8: the device's PCI bus, device and function number, 00:01.0. */
	if (!err)
		err = pvi_endpoint_add(vm->iommu, 8, &ec, &vm->device);
	return err;
}

/* Devices first, then what they went through. */
static void vm_stop(struct vm *vm)
{
	pvi_endpoint_remove(vm->device);
	pvi_viommu_free(vm->viommu);
	pvi_iommu_free(vm->iommu);
	free(vm->ram);
}

/* ---- the guest: its driver of the virtio-iommu (VIRTIO 1.3: 4.1.4, 2.7, 5.13) ---- */

/* Where the BAR has what, as the capabilities of pvi_viommu_caps() tell a real driver. */
struct layout {
	uint32_t common, notify, notify_mult;
};

/* Queue @q has its three parts at 0x1000 + 0x3000 * @q, requests lie from 0x8000 on. */
#define QUEUE(q)      (0x1000u + 0x3000u * (q))
#define AVAIL(q)      (QUEUE(q) + 0x1000u)
#define USED(q)	      (QUEUE(q) + 0x2000u)
#define ENTRIES	      16u
#define REQUEST	      0x8000u
#define REPLY	      0x9000u
#define EVENT	      0xa000u
#define DATA	      0x20000u

#define DESC_NEXT     1u
#define DESC_WRITABLE 2u

/* What is little-endian on the wire is so here, too: a real driver converts. */
static void put(struct vm *vm, uint32_t gpa, uint64_t value, size_t len)
{
	memcpy(vm->ram + gpa, &value, len);
}

static uint64_t get(const struct vm *vm, uint32_t gpa, size_t len)
{
	uint64_t value = 0;

	memcpy(&value, vm->ram + gpa, len);
	return value;
}

static void reg(struct vm *vm, uint32_t off, uint64_t value, uint32_t len)
{
	pvi_viommu_bar_write(vm->viommu, off, &value, len);
}

static struct layout find_layout(struct vm *vm)
{
	uint8_t caps[PVI_VIOMMU_CAPS_SIZE];
	struct layout l = {0, 0, 0};
	uint32_t at = 0, off;

	pvi_viommu_caps(vm->viommu, 0, 0, 0xff, caps);
	while (at != 0xff) {
		memcpy(&off, caps + at + 8, 4);
		if (caps[at + 3] == 1)
			l.common = off;
		if (caps[at + 3] == 2) {
			l.notify = off;
			memcpy(&l.notify_mult, caps + at + 16, 4);
		}
		at = caps[at + 1];
	}
	return l;
}

static void guest_start(struct vm *vm, const struct layout *l)
{
	const uint32_t c = l->common;

	reg(vm, c + 0x14, 0, 1);		 /* reset */
	reg(vm, c + 0x14, 3, 1);		 /* ACKNOWLEDGE, DRIVER */
	reg(vm, c + 0x08, 0, 4);		 /* features 0 to 31: */
	reg(vm, c + 0x0c, 1u << 2 | 1u << 4, 4); /* MAP_UNMAP, PROBE */
	reg(vm, c + 0x08, 1, 4);		 /* features 32 to 63: */
	reg(vm, c + 0x0c, 1, 4);		 /* VERSION_1 */
	reg(vm, c + 0x14, 11, 1);		 /* FEATURES_OK */
	for (uint32_t q = 0; q < 2; q++) {
		reg(vm, c + 0x16, q, 2);
		reg(vm, c + 0x18, ENTRIES, 2);
		reg(vm, c + 0x1a, q + 1, 2); /* vector */
		reg(vm, c + 0x20, QUEUE(q), 8);
		reg(vm, c + 0x28, AVAIL(q), 8);
		reg(vm, c + 0x30, USED(q), 8);
		reg(vm, c + 0x1c, 1, 2);
	}
	reg(vm, c + 0x14, 15, 1); /* DRIVER_OK */
}

static void descriptor(struct vm *vm, uint32_t q, uint32_t i, uint64_t addr, uint32_t len,
		       uint32_t flags)
{
	put(vm, QUEUE(q) + 16 * i, addr, 8);
	put(vm, QUEUE(q) + 16 * i + 8, len, 4);
	put(vm, QUEUE(q) + 16 * i + 12, flags, 2);
	put(vm, QUEUE(q) + 16 * i + 14, i + 1, 2);
}

/* Offers descriptor 0 of queue @q and rings its doorbell. */
static void offer(struct vm *vm, const struct layout *l, uint32_t q)
{
	uint64_t next = get(vm, AVAIL(q) + 2, 2);

	put(vm, AVAIL(q) + 4 + 2 * (uint32_t)(next % ENTRIES), 0, 2);
	put(vm, AVAIL(q) + 2, next + 1, 2);
	reg(vm, l->notify + q * l->notify_mult, q, 2);
}

/* One request of @len bytes at REQUEST; its status, 0 for OK. */
static unsigned int send(struct vm *vm, const struct layout *l, uint32_t len)
{
	descriptor(vm, 0, 0, REQUEST, len, DESC_NEXT);
	descriptor(vm, 0, 1, REPLY, 4, DESC_WRITABLE);
	offer(vm, l, 0);
	return (unsigned int)get(vm, REPLY, 1);
}

static unsigned int attach(struct vm *vm, const struct layout *l, uint32_t domain,
			   uint32_t endpoint)
{
	memset(vm->ram + REQUEST, 0, 20);
	put(vm, REQUEST, 1, 1);
	put(vm, REQUEST + 4, domain, 4);
	put(vm, REQUEST + 8, endpoint, 4);
	return send(vm, l, 20);
}

static unsigned int map(struct vm *vm, const struct layout *l, uint32_t domain, uint64_t first,
			uint64_t last, uint64_t gpa)
{
	memset(vm->ram + REQUEST, 0, 36);
	put(vm, REQUEST, 3, 1);
	put(vm, REQUEST + 4, domain, 4);
	put(vm, REQUEST + 8, first, 8);
	put(vm, REQUEST + 16, last, 8);
	put(vm, REQUEST + 24, gpa, 8);
	put(vm, REQUEST + 32, 3, 4); /* READ and WRITE */
	return send(vm, l, 36);
}

static unsigned int unmap(struct vm *vm, const struct layout *l, uint32_t domain, uint64_t first,
			  uint64_t last)
{
	memset(vm->ram + REQUEST, 0, 28);
	put(vm, REQUEST, 4, 1);
	put(vm, REQUEST + 4, domain, 4);
	put(vm, REQUEST + 8, first, 8);
	put(vm, REQUEST + 16, last, 8);
	return send(vm, l, 28);
}

/* ---- what happens ---- */

static void expect(int good, const char *what)
{
	printf("%s: %s\n", good ? "ok" : "NOT OK", what);
	if (!good)
		exit(1);
}

int main(void)
{
	char buf[6] = "";
	struct layout l;
	struct vm vm;

	memset(&vm, 0, sizeof(vm));
	expect(!vm_start(&vm), "the VM has an IOMMU, a virtio-iommu and a device");
	l = find_layout(&vm);
	guest_start(&vm, &l);
	descriptor(&vm, 1, 0, EVENT, 24, DESC_WRITABLE);
	offer(&vm, &l, 1);

	memcpy(vm.ram + DATA, "hello", 5);
	expect(attach(&vm, &l, 1, 8) == 0, "the guest attaches the device to domain 1");
	expect(map(&vm, &l, 1, 0x5000, 0x5fff, DATA) == 0, "it maps a page at 0x5000");
	expect(!pvi_dma_read(vm.device, 0x5000, buf, 5) && !strcmp(buf, "hello"),
	       "the device reads it");
	expect(!pvi_dma_write(vm.device, 0x5ffd, "bye", 3) &&
		       !memcmp(vm.ram + DATA + 0xffd, "bye", 3),
	       "the device writes its last bytes");
	expect(pvi_dma_write(vm.device, 0x5ffd, "bye!", 4) < 0, "it cannot write beyond");
	expect(get(&vm, USED(1) + 2, 2) == 1 && vm.interrupts[2] == 1,
	       "the guest has a fault report");
	expect(get(&vm, EVENT, 1) == 2 && get(&vm, EVENT + 8, 4) == 8 &&
		       get(&vm, EVENT + 16, 8) == 0x6000,
	       "that says: endpoint 8, no mapping at 0x6000");
	expect(unmap(&vm, &l, 1, 0x5000, 0x5fff) == 0, "the guest takes the page away");
	expect(pvi_dma_read(vm.device, 0x5000, buf, 5) < 0, "the device cannot read it any more");
	vm_stop(&vm);
	return 0;
}
