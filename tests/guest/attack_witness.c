// SPDX-License-Identifier: GPL-2.0-only
/*
 * A second nvme (no disk; driver_override pvi_witness) that tells when all reports of refused
 * DMAs have come. It writes to page 0, which is never mapped. The virtio-iommu reports that in
 * the queue in which it has reported what the device under test was refused before, so once
 * the witness's report is counted, so are all of those. A time would not do: the CPU that
 * counts may not run for long.
 *
 * That takes one report for each DMA of the witness's, no more: attack_witness_exact() says
 * afterwards whether it was so.
 */
#include <linux/delay.h>
#include <linux/ktime.h>

#include "attack_nvme.h"

/* Longer, and the report is lost. */
#define REPORT_MS 20000

static DEFINE_MUTEX(lock);
static struct nvme_engine *witness;
static s64 begin; /* its faults when it was bound */
static s64 asked;

static int wait_for(s64 faults)
{
	ktime_t end = ktime_add_ms(ktime_get(), REPORT_MS);

	while (attack_counter(&witness->a, "faults") < faults) {
		if (ktime_after(ktime_get(), end))
			return -ETIMEDOUT;
		usleep_range(100, 200);
	}
	return 0;
}

int attack_witness_fence(void)
{
	int r = -ENODEV;

	mutex_lock(&lock);
	if (witness)
		r = attack_nvme_write_word(witness, 0);
	if (!r)
		r = wait_for(begin + ++asked);
	mutex_unlock(&lock);
	return r;
}

bool attack_witness_exact(void)
{
	bool exact = false;

	mutex_lock(&lock);
	if (witness)
		exact = attack_counter(&witness->a, "faults") == begin + asked;
	mutex_unlock(&lock);
	return exact;
}

static int witness_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct nvme_engine *e = devm_kzalloc(&pdev->dev, sizeof(*e), GFP_KERNEL);
	int r;

	if (!e)
		return -ENOMEM;
	e->a.pdev = pdev;
	r = attack_nvme_enable(e);
	if (r) {
		pci_clear_master(pdev);
		return r;
	}
	pci_set_drvdata(pdev, e);
	mutex_lock(&lock);
	begin = attack_counter(&e->a, "faults");
	asked = 0;
	witness = e;
	mutex_unlock(&lock);
	return 0;
}

static void witness_remove(struct pci_dev *pdev)
{
	mutex_lock(&lock);
	witness = NULL;
	mutex_unlock(&lock);
	attack_nvme_disable(pci_get_drvdata(pdev));
}

struct pci_driver attack_witness_driver = {
	.name = "pvi_witness",
	.probe = witness_probe,
	.remove = witness_remove,
};
