// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ACPI VIOT: which PCI functions are behind which virtio-iommu. Parsed here,
 * because stock kernels without CONFIG_ACPI_VIOT (Debian 6.1) know the table's
 * layout only. Offsets and lengths are checked against the table's end.
 */
#include <linux/acpi.h>
#include <linux/platform_device.h>

#include "pviommu.h"

/* The node at @off when it is whole, has at least @size bytes and is of @type; else NULL. */
static const void *node_at(const struct acpi_table_viot *t, u32 off, u8 type, size_t size)
{
	const struct acpi_viot_header *h = (const void *)t + off;

	if (off < sizeof(*t) || off > t->header.length || t->header.length - off < sizeof(*h))
		return NULL;
	if (h->type != type || h->length < size || h->length > t->header.length - off)
		return NULL;
	return h;
}

/* Is the node at @off the one of @v? */
static bool node_is_viommu(const struct acpi_table_viot *t, u32 off, struct pvi_viommu *v)
{
	struct device *parent = v->vdev->dev.parent;
	const struct acpi_viot_virtio_iommu_pci *p;
	const struct acpi_viot_virtio_iommu_mmio *m;
	struct resource *res;

	if (dev_is_pci(parent)) {
		p = node_at(t, off, ACPI_VIOT_NODE_VIRTIO_IOMMU_PCI, sizeof(*p));
		return p && p->segment == pci_domain_nr(to_pci_dev(parent)->bus) &&
		       p->bdf == pci_dev_id(to_pci_dev(parent));
	}
	m = node_at(t, off, ACPI_VIOT_NODE_VIRTIO_IOMMU_MMIO, sizeof(*m));
	if (!m || parent->bus != &platform_bus_type)
		return false;
	res = platform_get_resource(to_platform_device(parent), IORESOURCE_MEM, 0);
	return res && res->start == m->base_address;
}

static bool range_has(const struct acpi_viot_pci_range *r, u16 seg, u16 bdf, u32 *ret_id)
{
	if (seg < r->segment_start || seg > r->segment_end || bdf < r->bdf_start ||
	    bdf > r->bdf_end)
		return false;
	*ret_id = ((u32)(seg - r->segment_start) << 16) + (bdf - r->bdf_start) + r->endpoint_start;
	return true;
}

bool pvi_viot_lookup(struct pvi_viommu *v, struct pci_dev *pdev, u32 *ret_id)
{
	u16 seg = pci_domain_nr(pdev->bus), bdf = pci_dev_id(pdev);
	const struct acpi_viot_header *h;
	const struct acpi_viot_pci_range *r;
	const struct acpi_table_viot *t;
	struct acpi_table_header *table;
	bool found = false;
	unsigned int i;
	u32 off;

	if (ACPI_FAILURE(acpi_get_table(ACPI_SIG_VIOT, 0, &table)))
		return false;
	t = (const void *)table;
	off = table->length < sizeof(*t) ? U32_MAX : t->node_offset;
	for (i = 0; !found && off != U32_MAX && i < t->node_count; i++) {
		if (off < sizeof(*t) || off > table->length || table->length - off < sizeof(*h))
			break;
		h = (const void *)t + off;
		if (h->length < sizeof(*h) || h->length > table->length - off)
			break;
		r = node_at(t, off, ACPI_VIOT_NODE_PCI_RANGE, sizeof(*r));
		found = r && range_has(r, seg, bdf, ret_id) && node_is_viommu(t, r->output_node, v);
		off += h->length;
	}
	acpi_put_table(table);
	return found;
}
