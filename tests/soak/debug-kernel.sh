#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# pviommu.ko on a kernel with KASAN, lockdep and the checks of the DMA API: every operation of
# that API, the life of an endpoint, data under each strategy while a disk comes and goes.
# A complaint in the guest's log fails each of them.
# check: sh tests/soak/debug-kernel.sh
set -eu
cd "$(dirname "$0")/../.."
scripts/debug-kernel.sh
scripts/build-modules "$PWD/build/kernels/6.1-debug/headers" build/modules/6.1-debug guest/pviommu tests/guest
sh tests/e2e-qemu/dma-api.sh 6.1-debug
sh tests/e2e-qemu/life.sh 6.1-debug
sh tests/e2e-qemu/soak.sh 6.1-debug 2 8 4 4 1500
