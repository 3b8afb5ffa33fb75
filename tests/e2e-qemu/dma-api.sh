#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Every operation of the DMA API under every strategy, with the DMA of a real device (QEMU's
# nvme) behind QEMU's virtio-iommu; registers to map are those of an ivshmem. Half a minute.
# usage: tests/e2e-qemu/dma-api.sh [KERNEL...]
# The kernel must not zero all memory by itself, as Debian's does: the module has to.
set -eu
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- 6.1 6.12
for kernel; do
	echo "dma-api.sh: on Linux $kernel"
	tests/e2e-qemu/vm --quiet --kernel $kernel --init dma-api --own pvi_attack \
		--module virtio_pci --cmdline init_on_alloc=0 --timeout 120 \
		--log "build/check/dma-api-$kernel.log" --disk n=16M -- -device virtio-iommu-pci,boot-bypass=off \
		-device nvme,drive=n,serial=n -object memory-backend-ram,id=peer,size=1M,share=on \
		-device ivshmem-plain,memdev=peer
done
