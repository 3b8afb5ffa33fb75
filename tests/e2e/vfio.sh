#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# libpviommu's VFIO backend on a real type1 container: QEMU's edu, behind VT-d, does the DMA.
# testbed: --where l1 --device edu,dma_mask=0xffffffffffffffff --timeout 300
set -u
. "$PVI_SCENARIO_DIR/lib.sh"

for dev in /sys/bus/pci/devices/*; do
	[ "$(cat "$dev/vendor"):$(cat "$dev/device")" = 0x1234:0x11e8 ] && edu=${dev##*/}
done
check "there is an edu" [ -n "${edu-}" ]
echo vfio-pci >"/sys/bus/pci/devices/$edu/driver_override"
echo "$edu" >/sys/bus/pci/drivers_probe
group=$(basename "$(readlink "/sys/bus/pci/devices/$edu/iommu_group")")
check "edu $edu is in IOMMU group $group, of VFIO" [ -c "/dev/vfio/$group" ]
# Each CPU counts for itself: stat_refresh sums up.
pinned()
{
	echo 1 >/proc/sys/vm/stat_refresh
	awk '$1 ~ /nr_foll_pin/ { n[$1] = $2 }
		END { print n["nr_foll_pin_acquired"] - n["nr_foll_pin_released"] }' /proc/vmstat
}
before=$(pinned)
vfio-real "$group" "$edu"
status=$?
check "all tests passed (status $status)" [ $status = 0 ]
check "no page is left pinned" [ "$(pinned)" = "$before" ]
dmesg | grep -E 'WARNING|BUG|Call Trace|DMAR:.*(Request|fault)' | tail -20
check "the kernel has nothing to complain of" \
	[ "$(dmesg | grep -cE 'WARNING|BUG|Call Trace')" = 0 ]
finish
