#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Data through disks and network cards under each strategy, while another disk is plugged
# and unplugged and strategies change: nothing is lost, nothing is left, nothing is said.
# usage: tests/e2e-qemu/soak.sh [--only STRATEGY,...] [KERNEL CPUS MIB-PER-DISK MIB-NETWORK PLUGS
#        TIMEOUT [MEMORY CARD [QEMU-OPTION...]]]
set -eu
cd "$(dirname "$0")/../.."
only=
if [ "${1-}" = --only ]; then
	only=$2
	shift 2
fi
[ $# -gt 0 ] || set -- 6.1 2 48 16 8 280
kernel=$1 cpus=$2 words="mib=$3 netmib=$4 plugs=$5 strategies=$only" timeout=$6 mem=${7-512M} card=${8-e1000e}
shift $(($# < 8 ? $# : 8))
exec tests/e2e-qemu/vm --kernel "$kernel" --cpus "$cpus" --init soak --mem "$mem" \
	--timeout "$timeout" --cmdline "$words card=$card" --module virtio_pci --module nvme \
	--module virtio_blk --module virtio_net --module "$card" --bin odrw --bin netsoak \
	--log "build/check/soak-$kernel-$cpus-$card.log" --quiet \
	--disk n=16M --disk b=16M --disk h=16M -- \
	-device virtio-iommu-pci,boot-bypass=off \
	-device nvme,drive=n,serial=n \
	-device virtio-blk-pci,drive=b,disable-legacy=on,iommu_platform=on \
	-netdev hubport,hubid=0,id=e -device "$card,netdev=e,romfile=,addr=8" \
	-netdev hubport,hubid=0,id=v \
	-device virtio-net-pci,netdev=v,disable-legacy=on,iommu_platform=on,host_mtu=9000,romfile= \
	-device pcie-root-port,id=rp0,chassis=1,slot=1 "$@"
