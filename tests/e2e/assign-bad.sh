#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What of the host can be assigned, and what cannot: one clear line each, nothing left bound or
# half-open. No guest is booted; where one has to start, it is ended as soon as it has.
# usage: testbed/run ... tests/e2e/assign-bad.sh [CASE]...
# check: common="--no-build --where l1 --timeout 400 --device e1000e,addr=8 --device nvme,addr=9"; one=tests/e2e/assign-bad.sh; r=0; testbed/run $common --device e1000e,addr=a --device nvme,addr=c.0,multifunction=on --device nvme,addr=c.1 --device pcie-root-port,id=rp,addr=d,chassis=1,slot=1 --device e1000,addr=e $one host bad group limits line || r=1; testbed/run $common --cmdline intel_iommu=off $one no_iommu || r=1; testbed/run $common --cmdline intremap=off $one no_remapping || r=1; exit $r
set -u
. "$PVI_SCENARIO_DIR/lib.sh"
. "$PVI_SCENARIO_DIR/assign-host"
[ $# -gt 0 ] || set -- host bad group limits line

at() { echo "0000:00:$1"; }
nic=$(at 08.0)
disk=$(at 09.0)
peer=$(at 0a.0)
twin=$(at 0c.0)
other=$(at 0c.1)
port=$(at 0d.0)
plain=$(at 0e.0) # without messages of any kind

run="pviommu run --kernel $PVI_KERNELS/6.1/vmlinux $PVI_QUIRKS --mem 160M"

# WORDS, on one line and nothing else; what is not said by WHAT goes on as it was.
bad() { # WHAT WORDS BDF COMMAND...
	case=$1
	words=$2
	bdf=$3
	shift 3
	before=$(driver_of "$bdf")
	"$@" >err 2>&1 </dev/null
	equal "$case: exit status" $? 2
	equal "$case: lines" "$(grep -c . err)" 1
	check "$case: $(cat err)" grep -q -- "$words" err
	equal "$case: its driver" "$(driver_of "$bdf")" "$before"
	nothing_left "$case"
}
nothing_left() { # WHAT
	equal "$1: pinned pages left" "$(pinned)" "$pins"
	equal "$1: files of VFIO left open" "$(vfio_files)" 0
	equal "$1: processes left" "$(pidof pviommu)" ""
}

# Its devices are set up once it writes its statistics; $locked is the memory it has locked then.
starts() { # WHAT OPTION...
	what=$1
	shift
	rm -f started
	$run "$@" --stats started --grace 0 </dev/null >err 2>&1 &
	vmm=$!
	n=0
	until [ -s started ] || ! kill -0 $vmm 2>/dev/null || [ $n = 600 ]; do
		n=$((n + 1))
		usleep 100000
	done
	check "$what: starts" [ -s started ]
	locked=$(awk '$1 == "VmLck:" { print $2 }' /proc/$vmm/status)
	kill $vmm 2>/dev/null
	wait $vmm
	equal "$what: ends by signal: $(head -n 1 err)" $? 6
	nothing_left "$what"
}

host() {
	say "what the host has"
	pviommu devices
	check "the card can be had" sh -c "pviommu devices | grep -q '^$nic .*yes, after'"
	check "the bridge cannot" sh -c "pviommu devices | grep -q '^$port .*is a bridge'"
	until [ -b /dev/nvme0n1 ]; do usleep 100000; done
	mke2fs -q /dev/nvme0n1 8m
	mount -t ext2 /dev/nvme0n1 /mnt
	bad "a mounted disk" "is mounted at /mnt" "$disk" pviommu assign "$disk"
	umount /mnt
	# Of such a mount only the claim on the disk is to be seen.
	mkfifo private
	unshare -m sh -c 'mount -t ext2 /dev/nvme0n1 /mnt && echo mounted >private && read -r _ <private' &
	holder=$!
	read -r mounted <private
	equal "a disk is mounted in a mount namespace of its own" "$mounted" mounted
	check "which nobody else sees" sh -c '! grep nvme0n1 /proc/self/mountinfo'
	bad "a disk opened for one alone" "is opened by somebody for himself" "$disk" \
		pviommu assign "$disk"
	echo >private
	wait $holder
	ip link set "$(ls "/sys/bus/pci/devices/$peer/net")" up
	bad "an interface that is up" "is up; take it down" "$peer" pviommu assign "$peer"
	unshare -n sleep 1000 &
	apart=$!
	until [ "$(readlink /proc/$apart/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do
		usleep 10000
	done
	ip link set "$(ls "/sys/bus/pci/devices/$peer/net")" netns $apart
	equal "its interface is seen no more" "$(ls "/sys/bus/pci/devices/$peer/net")" ""
	bad "one in another network namespace" "in another network namespace; bring it back" \
		"$peer" pviommu assign "$peer"
	kill $apart
	until [ -n "$(ls "/sys/bus/pci/devices/$peer/net")" ]; do usleep 10000; done
	check "it is back, and can be had" sh -c "pviommu devices | grep -q '^$peer .*yes, after'"
	bad "beside one that cannot be had" "is a bridge" "$disk" pviommu assign "$disk" "$port"
	check "assign takes the disk" pviommu assign "$disk"
	equal "it is VFIO's" "$(driver_of "$disk")" vfio-pci
	check "release gives it back" pviommu release "$disk"
	equal "its driver has it" "$(driver_of "$disk")" nvme
	check "assign takes it again" pviommu assign "$disk"
	echo 1b36 0010 >/sys/bus/pci/drivers/vfio-pci/new_id
	rmmod nvme # else it may be the first of the two that is asked
	bad "known by its ids" "took it again" "$disk" pviommu release "$disk"
	remedy=$(sed 's/.*: \(echo [^(]*\) (.*/\1/' err)
	check "by what it says, $remedy" sh -c "$remedy"
	check "release gives it back, too" pviommu release "$disk"
	equal "nobody's now" "$(driver_of "$disk")" ""
	modprobe nvme
	equal "its driver has it again" "$(driver_of "$disk")" nvme
	check "assign takes disk and card" pviommu assign "$disk" "$nic"
	check "devices says that it can be had" sh -c "pviommu devices | grep -q '^$disk .* yes$'"
}

# What both run and assign refuse.
neither() { # WHAT WORDS BDF
	bad "$1" "$2" "$3" $run --assign "$3"
	bad "$1, for assign" "$2" "$3" pviommu assign "$3"
}

bad_devices() {
	neither "no such device" "no such PCI device" 0000:09:00.0
	neither "no address" "not a PCI address" eth0
	neither "a bridge, of PCI" "is a bridge" "$port"
	neither "a bridge, to ISA" "is a bridge" 0000:00:1f.0
	bad "given twice" "given twice" "$disk" $run --assign "$disk" --assign "$disk"
	bad "bound to its driver" "is bound to e1000e; take it first" "$peer" $run --assign "$peer"
	bad "without a driver" "is bound to no driver; take it first" "$plain" \
		$run --assign "$plain"
	bad "the second of two" "is bound to e1000e; take it first" "$disk" \
		$run --assign "$disk" --assign "$peer"
	bad "release of what is the host's" "is not bound to VFIO" "$peer" pviommu release "$peer"
	# As another VM has it.
	exec 8<>"/dev/vfio/$(group_of "$disk")"
	$run --assign "$disk" 2>err
	equal "opened by another: exit status" $? 2
	check "opened by another: $(cat err)" grep -q 'another VM has it' err
	pviommu release "$disk" 2>err
	equal "opened by another, for release: exit status" $? 2
	check "opened by another, for release: $(cat err)" grep -q 'a VM has it' err
	pviommu devices >out 8>&-
	check "opened by another, for devices: $(grep "^$disk" out)" \
		grep -q "^$disk .*no: a VM has it, process $$;" out
	as_user "pviommu devices" >out 8>&-
	check "as a user may see it: $(grep "^$disk" out)" grep -q "^$disk .*unknown: .*run as root" out
	exec 8>&-
	nothing_left "opened by another"
	starts "then" --assign "$disk"
}

# Functions of one device, which nothing keeps from reaching each other.
group() {
	say "a group of two"
	equal "they share a group" "$(group_of "$twin")" "$(group_of "$other")"
	pviommu assign "$twin" >out
	check "assign says so: $(tail -n 1 out)" grep -q "^$other: of the same group" out
	bad "shares its group" "shares IOMMU group $(group_of "$twin") with $other, which is bound" \
		"$twin" $run --assign "$twin"
	check "devices, too" sh -c "pviommu devices | grep -q '^$twin .*no: $other of its group'"
	pviommu assign "$other" >/dev/null
	starts "the group as a whole" --assign "$twin" --assign "$other"
	starts "one of a group that is free" --assign "$other"
}

limited() { # KIB COMMAND
	(ulimit -l "$1" && as_user "$2")
}
limits() {
	say "what a user may"
	dev=/dev/vfio/$(group_of "$disk")
	bad "no permission on the group" "no permission on $dev; .*chown USER $dev" "$disk" \
		as_user "$run --assign $disk"
	chown user "$dev" "/dev/vfio/$(group_of "$nic")"
	chmod 600 /dev/vfio/vfio
	bad "no permission on VFIO" "/dev/vfio/vfio: Permission denied" "$disk" \
		as_user "$run --assign $disk"
	chmod 666 /dev/vfio/vfio
	bad "memory to be locked" \
		"163840 KiB, but the limit is 8192 KiB; raise it: ulimit -l 163840" "$disk" \
		as_user "ulimit -l 8192; exec $run --iommu off --assign $disk"
	bad "memory to be locked for two groups" \
		"327680 KiB, but the limit is 163840 KiB; raise it: ulimit -l 327680" "$disk" \
		limited 163840 "$run --iommu boot-bypass --assign $disk --assign $nic"
	starts "two groups, mapped by the guest" --assign "$disk" --assign "$nic"
	equal "two groups, mapped by the guest: KiB locked" "$locked" 0
	# All of it is mapped for both, in one container.
	starts "two groups, all of memory mapped" --iommu off --assign "$disk" --assign "$nic"
	equal "two groups, all of memory mapped: KiB locked" "$locked" 163840
	unsafe=/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts
	echo 1 >$unsafe
	bad "unsafe interrupts" "allows unsafe interrupts" "$disk" $run --assign "$disk"
	starts "unsafe interrupts by name" --assign "$disk,unsafe-interrupts"
	echo 0 >$unsafe
}

# VFIO told that no device can mask its line: then none may share one.
line() {
	say "a line shared with a device of the host"
	ip link set "$(ls "/sys/bus/pci/devices/$peer/net")" down 2>/dev/null
	pviommu assign "$plain" >/dev/null
	rmmod e1000e
	modprobe e1000e IntMode=0,0,0
	ip link set "$(ls "/sys/bus/pci/devices/$peer/net")" up
	starts "that can mask it" --assign "$plain"
	equal "they share a line" "$(cat "/sys/bus/pci/devices/$plain/irq")" \
		"$(cat "/sys/bus/pci/devices/$peer/irq")"
	rmmod vfio_pci
	modprobe vfio-pci nointxmask=1
	pviommu assign "$plain" "$disk" >/dev/null
	bad "that cannot" "shares its interrupt line with a device of the host, and can't mask it" \
		"$plain" $run --assign "$plain"
	ip link set "$(ls "/sys/bus/pci/devices/$peer/net")" down
	starts "that has it alone" --assign "$plain"
}

no_iommu() {
	say "a host without IOMMU"
	check "devices says so" sh -c "pviommu devices | grep -q '^$disk .*no: no IOMMU translates'"
	neither "no IOMMU" "no IOMMU translates for it; turn it on" "$disk"
}

says_no() { # WHAT WORDS
	check "devices, $1: $2" sh -c "pviommu devices | grep -q '^$disk .*no: .*$2'"
}
no_remapping() {
	say "a host without interrupt remapping"
	says_no "before" "the host does not remap interrupts"
	check "assign takes the disk" pviommu assign "$disk"
	says_no "after" "the host does not remap interrupts"
	bad "no interrupt remapping" "does not remap interrupts" "$disk" $run --assign "$disk"
	bad "no interrupt remapping, though unsafe" "does not remap interrupts" "$disk" \
		$run --assign "$disk,unsafe-interrupts"
	echo 1 >/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts
	says_no "allowed" "or say $disk,unsafe-interrupts"
	bad "allowed, though not by name" "or say $disk,unsafe-interrupts" "$disk" \
		$run --assign "$disk"
	starts "allowed by name" --assign "$disk,unsafe-interrupts"
}

modprobe -a nvme e1000e
pins=$(pinned)
for c; do
	case $c in
	bad) bad_devices ;;
	*) $c ;;
	esac
done
finish
