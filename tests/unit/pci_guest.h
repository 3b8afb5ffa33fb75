/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest does on the PCI bus, for tests. */
#ifndef PCI_GUEST_H
#define PCI_GUEST_H

#include "core/wire.h"
#include "vmm/memory.h"
#include "vmm/pci.h"

static inline uint64_t guest_ecam(unsigned int slot, uint32_t off)
{
	return GPA_ECAM_BASE + ((uint64_t)slot << 15) + off;
}

static inline uint64_t guest_read(struct bus *bus, uint64_t gpa, uint32_t len)
{
	uint8_t buf[8] = {0};

	bus_access(bus, BUS_MMIO, gpa, buf, len, false);
	return pvi_get64(buf);
}

static inline void guest_write(struct bus *bus, uint64_t gpa, uint64_t value, uint32_t len)
{
	uint8_t buf[8];

	pvi_put64(buf, value);
	bus_access(bus, BUS_MMIO, gpa, buf, len, true);
}

static inline uint32_t guest_cfg_read(struct bus *bus, unsigned int slot, uint32_t off,
				      uint32_t len)
{
	return (uint32_t)guest_read(bus, guest_ecam(slot, off), len);
}

static inline void guest_cfg_write(struct bus *bus, unsigned int slot, uint32_t off, uint32_t value,
				   uint32_t len)
{
	guest_write(bus, guest_ecam(slot, off), value, len);
}

#endif
