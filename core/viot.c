// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/viot.h"
#include "core/wire.h"

/* The table's header: that of all tables (36 bytes), then how many nodes there are, and where. */
#define NODE_COUNT  36u
#define NODE_OFFSET 38u
#define TABLE_BYTES 48u

/* A node: its type, and how long it is. */
#define NODE_LENGTH 2u
#define NODE_BYTES  4u

enum { PCI_RANGE = 1, IOMMU_PCI = 3, IOMMU_MMIO = 4 };

/* A range of functions: ids that begin at one, and the node that they are behind. */
#define RANGE_ENDPOINT	    4u
#define RANGE_SEGMENT_FIRST 8u
#define RANGE_SEGMENT_LAST  10u
#define RANGE_BDF_FIRST	    12u
#define RANGE_BDF_LAST	    14u
#define RANGE_OUTPUT	    16u
#define RANGE_BYTES	    24u

#define IOMMU_SEGMENT	    4u
#define IOMMU_BDF	    6u
#define IOMMU_BASE	    8u
#define IOMMU_BYTES	    16u

struct table {
	const uint8_t *bytes;
	size_t size;
};

/* The node at @off, all of it inside the table; else NULL. */
static const uint8_t *node_at(struct table t, size_t off)
{
	const uint8_t *n = t.bytes + off;

	if (off < TABLE_BYTES || off > t.size || t.size - off < NODE_BYTES)
		return NULL;
	if (pvi_get16(n + NODE_LENGTH) < NODE_BYTES || pvi_get16(n + NODE_LENGTH) > t.size - off)
		return NULL;
	return n;
}

static bool is_a(const uint8_t *node, uint8_t type, uint16_t bytes)
{
	return node[0] == type && pvi_get16(node + NODE_LENGTH) >= bytes;
}

static bool is_iommu(struct table t, size_t off, const struct pvi_viot_iommu *iommu)
{
	const uint8_t *n = node_at(t, off);

	if (!n)
		return false;
	if (iommu->pci)
		return is_a(n, IOMMU_PCI, IOMMU_BYTES) &&
		       pvi_get16(n + IOMMU_SEGMENT) == iommu->segment &&
		       pvi_get16(n + IOMMU_BDF) == iommu->bdf;
	return is_a(n, IOMMU_MMIO, IOMMU_BYTES) && pvi_get64(n + IOMMU_BASE) == iommu->base;
}

static bool range_has(const uint8_t *n, uint32_t segment, uint16_t bdf, uint32_t *ret_id)
{
	uint32_t first_segment = pvi_get16(n + RANGE_SEGMENT_FIRST);
	uint16_t first = pvi_get16(n + RANGE_BDF_FIRST);

	if (segment < first_segment || segment > pvi_get16(n + RANGE_SEGMENT_LAST) || bdf < first ||
	    bdf > pvi_get16(n + RANGE_BDF_LAST))
		return false;
	*ret_id = ((segment - first_segment) << 16) + (uint32_t)(bdf - first) +
		  pvi_get32(n + RANGE_ENDPOINT);
	return true;
}

bool pvi_viot_find(const void *table, size_t size, const struct pvi_viot_iommu *iommu,
		   uint32_t segment, uint16_t bdf, uint32_t *ret_id)
{
	struct table t = {table, size};
	unsigned int left;
	const uint8_t *n;
	uint32_t id;
	size_t off;

	if (size < TABLE_BYTES)
		return false;
	off = pvi_get16(t.bytes + NODE_OFFSET);
	for (left = pvi_get16(t.bytes + NODE_COUNT); left; left--) {
		n = node_at(t, off);
		if (!n)
			return false;
		if (is_a(n, PCI_RANGE, RANGE_BYTES) && range_has(n, segment, bdf, &id) &&
		    is_iommu(t, pvi_get16(n + RANGE_OUTPUT), iommu)) {
			*ret_id = id;
			return true;
		}
		off += pvi_get16(n + NODE_LENGTH);
	}
	return false;
}

bool pvi_pci_endpoint_id(uint32_t segment, uint16_t bdf, uint32_t *ret_id)
{
	if (segment > 0xffff)
		return false;
	*ret_id = segment << 16 | bdf;
	return true;
}
