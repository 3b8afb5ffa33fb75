/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host's /sys, /proc and /dev for tests, in a folder of its own; host_write() then does
 * there what the kernel does when drivers change. With host_tree.c, which replaces
 * vmm/host_write.c.
 */
#ifndef HOST_TREE_H
#define HOST_TREE_H

#include <stdbool.h>

#define TREE_A	    "0000:00:02.0" /* a network card, group 5, e1000e */
#define TREE_B	    "0000:00:03.0" /* a disk, group 6, nvme */
#define TREE_C	    "0000:02:01.0" /* in group 7 with TREE_D, no driver */
#define TREE_D	    "0000:02:02.0" /* bound to e1000 */
#define TREE_BRIDGE "0000:00:1e.0" /* a PCI bridge, of group 7, too */
#define TREE_BARE   "0000:00:04.0" /* no IOMMU group */

extern char tree_root[64];

/* vfio-pci is loaded. */
void tree_new(void);
void tree_free(void);
/* These two as fixtures of cmocka. */
int tree_set_up(void **state);
int tree_tear_down(void **state);

/* Below the root; the folders on the way are made. */
void tree_file(const char *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void tree_link(const char *target, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void tree_remove(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void tree_bind(const char *bdf, const char *driver); /* NULL: none */

/* What host_write() shall do. */
struct tree_kernel {
	int fail_in;   /* the write after so many fails with -@error; -1: none */
	bool fails_on; /* and so do all after that */
	int error;
	bool takes_nothing; /* vfio-pci refuses each device */
	bool knows_ids;	    /* it takes each by itself */
	unsigned int writes;
};

extern struct tree_kernel tree_kernel;

#endif
