#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# pviommu.ko under data for as long as it takes: on 1 and on 2 CPUs, for each strategy 2 GiB
# through each of two disks and 256 MiB through a pair of network cards, while another disk
# comes, is reloaded and goes 50 times and strategies change. tests/e2e-qemu/guest/soak says
# what is checked. Takes hours.
# usage: tests/soak/module.sh [CPUS [MIB-PER-DISK MIB-NETWORK PLUGS TIMEOUT]]
# check: sh tests/soak/module.sh
set -eu
cd "$(dirname "$0")/../.."
cpus=${1-1 2}
[ $# -lt 2 ] || shift
[ $# -ge 4 ] || set -- 2048 256 50 21600
for n in $cpus; do
	echo "soak: $n CPU(s), $1 MiB through each disk, $2 MiB through the network"
	sh tests/e2e-qemu/soak.sh 6.1 "$n" "$@"
done
