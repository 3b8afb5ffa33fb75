#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Scenario: a stock 6.12 guest, with the kernel's own virtio_iommu, virtio_pci and
# virtio_blk, makes a file system on a simulated disk, writes and reads it back
# without a fault; the image is judged from outside after poweroff. Then once more
# without an IOMMU, as a kernel that has no driver for one sees the machine.
# Usage: testbed/run tests/e2e/disk612.sh
set -u
. "$PVI_SCENARIO_DIR/lib.sh"

run_guest() { # MODE
	rm -f disk.img
	truncate -s 64M disk.img
	# shellcheck disable=SC2086
	pviommu run --kernel "$PVI_KERNELS/6.12/vmlinux" --initrd "$PVI_INITRD/disk612-6.12.cpio" \
		--cmdline "console=ttyS0 quiet panic=-1" --mem 192M --cpus 2 --disk disk.img \
		--iommu "$1" --stats "$stats" $PVI_QUIRKS </dev/null 2>"$log" | tr -d '\r' |
		tee "$con" | sed -n 's/^PVI /   guest: /p'
	cat "$log" >&2
}

guest() { sed -n "s/^PVI .*\\b$1=\\([^ ]*\\).*/\\1/p" "$con" | tail -n 1; }
stat() { sed -n "s/.*\"$1\": *\\([0-9]*\\).*/\\1/p" "$stats" | head -n 1; }

judge_image() {
	check "e2fsck" e2fsck -fn disk.img
	mkdir -p mnt
	mount -o loop,ro disk.img mnt &&
		(cd mnt && sha256sum -c sums) >"$PVI_RESULTS/sha256.log" 2>&1
	equal "sha256sum -c on the image" $? 0
	equal "files in the image" "$(grep -c ': OK' "$PVI_RESULTS/sha256.log")" 16
	umount mnt
}

try() { # MODE IOMMU
	con=$PVI_RESULTS/$1.console
	stats=$PVI_RESULTS/$1.stats
	log=$PVI_RESULTS/$1.log
	say "--iommu $1"
	run_guest "$1"
	equal "the guest's last step" "$(guest step)" poweroff
	equal "the guest's complaints" "$(grep -c '^PVI \(fail\|kernel\)=' "$con")" 0
	equal "the IOMMU that the disk is behind" "$(guest iommu | sed 's/[0-9]*$//')" "$2"
	equal "files read back" "$(guest verified)" 16
	equal "DMA faults" "$(stat faults)" 0
	equal "the VMM's complaints" "$(grep -c . "$log")" 0
	check "the disk read by DMA" [ "$(stat dma_reads)" -gt 100 ]
	check "the disk wrote by DMA" [ "$(stat dma_writes)" -gt 100 ]
	equal "processes left behind" "$(pidof pviommu pviommu-blk)" ""
	judge_image
}

try strict virtio
equal "the disk's function" "$(guest bdf)" 0000:00:02.0
try off none
check "the VM has no virtio-iommu" grep -q '"iommu":null' "$stats"
finish
