// SPDX-License-Identifier: GPL-2.0-only
/* Gives pooled tables back to the kernel: some under memory pressure, all when switched off. */
#include "compat.h"
#include "iosup.h"

static struct shrinker *shrinker;

static unsigned long drain_level(enum iosup_level level, unsigned long most)
{
	unsigned long done = 0;
	struct page *table;

	while (done < most && (table = iosup_pool_get(level))) {
		iosup_count_level(level, shrunk);
		iosup_table_free(table, level);
		done++;
	}
	return done;
}

/* At most so many tables. Those that somebody still holds a reference of stay. */
unsigned long iosup_drain(unsigned long most)
{
	unsigned long done = 0;
	int l;

	for (l = 0; l < IOSUP_PGD; l++)
		done += drain_level(l, most - done);
	return done + iosup_pgd_drain(most - done);
}

static unsigned long count(struct shrinker *s, struct shrink_control *sc)
{
	unsigned long n = 0;
	int l;

	for (l = 0; l < IOSUP_LEVELS; l++)
		n += iosup_pool_size(l);
	return n ?: SHRINK_EMPTY;
}

static unsigned long scan(struct shrinker *s, struct shrink_control *sc)
{
	return iosup_drain(sc->nr_to_scan) ?: SHRINK_STOP;
}

int iosup_shrink_init(void)
{
	shrinker = iosup_shrinker_new(count, scan);
	return shrinker ? 0 : -ENOMEM;
}

void iosup_shrink_done(void)
{
	iosup_shrinker_free(shrinker);
}
