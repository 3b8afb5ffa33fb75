/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside pvi_mapper.ko. */
#ifndef MAPPER_H
#define MAPPER_H

/* mapper_refuse.c, from the module's load to its end: 0 or -errno. */
int mapper_refuse_begin(void);
void mapper_refuse_end(void);

#endif
