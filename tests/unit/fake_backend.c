// SPDX-License-Identifier: BSD-2-Clause
#include "fake_backend.h"

/* Does this call fail? */
static int fails(struct fake_backend *b)
{
	b->calls++;
	if (b->fail_in < 0 || b->fail_in--)
		return 0;
	if (b->stay)
		b->fail_in = 0;
	return b->error;
}

static int map(void *ctx, uint64_t iova, uint64_t gpa, uint64_t len, unsigned int prot)
{
	struct fake_backend *b = ctx;
	int err = fails(b);

	assert_false(b->identity);
	assert_true(len && prot & (PVI_PROT_READ | PVI_PROT_WRITE));
	for (unsigned int i = 0; i < b->nr; i++)
		assert_true(iova + len <= b->mapping[i].iova ||
			    b->mapping[i].iova + b->mapping[i].len <= iova);
	if (b->on_map)
		b->on_map(b->arg);
	if (err)
		return err;
	assert_true(b->nr < FAKE_MAPPINGS);
	b->mapping[b->nr++] = (struct fake_mapping){iova, gpa, len, prot};
	return 0;
}

static int unmap(void *ctx, uint64_t first, uint64_t last)
{
	struct fake_backend *b = ctx;
	int err = fails(b);

	assert_false(b->identity);
	if (err) {
		b->refused = true;
		return err;
	}
	for (unsigned int i = 0; i < b->nr;) {
		const struct fake_mapping *m = &b->mapping[i];
		uint64_t end = m->iova + m->len - 1;

		if (end < first || m->iova > last) {
			i++;
			continue;
		}
		assert_true(first <= m->iova && end <= last);
		b->mapping[i] = b->mapping[--b->nr];
	}
	return 0;
}

static int identity(void *ctx, bool on)
{
	struct fake_backend *b = ctx;
	int err = fails(b);

	assert_int_equal(b->nr, 0);
	assert_int_not_equal(b->identity, on);
	if (err) {
		b->refused |= !on;
		return err;
	}
	b->identity = on;
	return 0;
}

static const struct pvi_backend_ops ops = {map, unmap, identity};

int fake_backend_try(struct fake_backend *b, struct pvi_iommu *iommu,
		     const struct pvi_window *windows, size_t nr_windows)
{
	const struct pvi_backend_config c = {
		.ops = &ops,
		.ctx = b,
		.page_sizes = b->page_sizes ? b->page_sizes : 0x1000,
		.windows = windows,
		.nr_windows = nr_windows,
	};

	return pvi_backend_new(iommu, &c, &b->backend);
}

void fake_backend_init(struct fake_backend *b, struct pvi_iommu *iommu)
{
	*b = (struct fake_backend){.fail_in = -1, .error = -ENOMEM};
	assert_int_equal(fake_backend_try(b, iommu, NULL, 0), 0);
}

bool fake_backend_has(const struct fake_backend *b, uint64_t iova, uint64_t gpa, uint64_t len,
		      unsigned int prot)
{
	for (unsigned int i = 0; i < b->nr; i++)
		if (b->mapping[i].iova == iova && b->mapping[i].gpa == gpa &&
		    b->mapping[i].len == len && b->mapping[i].prot == prot)
			return true;
	return false;
}
