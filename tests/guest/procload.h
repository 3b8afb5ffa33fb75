/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * procload: processes that use their memory in many ways, and check every byte of it.
 *   procload.c         how many, how many at once, and whether each ended as it should
 *   procload_memory.c  what a worker's memory holds
 *   procload_kinds.c   what a process does
 */
#ifndef PROCLOAD_H
#define PROCLOAD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE 4096

/* Each page of an area is full of words that say which page of which area it is. */
struct area {
	uint64_t *words;
	size_t pages;
	uint64_t salt;
};

/* What a worker has, and each of its children begins with. */
enum { ANON, SHARED, FILE_BACKED, FAR, AREAS = FAR + 4 };

struct memory {
	struct area area[AREAS];
};

void fill(struct area *a, uint64_t salt);
int is_right(const struct area *a);
int all_right(const struct memory *m);
void memory_init(struct memory *m, uint64_t salt);

/* A worker: numbers at random, and what its processes came to. */
struct worker {
	uint64_t random;
	struct memory memory;
};

uint64_t random_of(struct worker *w);

/* How a process must end: a status as of waitpid(). */
struct kind {
	const char *name;
	/* What the process does. Its exit status is 0, or what is wrong. */
	int (*child)(struct worker *w);
	/* What its parent does with it meanwhile; 0, or what is wrong. */
	int (*parent)(struct worker *w, pid_t pid);
	int killed;
	long processes;	    /* how many it makes */
	unsigned int share; /* how often it is chosen */
};

extern const struct kind kinds[];
extern const size_t number_of_kinds;

#define EXEC_STATUS 42
/* What "procload -x" does. */
int executed(void);

#endif
