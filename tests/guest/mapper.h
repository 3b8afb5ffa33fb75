/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside pvi_mapper.ko. */
#ifndef MAPPER_H
#define MAPPER_H

#include <linux/pm.h>

/* By the module's parameters, from its load to its end: 0 or -errno. */
/* mapper_rescan.c, of a device that the module drives. */
extern const struct dev_pm_ops mapper_pm;

int mapper_group_begin(void);
void mapper_group_end(void);
int mapper_probe_begin(void);
void mapper_probe_end(void);
int mapper_slow_begin(void);
void mapper_slow_end(void);
int mapper_refuse_begin(void);
void mapper_refuse_end(void);

#endif
