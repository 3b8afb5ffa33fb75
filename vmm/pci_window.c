// SPDX-License-Identifier: BSD-2-Clause
/* The virtio PCI access capability: BARs by way of config space (VIRTIO 1.3, 4.1.4.9). */
#include <linux/virtio_pci.h>
#include <string.h>

#include "core/wire.h"
#include "vmm/pci_internal.h"

#define DATA	  sizeof(struct virtio_pci_cap)
#define DATA_SIZE 4u

void pci_fn_window(struct pci_fn *fn, uint8_t cap)
{
	uint8_t *mask = fn->wmask + cap;

	fn->window = cap;
	mask[VIRTIO_PCI_CAP_BAR] = 0xff;
	memset(mask + VIRTIO_PCI_CAP_OFFSET, 0xff, 4);
	memset(mask + VIRTIO_PCI_CAP_LENGTH, 0xff, 4);
	memset(mask + DATA, 0xff, DATA_SIZE);
}

bool pci_window_touched(const struct pci_fn *fn, uint32_t off, uint32_t len)
{
	uint32_t data = fn->window + DATA;

	return fn->window && off < data + DATA_SIZE && data < off + len;
}

/* What the guest wants, all of it at one time; false: nothing that makes sense. */
static bool fetch(struct pci_fn *fn, unsigned int *bar, uint32_t *off, uint32_t *len, uint8_t *data)
{
	const uint8_t *cap = fn->cfg + fn->window;

	pthread_mutex_lock(&fn->lock);
	*bar = cap[VIRTIO_PCI_CAP_BAR];
	*off = pvi_get32(cap + VIRTIO_PCI_CAP_OFFSET);
	*len = pvi_get32(cap + VIRTIO_PCI_CAP_LENGTH);
	memcpy(data, cap + DATA, DATA_SIZE);
	pthread_mutex_unlock(&fn->lock);
	return *bar < PCI_MAX_BARS && (*len == 1 || *len == 2 || *len == 4) && !(*off % *len);
}

void pci_window_access(struct pci_fn *fn, bool write)
{
	uint8_t data[DATA_SIZE];
	unsigned int bar;
	uint32_t off, len;

	if (!fetch(fn, &bar, &off, &len, data))
		return;
	pci_bar_access(fn, bar, off, data, len, write);
	if (write)
		return;
	pthread_mutex_lock(&fn->lock);
	memcpy(fn->cfg + fn->window + DATA, data, len);
	pthread_mutex_unlock(&fn->lock);
}
