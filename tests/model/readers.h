/* SPDX-License-Identifier: BSD-2-Clause */
/* Read sections (core/platform.h) for tests: a gate knows who is inside. */
#ifndef TESTS_MODEL_READERS_H
#define TESTS_MODEL_READERS_H

/* main: before and after everything. */
void readers_init(void);
void readers_done(void);

/* Frees what was given to pvi_free_later() so far. Any thread that is not in a section. */
void readers_collect(void);

#endif
