#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Drivers of two real devices unbound and bound again, kinds of interrupts switched; 50 starts and
# ends of a VM with them: powered off, ended by signal, killed; then a reboot. Each leaves no file,
# locked memory or process behind. e2e/assign.sh says what is looked at.
# check: testbed/run --no-build --where l1 --device e1000e,lan=1,addr=8 --device nvme,addr=9,romfile=pxe-e1000e.rom --device e1000e,lan=1,addr=10 --device ahci,id=sata,addr=11 --device ide-cd,bus=sata.0 --timeout 6000 --results build/results/soak-assign tests/e2e/assign.sh switch cycles=50 reboot
exec testbed/run --where l1 --device e1000e,lan=1,addr=8 --device nvme,addr=9,romfile=pxe-e1000e.rom --device e1000e,lan=1,addr=10 --device ahci,id=sata,addr=11 --device ide-cd,bus=sata.0 --timeout 6000 \
	--results build/results/soak-assign "$(dirname "$0")/../e2e/assign.sh" switch cycles=50 reboot
