/* SPDX-License-Identifier: BSD-2-Clause */
/* The ACPI tables (6.4): what the guest learns of the machine. */
#ifndef VMM_ACPI_H
#define VMM_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct acpi_config {
	unsigned int nr_cpus;
	bool pci;
	bool viommu; /* only with pci */
	bool intx;   /* slots have interrupt lines: pci_slot_gsi() */
	uint64_t mmio64_base, mmio64_size;
};

/*
 * Builds all tables for address @gpa into @buf, the RSDP first. *@ret_len is
 * how much of @buf they take. -ENOSPC.
 */
int acpi_build(const struct acpi_config *config, uint64_t gpa, uint8_t *buf, size_t room,
	       size_t *ret_len);

#endif
