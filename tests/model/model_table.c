// SPDX-License-Identifier: BSD-2-Clause
/*
 * The domain table against its oracle, over random operations. The seed of each
 * round is printed when it fails; model_table SEED runs that round alone.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "table_ops.h"

#define ROUNDS 400
#define BYTES  24000

static unsigned long seed;

static void on_abort(int sig)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "failing seed: %lu\n", seed);

	(void)!write(STDERR_FILENO, line, (size_t)n);
}

static void round_of(unsigned long s)
{
	static uint8_t bytes[BYTES];
	uint64_t x = s * 0x9e3779b97f4a7c15ull + 1;

	seed = s;
	for (size_t i = 0; i < BYTES; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		bytes[i] = (uint8_t)(x >> 32);
	}
	/* Rounds with few mappings, with small tables, and with allocations that fail. */
	if (s % 4)
		bytes[2] = 255;
	table_ops_failures = s % 4 == 3 ? 64 : 0;
	table_ops_run(bytes, BYTES);
}

int main(int argc, char **argv)
{
	unsigned long first = argc > 1 ? strtoul(argv[1], NULL, 0) : (unsigned long)getpid() << 12;

	signal(SIGABRT, on_abort);
	printf("seeds %lu to %lu\n", first, argc > 1 ? first : first + ROUNDS - 1);
	round_of(first);
	for (unsigned long s = first + 1; argc <= 1 && s < first + ROUNDS; s++)
		round_of(s);
	return 0;
}
