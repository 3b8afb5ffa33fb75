#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A virtual function (SR-IOV) of an nvme, whose physical function stays the host's, in a guest.
# testbed: --where l1 --device nvme-subsys,id=sub --device nvme,addr=9,subsys=sub,drive=,serial=twofold,sriov_max_vfs=1,sriov_vq_flexible=2,sriov_vi_flexible=1 --timeout 400
set -u
. "$PVI_SCENARIO_DIR/lib.sh"
. "$PVI_SCENARIO_DIR/assign-host"

modprobe nvme
whole=$(find_pci 0x1b36:0x0010 1)
until [ -c /dev/nvme0 ]; do usleep 100000; done
echo 0 >"/sys/bus/pci/devices/$whole/sriov_drivers_autoprobe"
check "there is a virtual function" \
	sh -c "echo 1 >/sys/bus/pci/devices/$whole/sriov_numvfs"
vf=$(basename "$(readlink "/sys/bus/pci/devices/$whole/virtfn0")")
check "$vf goes online" nvme-vf /dev/nvme0
check "it has a group of its own" [ "$(group_of "$vf")" != "$(group_of "$whole")" ]
check "assign takes it" pviommu assign "$vf"
equal "the physical function stays the host's" "$(driver_of "$whole")" nvme
for force in "" --force; do
	pviommu assign $force "$whole" 2>err
	equal "which assign${force:+ }$force does not take while it has virtual ones" $? 2
	check "and says what to do: $(cat err)" grep -q "virtual functions on.*sriov_numvfs" err
	equal "nor touch: its driver" "$(driver_of "$whole")" nvme
done
check "nor is it listed as to be had" \
	sh -c "pviommu devices | grep -q '^$whole .*no: has 1 of its virtual functions on'"
pins=$(pinned)
pviommu devices | grep -E "$vf|$whole"
pviommu run --kernel "$PVI_KERNELS/6.1/vmlinux" --initrd "$PVI_INITRD/assign-6.1.cpio" \
	--mem 160M --cmdline "console=ttyS0 quiet panic=-1 pvi.iommu=persistent pvi.irq=msi-x pvi.do=vf" \
	--assign "$vf" --stats stats.json $PVI_QUIRKS </dev/null >log 2>&1
equal "exit status" $? 0
said() { sed -n "s/^PVI \(.* \|\)$1=\([^ ]*\).*/\2/p" log | tr -d '\r' | tail -n 1; }
grep -E '^PVI |^pviommu' log
equal "by its DMA the guest knows its serial number" "$(said vf_serial)" twofold
equal "it is live" "$(said vf_state)" live
check "it interrupts: $(said vf_irqs)" [ "$(said vf_irqs)" -gt 0 ]
equal "complaints of the guest's kernel" "$(said complaint)" ""
equal "how it is reset" "$(tr ',' '\n' <stats.json | sed -n 's/"reset":"\(.*\)"/\1/p')" device
equal "the physical function is live" "$(cat /sys/class/nvme/nvme0/state)" live
equal "pinned pages left" "$(pinned)" "$pins"
equal "files of VFIO left open" "$(vfio_files)" 0
equal "faults in the host's IOMMU" "$(faults)" 0
check "it goes" sh -c "echo 0 >/sys/bus/pci/devices/$whole/sriov_numvfs"
check "assign takes the physical function then" pviommu assign "$whole"
finish
