# SPDX-License-Identifier: BSD-2-Clause
# Inside L1, for bench/iommu-costs: what it costs to map and unmap a page, by the host's VT-d,
# by VFIO, and by a guest's virtio-iommu with a simulated and with an assigned device.
# usage: scenario.sh ROUND GUEST...     GUEST is KERNEL/IOMMU: 6.12/in-tree, 6.1/single-use...
# One JSON object for each operation in costs.jsonl.
set -u
round=$1
shift
out=$PVI_RESULTS/costs.jsonl
api=none,map,unmap,flush,unmap-flush,both
dma=dma-map,dma-unmap,dma

mount -t debugfs none /sys/kernel/debug 2>/dev/null
mount -t tracefs none /sys/kernel/tracing 2>/dev/null
echo 0 >/sys/module/kvm/parameters/halt_poll_ns

die() {
	echo "scenario.sh: $*"
	exit 1
}

for dev in /sys/bus/pci/devices/*; do
	[ "$(cat "$dev/vendor"):$(cat "$dev/device")" != 0x1b36:0x0010 ] || disk=${dev##*/}
done
dev=/sys/bus/pci/devices/$disk
group=$(basename "$(readlink "$dev/iommu_group")")

way() {
	echo "{\"type\":\"way\",\"way\":\"$1\",\"round\":$round}" >>"$out"
	echo "round $round: $1"
}
# Lines "NAME ops=N total=N min=N median=N max=N".
results() {
	sed -E 's/^([a-z-]+) /op=\1 /; s/([a-z]+)=([0-9]+)/"\1":\2/g; s/(op)=([a-z-]+)/"\1":"\2"/;
		s/ /,/g; s/.*/{"type":"host",&}/' >>"$out"
}

insmod "$PVI_MODULES/6.1/iommu_costs.ko" || die "no module"
[ ! -e "$dev/driver" ] || echo "$disk" >"$dev/driver/unbind"
for type in DMA DMA-FQ; do
	way "vt-d/$type"
	echo $type >"$dev/iommu_group/type" || die "no domain of type $type"
	echo iommu_costs >"$dev/driver_override"
	echo "$disk" >/sys/bus/pci/drivers_probe
	[ $type = DMA ] && ops=$api,$dma || ops=$dma
	for op in $(echo $ops | tr , ' '); do
		echo "$op" >/sys/kernel/debug/iommu_costs/run || die "$op failed"
		results </sys/kernel/debug/iommu_costs/run
	done
	echo "$disk" >"$dev/driver/unbind"
done
echo >"$dev/driver_override"
rmmod iommu_costs

pviommu assign "$disk" >/dev/null || die "cannot assign"
way vfio
vfio-costs "$group" >vfio.txt || die "no VFIO"
results <vfio.txt

truncate -s 1M disk.img
for guest; do
	way "virtio-iommu/$guest"
	kernel=${guest%/*}
	iommu=${guest#*/}
	ops=none,$dma
	[ "$iommu" != in-tree ] || ops=$api,$dma
	rm -f stats.json
	assign-watch "$out" 200 pviommu run $PVI_QUIRKS --kernel "$PVI_KERNELS/$kernel/vmlinux" \
		--initrd "$PVI_INITRD/bench-iommu-$kernel.cpio" --mem 160M \
		--cmdline "console=ttyS0 quiet panic=-1 mitigations=off cryptomgr.notests pvi.iommu=$iommu pvi.ops=$ops" \
		--disk disk.img --assign "$disk" --stats stats.json || die "$guest: status $?"
	echo "{\"type\":\"stats\",\"stats\":$(cat stats.json)}" >>"$out"
	[ "$(dmesg | grep -cE 'DMAR:.*fault')" = 0 ] || die "$guest: faults in the host's IOMMU"
done
