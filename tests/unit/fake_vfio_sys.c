// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <linux/kvm.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/wire.h"
#include "fake_vfio_sys.h"
#include "vmm/memslot.h"
#include "vmm/vfio_sys.h"

#define FD_FIRST     1001
#define FD_DEVICE    1003
#define FD_KVM	     1004
#define FD_GROUP     1010 /* and up, one a group */
#define FD_CONTAINER 1020 /* and up, in the order in which they were opened */
#define REGION_SHIFT 40

struct fake_vfio_sys fake_sys;

static void add_cap(uint8_t at, uint8_t id, uint8_t next)
{
	fake_sys.region[VFIO_PCI_CONFIG_REGION_INDEX].byte[at] = id;
	fake_sys.region[VFIO_PCI_CONFIG_REGION_INDEX].byte[at + 1] = next;
}

static void fill_config(uint8_t *cfg)
{
	pvi_put16(cfg + PCI_VENDOR_ID, 0x8086);
	pvi_put16(cfg + PCI_DEVICE_ID, 0x10d3);
	pvi_put32(cfg + PCI_CLASS_REVISION, 0x02000003);
	pvi_put16(cfg + PCI_SUBSYSTEM_VENDOR_ID, 0x1234);
	pvi_put16(cfg + PCI_SUBSYSTEM_ID, 0x5678);
	pvi_put16(cfg + PCI_STATUS, PCI_STATUS_CAP_LIST);
	pvi_put32(cfg + PCI_BASE_ADDRESS_0, 0xfeb00000);
	pvi_put32(cfg + PCI_BASE_ADDRESS_1, 0xc001);
	pvi_put32(cfg + PCI_BASE_ADDRESS_2, 0x0000000c);
	pvi_put32(cfg + PCI_BASE_ADDRESS_3, 0x00000040);
	cfg[PCI_INTERRUPT_PIN] = 2;
	cfg[PCI_CAPABILITY_LIST] = 0x40;
	add_cap(0x40, PCI_CAP_ID_PM, 0x50);
	add_cap(0x50, PCI_CAP_ID_MSI, 0x70);
	/* 8 messages, 64-bit, with masks. */
	pvi_put16(cfg + 0x52, 3 << 1 | PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT);
	add_cap(0x70, PCI_CAP_ID_MSIX, 0x80);
	pvi_put16(cfg + 0x72, 64);
	pvi_put32(cfg + 0x74, 0x2000);
	pvi_put32(cfg + 0x78, 0x3000);
	add_cap(0x80, PCI_CAP_ID_EXP, 0xc0);
	pvi_put16(cfg + 0x82, 2);
	pvi_put32(cfg + 0x84, PCI_EXP_DEVCAP_FLR | PCI_EXP_DEVCAP_RBER | 1);
	pvi_put32(cfg + 0x8c, 0x00012c11); /* the link */
	add_cap(0xc0, PCI_CAP_ID_VPD, 0xd0);
	add_cap(0xd0, PCI_CAP_ID_VNDR, 0);
	cfg[0xd2] = 8;
	cfg[0xd3] = 0x77;
	pvi_put32(cfg + 0x100, 0x0001000f); /* ATS */
}

void fake_sys_reset(void)
{
	const uint32_t rw = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	struct fake_region *r = fake_sys.region;

	memset(&fake_sys, 0, sizeof(fake_sys));
	fake_sys.fail_in = fake_sys.irq_index = -1;
	fake_sys.page_sizes = 0x1000;
	fake_sys.device_flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
	fake_sys.nr_irqs[0] = 1;
	fake_sys.nr_irqs[1] = 8;
	fake_sys.nr_irqs[2] = 65;
	r[0].size = 0x4000;
	r[0].flags = rw | VFIO_REGION_INFO_FLAG_MMAP;
	r[1].size = 0x20;
	r[1].flags = rw;
	r[2].size = 0x8000;
	r[2].flags = rw | VFIO_REGION_INFO_FLAG_MMAP;
	r[VFIO_PCI_CONFIG_REGION_INDEX].size = 4096;
	r[VFIO_PCI_CONFIG_REGION_INDEX].flags = rw;
	fill_config(r[VFIO_PCI_CONFIG_REGION_INDEX].byte);
}

static bool fails(void)
{
	atomic_fetch_add_explicit(&fake_sys.calls, 1, memory_order_relaxed);
	return fake_sys.fail_in >= 0 && !fake_sys.fail_in--;
}

uint16_t fake_sys_command(void)
{
	return pvi_get16(fake_sys.region[VFIO_PCI_CONFIG_REGION_INDEX].byte + PCI_COMMAND);
}

/* --- files --- */

int vfio_sys_open(const char *path)
{
	int group;

	if (fails())
		return -fake_sys.error;
	if (!strcmp(path, "/dev/vfio/vfio")) {
		if (fake_sys.container_error)
			return fake_sys.container_error;
		fake_sys.files++;
		return FD_CONTAINER + (int)fake_sys.containers++;
	}
	assert_int_equal(sscanf(path, "/dev/vfio/%d", &group), 1);
	group -= FAKE_GROUP;
	assert_in_range(group, 0, FAKE_GROUPS - 1);
	if (fake_sys.group_error)
		return fake_sys.group_error;
	if (fake_sys.group_open[group])
		return -EBUSY;
	fake_sys.group_open[group] = true;
	fake_sys.files++;
	return FD_GROUP + group;
}

static bool is_group(int fd)
{
	return fd >= FD_GROUP && fd < FD_GROUP + FAKE_GROUPS;
}

/* The groups in it. */
static unsigned int joined(int container)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < FAKE_GROUPS; i++)
		n += fake_sys.container[i] == container;
	return n;
}

void vfio_sys_close(int fd)
{
	if (fd < 0)
		return;
	if (fd < FD_FIRST) {
		close(fd);
		return;
	}
	assert_true(fake_sys.files);
	fake_sys.files--;
	if (is_group(fd)) {
		fake_sys.group_open[fd - FD_GROUP] = false;
		fake_sys.container[fd - FD_GROUP] = 0;
	}
	if (fd == FD_DEVICE) {
		assert_int_equal(fake_sys.maps, 0);
		fake_sys.device_open = false;
		fake_sys.irq_index = -1;
	}
}

static struct fake_region *at(uint64_t off, size_t len)
{
	struct fake_region *r = &fake_sys.region[off >> REGION_SHIFT];

	off &= (1ull << REGION_SHIFT) - 1;
	assert_true(off + len <= r->size);
	return r;
}

int vfio_sys_read(int fd, uint64_t off, void *buf, size_t len)
{
	struct fake_region *r = at(off, len);

	assert_int_equal(fd, FD_DEVICE);
	if (fails())
		return -fake_sys.error;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] =
			__atomic_load_n(&r->byte[(off & 0xffff) + i], __ATOMIC_RELAXED);
	return 0;
}

int vfio_sys_write(int fd, uint64_t off, const void *buf, size_t len)
{
	struct fake_region *r = at(off, len);

	assert_int_equal(fd, FD_DEVICE);
	if (fails())
		return -fake_sys.error;
	for (size_t i = 0; i < len; i++)
		__atomic_store_n(&r->byte[(off & 0xffff) + i], ((const uint8_t *)buf)[i],
				 __ATOMIC_RELAXED);
	return 0;
}

void *vfio_sys_map(int fd, uint64_t off, size_t len, int prot)
{
	struct fake_region *r = at(off, len);

	assert_int_equal(fd, FD_DEVICE);
	assert_int_equal(prot, PROT_READ | PROT_WRITE);
	assert_true(r->flags & VFIO_REGION_INFO_FLAG_MMAP);
	if (fails())
		return NULL;
	fake_sys.maps++;
	return r->byte + (off & 0xffff);
}

void vfio_sys_unmap(void *where, size_t len)
{
	assert_true(fake_sys.maps);
	fake_sys.maps--;
}

/* --- ioctls --- */

static int region_info(struct vfio_region_info *info)
{
	const struct fake_region *r = &fake_sys.region[info->index];
	struct vfio_region_info_cap_sparse_mmap cap = {
		.header = {VFIO_REGION_INFO_CAP_SPARSE_MMAP, 1, 0}, .nr_areas = r->nr_areas};
	uint32_t need = (uint32_t)(sizeof(*info) + sizeof(cap) +
				   r->nr_areas * sizeof(struct vfio_region_sparse_mmap_area));
	uint32_t room = info->argsz;
	uint8_t *raw = (uint8_t *)info;

	assert_true(info->index < FAKE_REGIONS);
	*info = (struct vfio_region_info){.argsz = room,
					  .flags = r->flags,
					  .index = info->index,
					  .size = r->size,
					  .offset = (uint64_t)info->index << REGION_SHIFT};
	if (!r->nr_areas)
		return 0;
	info->flags |= VFIO_REGION_INFO_FLAG_CAPS;
	info->argsz = need;
	if (room < need)
		return 0;
	info->cap_offset = sizeof(*info);
	memcpy(raw + sizeof(*info), &cap, sizeof(cap));
	for (unsigned int i = 0; i < r->nr_areas; i++) {
		struct vfio_region_sparse_mmap_area area = {r->area[i].off, r->area[i].size};

		memcpy(raw + sizeof(*info) + sizeof(cap) + i * sizeof(area), &area, sizeof(area));
	}
	return 0;
}

static int irq_info(struct vfio_irq_info *info)
{
	if (info->index > VFIO_PCI_MSIX_IRQ_INDEX)
		return -EINVAL;
	info->count = fake_sys.nr_irqs[info->index];
	info->flags = VFIO_IRQ_INFO_EVENTFD;
	return 0;
}

static int set_irqs(const struct vfio_irq_set *set)
{
	uint32_t action = set->flags & VFIO_IRQ_SET_ACTION_TYPE_MASK;
	const int32_t *fd = (const int32_t *)set->data;

	if (set->flags & VFIO_IRQ_SET_DATA_NONE) {
		assert_int_equal(set->count, 0);
		assert_int_equal(fake_sys.irq_index, set->index);
		fake_sys.irq_index = -1;
		fake_sys.irq_count = 0;
		return 0;
	}
	assert_int_equal(set->argsz, sizeof(*set) + 4 * set->count);
	if (action == VFIO_IRQ_SET_ACTION_UNMASK) {
		assert_int_equal(set->index, VFIO_PCI_INTX_IRQ_INDEX);
		assert_int_equal(fake_sys.irq_index, VFIO_PCI_INTX_IRQ_INDEX);
		fake_sys.unmask_fd = fd[0];
		return 0;
	}
	if (set->index == VFIO_PCI_INTX_IRQ_INDEX && fake_sys.intx_error)
		return fake_sys.intx_error;
	if (fake_sys.irq_index >= 0 || set->count > fake_sys.nr_irqs[set->index])
		return -EINVAL;
	if (fake_sys.most_vectors && set->count > fake_sys.most_vectors)
		return (int)fake_sys.most_vectors;
	fake_sys.irq_index = (int)set->index;
	fake_sys.irq_count = set->count;
	memcpy(fake_sys.irq_fd, fd, 4 * set->count);
	return 0;
}

static int bus_info(struct vfio_pci_hot_reset_info *info)
{
	if (!fake_sys.nr_bus)
		return -ENODEV;
	info->count = fake_sys.nr_bus;
	for (unsigned int i = 0; i < fake_sys.nr_bus; i++)
		info->devices[i].group_id = fake_sys.bus_groups[i];
	return 0;
}

static int bus_reset(const struct vfio_pci_hot_reset *arg)
{
	assert_int_equal(arg->count, 1);
	assert_true(is_group(arg->group_fds[0]));
	fake_sys.bus_resets++;
	return fake_sys.bus_error;
}

static int on_group(int group, unsigned long request, void *arg)
{
	struct vfio_group_status *status = arg;

	switch (request) {
	case VFIO_GROUP_GET_STATUS:
		status->flags = fake_sys.not_viable ? 0 : VFIO_GROUP_FLAGS_VIABLE;
		return 0;
	case VFIO_GROUP_SET_CONTAINER:
		assert_int_equal(fake_sys.container[group], 0);
		if (joined(*(int *)arg) && fake_sys.join_error)
			return fake_sys.join_error;
		fake_sys.container[group] = *(int *)arg;
		return 0;
	case VFIO_GROUP_GET_DEVICE_FD:
		assert_true(fake_sys.iommu_set && fake_sys.container[group]);
		assert_false(fake_sys.device_open);
		fake_sys.device_open = true;
		fake_sys.files++;
		return FD_DEVICE;
	}
	return -ENOTTY;
}

static int on_container(int container, unsigned long request, void *arg)
{
	struct vfio_iommu_type1_info *info = arg;

	switch (request) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION:
		return !fake_sys.no_type1;
	case VFIO_SET_IOMMU:
		assert_int_equal(joined(container), 1);
		if (fake_sys.iommu_error)
			return fake_sys.iommu_error;
		fake_sys.iommu_set = true;
		return 0;
	case VFIO_IOMMU_GET_INFO:
		info->flags = VFIO_IOMMU_INFO_PGSIZES;
		info->iova_pgsizes = fake_sys.page_sizes;
		return 0;
	case VFIO_IOMMU_MAP_DMA:
		if (fake_sys.map_error)
			return fake_sys.map_error;
		fake_sys.dma_bytes += ((struct vfio_iommu_type1_dma_map *)arg)->size;
		return 0;
	case VFIO_IOMMU_UNMAP_DMA:
		/* All of it, the first time; the tests here map no more than RAM. */
		((struct vfio_iommu_type1_dma_unmap *)arg)->size = fake_sys.dma_bytes;
		fake_sys.dma_bytes = 0;
		return 0;
	}
	return -ENOTTY;
}

static int on_device(unsigned long request, void *arg)
{
	struct vfio_device_info *info = arg;

	switch (request) {
	case VFIO_DEVICE_GET_INFO:
		info->flags = fake_sys.device_flags;
		info->num_regions = FAKE_REGIONS;
		return 0;
	case VFIO_DEVICE_GET_REGION_INFO:
		return region_info(arg);
	case VFIO_DEVICE_GET_IRQ_INFO:
		return irq_info(arg);
	case VFIO_DEVICE_SET_IRQS:
		return set_irqs(arg);
	case VFIO_DEVICE_RESET:
		assert_true(fake_sys.device_flags & VFIO_DEVICE_FLAGS_RESET);
		fake_sys.master_at_reset = fake_sys_command() & PCI_COMMAND_MASTER;
		fake_sys.resets++;
		return 0;
	case VFIO_DEVICE_GET_PCI_HOT_RESET_INFO:
		return bus_info(arg);
	case VFIO_DEVICE_PCI_HOT_RESET:
		return bus_reset(arg);
	}
	return -ENOTTY;
}

static int on_kvm(unsigned long request, void *arg)
{
	const struct kvm_device_attr *attr = arg;
	int group;

	if (request == KVM_CREATE_DEVICE) {
		((struct kvm_create_device *)arg)->fd = FD_KVM;
		return 0;
	}
	assert_int_equal(request, KVM_SET_DEVICE_ATTR);
	assert_int_equal(attr->group, KVM_DEV_VFIO_GROUP);
	group = *(int *)(uintptr_t)attr->addr;
	assert_true(is_group(group));
	fake_sys.in_kvm[group - FD_GROUP] = attr->attr == KVM_DEV_VFIO_GROUP_ADD;
	return 0;
}

int vfio_sys_ioctl(int fd, unsigned long request, void *arg)
{
	if (fails())
		return -fake_sys.error;
	if (is_group(fd))
		return on_group(fd - FD_GROUP, request, arg);
	if (fd >= FD_CONTAINER)
		return on_container(fd, request, arg);
	return fd == FD_DEVICE ? on_device(request, arg) : on_kvm(request, arg);
}

/* --- memory slots --- */

int memslots_init(struct memslots *slots, int vm_fd)
{
	return 0;
}

void memslots_done(struct memslots *slots)
{
}

static bool overlaps(uint64_t gpa, uint64_t size)
{
	for (unsigned int i = 0; i < FAKE_SLOTS; i++)
		if (fake_sys.slot[i].used && gpa < fake_sys.slot[i].gpa + fake_sys.slot[i].size &&
		    fake_sys.slot[i].gpa < gpa + size)
			return true;
	return false;
}

int memslot_add(struct memslots *slots, uint64_t gpa, uint64_t size, void *hva,
		unsigned int *ret_slot)
{
	unsigned int i = 0;

	assert_false((gpa | size) & 0xfff);
	if (fake_sys.slot_error)
		return fake_sys.slot_error;
	if (overlaps(gpa, size))
		return -EEXIST;
	while (fake_sys.slot[i].used)
		i++;
	assert_true(i < FAKE_SLOTS);
	fake_sys.slot[i].used = true;
	fake_sys.slot[i].gpa = gpa;
	fake_sys.slot[i].size = size;
	fake_sys.slot[i].hva = hva;
	*ret_slot = i;
	return 0;
}

void memslot_remove(struct memslots *slots, unsigned int slot)
{
	assert_true(slot < FAKE_SLOTS && fake_sys.slot[slot].used);
	fake_sys.slot[slot].used = false;
}

uint64_t fake_sys_slot(uint64_t gpa, unsigned int region, uint64_t *ret_off)
{
	for (unsigned int i = 0; i < FAKE_SLOTS; i++) {
		if (!fake_sys.slot[i].used || fake_sys.slot[i].gpa != gpa)
			continue;
		*ret_off = (uint64_t)((const uint8_t *)fake_sys.slot[i].hva -
				      fake_sys.region[region].byte);
		return fake_sys.slot[i].size;
	}
	return 0;
}

unsigned int fake_sys_slots(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < FAKE_SLOTS; i++)
		n += fake_sys.slot[i].used;
	return n;
}
