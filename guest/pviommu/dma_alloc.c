// SPDX-License-Identifier: GPL-2.0-only
/*
 * Coherent and noncoherent allocations (the same on x86): physically contiguous
 * pages in the kernel's direct map, so at most 4 MiB each, anywhere in memory: the
 * device's mask limits the IOVA, not the page.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "dma_alloc.h"

/* One of them. They outlive a sleep of the machine, the virtio-iommu's memory of them does not. */
struct coherent {
	struct rb_node node; /* in ep->coherent, by addr: a driver may have thousands */
	phys_addr_t phys;
	dma_addr_t addr;
	size_t size; /* whole pages */
	u32 prot;
};

static struct coherent *of_node(const struct rb_node *n)
{
	return rb_entry(n, struct coherent, node);
}

static bool is_before(struct rb_node *a, const struct rb_node *b)
{
	return of_node(a)->addr < of_node(b)->addr;
}

static int compare(const void *addr, const struct rb_node *n)
{
	dma_addr_t want = *(const dma_addr_t *)addr, at = of_node(n)->addr;

	return want < at ? -1 : want > at;
}

static void remember(struct pvi_endpoint *ep, struct coherent *c)
{
	unsigned long flags;

	spin_lock_irqsave(&ep->coherent_lock, flags);
	rb_add(&c->node, &ep->coherent, is_before);
	spin_unlock_irqrestore(&ep->coherent_lock, flags);
	atomic64_add(c->size >> PAGE_SHIFT, &ep->counts.coherent_pages);
}

/* Before its IOVA is free, and may be another's. NULL: it was forgotten before. */
static struct coherent *forget(struct pvi_endpoint *ep, dma_addr_t addr)
{
	struct rb_node *n;
	unsigned long flags;

	spin_lock_irqsave(&ep->coherent_lock, flags);
	n = rb_find(&addr, &ep->coherent, compare);
	if (n)
		rb_erase(n, &ep->coherent);
	spin_unlock_irqrestore(&ep->coherent_lock, flags);
	return n ? of_node(n) : NULL;
}

/* What a driver left: its memory is lost. */
void pvi_dma_forget_all(struct pvi_endpoint *ep)
{
	struct coherent *c, *next;

	rbtree_postorder_for_each_entry_safe(c, next, &ep->coherent, node) kfree(c);
	ep->coherent = RB_ROOT;
}

/* The drivers are asleep: the tree stays as it is. */
int pvi_dma_remap(struct pvi_endpoint *ep)
{
	struct pvi_range r;
	struct coherent *c;
	struct rb_node *n;
	struct pvi_batch b;

	pvi_batch_init(&b, ep);
	for (n = rb_first(&ep->coherent); n; n = rb_next(n)) {
		c = of_node(n);
		r = (struct pvi_range){c->addr, c->addr + c->size - 1};
		pvi_batch_map(&b, r, c->phys, c->prot);
	}
	return pvi_batch_wait(&b);
}

static void *alloc_mapped(struct pvi_endpoint *ep, size_t size, const struct pvi_how *how,
			  dma_addr_t *ret_addr, gfp_t gfp)
{
	struct coherent *c;
	void *cpu;

	size = PAGE_ALIGN(size);
	c = size ? kzalloc(sizeof(*c), gfp & ~(__GFP_DMA | __GFP_DMA32 | __GFP_HIGHMEM)) : NULL;
	if (!c)
		return NULL;
	/* Zeroed: what the device sees first must not be someone's old data. */
	cpu = alloc_pages_exact(
		size, (gfp & ~(__GFP_COMP | __GFP_DMA | __GFP_DMA32 | __GFP_HIGHMEM)) | __GFP_ZERO);
	if (!cpu)
		goto free;
	c->phys = virt_to_phys(cpu);
	c->size = size;
	c->prot = how->prot;
	c->addr = pvi_iova_map(ep, &ep->space, c->phys, size, c->prot, how->limit);
	if (c->addr == DMA_MAPPING_ERROR) {
		/* After a time-out the MAP may still come true: then the pages stay ours. */
		if (!READ_ONCE(ep->viommu->rq.broken))
			free_pages_exact(cpu, size);
		goto free;
	}
	remember(ep, c);
	*ret_addr = c->addr;
	return cpu;

free:
	kfree(c);
	return NULL;
}

static void free_mapped(struct pvi_endpoint *ep, size_t size, void *cpu, dma_addr_t addr)
{
	struct coherent *c = forget(ep, addr);

	size = PAGE_ALIGN(size);
	atomic64_sub(size >> PAGE_SHIFT, &ep->counts.coherent_pages);
	/* Still reachable by the device: lost, rather than given to someone else. */
	if (!pvi_iova_unmap(ep, addr, size))
		free_pages_exact(cpu, size);
	kfree(c);
}

void *pvi_dma_alloc(struct device *dev, size_t size, dma_addr_t *ret_addr, gfp_t gfp,
		    unsigned long attrs)
{
	struct pvi_endpoint *ep = pvi_ops_endpoint(dev);
	struct pvi_how how = {
		.prot = PVI_READ | PVI_WRITE,
		.limit = min3(dev->coherent_dma_mask, dev->bus_dma_limit ?: U64_MAX,
			      ep->viommu->input.last),
	};

	if (attrs & DMA_ATTR_NO_WARN)
		gfp |= __GFP_NOWARN;
	return alloc_mapped(ep, size, &how, ret_addr, gfp);
}

void pvi_dma_free(struct device *dev, size_t size, void *cpu, dma_addr_t addr, unsigned long attrs)
{
	free_mapped(pvi_ops_endpoint(dev), size, cpu, addr);
}

struct page *pvi_dma_alloc_pages(struct device *dev, size_t size, dma_addr_t *ret_addr,
				 enum dma_data_direction dir, gfp_t gfp)
{
	struct pvi_endpoint *ep = pvi_ops_endpoint(dev);
	struct pvi_how how = {.prot = pvi_prot_of(dir), .limit = pvi_stream_limit(ep, dev)};
	void *cpu = alloc_mapped(ep, size, &how, ret_addr, gfp);

	return cpu ? virt_to_page(cpu) : NULL;
}

void pvi_dma_free_pages(struct device *dev, size_t size, struct page *page, dma_addr_t addr,
			enum dma_data_direction dir)
{
	free_mapped(pvi_ops_endpoint(dev), size, page_address(page), addr);
}

int pvi_dma_mmap(struct device *dev, struct vm_area_struct *vma, void *cpu, dma_addr_t addr,
		 size_t size, unsigned long attrs)
{
	unsigned long npages = PAGE_ALIGN(size) >> PAGE_SHIFT;

	if (vma->vm_pgoff >= npages || vma_pages(vma) > npages - vma->vm_pgoff)
		return -ENXIO;
	return remap_pfn_range(vma, vma->vm_start, page_to_pfn(virt_to_page(cpu)) + vma->vm_pgoff,
			       vma_pages(vma) << PAGE_SHIFT, vma->vm_page_prot);
}

int pvi_dma_get_sgtable(struct device *dev, struct sg_table *table, void *cpu, dma_addr_t addr,
			size_t size, unsigned long attrs)
{
	int r = sg_alloc_table(table, 1, GFP_KERNEL);

	if (!r)
		sg_set_page(table->sgl, virt_to_page(cpu), PAGE_ALIGN(size), 0);
	return r;
}
