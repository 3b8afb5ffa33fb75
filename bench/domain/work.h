/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loops over one peer. Before including this a peer defines its own:
 * PEER, PEER_NAME, t_make, t_free, t_map, t_unmap, t_flush, t_translate (one
 * access with all that guards it), t_vector, t_bytes.
 */
static inline uint64_t page_iova(uint64_t page)
{
	return BASE + (page << PAGE_SHIFT);
}

static uint64_t w_translate(void *t, uint64_t n, uint64_t from, uint64_t count)
{
	uint64_t sum = 0;

	for (uint64_t i = from; i < from + count; i++) {
		uint64_t page = pick(i, n), target = 0;

		if (t_translate(t, page_iova(page), PAGE, RIGHT_READ, &target) != PAGE)
			return ~sum;
		sum += target;
	}
	return sum;
}

static uint64_t w_vector(void *t, uint64_t n, uint64_t from, uint64_t count)
{
	uint64_t iova[VEC], target[VEC], sum = 0;

	for (uint64_t i = from; i < from + count; i += VEC) {
		for (unsigned int k = 0; k < VEC; k++)
			iova[k] = page_iova(pick(i + k, n));
		if (!t_vector(t, iova, target))
			return ~sum;
		for (unsigned int k = 0; k < VEC; k++)
			sum += target[k];
	}
	return sum;
}

static uint64_t w_churn(void *t, uint64_t live, uint64_t from, uint64_t count)
{
	uint64_t sum = 0;

	for (uint64_t j = from; j < from + count; j++) {
		uint64_t page = churn_page(j, live), target = 0;

		t_map(t, page, 1, target_of(page));
		if (t_translate(t, page_iova(page), PAGE, RIGHT_READ, &target) != PAGE)
			return ~sum;
		sum += target;
		if (j >= OUTSTANDING)
			t_unmap(t, churn_page(j - OUTSTANDING, live), 1);
		if (j % BATCH == 0)
			t_flush(t);
	}
	return sum;
}

static uint64_t w_ranges(void *t, uint64_t n, uint64_t from, uint64_t count, bool whole)
{
	uint64_t sum = 0;

	for (uint64_t i = from; i < from + count; i++) {
		uint64_t k = pick(i, n), target = 0;
		/* The loop costs the same either way. */
		uint64_t more = ((long_pages(k) - 1) << PAGE_SHIFT) & -(uint64_t)whole;
		uint64_t len = PAGE + more;

		if (t_translate(t, page_iova(k * 64), len, RIGHT_READ, &target) != len)
			return ~sum;
		sum += target;
	}
	return sum;
}

static void w_large(void *t, uint64_t pages, uint64_t target, uint64_t count)
{
	while (count--) {
		t_map(t, 0, pages, target);
		t_unmap(t, 0, pages);
		t_flush(t);
	}
}

#ifndef PEER_SLOW
#define PEER_SLOW 1
#endif

const struct peer PEER = {
	.name = PEER_NAME,
	.make = t_make,
	.free = t_free,
	.map = t_map,
	.unmap = t_unmap,
	.flush = t_flush,
	.translate = w_translate,
	.vector = w_vector,
	.churn = w_churn,
	.ranges = w_ranges,
	.large = w_large,
	.bytes = t_bytes,
	.slow = PEER_SLOW,
};
