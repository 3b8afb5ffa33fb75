# SPDX-License-Identifier: BSD-2-Clause
# testbed: --machine xen --xen-args "dom0-iommu=strict dom0_max_vcpus=2"
# soak/iosup for a moment: each kind of process, and what else the load has to meet.
exec sh "$PVI_SCENARIO_DIR/iosup-load" 100 1 cgroup
