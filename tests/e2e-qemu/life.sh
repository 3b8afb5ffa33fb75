#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The life of an endpoint behind QEMU's virtio-iommu, on stock kernels: bound before and after
# the module, hot-plug and unplug, removal and reload of the module, suspend and resume under
# each strategy, reboot; without a VIOT; where virtio_iommu came first.
# usage: tests/e2e-qemu/life.sh [KERNEL]      of that one: all but what needs another machine
set -eu
cd "$(dirname "$0")/../.."
limit=240 behind=
# shellcheck disable=SC2086
vm() # KERNEL WHAT IOMMU-OPTIONS [VM-OPTION...]
{
	kernel=$1 what=$2 iommu=$3
	shift 3
	echo "life.sh: $what on Linux $kernel"
	tests/e2e-qemu/vm --quiet --kernel "$kernel" --init life --cmdline "what=$what" \
		--module virtio_pci --module nvme --module virtio_blk --own pvi_mapper --bin odrw --timeout $limit \
		--log "build/check/life-$kernel-$what.log" --disk n=16M --disk b=16M --disk h=16M \
		"$@" -- -device virtio-iommu-pci$iommu -device nvme,drive=n,serial=n \
		-device virtio-blk-pci,drive=b,disable-legacy=on,iommu_platform=on \
		-netdev user,id=u,restrict=on -device e1000e,netdev=u,romfile= \
		-device pcie-root-port,id=rp0,chassis=1,slot=1 $behind
}
# By way of the compressed image: the other one QEMU puts into memory anew when it wakes a guest.
sleeping() # KERNEL STRATEGIES [WAITS]
{
	vm "$1" all ",boot-bypass=on -kernel build/kernels/$1/vmlinuz" \
		--cmdline "what=all suspend.pm_test_delay=1 sleep=$2 waits=${3-}"
}
reboot() # KERNEL
{
	vm "$1" reboot ,boot-bypass=off
	took=$(sed -n 's/^vm: \([0-9]*\) s after DONE$/\1/p' "build/check/life-$1-reboot.log")
	[ -n "$took" ] && [ "$took" -le 20 ] || { echo "not ok - a reboot took $took s"; exit 1; }
	echo "ok - a reboot took $took s"
}
if [ $# -gt 0 ]; then
	limit=900 # it may have checks in it that take their time
	sleeping "$1" single-use,deferred,shared,persistent,bounce,direct-map
	exit
fi
sleeping 6.1 single-use,deferred,shared,persistent,bounce,direct-map
sleeping 6.12 single-use,persistent,bounce 1
reboot 6.1
reboot 6.12
drivers() # KERNEL
{
	vm "$1" drivers ",boot-bypass=on -trace virtio_iommu_map \
		-trace virtio_iommu_attach -trace virtio_iommu_detach -D $trace" \
		--cmdline "what=drivers suspend.pm_test_delay=1"
	pages=$(sed -n 's/^PAGES //p' "build/check/life-$1-drivers.log")
	# 1: to be read, and nothing else.
	[ -n "$pages" ] && grep -q " virt_start=$pages .* flags=1\$" "$trace" || {
		echo "not ok - pages for the device to read: $pages: not MAPped so"
		exit 1
	}
	echo "ok - pages for the device to read are MAPped so"
	# What is plugged in (01:00.0). Its last claim but one failed behind ATTACH: out of its
	# domain it would have been in the VM's bypass.
	[ "$(sed -n 's/^virtio_iommu_\([a-z]*\) .* endpoint=256$/\1/p' "$trace" | tail -n 3 |
		tr '\n' ' ')" = "attach attach detach " ] || {
		echo "not ok - a device that was not claimed: not in a domain of its own"
		exit 1
	}
	echo "ok - a device that was not claimed stays in a domain of its own"
}
trace=$(mktemp)
trap 'rm -f "$trace"' EXIT
drivers 6.1
drivers 6.12
# Addresses that PROBE's answer reserves (what=ranges of the guest) are in no MAP: all lie between
# 1 GiB and 2.5 GiB, or above 8 GiB.
ranges()
{
	behind="-device pxb-pcie,id=x0,bus=pcie.0,bus_nr=0x20
		-device pcie-root-port,id=rp1,bus=x0,chassis=2,slot=2
		-device nvme,drive=h,serial=h,bus=rp1
		-device pxb-pcie,id=x1,bus=pcie.0,bus_nr=0x30,bypass_iommu=on
		-device pcie-root-port,id=rp2,bus=x1,chassis=3,slot=3
		-device e1000e,bus=rp2,romfile="
	vm 6.1 ranges ",boot-bypass=off -trace virtio_iommu_map -D $trace"
	behind=
	low='0x[4-9][0-9a-f]{7}' high='0x[0-9a-f]*[2-9a-f][0-9a-f]{8}'
	all=$(grep -c '^virtio_iommu_map ' "$trace" || true)
	good=$(grep -cE "virt_start=($low virt_end=$low|$high virt_end=$high) " "$trace" || true)
	[ "$all" -gt 100 ] && [ "$all" = "$good" ] || {
		echo "not ok - $all MAPs, $good of them outside of what is reserved"
		exit 1
	}
	echo "ok - $all MAPs, none of what is reserved"
}
ranges
vm 6.1 ids ,boot-bypass=off --cmdline "what=ids acpi=off" --module e1000e
vm 6.12 intree ,boot-bypass=on --module virtio_iommu
