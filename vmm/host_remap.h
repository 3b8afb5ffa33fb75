/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts of assigned devices: does the host keep a guest from sending it any of its own? */
#ifndef VMM_HOST_REMAP_H
#define VMM_HOST_REMAP_H

#include <stdbool.h>
#include <stddef.h>

/* Why a device cannot be assigned without, in words to stand behind "BDF: ". */
#define HOST_NO_REMAPPING                                                                         \
	"the host does not remap interrupts, so that a guest could send any to the host; turn "   \
	"it on in the firmware, or load vfio_iommu_type1 with allow_unsafe_interrupts=1 and add " \
	",unsafe-interrupts to --assign"

/*
 * Do the host's IOMMUs translate interrupts? The kernel says so by the names of the chips:
 * those behind one that does begin with "IR-" on x86. It is all of them or none. 1: yes; 0:
 * no; -errno: it cannot be told. @root: host_sysfs.h.
 */
int host_remaps_interrupts(const char *root);

/*
 * Was the kernel told to do without? It then takes any host, and does not tell whether there
 * is remapping after all. If so, @ret_why says what to do, in words to stand behind "BDF: ".
 */
bool host_allows_unsafe_interrupts(const char *root, const char *bdf, char *ret_why, size_t size);

#endif
