#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# pviommu.ko on stock kernels behind QEMU's virtio-iommu, with an nvme and a virtio-blk
# disk and an e1000e: for each strategy data and costs per DMA; switching under I/O, removal;
# and the module's counters against QEMU's trace. Runs on the host (QEMU TCG), in some minutes.
# usage: tests/e2e-qemu/module.sh [QEMU-OPTION...]
# Needs build/static, build/modules and build/kernels (make testbed).
set -eu
cd "$(dirname "$0")/../.."
odrw=build/static/tests/guest/odrw
udpsend=build/static/tests/guest/udpsend
for f in build/kernels/6.1/vmlinux build/kernels/6.12/vmlinux build/modules/6.1/pviommu.ko \
	build/modules/6.12/pviommu.ko $odrw $udpsend; do
	[ -e "$f" ] || { echo "module.sh: no $f: run 'make testbed' first" >&2; exit 2; }
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
# initrd KERNEL: the guest's, with the module for it
initrd()
{
	testbed/mkinitrd --out "$tmp/initrd-$1" --init tests/e2e-qemu/init \
		--kernel "build/kernels/$1" --module virtio_pci --module virtio_blk --module nvme \
		--module e1000e --module-file "build/modules/$1/pviommu.ko" \
		--bin $odrw --bin $udpsend
}
truncate -s 16M "$tmp/nvme.img" "$tmp/blk.img"

# One boot: boot NAME KERNEL CMDLINE; again where the emulator fails, but not for ever.
boot()
{
	for try in 1 2 3; do
		run_qemu "$@"
		grep -q '^DONE' "$tmp/console" || [ $try = 3 ] ||
			! tests/e2e-qemu/emulator.py "$tmp/console" || {
			echo "module.sh: $1: the emulator failed; once more"
			continue
		}
		break
	done
	judge "$1"
}

# run_qemu NAME KERNEL CMDLINE. QEMU gives the virtio-iommu no ioeventfd, and it is the
# one virtio device with a queue 1: so its kicks can be told in the trace.
run_qemu()
{
	name=$1 v=$2 cmdline=$3
	shift 3
	echo "module.sh: $name"
	timeout 400 qemu-system-x86_64 -M q35,sata=off -accel tcg,thread=multi -cpu max -m 256M \
		-smp 2 -display none -serial stdio -no-reboot -nodefaults \
		-kernel build/kernels/$v/vmlinux -initrd "$tmp/initrd-$v" \
		-append "console=ttyS0 quiet panic=-1 no_timer_check transparent_hugepage=never $cmdline" \
		-device virtio-iommu-pci,boot-bypass=off \
		-drive "if=none,id=n,format=raw,file=$tmp/nvme.img" -device nvme,drive=n,serial=n \
		-drive "if=none,id=b,format=raw,file=$tmp/blk.img" \
		-device virtio-blk-pci,drive=b,disable-legacy=on,iommu_platform=on,num-queues=1 \
		-netdev user,id=u,restrict=on -device e1000e,netdev=u,romfile= \
		-trace virtio_iommu_map -trace virtio_iommu_unmap -trace virtio_iommu_attach \
		-trace virtio_iommu_fill_resv_property -trace virtio_queue_notify \
		-D "$tmp/trace" "$@" </dev/null >"$tmp/console" 2>&1 || {
		tail -40 "$tmp/console"
		echo "module.sh: $name: QEMU failed or took too long" >&2
		exit 1
	}
}

judge() # NAME
{
	tr -d '\r' <"$tmp/console" >"$tmp/log"
	grep -E '^(ok|not ok|PASS|STAT|DMESG) ' "$tmp/log" || true # a guest that died says none
	if grep -q '^not ok' "$tmp/log" || ! grep -q '^DONE$' "$tmp/log"; then
		grep -q '^not ok' "$tmp/log" || tail -80 "$tmp/console" >&2
		exit 1
	fi
	compare maps "$(grep -c '^virtio_iommu_map ' "$tmp/trace")"
	compare unmaps "$(grep -c '^virtio_iommu_unmap ' "$tmp/trace")"
	compare requests "$(grep -cE '^virtio_iommu_(map|unmap|attach|fill_resv_property) ' \
		"$tmp/trace")"
	viommu=$(sed -n 's/^virtio_queue_notify vdev \([^ ]*\) n 1 .*/\1/p' "$tmp/trace" | head -1)
	# The DETACHes of the removal come after the last reading: one kick each.
	detaches=$(grep -c '^STAT unbound' "$tmp/log")
	compare kicks $(($(grep -c "^virtio_queue_notify vdev $viommu n 0 " "$tmp/trace") -
		detaches))
}

# The module's counter, summed over endpoints, against what QEMU saw.
compare() # COUNTER TRACED
{
	sum=$(sed -n "s/^STAT unbound.* $1=\([0-9]*\).*/\1/p" "$tmp/log" |
		awk '{ s += $1 } END { print s + 0 }')
	if [ "$sum" != "$2" ] || [ "$sum" = 0 ]; then
		echo "not ok - $1: the module counted $sum, QEMU $2" >&2
		exit 1
	fi
	echo "ok - $1: $sum, as QEMU traced"
}

# The kernel of the release to come is fetched, and its modules built, for this test alone:
# a machine that cannot fetch it, or cannot change into its root, tests the others.
forky()
{
	scripts/kernels.sh forky >"$tmp/forky" 2>&1 || {
		tail -n 1 "$tmp/forky"
		return 1
	}
	status=0
	scripts/build-modules "$PWD/build/kernels/forky/headers" build/modules/forky \
		guest/pviommu >"$tmp/forky" 2>&1 || status=$?
	[ $status = 0 ] || tail -n 40 "$tmp/forky"
	[ $status = 3 ] && return 1
	[ $status = 0 ] || exit 1
}

initrd 6.1
initrd 6.12
boot "loaded before the drivers" 6.1 ""
boot "loaded between virtio_pci and the disks' drivers, small cap" 6.1 "late=1 opt=cap=512"
boot "in place of the kernel's own virtio-iommu driver" 6.12 ""
if forky; then
	initrd forky
	boot "on forky's kernel, $(cat build/kernels/forky/version)" forky ""
else
	echo "skip - on forky's kernel: it cannot be had here (above)"
fi
echo "module.sh: passed"
