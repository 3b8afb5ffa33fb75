// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "pvi_attack.h"

/*
 * Three pages: IOVA ranges are aligned to their size, so that the fourth page behind
 * the mapping belongs to nobody.
 */
#define SPAN_ORDER 2
#define SPAN_SIZE  (3 * PAGE_SIZE)

static u8 *secret_pages(struct attack_score *s, unsigned int order)
{
	u8 *page = (u8 *)__get_free_pages(GFP_KERNEL, order);

	if (!page) {
		s->tried++;
		attack_note(s, "out of memory");
		return NULL;
	}
	attack_fill_secret(page, PAGE_SIZE << order);
	return page;
}

/* Runs @fn with a secret buffer mapped in direction @dir. */
static void with_mapping(struct attacker *a, struct attack_score *s, enum dma_data_direction dir,
			 void (*fn)(struct attacker *a, struct attack_score *s, u8 *memory,
				    dma_addr_t addr))
{
	struct device *dev = &a->pdev->dev;
	u8 *memory = secret_pages(s, SPAN_ORDER);
	dma_addr_t addr;

	if (!memory)
		return;
	addr = dma_map_single(dev, memory, SPAN_SIZE, dir);
	if (dma_mapping_error(dev, addr)) {
		s->tried++;
		attack_note(s, "dma_map failed");
	} else {
		fn(a, s, memory, addr);
		dma_unmap_single(dev, addr, SPAN_SIZE, dir);
	}
	free_pages((unsigned long)memory, SPAN_ORDER);
}

/* A page that was never mapped, at its guest-physical address. */
static void never_mapped(struct attacker *a, struct attack_score *s)
{
	u8 *memory = secret_pages(s, 0);

	if (!memory)
		return;
	attack_both(a, s, virt_to_phys(memory), memory);
	free_page((unsigned long)memory);
}

static void behind(struct attacker *a, struct attack_score *s, u8 *memory, dma_addr_t addr)
{
	attack_both(a, s, addr + SPAN_SIZE, memory + SPAN_SIZE);
}

static void neighbour(struct attacker *a, struct attack_score *s)
{
	with_mapping(a, s, DMA_BIDIRECTIONAL, behind);
}

static void write_it(struct attacker *a, struct attack_score *s, u8 *memory, dma_addr_t addr)
{
	/* The other direction works: it is the right that is refused, not the address. */
	if (attack_dma(a, ATTACK_C_READ, addr, ATTACK_BYTES) != ATTACK_S_OK)
		attack_note(s, "the allowed read failed");
	else
		attack_write(a, s, addr, memory);
}

static void write_to_read_only(struct attacker *a, struct attack_score *s)
{
	with_mapping(a, s, DMA_TO_DEVICE, write_it);
	if (!s->tried)
		s->tried++;
}

static void read_it(struct attacker *a, struct attack_score *s, u8 *memory, dma_addr_t addr)
{
	if (attack_dma(a, ATTACK_C_WRITE, addr + PAGE_SIZE, ATTACK_BYTES) != ATTACK_S_OK)
		attack_note(s, "the allowed write failed");
	else
		attack_read(a, s, addr, memory);
}

static void read_from_write_only(struct attacker *a, struct attack_score *s)
{
	with_mapping(a, s, DMA_FROM_DEVICE, read_it);
	if (!s->tried)
		s->tried++;
}

static void cross(struct attacker *a, struct attack_score *s, u8 *memory, dma_addr_t addr)
{
	u64 last = SPAN_SIZE - ATTACK_BYTES / 2;

	attack_both(a, s, addr + last, memory + last);
	/* By one byte. */
	last = SPAN_SIZE - ATTACK_BYTES + 1;
	attack_both(a, s, addr + last, memory + last);
}

static void past_the_end(struct attacker *a, struct attack_score *s)
{
	with_mapping(a, s, DMA_BIDIRECTIONAL, cross);
}

/*
 * Maps, uses and unmaps a page, and has idle mappings dropped if @revoke. Under a
 * strategy that unmaps at once there are none. Returns the page, NULL on failure.
 */
static u8 *used_and_unmapped(struct attacker *a, struct attack_score *s, bool revoke,
			     dma_addr_t *ret_addr)
{
	struct device *dev = &a->pdev->dev;
	u8 *memory = secret_pages(s, 0);
	dma_addr_t addr;
	bool worked;

	if (!memory)
		return NULL;
	addr = dma_map_single(dev, memory, PAGE_SIZE, DMA_BIDIRECTIONAL);
	if (dma_mapping_error(dev, addr))
		goto failed;
	worked = attack_dma(a, ATTACK_C_READ, addr, ATTACK_BYTES) == ATTACK_S_OK;
	dma_unmap_single(dev, addr, PAGE_SIZE, DMA_BIDIRECTIONAL);
	if (!worked || (revoke && attack_knob(a, "reclaim", "1")))
		goto failed;
	*ret_addr = addr;
	return memory;

failed:
	s->tried++;
	attack_note(s, "could not map, use, unmap and revoke a page");
	free_page((unsigned long)memory);
	return NULL;
}

static void after_unmap(struct attacker *a, struct attack_score *s)
{
	dma_addr_t addr;
	u8 *memory = used_and_unmapped(a, s, true, &addr);

	if (!memory)
		return;
	attack_both(a, s, addr, memory);
	free_page((unsigned long)memory);
}

/* The first memory BAR of the function; 0: none. */
static u64 bar_of(struct pci_dev *pdev)
{
	unsigned int i;

	for (i = 0; i < PCI_STD_NUM_BARS; i++) {
		if (pci_resource_flags(pdev, i) & IORESOURCE_MEM && pci_resource_start(pdev, i))
			return pci_resource_start(pdev, i);
	}
	return 0;
}

static u64 viommu_bar(void)
{
	struct pci_dev *pdev = pci_get_device(0x1af4, 0x1057, NULL);
	u64 bar = pdev ? bar_of(pdev) : 0;

	pci_dev_put(pdev);
	return bar;
}

static u64 ram_end(void)
{
	return (u64)totalram_pages() << (PAGE_SHIFT + 4); /* well above, if not at it */
}

struct place {
	const char *name;
	u64 addr;
};

/* Where no RAM is. */
static unsigned int places(struct attacker *a, struct place *p)
{
	unsigned int n = 0;

	p[n++] = (struct place){"own BAR", bar_of(a->pdev)};
	p[n++] = (struct place){"virtio-iommu BAR", viommu_bar()};
	p[n++] = (struct place){"local APIC", 0xfee00000};
	p[n++] = (struct place){"I/O APIC", 0xfec00000};
	p[n++] = (struct place){"above RAM", ram_end()};
	return n;
}

#define MAX_PLACES 5

static void outside_ram(struct attacker *a, struct attack_score *s)
{
	struct place p[MAX_PLACES];
	unsigned int i, n = places(a, p);

	for (i = 0; i < n; i++) {
		if (p[i].addr) {
			attack_both(a, s, p[i].addr, NULL);
		} else {
			s->tried++;
			attack_note(s, "%s not found", p[i].name);
		}
	}
}

/* The driver asks for such a mapping: refused by the virtio-iommu, or of no use. */
static void map_outside_ram(struct attacker *a, struct attack_score *s)
{
	struct device *dev = &a->pdev->dev;
	struct place p[MAX_PLACES];
	unsigned int i, n = places(a, p);
	dma_addr_t addr;

	for (i = 0; i < n; i++) {
		if (!p[i].addr)
			continue;
		addr = dma_map_resource(dev, p[i].addr, PAGE_SIZE, DMA_BIDIRECTIONAL, 0);
		if (!dma_mapping_error(dev, addr)) {
			attack_both(a, s, addr, NULL);
			dma_unmap_resource(dev, addr, PAGE_SIZE, DMA_BIDIRECTIONAL, 0);
			continue;
		}
		s->tried++;
		if (attack_alive(a))
			s->blocked++;
		else
			attack_note(s, "%s: the device is dead", p[i].name);
	}
}

static void wrap_around(struct attacker *a, struct attack_score *s)
{
	attack_both(a, s, U64_MAX - (ATTACK_BYTES - 1), NULL); /* ends at the last byte */
	attack_both(a, s, U64_MAX - 15, NULL);		       /* goes on at 0 */
	attack_both(a, s, U64_MAX, NULL);
}

const struct attack_case attack_cases[] = {
	{"never-mapped-page", never_mapped},
	{"neighbour-of-mapping", neighbour},
	{"write-to-read-only", write_to_read_only},
	{"read-from-write-only", read_from_write_only},
	{"after-unmap", after_unmap},
	{"outside-ram", outside_ram},
	{"map-outside-ram", map_outside_ram},
	{"wrap-around", wrap_around},
	{"past-the-end", past_the_end},
};
const unsigned int nr_attack_cases = ARRAY_SIZE(attack_cases);

/* Often enough that a window of time which is there is met, however slowly the guest runs. */
#define REUSE_TRIES 20

/* The page has a new use after dma_unmap: does the device reach that? */
static const char *reuse_once(struct attacker *a, u32 command)
{
	struct attack_score s = {0};
	const char *outcome;
	dma_addr_t addr;
	u8 *memory;

	attack_knob(a, "reclaim", "1");
	memory = used_and_unmapped(a, &s, false, &addr);
	if (!memory)
		return "failed";
	memset(memory, 0x77, PAGE_SIZE);
	outcome = attack_outcome(a, command, addr, memory);
	free_page((unsigned long)memory);
	return outcome;
}

static void reuse(struct attacker *a, const char *name, u32 command)
{
	const char *outcome;
	unsigned int i;

	for (i = 0; i < REUSE_TRIES; i++) {
		outcome = reuse_once(a, command);
		if (!strcmp(outcome, "possible"))
			break;
	}
	seq_printf(a->out, "REUSE %s %s\n", name, outcome);
}

void attack_reuse(struct attacker *a)
{
	reuse(a, "read-after-dma_unmap", ATTACK_C_READ);
	reuse(a, "write-after-dma_unmap", ATTACK_C_WRITE);
}
