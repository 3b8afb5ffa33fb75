#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Scenario: a stock 6.12 guest, with the kernel's own virtio_iommu, virtio_pci and
# virtio_blk, makes a file system on a simulated disk, writes and reads it back
# without a fault; the image is judged from outside after poweroff.
# Usage: testbed/run tests/e2e/disk612.sh
set -u

failed=0
expect() { # WHAT GOT WANTED
	if [ "$2" = "$3" ]; then
		echo "-- $1: $2"
	else
		echo "disk612: $1: got '$2', wanted '$3'" >&2
		failed=1
	fi
}

console=$PVI_RESULTS/console.log
stats=$PVI_RESULTS/stats.json
truncate -s 64M disk.img
# shellcheck disable=SC2086
pviommu run --kernel "$PVI_KERNELS/6.12/vmlinux" --initrd "$PVI_INITRD/disk612-6.12.cpio" \
	--cmdline "console=ttyS0 quiet panic=-1" --mem 192M --cpus 2 --disk disk.img \
	--stats "$stats" $PVI_QUIRKS </dev/null 2>"$PVI_RESULTS/vmm.log" | tr -d '\r' |
	tee "$console" | sed -n 's/^PVI /   guest: /p'

guest() { sed -n "s/^PVI .*\\b$1=\\([^ ]*\\).*/\\1/p" "$console" | tail -n 1; }
stat() { sed -n "s/.*\"$1\": *\\([0-9]*\\).*/\\1/p" "$stats" | head -n 1; }

expect "the guest's last step" "$(guest step)" poweroff
expect "the guest's complaints" "$(grep -c '^PVI \(fail\|kernel\)=' "$console")" 0
expect "the disk's function" "$(guest bdf)" 0000:00:02.0
expect "the IOMMU it is behind" "$(guest iommu | sed 's/[0-9]*$//')" virtio
expect "files read back" "$(guest verified)" 16
expect "DMA faults" "$(stat faults)" 0
expect "the VMM's complaints" "$(grep -c . "$PVI_RESULTS/vmm.log")" 0
[ "$(stat dma_reads)" -gt 100 ] && [ "$(stat dma_writes)" -gt 100 ]
expect "the disk did DMA" $? 0
expect "processes left behind" "$(pidof pviommu pviommu-blk)" ""

e2fsck -fn disk.img >"$PVI_RESULTS/fsck.log" 2>&1
expect "e2fsck" $? 0
mkdir mnt
mount -o loop,ro disk.img mnt && (cd mnt && sha256sum -c sums) >"$PVI_RESULTS/sha256.log" 2>&1
expect "sha256sum -c on the image" $? 0
expect "files in the image" "$(grep -c ': OK' "$PVI_RESULTS/sha256.log")" 16
umount mnt
cat "$PVI_RESULTS/vmm.log" >&2
exit $failed
