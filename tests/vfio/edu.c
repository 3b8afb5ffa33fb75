// SPDX-License-Identifier: BSD-2-Clause
#include "edu.h"

#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* docs/specs/edu.txt of QEMU */
enum {
	EDU_SRC = 0x80,
	EDU_DST = 0x88,
	EDU_COUNT = 0x90,
	EDU_CMD = 0x98,
	EDU_BUFFER = 0x40000,
};
#define EDU_CMD_START  1u
#define EDU_CMD_TO_RAM 2u
#define EDU_PATIENCE_S 20
#define EDU_MOST       2048u

static struct vfio_region_info region(const struct edu *e, uint32_t index)
{
	struct vfio_region_info r = {.argsz = sizeof(r), .index = index};

	assert_int_equal(ioctl(e->device, VFIO_DEVICE_GET_REGION_INFO, &r), 0);
	return r;
}

static void set_bus_master(const struct edu *e)
{
	const uint64_t at = region(e, VFIO_PCI_CONFIG_REGION_INDEX).offset + PCI_COMMAND;
	uint16_t command;

	assert_int_equal(pread(e->device, &command, 2, (off_t)at), 2);
	command |= PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY;
	assert_int_equal(pwrite(e->device, &command, 2, (off_t)at), 2);
}

void edu_open(struct edu *e, const char *group, const char *bdf)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};
	struct vfio_region_info bar;
	char path[64];

	snprintf(path, sizeof(path), "/dev/vfio/%s", group);
	e->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	e->group = open(path, O_RDWR | O_CLOEXEC);
	assert_true(e->container >= 0 && e->group >= 0);
	assert_int_equal(ioctl(e->group, VFIO_GROUP_GET_STATUS, &status), 0);
	assert_true(status.flags & VFIO_GROUP_FLAGS_VIABLE);
	assert_int_equal(ioctl(e->group, VFIO_GROUP_SET_CONTAINER, &e->container), 0);
	assert_int_equal(ioctl(e->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU), 0);
	e->device = ioctl(e->group, VFIO_GROUP_GET_DEVICE_FD, bdf);
	assert_true(e->device >= 0);
	set_bus_master(e);
	bar = region(e, VFIO_PCI_BAR0_REGION_INDEX);
	e->regs = mmap(NULL, 0x1000, PROT_READ | PROT_WRITE, MAP_SHARED, e->device,
		       (off_t)bar.offset);
	assert_true(e->regs != MAP_FAILED);
}

void edu_close(struct edu *e)
{
	munmap(e->regs, 0x1000);
	close(e->device);
	close(e->group);
	close(e->container);
}

static volatile uint64_t *reg(const struct edu *e, size_t off)
{
	return (volatile uint64_t *)((uint8_t *)e->regs + off);
}

static void dma(const struct edu *e, uint64_t src, uint64_t dst, size_t len, uint64_t how)
{
	const struct timespec tick = {.tv_nsec = 5000000};
	const time_t end = time(NULL) + EDU_PATIENCE_S;

	assert_in_range(len, 1, EDU_MOST);
	*reg(e, EDU_SRC) = src;
	*reg(e, EDU_DST) = dst;
	*reg(e, EDU_COUNT) = len;
	*reg(e, EDU_CMD) = EDU_CMD_START | how;
	/* Its interrupt is not part of what is tested: look until it has ended. */
	while (*reg(e, EDU_CMD) & EDU_CMD_START) {
		assert_true(time(NULL) < end);
		nanosleep(&tick, NULL);
	}
}

void edu_read(const struct edu *e, uint64_t iova, size_t len)
{
	dma(e, iova, EDU_BUFFER, len, 0);
}

void edu_write(const struct edu *e, uint64_t iova, size_t len)
{
	dma(e, EDU_BUFFER, iova, len, EDU_CMD_TO_RAM);
}
