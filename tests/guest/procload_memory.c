// SPDX-License-Identifier: BSD-2-Clause
/* What a worker's memory holds. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "procload.h"

#define WORDS (PAGE / sizeof(uint64_t))

static uint64_t word(uint64_t salt, size_t page, size_t i)
{
	return (salt ^ page * 0x9e3779b97f4a7c15) + i * 0x100000001b3;
}

void fill(struct area *a, uint64_t salt)
{
	a->salt = salt;
	for (size_t page = 0; page < a->pages; page++)
		for (size_t i = 0; i < WORDS; i++)
			a->words[page * WORDS + i] = word(salt, page, i);
}

int is_right(const struct area *a)
{
	for (size_t page = 0; page < a->pages; page++)
		for (size_t i = 0; i < WORDS; i++)
			if (a->words[page * WORDS + i] != word(a->salt, page, i))
				return 0;
	return 1;
}

int all_right(const struct memory *m)
{
	for (int i = 0; i < AREAS; i++)
		if (!is_right(&m->area[i]))
			return 0;
	return 1;
}

static void map(struct area *a, size_t pages, void *where, int flags, int fd)
{
	a->pages = pages;
	a->words = mmap(where, pages * PAGE, PROT_READ | PROT_WRITE,
			flags | (where ? MAP_FIXED_NOREPLACE : 0), fd, 0);
	if (a->words == MAP_FAILED) {
		perror("procload: mmap");
		exit(1);
	}
}

void memory_init(struct memory *m, uint64_t salt)
{
	int file = memfd_create("procload", MFD_CLOEXEC);

	if (file < 0 || ftruncate(file, 4 * PAGE)) {
		perror("procload: memfd");
		exit(1);
	}
	map(&m->area[ANON], 16, NULL, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	map(&m->area[SHARED], 4, NULL, MAP_SHARED | MAP_ANONYMOUS, -1);
	map(&m->area[FILE_BACKED], 4, NULL, MAP_PRIVATE, file);
	/* Tables of their own at levels 1 to 3, and two with a neighbour at level 1. */
	for (size_t i = 0; FAR + i < AREAS; i++)
		map(&m->area[FAR + i], 2, (void *)((20 + i / 2) << 39 | i << 21 | i % 2 << 30),
		    MAP_PRIVATE | MAP_ANONYMOUS, -1);
	close(file);
	for (int i = 0; i < AREAS; i++)
		fill(&m->area[i], salt + (uint64_t)i);
}
