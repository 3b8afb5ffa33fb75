/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stands in for vmm/vfio_sys.c and vmm/memslot.c: a host with two groups, 5 with one device in it
 * (TREE_A of host_tree.h) and 6, and a KVM that takes memory slots. By the kernel's rules where
 * they matter: one kind of interrupt at a time, no file twice, the IOMMU only with a group. Reads
 * and writes of the device's regions may come from any thread, as in the kernel.
 */
#ifndef FAKE_VFIO_SYS_H
#define FAKE_VFIO_SYS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define FAKE_GROUP   5
#define FAKE_GROUPS  2
#define FAKE_REGIONS 9
#define FAKE_SLOTS   64

struct fake_region {
	uint64_t size;
	uint32_t flags;
	unsigned int nr_areas; /* sparse; 0: no such capability */
	struct {
		uint64_t off, size;
	} area[4];
	uint8_t byte[0x10000]; /* what is read and written */
};

struct fake_vfio_sys {
	/* What shall be. */
	int group_error, container_error; /* of open; -errno */
	bool not_viable, no_type1, no_info;
	int iommu_error; /* of SET_IOMMU */
	int map_error;	 /* of MAP_DMA */
	int join_error;	 /* of a group that is to join another's container */
	int intx_error;
	uint64_t page_sizes; /* of the IOMMU */
	uint32_t device_flags;
	unsigned int nr_irqs[3];   /* line, MSI, MSI-X */
	unsigned int most_vectors; /* SET_IRQS of more says how many, 0: no limit */
	struct fake_region region[FAKE_REGIONS];
	uint32_t bus_groups[4]; /* of what a reset of the bus touches */
	unsigned int nr_bus;
	int bus_error; /* of its reset */
	int fail_in;   /* the call after so many fails with -@error; -1: none */
	int error;
	int slot_error;

	/* What is. */
	atomic_uint calls;  /* of any kind */
	unsigned int files; /* open */
	bool group_open[FAKE_GROUPS], in_kvm[FAKE_GROUPS], iommu_set, device_open;
	int container[FAKE_GROUPS]; /* its fd, 0: none */
	unsigned int containers;    /* that were opened */
	int irq_index;		    /* enabled; -1: none */
	unsigned int irq_count;
	int irq_fd[64], unmask_fd;
	unsigned int resets, bus_resets;
	bool master_at_reset;
	unsigned int maps; /* of memory of the device */
	uint64_t dma_bytes;
	struct {
		uint64_t gpa, size;
		const void *hva;
		bool used;
	} slot[FAKE_SLOTS];
};

extern struct fake_vfio_sys fake_sys;

/* A device: BAR 0 16 KiB with 65 MSI-X vectors, BAR 1 I/O, BAR 2 64-bit; MSI, PCIe and more. */
void fake_sys_reset(void);
/* The slot at @gpa: its size, 0: none; where in the region it leads goes to *@ret_off. */
uint64_t fake_sys_slot(uint64_t gpa, unsigned int region, uint64_t *ret_off);
unsigned int fake_sys_slots(void);
uint16_t fake_sys_command(void);

#endif
