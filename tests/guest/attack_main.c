// SPDX-License-Identifier: GPL-2.0-only
#include <linux/module.h>

#include "pvi_attack.h"

static int __init attack_init(void)
{
	int r = pci_register_driver(&attack_hostile_driver);

	if (r)
		return r;
	r = pci_register_driver(&attack_nvme_driver);
	if (r)
		pci_unregister_driver(&attack_hostile_driver);
	return r;
}

static void __exit attack_exit(void)
{
	pci_unregister_driver(&attack_nvme_driver);
	pci_unregister_driver(&attack_hostile_driver);
}

module_init(attack_init);
module_exit(attack_exit);
MODULE_DESCRIPTION("Tries what a malicious device could (for tests)");
MODULE_LICENSE("GPL");
