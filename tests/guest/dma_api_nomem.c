// SPDX-License-Identifier: GPL-2.0-only
/*
 * Behind a virtio-iommu that takes few mappings, and answers NOMEM to those above: what has no
 * use is given back, the MAP tried once more, and the number that there is room for remembered;
 * what can't be given back is left to the driver, which is told. Lines
 *   HELD STRATEGY N
 * say how many mappings there was room for.
 */
#include "dma_api.h"

#define KEYS	960u /* buffers that no two of which share a mapping: more than there is room for */
#define STARTS	120u
#define ENTRIES 64u

static u8 *key_buffer(struct api *t, unsigned int key)
{
	return t->memory + key % STARTS * PAGE_SIZE;
}

static size_t key_size(unsigned int key)
{
	return (1 + key / STARTS) * PAGE_SIZE;
}

static dma_addr_t map_key(struct api *t, unsigned int key)
{
	return dma_map_single(t->dev, key_buffer(t, key), key_size(key), DMA_BIDIRECTIONAL);
}

static void unmap_key(struct api *t, unsigned int key, dma_addr_t addr)
{
	dma_unmap_single(t->dev, addr, key_size(key), DMA_BIDIRECTIONAL);
}

/* The device gets at the last sector of the buffer, and no other memory. */
static void use_key(struct api *t, unsigned int key, dma_addr_t addr)
{
	const size_t last = key_size(key) - ATTACK_SECTOR;
	u8 *p = key_buffer(t, key);

	api_check(t, api_device_reads(t, addr + last, p + last));
	api_device_write(t, addr + last, api_shadow(t, p + last));
}

/* Each buffer once; the number of MAPs that took. */
static s64 use_all_keys(struct api *t)
{
	s64 maps = attack_counter(t->a, "maps");
	unsigned int key;
	dma_addr_t addr;

	for (key = 0; key < KEYS; key++) {
		addr = map_key(t, key);
		if (!api_mapped(t, addr, key_buffer(t, key)))
			break;
		if (key % 16 == 0)
			use_key(t, key, addr);
		unmap_key(t, key, addr);
		cond_resched();
	}
	return attack_counter(t->a, "maps") - maps;
}

/* Refused once, at the cap, which is known from then on. */
static void remember(struct api *t)
{
	api_check(t, use_all_keys(t) == KEYS + 1);
	api_check(t, use_all_keys(t) == KEYS);
}

/* Memory for the device, and the number of MAPs that took. */
static s64 alloc_counted(struct api *t, u8 **ret_cpu, dma_addr_t *ret_addr)
{
	s64 maps = attack_counter(t->a, "maps");

	*ret_cpu = dma_alloc_coherent(t->dev, PAGE_SIZE, ret_addr, GFP_KERNEL);
	return attack_counter(t->a, "maps") - maps;
}

/* Idle mappings go for memory that is allocated, too: refused where they fill all, then not. */
static void make_room(struct api *t)
{
	static dma_addr_t addr[ENTRIES];
	static u8 *cpu[ENTRIES];
	unsigned int i, n = 0, refused = 0;

	use_all_keys(t);
	while (n < ENTRIES && !refused) {
		refused = alloc_counted(t, &cpu[n], &addr[n]) - 1;
		if (!api_check(t, cpu[n]))
			break;
		n++;
	}
	api_check(t, refused == 1);
	for (i = 0; i < n; i++) {
		api_device_write(t, addr[i], cpu[i] + 1024);
		api_check(t, !memcmp(cpu[i], cpu[i] + 1024, ATTACK_SECTOR));
		dma_free_coherent(t->dev, PAGE_SIZE, cpu[i], addr[i]);
	}
}

/* What waits to be unmapped is what deferred can give back. */
static void flush(struct api *t, dma_addr_t *held)
{
	s64 maps = attack_counter(t->a, "maps");
	unsigned int round, key, mapped = 0;

	for (round = 0; round < 10; round++) {
		for (key = 0; key < 20; key++)
			unmap_key(t, key, held[key]);
		for (key = 0; key < 20; key++, mapped++) {
			held[key] = map_key(t, key);
			if (!api_mapped(t, held[key], key_buffer(t, key)))
				held[key] = DMA_MAPPING_ERROR;
			else
				use_key(t, key, held[key]);
		}
	}
	/* But for those that 20 ms passed by. */
	api_check(t, attack_counter(t->a, "maps") - maps > mapped);
}

static bool map_list(struct api *t, int expect)
{
	struct scatterlist *sg;
	struct sg_table table;
	unsigned int i;
	int r;

	if (!api_check(t, !sg_alloc_table(&table, ENTRIES, GFP_KERNEL)))
		return false;
	for_each_sgtable_sg(&table, sg, i) sg_set_buf(sg, t->memory + 2 * i * PAGE_SIZE, PAGE_SIZE);
	r = dma_map_sgtable(t->dev, &table, DMA_TO_DEVICE, 0);
	if (!r) {
		for_each_sgtable_sg(&table, sg, i)
			api_check(t, api_device_reads(t, sg_dma_address(sg), sg_virt(sg)));
		dma_unmap_sgtable(t->dev, &table, DMA_TO_DEVICE, 0);
	}
	sg_free_table(&table);
	return api_check(t, r == expect);
}

/* At the cap, with nothing to give back: each error is told, nothing else suffers by it. */
static void try_when_full(struct api *t, dma_addr_t *held, unsigned int n)
{
	unsigned int i;

	map_list(t, -ENOMEM);
	/* There is room for a few entries of it, which do not stay. */
	for (i = 0; i < 4; i++)
		unmap_key(t, i, held[i]);
	map_list(t, -ENOMEM);
	for (i = 0; i < 4; i++) {
		held[i] = map_key(t, i);
		api_check(t, !dma_mapping_error(t->dev, held[i]));
	}
	if (!strcmp(t->strategy, "deferred"))
		flush(t, held);
	for (i = 0; i < n; i += 16)
		use_key(t, i, held[i]);
	api_check(t, dma_mapping_error(t->dev, map_key(t, n)));
}

static void hold(struct api *t)
{
	static dma_addr_t held[KEYS];
	unsigned int i, n;

	for (n = 0; n < KEYS; n++) {
		held[n] = map_key(t, n);
		if (dma_mapping_error(t->dev, held[n]))
			break;
	}
	seq_printf(t->out, "HELD %s %u\n", t->strategy, n);
	if (api_check(t, n > ENTRIES && n < KEYS))
		try_when_full(t, held, n);
	for (i = 0; i < n; i++) {
		if (held[i] != DMA_MAPPING_ERROR)
			unmap_key(t, i, held[i]);
	}
	map_list(t, 0);
}

void api_nomem_run(struct api *t)
{
	static const struct api_case idle[] = {
		{"the cap of the virtio-iommu is remembered", remember},
		{"idle mappings make room", make_room},
	};
	static const struct api_case all[] = {
		{"at the cap, all in use", hold},
	};

	if (!strcmp(t->strategy, "persistent"))
		api_run(t, idle, ARRAY_SIZE(idle));
	api_run(t, all, ARRAY_SIZE(all));
}
