# SPDX-License-Identifier: BSD-2-Clause
# Inside L1, for bench/assign: runs the loads with each way to use a card and a disk, in turn.
# usage: scenario.sh ROUND LOADS PASSES LIMIT WAY...
# LIMIT is what the clock may show, in seconds, until a way is through.
# A way is native (the host's own drivers; whether it has an IOMMU is its kernel's command
# line), native-strict, or VMM/KERNEL/IOMMU: pviommu/6.1/off, qemu/6.1/off,
# pviommu/6.1/persistent, pviommu/6.12/in-tree...
# One JSON object a pass, and one a way, in passes.jsonl.
set -u
round=$1
loads=$2
passes=$3
limit=$4
shift 4
. "$PVI_SCENARIO_DIR/loads.sh"
out=$PVI_RESULTS/passes.jsonl
mem=160M

mount -t debugfs none /sys/kernel/debug 2>/dev/null
mount -t tracefs none /sys/kernel/tracing 2>/dev/null
# Polling before a halt is waiting, not work.
echo 0 >/sys/module/kvm/parameters/halt_poll_ns
for c in all default; do
	echo 1 >/proc/sys/net/ipv6/conf/$c/disable_ipv6
done

find_pci() { # VENDOR:DEVICE N
	for dev in /sys/bus/pci/devices/*; do
		[ "$(cat "$dev/vendor"):$(cat "$dev/device")" != "$1" ] || echo "${dev##*/}"
	done | sed -n "$2p"
}
far=$(find_pci 0x8086:0x10d3 1)
nic=$(find_pci 0x8086:0x10d3 2)
disk=$(find_pci 0x1b36:0x0010 1)

die() {
	echo "scenario.sh: $*"
	exit 1
}

# Where there is an IOMMU: what the host maps for a device, which gets its driver anew.
set_type() { # BDF DMA|DMA-FQ|identity
	dev=/sys/bus/pci/devices/$1
	[ -d "$dev/iommu_group" ] || return 0
	[ ! -e "$dev/driver" ] || echo "$1" >"$dev/driver/unbind"
	echo "$2" >"$dev/iommu_group/type" || die "$1: no IOMMU domain of type $2"
	echo "$1" >/sys/bus/pci/drivers_probe
}

# The other end of the cable has a network of its own: else the kernel would take the short way.
mkfifo hold ready
unshare -n sh -c 'read -r go <hold && exec assign-peer >ready' &
peer=$!
until [ "$(readlink /proc/$peer/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do usleep 10000; done
modprobe -a e1000e nvme || die "no drivers"
# And no IOMMU, so that what is mapped is mapped for the devices that are measured.
set_type "$far" identity
ip link set "$(ls "/sys/bus/pci/devices/$far/net")" name far
ip link set far netns $peer || die "no network of its own for the peer"
nsenter -t $peer -n sh -c "echo 1 >/proc/sys/net/ipv6/conf/far/disable_ipv6
	ip addr add $PEER/24 dev far; ip link set far up; ip link set lo up"
echo go >hold
read -r _ <ready

# Without the shell script that finds QEMU's libraries.
here=/run/qemu
qemu="$(echo $here/lib/ld-linux*) --library-path $here/lib $here/libexec/qemu-system-x86_64"
qemu="$qemu -L $here/share -nodefaults -no-user-config -display none -no-reboot -accel kvm"
qemu="$qemu -M q35,smm=off,vmport=off,sata=off,smbus=off,i8042=off,hpet=off -bios qboot.rom"
# What `pviommu run --testbed-quirks` hides, and the same signature.
cpu=host,family=25,model=33,stepping=0,-xsave,-avx,-avx2,-fma,-f16c,-pku,-vaes,-vpclmulqdq
# The host's kernel, too, goes without mitigations.
cmdline="console=ttyS0 quiet panic=-1 mitigations=off cryptomgr.notests ipv6.disable=1"

to_host() {
	[ "$(basename "$(readlink "/sys/bus/pci/devices/$nic/driver")")" != vfio-pci ] ||
		pviommu release "$nic" "$disk"
}

native() { # DMA|DMA-FQ
	to_host
	set_type "$nic" "$1"
	set_type "$disk" "$1"
	wait_disk || return 1
	card=$(ls "/sys/bus/pci/devices/$nic/net") || return 1
	! network "$loads" || card_up "$card" || return 1
	assign-watch "$out" $limit sh -c \
		". $PVI_SCENARIO_DIR/loads.sh; run_loads $loads $card /dev/nvme0n1 $passes"
	status=$?
	ip addr flush dev "$card"
	ip link set "$card" down
	return $status
}

guest() { # VMM KERNEL IOMMU
	words="$cmdline pvi.iommu=$3 pvi.loads=$loads pvi.passes=$passes"
	kernel=$PVI_KERNELS/$2/vmlinux
	initrd=$PVI_INITRD/bench-assign-$2.cpio
	iommu=strict
	[ "$3" != off ] || iommu=off
	case $1 in
	pviommu)
		assign-watch "$out" $limit pviommu run $PVI_QUIRKS --kernel "$kernel" \
			--initrd "$initrd" --cmdline "$words" --mem $mem --iommu $iommu \
			--assign "$nic" --assign "$disk" --stats stats.json
		;;
	qemu)
		assign-watch "$out" $limit $qemu -cpu $cpu -m $mem -smp 1 -kernel "$kernel" \
			-initrd "$initrd" -append "$words" -serial stdio \
			-device vfio-pci,host="$nic" -device vfio-pci,host="$disk"
		;;
	esac
}

{
	echo "guest_cmdline=$cmdline"
	echo "mem=$mem"
	echo "qemu=$qemu -cpu $cpu -m $mem -smp 1 -serial stdio -device vfio-pci,host=BDF..."
	echo "pviommu=pviommu run $PVI_QUIRKS --mem $mem --iommu off|strict --assign BDF..."
	echo "l1_cmdline=$(cat /proc/cmdline)"
	echo "l1_kernel=$(uname -r)"
} >"$PVI_RESULTS/setup.txt"

# On the emulated machine a guest now and then gets an interrupt while it has interrupts off,
# and then waits for itself for ever. Such a boot is noted as failed, and made again.
run_way() { # WAY
	echo "{\"type\":\"way\",\"way\":\"$1\",\"round\":$round}" >>"$out"
	rm -f stats.json
	case $1 in
	native) native DMA-FQ ;; # Debian's default
	native-strict) native DMA ;;
	*)
		pviommu assign "$nic" "$disk" >/dev/null || die "cannot assign"
		guest ${1%%/*} $(echo "${1#*/}" | tr / ' ')
		;;
	esac
}

for way; do
	begin=$(cut -d' ' -f1 /proc/uptime)
	for try in 1 2 3; do
		run_way "$way" && break
		echo "{\"type\":\"failed\",\"status\":$?}" >>"$out"
		echo "round $round: $way failed"
		[ $try -lt 3 ] || die "$way: no end"
	done
	[ ! -e stats.json ] ||
		echo "{\"type\":\"stats\",\"stats\":$(cat stats.json)}" >>"$out"
	dmesg | grep -E 'DMAR:.*fault'
	[ "$(dmesg | grep -cE 'DMAR:.*fault')" = 0 ] || die "$way: faults in the host's IOMMU"
	echo "round $round: $way: $begin to $(cut -d' ' -f1 /proc/uptime) s of the clock"
done
