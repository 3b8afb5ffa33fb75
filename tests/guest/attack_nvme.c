// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver for any nvme (bind it with driver_override) that puts the addresses of the test
 * into PRPs: a real DMA engine. Its buffer is the first sector of the disk, which the test
 * overwrites. One I/O queue, polled. In debugfs, pvi_nvme/:
 *   matrix  reading gives the strategy, then CONTROL, MATRIX and REUSE lines
 *   window  the same with WINDOW and SWEEP lines
 *   high    the same with HIGH lines
 *   aim     see attack_aim.c
 *   api     see dma_api.h
 * QEMU's nvme does not notice that a DMA was refused, so the virtio-iommu is asked: what
 * had no effect, and came with a fault report, was refused. A witness (attack_witness.c) says
 * when a report that there is has come.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "attack_nvme.h"
#include "dma_api.h"

static unsigned int nvme_bits = 64;
module_param(nvme_bits, uint, 0644);
MODULE_PARM_DESC(nvme_bits,
		 "how many address bits the driver says that an nvme has (64); 0: says nothing");

#define DEPTH	16u
#define WAIT_US 2000000u

static struct nvme_engine *engine_of(struct attacker *a)
{
	return container_of(a, struct nvme_engine, a);
}

static void __iomem *doorbell(struct nvme_engine *e, unsigned int index)
{
	unsigned int stride = 4u << NVME_CAP_STRIDE(lo_hi_readq(e->a.regs + NVME_REG_CAP));

	return e->a.regs + NVME_REG_DBS + index * stride;
}

static int poll(struct nvme_engine *e, struct nvme_queue *q)
{
	struct nvme_completion *c = &q->cq[q->head];
	ktime_t end = ktime_add_us(ktime_get(), WAIT_US);
	u16 status;

	while (((status = le16_to_cpu(READ_ONCE(c->status))) & 1) != q->phase) {
		if (ktime_after(ktime_get(), end))
			return -ETIMEDOUT;
		cpu_relax();
	}
	if (++q->head == DEPTH) {
		q->head = 0;
		q->phase ^= 1;
	}
	writel(q->head, doorbell(e, 2 * q->id + 1));
	e->status = status >> 1;
	return e->status ? -EIO : 0;
}

/* One command at a time: 0 or -errno. */
static int execute(struct nvme_engine *e, struct nvme_queue *q, const struct nvme_command *c)
{
	q->sq[q->tail] = *c;
	q->tail = (q->tail + 1) % DEPTH;
	wmb(); /* the command before its doorbell */
	writel(q->tail, doorbell(e, 2 * q->id));
	return poll(e, q);
}

/* To the device (the disk is written) or from it; the first sector of the disk. */
static int transfer(struct nvme_engine *e, bool to_device, u64 addr)
{
	struct nvme_command c = {
		.rw.opcode = to_device ? nvme_cmd_write : nvme_cmd_read,
		.rw.nsid = cpu_to_le32(1),
		.rw.dptr.prp1 = cpu_to_le64(addr),
	};

	if (offset_in_page(addr) > PAGE_SIZE - ATTACK_SECTOR)
		c.rw.dptr.prp2 = cpu_to_le64((addr & PAGE_MASK) + PAGE_SIZE);
	return execute(e, &e->io, &c);
}

static void put_data(struct attacker *a, const void *from)
{
	struct nvme_engine *e = engine_of(a);

	memcpy(e->sector, from, ATTACK_BYTES);
	if (transfer(e, true, e->sector_addr))
		pci_err(a->pdev, "cannot write the disk: status %#x\n", e->status);
}

static void get_data(struct attacker *a, void *to)
{
	struct nvme_engine *e = engine_of(a);

	memset(e->sector, 0, ATTACK_SECTOR);
	if (transfer(e, false, e->sector_addr))
		pci_err(a->pdev, "cannot read the disk: status %#x\n", e->status);
	memcpy(to, e->sector, ATTACK_BYTES);
}

static int settle(struct nvme_engine *e)
{
	int r = e->settled ? 0 : attack_witness_fence();

	/* Where the host's IOMMU refuses there is none, and nothing is counted (attack_aim.c). */
	if (r == -ENODEV)
		r = 0;
	e->settled = !r;
	return r;
}

/*
 * @len is a whole sector, really. Nothing comes between the call and the DMA where the last one
 * was one of these: a window of time may be about to close.
 */
static u32 dma(struct attacker *a, u32 command, u64 iova, u32 len)
{
	struct nvme_engine *e = engine_of(a);
	s64 faults;
	int r;

	if (settle(e))
		return ATTACK_S_BAD;
	faults = attack_counter(a, "faults");
	r = transfer(e, command == ATTACK_C_READ, iova);
	e->settled = false;
	if (r || settle(e))
		return ATTACK_S_BAD;
	return attack_counter(a, "faults") == faults ? ATTACK_S_OK : ATTACK_S_REFUSED;
}

static u32 error(struct attacker *a)
{
	return engine_of(a)->status;
}

static const struct attack_engine nvme_engine = {
	.dma = dma,
	.put_data = put_data,
	.get_data = get_data,
	.error = error,
};

/* The first word of the SMART log. */
int attack_nvme_write_word(struct nvme_engine *e, u64 addr)
{
	const struct nvme_command c = {
		.get_log_page.opcode = nvme_admin_get_log_page,
		.get_log_page.nsid = cpu_to_le32(NVME_NSID_ALL),
		.get_log_page.dptr.prp1 = cpu_to_le64(addr),
		.get_log_page.lid = NVME_LOG_SMART,
	};

	return execute(e, &e->admin, &c);
}

int attack_nvme_write(struct attacker *a, u64 iova)
{
	engine_of(a)->settled = false;
	return transfer(engine_of(a), false, iova);
}

int attack_nvme_put(struct attacker *a, u64 addr, const void *from)
{
	struct nvme_engine *e = engine_of(a);
	int r;

	memcpy(e->sector, from, ATTACK_SECTOR);
	r = transfer(e, true, e->sector_addr);
	return r ?: attack_nvme_write(a, addr);
}

int attack_nvme_get(struct attacker *a, u64 addr, void *to)
{
	struct nvme_engine *e = engine_of(a);
	int r;

	e->settled = false;
	r = transfer(e, true, addr);
	if (!r)
		r = transfer(e, false, e->sector_addr);
	memcpy(to, e->sector, ATTACK_SECTOR);
	return r;
}

/* ---- setting it up ---- */

static int wait_ready(struct nvme_engine *e, bool ready)
{
	unsigned int ms;
	u32 csts;

	for (ms = 0; ms < 2000; ms++) {
		csts = readl(e->a.regs + NVME_REG_CSTS);
		if (!!(csts & NVME_CSTS_RDY) == ready)
			return 0;
		msleep(1);
	}
	return -ETIMEDOUT;
}

static int queue_init(struct nvme_engine *e, struct nvme_queue *q, unsigned int id)
{
	struct device *dev = &e->a.pdev->dev;

	q->id = id;
	q->phase = 1;
	q->sq = dmam_alloc_coherent(dev, PAGE_SIZE, &q->sq_addr, GFP_KERNEL);
	q->cq = dmam_alloc_coherent(dev, PAGE_SIZE, &q->cq_addr, GFP_KERNEL);
	return q->sq && q->cq ? 0 : -ENOMEM;
}

static int start(struct nvme_engine *e)
{
	void __iomem *regs = e->a.regs;
	int r;

	writel(0, regs + NVME_REG_CC);
	r = wait_ready(e, false);
	if (r)
		return r;
	writel((DEPTH - 1) << 16 | (DEPTH - 1), regs + NVME_REG_AQA);
	lo_hi_writeq(e->admin.sq_addr, regs + NVME_REG_ASQ);
	lo_hi_writeq(e->admin.cq_addr, regs + NVME_REG_ACQ);
	writel(NVME_CC_ENABLE | NVME_CC_IOSQES | NVME_CC_IOCQES, regs + NVME_REG_CC);
	return wait_ready(e, true);
}

static int create_io_queue(struct nvme_engine *e)
{
	struct nvme_command cq = {
		.create_cq.opcode = nvme_admin_create_cq,
		.create_cq.prp1 = cpu_to_le64(e->io.cq_addr),
		.create_cq.cqid = cpu_to_le16(e->io.id),
		.create_cq.qsize = cpu_to_le16(DEPTH - 1),
		.create_cq.cq_flags = cpu_to_le16(NVME_QUEUE_PHYS_CONTIG),
	};
	struct nvme_command sq = {
		.create_sq.opcode = nvme_admin_create_sq,
		.create_sq.prp1 = cpu_to_le64(e->io.sq_addr),
		.create_sq.sqid = cpu_to_le16(e->io.id),
		.create_sq.qsize = cpu_to_le16(DEPTH - 1),
		.create_sq.sq_flags = cpu_to_le16(NVME_QUEUE_PHYS_CONTIG),
		.create_sq.cqid = cpu_to_le16(e->io.id),
	};
	int r = execute(e, &e->admin, &cq);

	return r ?: execute(e, &e->admin, &sq);
}

int attack_nvme_enable(struct nvme_engine *e)
{
	struct pci_dev *pdev = e->a.pdev;
	int r = pcim_enable_device(pdev);

	if (r)
		return r;
	r = pcim_iomap_regions(pdev, BIT(0), KBUILD_MODNAME);
	if (r)
		return r;
	e->a.regs = pcim_iomap_table(pdev)[0];
	r = nvme_bits ? dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(nvme_bits)) : 0;
	if (!r)
		r = queue_init(e, &e->admin, 0);
	if (r)
		return r;
	pci_set_master(pdev);
	return start(e);
}

void attack_nvme_disable(struct nvme_engine *e)
{
	writel(0, e->a.regs + NVME_REG_CC);
	wait_ready(e, false);
	pci_clear_master(e->a.pdev);
}

static int set_up(struct nvme_engine *e)
{
	struct device *dev = &e->a.pdev->dev;
	int r = attack_nvme_enable(e);

	if (r)
		return r;
	e->sector = dmam_alloc_coherent(dev, PAGE_SIZE, &e->sector_addr, GFP_KERNEL);
	r = e->sector ? queue_init(e, &e->io, 1) : -ENOMEM;
	return r ?: create_io_queue(e);
}

/* ---- its files ---- */

static void window(struct attacker *a)
{
	attack_window(a);
	attack_sweep(a);
}

static void matrix(struct attacker *a)
{
	attack_matrix(a);
	seq_printf(a->out, "CONTROL witness %s\n", attack_witness_exact() ? "ok" : "failed");
}

static int matrix_show(struct seq_file *out, void *unused)
{
	return attack_show(out, matrix);
}

static int window_show(struct seq_file *out, void *unused)
{
	return attack_show(out, window);
}

static int high_show(struct seq_file *out, void *unused)
{
	return attack_show(out, attack_high);
}

#define FILE_OPS(name)                                                                            \
	static int name##_open(struct inode *inode, struct file *file)                            \
	{                                                                                         \
		return single_open_size(file, name##_show, inode->i_private, ATTACK_SHOW_BUFFER); \
	}                                                                                         \
	static const struct file_operations name##_ops = {                                        \
		.owner = THIS_MODULE,                                                             \
		.open = name##_open,                                                              \
		.read = seq_read,                                                                 \
		.llseek = seq_lseek,                                                              \
		.release = single_release,                                                        \
	}
FILE_OPS(matrix);
FILE_OPS(window);
FILE_OPS(high);

static int nvme_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct nvme_engine *e = devm_kzalloc(&pdev->dev, sizeof(*e), GFP_KERNEL);
	int r;

	if (!e)
		return -ENOMEM;
	e->a.engine = &nvme_engine;
	e->a.pdev = pdev;
	mutex_init(&e->a.lock);
	r = set_up(e);
	if (r) {
		pci_clear_master(pdev);
		return r;
	}
	pci_set_drvdata(pdev, e);
	e->a.dir = debugfs_create_dir("pvi_nvme", NULL);
	debugfs_create_file("matrix", 0400, e->a.dir, &e->a, &matrix_ops);
	debugfs_create_file("window", 0400, e->a.dir, &e->a, &window_ops);
	debugfs_create_file("high", 0400, e->a.dir, &e->a, &high_ops);
	attack_aim_add(&e->a);
	attack_api_add(&e->a);
	return 0;
}

static void nvme_remove(struct pci_dev *pdev)
{
	struct nvme_engine *e = pci_get_drvdata(pdev);

	debugfs_remove(e->a.dir);
	attack_aim_remove(&e->a);
	attack_nvme_disable(e);
}

/* No ids: bound only where driver_override says so. */
struct pci_driver attack_nvme_driver = {
	.name = "pvi_nvme",
	.probe = nvme_probe,
	.remove = nvme_remove,
};
