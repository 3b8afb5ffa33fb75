#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Real devices (as real as QEMU's: e1000e and nvme behind VT-d) in unmodified guests and behind
# the virtio-iommu: each kind of interrupt, both kernels, data checked on both sides.
# usage: testbed/run ... tests/e2e/assign.sh [CASE]...; cycles=N is a case, too (make soak)
# testbed: --where l1 --device e1000e,lan=1,addr=8 --device nvme,addr=9,romfile=pxe-e1000e.rom --device e1000e,lan=1,addr=10 --device ahci,id=sata,addr=11 --device ide-cd,bus=sata.0 --timeout 900
set -u
. "$PVI_SCENARIO_DIR/lib.sh"
# Those that end while the devices stream come last, and of them nomsi first: QEMU's nvme keeps its
# line up, beyond a reset, for completions that its last guest did not take.
[ $# -gt 0 ] ||
	set -- off msi blind persistent single_use in_tree switch nomsi kill9 bypass reboot

. "$PVI_SCENARIO_DIR/assign-host"
. "$PVI_SCENARIO_DIR/assign-guest"
nic=$(find_pci 0x8086:0x10d3 1)
peer=$(find_pci 0x8086:0x10d3 2)
disk=$(find_pci 0x1b36:0x0010 1)

off() {
	say "unmodified guest, all of its memory mapped (6.1, MSI-X)"
	vm 6.1 off off msi-x pvi.regs=1 --verbose
	good "off" PCI-MSI, PCI-MSI,
	nothing_left off
	check "off: the card's link is up, its ports say: $(said pio_status)" \
		[ $((0x$(said pio_status) & 3)) = 3 ]
	equal "off: the disk's option ROM" "$(said rom)" "$rom"
	check "off: the disk's BAR is above 4 GiB: $(said disk_bar)" \
		[ $(($(said disk_bar) >> 32)) != 0 ]
	equal "off: bytes of extended capabilities, of the host's $extended" "$(said extended)" 0
	check "off: ports are trapped: $(stat "$nic" pio)" [ "$(stat "$nic" pio)" = 2 ]
	check "off: the run is summed up" grep -q '^pviommu: ended by poweroff after' log
	check "off: with KVM's counts" grep -q '^pviommu: KVM counted:.* io_exits' log
	check "off: and the devices'" grep -q "^pviommu: --assign $nic: exits: .*163840 KiB locked" log
	for bdf in "$nic" "$disk"; do
		equal "off: pinned for $bdf" "$(stat "$bdf" peak_pinned_bytes)" $mem
		equal "off: pinned to the end" "$(stat "$bdf" pinned_bytes)" $mem
		equal "off: host maps for $bdf" "$(stat "$bdf" host_maps)" 1
		took off "$bdf" maps host_map_ns
	done
	exits_by_kind off
	trapped=$(($(stat "$nic" region_reads) + $(stat "$nic" region_writes)))
	check "off: exits for the card's registers: $trapped, of $(said net_irqs) interrupts" \
		[ "$trapped" -lt 20 ]
	sed 's/.*"kvm"/"kvm"/' stats.json
}

# QEMU's e1000e never unmasks the interrupt by which its driver tests MSI, assigned or not, and its
# nvme has none: a disk controller.
msi() {
	say "MSI, a line, and MSI again"
	sata=$(find_pci 0x8086:0x2922 1)
	pviommu assign "$sata" >/dev/null
	vm 6.1 strict single-use msi-x pvi.do=sata --assign "$sata"
	equal "msi: exit status" $status 0
	for probe in 1:PCI-MSI 2:IO-APIC 3:PCI-MSI; do
		i=${probe%:*}
		equal "msi: how the controller interrupts" "$(said "sata$i")" "${probe#*:},"
		check "msi: it found its drive by $(said "irqs$i") interrupts" \
			[ "$(said "irqs$i")" -gt 0 ]
	done
	equal "msi: complaints of the guest's kernel" "$(said complaint)" ""
	nothing_left msi
}

rx() { cat "/sys/class/net/$card/statistics/rx_packets"; }
blind() {
	say "a guest without a driver for its IOMMU: its devices reach nothing"
	before=$(rx)
	vm 6.1 strict off msi-x pvi.do=blind
	equal "blind: exit status" $status 0
	equal "blind: the disk's driver has" "$(said nvme)" given_up
	equal "blind: a disk" "$(said disk)" ""
	equal "blind: an answer over the network" "$(said ping)" ""
	equal "blind: packets that left the card" $(($(rx) - before)) 0
	for bdf in "$nic" "$disk"; do
		fault=$(dmesg | grep -m 1 "DMAR:.*\[${bdf#*:}\].*fault")
		check "blind: the host's IOMMU stopped $bdf: $fault" [ -n "$fault" ]
		equal "blind: pinned for $bdf" "$(stat "$bdf" peak_pinned_bytes)" 0
		equal "blind: host maps for $bdf" "$(stat "$bdf" host_maps)" 0
	done
	nothing_held blind
}

# Pinned is what the guest has mapped, the coherent pages too, and no more than 2 % beyond.
pinned_as_mapped() { # WHAT DEVICE BDF
	peak=$(stat "$3" peak_pinned_bytes)
	mapped=$(sed -n "s/^PVI counters=$2 .*peak_mapped_pages=\([0-9]*\).*/\1/p" log)
	coherent=$(sed -n "s/^PVI counters=$2 .*coherent_pages=\([0-9]*\).*/\1/p" log)
	check "$1: pinned for $2 at most: $((peak / 4096)) pages, of $mapped + $coherent mapped" \
		[ "$((peak / 4096 * 100))" -le "$(((mapped + coherent) * 102))" ]
	equal "$1: pinned at the end" "$(stat "$3" pinned_bytes)" 0
}

persistent() {
	say "behind the virtio-iommu: pviommu.ko, persistent"
	vm 6.1 strict persistent msi-x
	good "persistent" PCI-MSI, PCI-MSI,
	nothing_left persistent
	pinned_as_mapped persistent net "$nic"
	pinned_as_mapped persistent disk "$disk"
}

single_use() {
	say "behind the virtio-iommu: pviommu.ko, single-use"
	vm 6.1 strict single-use msi-x
	good "single-use" PCI-MSI, PCI-MSI,
	nothing_left single-use
	pinned_as_mapped single-use net "$nic"
	pinned_as_mapped single-use disk "$disk"
	check "single-use: the host unmapped for the disk: $(stat "$disk" host_unmaps) times" \
		[ "$(stat "$disk" host_unmaps)" -gt 50 ]
	# All RAM is one piece: a request is a call. An attachment begins and ends by emptying the
	# whole space, its halves one by one.
	maps=$(($(stat "$nic" host_maps) + $(stat "$disk" host_maps)))
	requests() { stat_of stats.json '"iommu"' "$1"; }
	equal "single-use: host maps, as MAP requests" $maps "$(requests map)"
	unmaps=$(($(stat "$nic" host_unmaps) + $(stat "$disk" host_unmaps)))
	equal "single-use: host unmaps, as UNMAP requests and 4 for each ATTACH" $unmaps \
		$(($(requests unmap) + 4 * $(requests attach)))
	for bdf in "$nic" "$disk"; do
		took single-use "$bdf" maps host_map_ns
		took single-use "$bdf" unmaps host_unmap_ns
	done
}

in_tree() {
	say "behind the virtio-iommu: the driver of Linux 6.12"
	vm 6.12 strict in-tree msi-x
	good "in-tree" PCI-MSIX-0000:00:02.0, PCI-MSIX-0000:00:03.0,
	nothing_left in-tree
	for bdf in "$nic" "$disk"; do
		check "in-tree: pinned for $bdf: $(stat "$bdf" peak_pinned_bytes)" \
			[ "$(stat "$bdf" peak_pinned_bytes)" -lt $mem ]
		equal "in-tree: pinned at the end" "$(stat "$bdf" pinned_bytes)" 0
	done
	# What the hardware cannot reach is what its first reserved address beyond 4 GiB says.
	width=$((($(cat /sys/class/iommu/dmar0/intel-iommu/cap | sed 's/^/0x/') >> 16 & 63) + 1))
	check "in-tree: the guest knows the $width bits of the host's IOMMU: $(said reserved)" \
		sh -c "echo '$(said reserved)' | grep -q '$(printf 0x%016x $((1 << width))),'"
	check "in-tree: and its interrupts' addresses" \
		sh -c "echo '$(said reserved)' | grep -q '0x00000000fee00000,0x00000000feefffff,msi'"
	# Any multiple will do: type1 makes large pages of what lies together by itself.
	check "in-tree: and that its smallest page is 4 KiB: $(said page_mask)" \
		sh -c "echo '$(said page_mask)' | grep -q '^0x[0-9a-f]*[13579bdf]000$'"
}

switch() {
	say "drivers unbound and bound again, kinds of interrupts switched"
	vm 6.1 strict persistent msi-x pvi.do=switch
	equal "switch: exit status" $status 0
	for kind in intx msi msi-x; do
		check "switch: pings over $kind, twice" \
			[ "$(grep -c "^PVI switched=$kind ok" log)" = 2 ]
	done
	check "switch: the disk reads over its line, twice" \
		[ "$(grep -c "^PVI disk_messages=0 ok IO-APIC," log)" = 2 ]
	check "switch: the disk reads over MSI-X, twice" \
		[ "$(grep -c "^PVI disk_messages=1 ok PCI-MSI," log)" = 2 ]
	check "switch: the disk returned what was written" grep -q '^PVI disk=' log
	equal "switch: complaints of the guest's kernel" "$(said complaint)" ""
	nothing_left switch
}

nomsi() {
	say "lines only; SIGTERM while its devices stream"
	start_until stream 6.1 off off intx "pci=nomsi pvi.then=stream" --grace 0
	flood
	kill $vmm
	end_vm
	good nomsi IO-APIC, IO-APIC, 6
	streams_no_more nomsi
}

kill9() {
	say "the VMM is killed while both devices stream"
	start_until stream 6.1 strict persistent msi-x "pvi.do=disk pvi.then=stream" --cpus 2
	check "kill: streams" [ $? = 0 ]
	kvm_counts kill
	group=$(basename "$(readlink "/sys/bus/pci/devices/$disk/iommu_group")")
	pviommu run --kernel "$PVI_KERNELS/6.1/vmlinux" --assign "$disk" $PVI_QUIRKS 2>err
	equal "kill: another VM that wants the disk gets" $? 2
	check "kill: and is told why" grep -q 'another VM has it' err
	pviommu release "$disk" 2>err
	equal "kill: release of it gets" $? 2
	check "kill: and is told why, too" grep -q 'a VM has it' err
	pviommu devices >out
	check "kill: devices names it: $(grep "^$disk" out)" \
		grep -q "^$disk .*no: a VM has it, process $vmm;" out
	check "kill: something is pinned: $(pinned)" [ "$(pinned)" -gt 100 ]
	flood
	kill -9 $vmm
	end_vm
	equal "kill: exit status" $status 137
	# What was the guest's is anybody's now.
	check "kill: fresh memory stays as it is" vmmem watch 400 5
	streams_no_more kill
	modprobe nvme
	check "kill: the disk goes back to the host" pviommu release "$disk"
	n=0
	until [ -b /dev/nvme0n1 ] || [ $n = 50 ]; do
		n=$((n + 1))
		usleep 100000
	done
	check "kill: which can read it" dd if=/dev/nvme0n1 of=/dev/null bs=64k count=16
	check "kill: and it can be assigned again" pviommu assign "$disk"
}

# All that the card could reach is the guest's memory, all of it.
bypass() {
	say "the same in bypass: they reach it all; powered off while they stream"
	vm_streams 6.1 boot-bypass off intx pvi.then=pull
	good bypass IO-APIC, PCI-MSI,
	equal "bypass: requests to the virtio-iommu" "$(stat_of stats.json '"iommu"' kicks)" 0
	for bdf in "$nic" "$disk"; do
		equal "bypass: pinned for $bdf" "$(stat "$bdf" peak_pinned_bytes)" $mem
		equal "bypass: host maps for $bdf" "$(stat "$bdf" host_maps)" 1
		took bypass "$bdf" maps host_map_ns
	done
	streams_no_more bypass
}

reboot() {
	say "a guest that reboots while its devices stream"
	vm_streams 6.1 strict persistent intx "pvi.do=disk pvi.then=reset"
	equal "reboot: exit status" $status 3
	streams_no_more reboot
}

# The ends that a VM can have, one after the other.
cycles() { # N
	say "$1 starts and ends"
	for i in $(seq 1 "$1"); do
		case $((i % 3)) in
		1)
			vm 6.1 off off msi-x pvi.do=disk
			equal "cycle $i: powered off" $status 0
			;;
		2)
			start_until disk 6.1 strict persistent msi-x pvi.do=disk --grace 0
			check "cycle $i: uses the disk" [ $? = 0 ]
			kill $vmm
			end_vm
			equal "cycle $i: ended by signal" $status 6
			;;
		0)
			start_until disk 6.1 strict single-use intx pvi.do=disk
			check "cycle $i: uses the disk" [ $? = 0 ]
			kill -9 $vmm
			end_vm
			equal "cycle $i: killed" $status 137
			;;
		esac
		nothing_left "cycle $i"
	done
}

setup_peer
pins=$(pinned)
dmesg -c >/dev/null
modprobe nvme
echo 1 >"/sys/bus/pci/devices/$disk/rom"
rom=$(dd if="/sys/bus/pci/devices/$disk/rom" bs=512 count=2 2>/dev/null | sha256sum | cut -d' ' -f1)
extended=$(dd if="/sys/bus/pci/devices/$nic/config" bs=256 skip=1 2>/dev/null | tr -d '\000' | wc -c)
check "the card has extended capabilities" [ "$extended" -gt 0 ]
pviommu assign "$nic" "$disk" >/dev/null
for c; do
	case $c in
	cycles=*) cycles "${c#*=}" ;;
	*) $c ;;
	esac
done
finish
