// SPDX-License-Identifier: GPL-2.0-only
#include <linux/module.h>

#include "pvi_attack.h"

static struct pci_driver *const drivers[] = {
	&attack_hostile_driver,
	&attack_nvme_driver,
	&attack_witness_driver,
};

static void unregister(unsigned int n)
{
	while (n--)
		pci_unregister_driver(drivers[n]);
}

static int __init attack_init(void)
{
	unsigned int i;
	int r;

	for (i = 0; i < ARRAY_SIZE(drivers); i++) {
		r = pci_register_driver(drivers[i]);
		if (r) {
			unregister(i);
			return r;
		}
	}
	return 0;
}

static void __exit attack_exit(void)
{
	unregister(ARRAY_SIZE(drivers));
}

module_init(attack_init);
module_exit(attack_exit);
MODULE_DESCRIPTION("Tries what a malicious device could (for tests)");
MODULE_LICENSE("GPL");
