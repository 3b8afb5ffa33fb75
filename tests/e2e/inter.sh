#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The quick form of bench/protection-inter: two VMs with a real and a hostile simulated device
# each, persistent and without a virtio-iommu, go for each other's memory and are killed.
# testbed: --where l1 --device nvme,addr=8 --device nvme,addr=9 --timeout 600
exec sh "$PVI_SCENARIO_DIR/inter-guests" persistent
