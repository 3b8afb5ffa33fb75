#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# pviommu.ko under data: for each strategy 2 GiB through each of two disks and 256 MiB through a
# pair of network cards, while another disk comes, is reloaded and goes 50 times and strategies
# change. tests/e2e-qemu/guest/soak says what is checked. On one CPU; module-2cpus.sh: on two.
# usage: tests/soak/module.sh [CPUS [MIB-PER-DISK MIB-NETWORK PLUGS TIMEOUT]]
# check: sh tests/soak/module.sh
set -eu
cd "$(dirname "$0")/../.."
cpus=${1-1}
[ $# -lt 2 ] || shift
[ $# -ge 4 ] || set -- 2048 256 50 5400
echo "soak: $cpus CPU(s), $1 MiB through each disk, $2 MiB through the network"
exec sh tests/e2e-qemu/soak.sh 6.1 "$cpus" "$@"
