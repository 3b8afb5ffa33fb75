#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Real devices (as real as QEMU's: e1000e and nvme behind VT-d) in unmodified guests and behind
# the virtio-iommu: each kind of interrupt, both kernels, data checked on both sides.
# usage: testbed/run ... tests/e2e/assign.sh [CASE]...
# testbed: --where l1 --device e1000e,lan=1,addr=8 --device nvme,addr=9 --device e1000e,lan=1,addr=10 --device ahci,id=sata,addr=11 --device ide-cd,bus=sata.0 --timeout 900
set -u
. "$PVI_SCENARIO_DIR/lib.sh"
[ $# -gt 0 ] ||
	set -- host badinput off msi intx nomsi persistent single_use in_tree switch reboot kill9

# The nth device with these ids.
find_pci() { # VENDOR:DEVICE N
	for dev in /sys/bus/pci/devices/*; do
		[ "$(cat "$dev/vendor"):$(cat "$dev/device")" != "$1" ] || echo "${dev##*/}"
	done | sed -n "$2p"
}
nic=$(find_pci 0x8086:0x10d3 1)
peer=$(find_pci 0x8086:0x10d3 2)
disk=$(find_pci 0x1b36:0x0010 1)

# Each CPU counts for itself: stat_refresh sums up.
pinned() {
	echo 1 >/proc/sys/vm/stat_refresh
	awk '$1 ~ /nr_foll_pin/ { n[$1] = $2 }
		END { print n["nr_foll_pin_acquired"] - n["nr_foll_pin_released"] }' /proc/vmstat
}

# The other end of the card's cable: a file to fetch, and a place to send it to.
setup_peer() {
	modprobe e1000e
	echo "$peer" >/sys/bus/pci/drivers/e1000e/bind 2>/dev/null
	card=$(ls "/sys/bus/pci/devices/$peer/net")
	ip addr add 10.9.0.1/24 dev "$card"
	ip link set "$card" up
	mkdir -p www
	dd if=/dev/urandom of=www/blob bs=64k count=16 2>/dev/null
	blob=$(sha256sum <www/blob | cut -d' ' -f1)
	httpd -p 10.9.0.1:80 -h www
}

mkfifo hold
exec 9<>hold # an input that does not end, which would end the connection
as_user() { su user -c "PATH='$PATH' && $1"; }

# Starts a guest; what it says goes to log.
start_vm() { # KERNEL IOMMU GUEST_IOMMU IRQ [EXTRA_CMDLINE [OPTION...]]
	version=$1
	iommu=$2
	cmdline="console=ttyS0 quiet panic=-1 pvi.iommu=$3 pvi.irq=$4 ${5-}"
	shift $(($# < 5 ? $# : 5))
	rm -f log stats.json sent
	nc -l -p 7 <&9 >sent &
	sink=$!
	pviommu run --kernel "$PVI_KERNELS/$version/vmlinux" \
		--initrd "$PVI_INITRD/assign-$version.cpio" --mem 160M --cmdline "$cmdline" \
		--assign "$nic" --assign "$disk" --iommu "$iommu" --stats stats.json "$@" \
		$PVI_QUIRKS </dev/null >log 2>&1 &
	vmm=$!
}
end_vm() {
	(
		sleep 200
		kill $vmm
	) 2>/dev/null &
	dog=$!
	wait $vmm
	status=$?
	kill $dog $sink 2>/dev/null
	wait $dog $sink 2>/dev/null
	sent=$(sha256sum <sent | cut -d' ' -f1)
	sed -n 's/^PVI /   /p' log | tr -d '\r'
	grep '^pviommu: ' log
}
vm() {
	start_vm "$@"
	end_vm
}
said() { sed -n "s/^PVI \(.* \|\)$1=\([^ ]*\).*/\2/p" log | tr -d '\r' | tail -n 1; }
wait_for() { # STEP SECONDS
	n=0
	until grep -q "^PVI step=$1" log; do
		n=$((n + 1))
		[ $n -lt $(($2 * 10)) ] || return 1
		usleep 100000
	done
}
faults() { dmesg | grep -cE 'DMAR:.*fault'; }

# What every run shows that ends well, or not so well.
nothing_left() { # WHAT
	equal "$1: pinned pages left" "$(pinned)" "$pins"
	equal "$1: faults in the host's IOMMU" "$(faults)" 0
	dmesg | grep DMAR
	equal "$1: processes left" "$(pidof pviommu)" ""
	dmesg -c >/dev/null
}
# The kinds of interrupts are the guest kernel's words.
good() { # WHAT NET_KIND DISK_KIND
	equal "$1: exit status" $status 0
	equal "$1: received over the network" "$(said received)" "$blob"
	equal "$1: sent over the network" "$sent" "$blob"
	check "$1: the disk returned what was written" [ -n "$(said disk)" ]
	equal "$1: how the card interrupts" "$(said net_irq)" "$2"
	equal "$1: how the disk interrupts" "$(said disk_irq)" "$3"
	equal "$1: complaints of the guest's kernel" "$(said complaint)" ""
	nothing_left "$1"
}
stat() { stat_of stats.json "\"$1\"" "$2"; }
mem=167772160

host() {
	say "host"
	check "the devices are there" [ -n "$nic" ] && [ -n "$peer" ] && [ -n "$disk" ]
	check "devices lists the card" sh -c "pviommu devices | grep -q '^$nic .*assign'"
	modprobe nvme
	n=0
	until [ -b /dev/nvme0n1 ] || [ $n = 50 ]; do
		n=$((n + 1))
		usleep 100000
	done
	mke2fs -q /dev/nvme0n1 8m
	mount -t ext2 /dev/nvme0n1 /mnt
	pviommu assign "$disk" 2>refused
	equal "a mounted disk is refused" $? 2
	check "and says so" grep -q 'is mounted at /mnt' refused
	umount /mnt
	check "assign takes the disk" pviommu assign "$disk"
	check "release gives it back" pviommu release "$disk"
	check "and its driver has it" [ -e "/sys/bus/pci/devices/$disk/nvme" ]
	check "assign takes the disk again" pviommu assign "$disk"
	check "assign takes the card" pviommu assign "$nic"
	pviommu devices
}

off() {
	say "unmodified guest, all of its memory mapped (6.1, MSI-X)"
	vm 6.1 off off msi-x
	good "off" PCI-MSI, PCI-MSI,
	for bdf in "$nic" "$disk"; do
		equal "off: pinned for $bdf" "$(stat "$bdf" peak_pinned_bytes)" $mem
		equal "off: host maps for $bdf" "$(stat "$bdf" host_maps)" 1
	done
	trapped=$(($(stat "$nic" region_reads) + $(stat "$nic" region_writes)))
	check "off: exits for the card's registers: $trapped, of $(said net_irqs) interrupts" \
		[ "$trapped" -lt 20 ]
	sed 's/.*"kvm"/"kvm"/' stats.json
}

# QEMU's e1000e fails the test that its driver makes of MSI, assigned or not: a disk controller.
msi() {
	say "MSI"
	sata=$(find_pci 0x8086:0x2922 1)
	pviommu assign "$sata" >/dev/null
	vm 6.1 strict single-use msi-x pvi.do=sata --assign "$sata"
	equal "msi: exit status" $status 0
	equal "msi: how the controller interrupts" "$(said sata_irq)" PCI-MSI,
	check "msi: it found its drive by $(said sata_irqs) interrupts" [ "$(said sata_irqs)" -gt 0 ]
	equal "msi: complaints of the guest's kernel" "$(said complaint)" ""
	nothing_left msi
}

intx() {
	say "the card's line, the disk's MSI-X"
	vm 6.1 off off intx
	good "intx" IO-APIC, PCI-MSI,
}

nomsi() {
	say "lines only"
	vm 6.1 off off intx pci=nomsi
	good "nomsi" IO-APIC, IO-APIC,
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
	pinned_as_mapped persistent net "$nic"
	pinned_as_mapped persistent disk "$disk"
}

single_use() {
	say "behind the virtio-iommu: pviommu.ko, single-use"
	vm 6.1 strict single-use msi-x
	good "single-use" PCI-MSI, PCI-MSI,
	pinned_as_mapped single-use net "$nic"
	pinned_as_mapped single-use disk "$disk"
	check "single-use: the host unmapped for the disk: $(stat "$disk" host_unmaps) times" \
		[ "$(stat "$disk" host_unmaps)" -gt 50 ]
}

in_tree() {
	say "behind the virtio-iommu: the driver of Linux 6.12"
	vm 6.12 strict in-tree msi-x
	good "in-tree" PCI-MSIX-0000:00:02.0, PCI-MSIX-0000:00:03.0,
	for bdf in "$nic" "$disk"; do
		check "in-tree: pinned for $bdf: $(stat "$bdf" peak_pinned_bytes)" \
			[ "$(stat "$bdf" peak_pinned_bytes)" -lt $mem ]
		equal "in-tree: pinned at the end" "$(stat "$bdf" pinned_bytes)" 0
	done
}

switch() {
	say "drivers unbound and bound again, the card's kind of interrupt switched"
	vm 6.1 strict persistent msi-x pvi.do=switch
	equal "switch: exit status" $status 0
	for kind in intx msi msi-x; do
		check "switch: pings over $kind, twice" \
			[ "$(grep -c "^PVI switched=$kind ok" log)" = 2 ]
	done
	check "switch: the disk was bound again" grep -q '^PVI disk=' log
	equal "switch: complaints of the guest's kernel" "$(said complaint)" ""
	nothing_left switch
}

reboot() {
	say "a guest that reboots"
	vm 6.1 strict persistent msi-x "pvi.do=disk pvi.then=reboot"
	equal "reboot: exit status" $status 3
	nothing_left reboot
}

kill9() {
	say "the VMM is killed while both devices stream"
	start_vm 6.1 strict persistent msi-x pvi.do=stream
	check "kill: streams" wait_for stream 120
	group=$(basename "$(readlink "/sys/bus/pci/devices/$disk/iommu_group")")
	pviommu run --kernel "$PVI_KERNELS/6.1/vmlinux" --assign "$disk" $PVI_QUIRKS 2>err
	equal "kill: another VM that wants the disk gets" $? 2
	check "kill: and is told why" grep -q 'another VM has it' err
	pviommu release "$disk" 2>err
	equal "kill: release of it gets" $? 2
	check "kill: and is told why, too" grep -q 'a VM has it' err
	check "kill: something is pinned: $(pinned)" [ "$(pinned)" -gt 100 ]
	kill -9 $vmm
	end_vm
	equal "kill: exit status" $status 137
	nothing_left kill
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

bad() { # WHAT WORDS OPTION...
	case=$1
	words=$2
	shift 2
	"$@" >err 2>&1 </dev/null
	equal "bad: $case: exit status" $? 2
	equal "bad: $case: lines" "$(grep -c . err)" 1
	check "bad: $case: $(cat err)" grep -q "$words" err
	equal "bad: $case: pinned pages left" "$(pinned)" "$pins"
}
badinput() {
	say "bad input"
	vm61="pviommu run --kernel $PVI_KERNELS/6.1/vmlinux $PVI_QUIRKS --mem 160M"
	group=$(basename "$(readlink "/sys/bus/pci/devices/$disk/iommu_group")")
	bad "no such device" "no such PCI device" $vm61 --assign 0000:09:00.0
	bad "no address" "not a PCI address" $vm61 --assign eth0
	bad "given twice" "given twice" $vm61 --assign "$disk" --assign "$disk"
	bad "bridge" "is a bridge" $vm61 --assign 0000:00:1f.0
	bad "bound to its driver" "is bound to e1000e; take it first" $vm61 --assign "$peer"
	bad "assign of an interface that is up" "is up; take it down" pviommu assign "$peer"
	echo 1 >/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts
	bad "unsafe interrupts" "allows unsafe interrupts" $vm61 --assign "$disk"
	echo 0 >/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts
	bad "no permission on the group" "no permission on /dev/vfio/$group" \
		as_user "$vm61 --assign $disk"
	chown user "/dev/vfio/$group"
	bad "memory to be locked" "163840 KiB, but the limit is 8192 KiB; raise it: ulimit -l 163840" \
		as_user "ulimit -l 8192; exec $vm61 --iommu off --assign $disk"
	chown root "/dev/vfio/$group"
	bad "an address for assign" "no such PCI device" pviommu assign 0000:09:00.0
	bad "a bridge for assign" "is a bridge" pviommu assign 0000:00:1f.0
	bad "release of what is the host's" "is not bound to VFIO" pviommu release "$peer"
	equal "bad: files left open of the group" \
		"$(ls -l /proc/[0-9]*/fd 2>/dev/null | grep -c /dev/vfio/)" 0
}

setup_peer
pins=$(pinned)
dmesg -c >/dev/null
for c; do
	[ "$c" = host ] || pviommu assign "$nic" "$disk" >/dev/null
	$c
done
finish
