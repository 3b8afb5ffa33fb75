// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <string.h>

#include "vmm/acpi.h"
#include "vmm/aml.h"
#include "vmm/irq.h"
#include "vmm/memory.h"
#include "vmm/pci.h"
#include "vmm/pm.h"
#include "vmm/viommu_fn.h"

#define LOCAL_APIC  0xfee00000u
#define IO_APIC	    0xfec00000u
#define COM1_PORT   0x3f8
#define TABLE_ALIGN 16u
#define MAX_TABLES  8

#define PACKED	    __attribute__((packed))

struct PACKED rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t checksum_all;
	uint8_t reserved[3];
};

struct PACKED header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
};

struct PACKED gas {
	uint8_t space;
	uint8_t width;
	uint8_t offset;
	uint8_t access;
	uint64_t address;
};

#define GAS_IO	    1
#define ACCESS_BYTE 1
#define ACCESS_WORD 2

struct PACKED fadt {
	struct header header;
	uint32_t facs, dsdt;
	uint8_t reserved0, pm_profile;
	uint16_t sci;
	uint32_t smi_cmd;
	uint8_t acpi_enable, acpi_disable, s4bios, pstate;
	uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer;
	uint32_t gpe0, gpe1;
	uint8_t pm1_event_len, pm1_control_len, pm2_control_len, pm_timer_len;
	uint8_t gpe0_len, gpe1_len, gpe1_base, cstate;
	uint16_t c2_latency, c3_latency, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t boot_arch;
	uint8_t reserved1;
	uint32_t flags;
	struct gas reset_reg;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor;
	uint64_t x_facs, x_dsdt;
	struct gas x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control, x_pm2_control;
	struct gas x_pm_timer, x_gpe0, x_gpe1, sleep_control, sleep_status;
	uint64_t hypervisor;
};

_Static_assert(sizeof(struct fadt) == 276, "FADT of ACPI 6");

#define FADT_WBINVD	     (1u << 0)
#define FADT_PROC_C1	     (1u << 2)
#define FADT_NO_SLEEP_BUTTON (1u << 5)
#define FADT_NO_FIXED_RTC    (1u << 6)
#define FADT_RESET_REG	     (1u << 10)
/* Boot flags: what a stock kernel then neither looks for nor waits for. */
#define BOOT_NO_VGA	 (1u << 2)
#define BOOT_NO_ASPM	 (1u << 4)
#define BOOT_NO_CMOS_RTC (1u << 5)
#define NO_C2		 0xfff
#define NO_C3		 0xfff

struct PACKED madt {
	struct header header;
	uint32_t local_apic;
	uint32_t flags; /* 1: there is a PIC, too */
};

struct PACKED madt_cpu {
	uint8_t type, length, uid, apic_id;
	uint32_t flags; /* 1: enabled */
};

struct PACKED madt_io_apic {
	uint8_t type, length, id, reserved;
	uint32_t address, gsi_base;
};

struct PACKED madt_override {
	uint8_t type, length, bus, irq;
	uint32_t gsi;
	uint16_t flags;
};

#define LEVEL_ACTIVE_HIGH 0x0d

struct PACKED madt_nmi {
	uint8_t type, length, uid;
	uint16_t flags;
	uint8_t lint;
};

struct PACKED mcfg {
	struct header header;
	uint64_t reserved;
	uint64_t base;
	uint16_t segment;
	uint8_t bus_first, bus_last;
	uint32_t reserved1;
};

struct PACKED viot {
	struct header header;
	uint16_t nr_nodes, first_node;
	uint64_t reserved;
	struct PACKED {
		uint8_t type, reserved;
		uint16_t length;
		uint32_t endpoint_first;
		uint16_t segment_first, segment_last, bdf_first, bdf_last, output_node;
		uint8_t reserved1[6];
	} range;
	struct PACKED {
		uint8_t type, reserved;
		uint16_t length, segment, bdf;
		uint8_t reserved1[8];
	} iommu;
};

#define VIOT_PCI_RANGE	      1
#define VIOT_VIRTIO_IOMMU_PCI 3

/* Tables one after the other in one buffer; as aml, an overflow sticks in @err. */
struct builder {
	uint8_t *buf;
	size_t len, room;
	uint64_t gpa;
	int err;
	uint64_t table[MAX_TABLES]; /* what XSDT lists */
	unsigned int nr;
};

static void put(struct builder *b, const void *bytes, size_t len)
{
	if (b->err || len > b->room - b->len) {
		b->err = -ENOSPC;
		return;
	}
	memcpy(b->buf + b->len, bytes, len);
	b->len += len;
}

static uint8_t checksum(const uint8_t *bytes, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += bytes[i];
	return (uint8_t)-sum;
}

static struct header header(const char *signature, uint8_t revision)
{
	struct header h = {.revision = revision, .oem_revision = 1, .creator_revision = 1};

	memcpy(h.signature, signature, sizeof(h.signature));
	memcpy(h.oem_id, "PVIOMM", sizeof(h.oem_id));
	memcpy(h.oem_table_id, "PVIOMMU ", sizeof(h.oem_table_id));
	memcpy(h.creator_id, "PVI ", sizeof(h.creator_id));
	return h;
}

static size_t begin(struct builder *b)
{
	static const uint8_t zero[TABLE_ALIGN];

	put(b, zero, -b->len % TABLE_ALIGN);
	return b->len;
}

/* Fills in length and checksum of the table that began at @start; returns its address. */
static uint64_t end(struct builder *b, size_t start)
{
	uint8_t *table = b->buf + start;
	uint32_t len = (uint32_t)(b->len - start);

	if (b->err)
		return 0;
	memcpy(table + offsetof(struct header, length), &len, sizeof(len));
	table[offsetof(struct header, checksum)] = checksum(table, len);
	return b->gpa + start;
}

static void end_listed(struct builder *b, size_t start)
{
	b->table[b->nr++] = end(b, start);
}

static void add_com1(struct aml *aml)
{
	struct aml_res res = {0};
	size_t device = aml_begin_device(aml, "COM1");

	aml_name(aml, "_HID");
	aml_eisa_id(aml, "PNP0501");
	aml_name(aml, "_UID");
	aml_int(aml, 1);
	aml_res_io(&res, COM1_PORT, 8);
	aml_res_irq(&res, IRQ_SERIAL);
	aml_name(aml, "_CRS");
	aml_resources(aml, &res);
	aml_end(aml, device);
}

static void add_pvpanic(struct aml *aml)
{
	struct aml_res res = {0};
	size_t device = aml_begin_device(aml, "PEVT");

	aml_name(aml, "_HID");
	aml_string(aml, "QEMU0001");
	aml_res_io(&res, PVPANIC_PORT, 1);
	aml_name(aml, "_CRS");
	aml_resources(aml, &res);
	aml_end(aml, device);
}

/* Each slot's first pin leads straight to the IOAPIC; the others are not there. */
static void add_routing(struct aml *aml)
{
	size_t table, entry;

	aml_name(aml, "_PRT");
	table = aml_begin_package(aml, PCI_MAX_SLOTS - 1);
	for (unsigned int slot = 1; slot < PCI_MAX_SLOTS; slot++) {
		entry = aml_begin_package(aml, 4);
		aml_int(aml, slot << 16 | 0xffff); /* any function */
		aml_int(aml, 0);
		aml_int(aml, 0);
		aml_int(aml, pci_slot_gsi(slot));
		aml_end(aml, entry);
	}
	aml_end(aml, table);
}

static void add_pci(struct aml *aml, const struct acpi_config *config)
{
	struct aml_res ecam = {0};
	struct aml_res windows = {0};
	size_t device = aml_begin_device(aml, "MRES");

	/* Without a reservation of it Linux does not believe MCFG. */
	aml_name(aml, "_HID");
	aml_eisa_id(aml, "PNP0C02");
	aml_res_mem32_fixed(&ecam, GPA_ECAM_BASE, GPA_ECAM_SIZE);
	aml_name(aml, "_CRS");
	aml_resources(aml, &ecam);
	aml_end(aml, device);

	device = aml_begin_device(aml, "PCI0");
	aml_name(aml, "_HID");
	aml_eisa_id(aml, "PNP0A08");
	aml_name(aml, "_CID");
	aml_eisa_id(aml, "PNP0A03");
	aml_name(aml, "_UID");
	aml_int(aml, 0);
	aml_name(aml, "_BBN");
	aml_int(aml, 0);
	aml_name(aml, "_SEG");
	aml_int(aml, 0);
	aml_res_bus(&windows, 0, 0);
	aml_res_io(&windows, 0xcf8, 8);
	aml_res_io_window(&windows, 0x1000, 0xffff);
	aml_res_mem32_window(&windows, GPA_MMIO32_BASE, GPA_MMIO32_BASE + GPA_MMIO32_SIZE - 1);
	if (config->mmio64_size)
		aml_res_mem64_window(&windows, config->mmio64_base,
				     config->mmio64_base + config->mmio64_size - 1);
	aml_name(aml, "_CRS");
	aml_resources(aml, &windows);
	if (config->intx)
		add_routing(aml);
	aml_end(aml, device);
}

static uint64_t add_dsdt(struct builder *b, const struct acpi_config *config)
{
	struct header h = header("DSDT", 2);
	size_t start = begin(b);
	struct aml aml;
	size_t mark;

	put(b, &h, sizeof(h));
	aml_init(&aml, b->buf + b->len, b->room - b->len);
	aml_name(&aml, "_S5_");
	mark = aml_begin_package(&aml, 4);
	aml_int(&aml, PM_SLEEP_TYPE_S5);
	aml_int(&aml, PM_SLEEP_TYPE_S5);
	aml_int(&aml, 0);
	aml_int(&aml, 0);
	aml_end(&aml, mark);
	mark = aml_begin_scope(&aml, "_SB_");
	add_com1(&aml);
	add_pvpanic(&aml);
	if (config->pci)
		add_pci(&aml, config);
	aml_end(&aml, mark);
	if (aml.err)
		b->err = aml.err;
	b->len += aml.len;
	return end(b, start);
}

static void add_fadt(struct builder *b, uint64_t dsdt)
{
	const struct fadt fadt = {
		.header = header("FACP", 6),
		.dsdt = (uint32_t)dsdt,
		.sci = IRQ_SCI,
		.pm1a_event = PM_EVENT,
		.pm1a_control = PM_CONTROL,
		.pm1_event_len = 4,
		.pm1_control_len = 2,
		.c2_latency = NO_C2,
		.c3_latency = NO_C3,
		.boot_arch = BOOT_NO_VGA | BOOT_NO_ASPM | BOOT_NO_CMOS_RTC,
		.flags = FADT_WBINVD | FADT_PROC_C1 | FADT_NO_SLEEP_BUTTON | FADT_NO_FIXED_RTC |
			 FADT_RESET_REG,
		.reset_reg = {GAS_IO, 8, 0, ACCESS_BYTE, PM_RESET},
		.reset_value = PM_RESET_VALUE,
		.x_dsdt = dsdt,
		.x_pm1a_event = {GAS_IO, 32, 0, ACCESS_WORD, PM_EVENT},
		.x_pm1a_control = {GAS_IO, 16, 0, ACCESS_WORD, PM_CONTROL},
	};
	size_t start = begin(b);

	put(b, &fadt, sizeof(fadt));
	end_listed(b, start);
}

static void add_madt(struct builder *b, unsigned int nr_cpus)
{
	const struct madt madt = {
		.header = header("APIC", 4), .local_apic = LOCAL_APIC, .flags = 1};
	const struct madt_io_apic io_apic = {1, 12, (uint8_t)nr_cpus, 0, IO_APIC, 0};
	const struct madt_override pit = {2, 10, 0, 0, 2, 0};
	const struct madt_override sci = {2, 10, 0, IRQ_SCI, IRQ_SCI, LEVEL_ACTIVE_HIGH};
	const struct madt_nmi nmi = {4, 6, 0xff, 0, 1};
	size_t start = begin(b);

	put(b, &madt, sizeof(madt));
	for (unsigned int i = 0; i < nr_cpus; i++) {
		const struct madt_cpu cpu = {0, 8, (uint8_t)i, (uint8_t)i, 1};

		put(b, &cpu, sizeof(cpu));
	}
	put(b, &io_apic, sizeof(io_apic));
	put(b, &pit, sizeof(pit));
	put(b, &sci, sizeof(sci));
	put(b, &nmi, sizeof(nmi));
	end_listed(b, start);
}

static void add_mcfg(struct builder *b)
{
	const struct mcfg mcfg = {.header = header("MCFG", 1), .base = GPA_ECAM_BASE};
	size_t start = begin(b);

	put(b, &mcfg, sizeof(mcfg));
	end_listed(b, start);
}

static void add_viot(struct builder *b)
{
	const uint16_t first = (VIOMMU_SLOT + 1) << 3;
	const struct viot viot = {
		.header = header("VIOT", 0),
		.nr_nodes = 2,
		.first_node = offsetof(struct viot, range),
		.range = {.type = VIOT_PCI_RANGE,
			  .length = sizeof(viot.range),
			  .endpoint_first = first, /* an endpoint's id is its BDF */
			  .bdf_first = first,
			  .bdf_last = 0xff,
			  .output_node = offsetof(struct viot, iommu)},
		.iommu = {.type = VIOT_VIRTIO_IOMMU_PCI,
			  .length = sizeof(viot.iommu),
			  .bdf = VIOMMU_SLOT << 3},
	};
	size_t start = begin(b);

	put(b, &viot, sizeof(viot));
	end_listed(b, start);
}

static uint64_t add_xsdt(struct builder *b)
{
	struct header h = header("XSDT", 1);
	size_t start = begin(b);

	put(b, &h, sizeof(h));
	put(b, b->table, b->nr * sizeof(b->table[0]));
	return end(b, start);
}

static void fill_rsdp(struct rsdp *rsdp, uint64_t xsdt)
{
	*rsdp = (struct rsdp){.revision = 2, .length = sizeof(*rsdp), .xsdt = xsdt};
	memcpy(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature));
	memcpy(rsdp->oem_id, "PVIOMM", sizeof(rsdp->oem_id));
	rsdp->checksum = checksum((uint8_t *)rsdp, offsetof(struct rsdp, length));
	rsdp->checksum_all = checksum((uint8_t *)rsdp, sizeof(*rsdp));
}

int acpi_build(const struct acpi_config *config, uint64_t gpa, uint8_t *buf, size_t room,
	       size_t *ret_len)
{
	struct builder b = {.buf = buf, .room = room, .gpa = gpa};
	struct rsdp rsdp = {0};

	put(&b, &rsdp, sizeof(rsdp));
	add_fadt(&b, add_dsdt(&b, config));
	add_madt(&b, config->nr_cpus);
	if (config->pci)
		add_mcfg(&b);
	if (config->viommu)
		add_viot(&b);
	fill_rsdp(&rsdp, add_xsdt(&b));
	if (b.err)
		return b.err;
	memcpy(buf, &rsdp, sizeof(rsdp));
	*ret_len = b.len;
	return 0;
}
