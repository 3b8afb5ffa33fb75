// SPDX-License-Identifier: GPL-2.0-only
/*
 * A virtio-iommu that refuses requests, as pviommu.ko sees it: the request is made, and its answer,
 * whatever that is, becomes another one. No virtio-iommu at hand would refuse one that is right.
 */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/string.h>
#include "mapper.h"

static char *refuse;
module_param(refuse, charp, 0444);
MODULE_PARM_DESC(refuse, "as if the virtio-iommu refused every such request: attach, detach, map");

static const struct {
	const char *name, *adds;
} requests[] = {
	{"attach", "pvi_batch_attach"},
	{"detach", "pvi_batch_detach"},
	{"map", "pvi_batch_map"},
};

static void change_answer(struct pt_regs *regs)
{
	regs_set_return_value(regs, -EINVAL);
}

static struct mapper_request refused = {.answered = change_answer};

int mapper_refuse_begin(void)
{
	unsigned int i;

	if (!refuse)
		return 0;
	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		if (!strcmp(refuse, requests[i].name))
			refused.adds = requests[i].adds;
	}
	return refused.adds ? mapper_request_begin(&refused) : -EINVAL;
}

void mapper_refuse_end(void)
{
	if (refuse)
		mapper_request_end(&refused);
}
