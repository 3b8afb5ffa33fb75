# SPDX-License-Identifier: BSD-2-Clause
# Runs in dom0 for bench/iosup: the phases in this domain, or in one PV domU after another
# that has all the devices. /dev/vdc has the guests' images.
# usage: scenario.sh dom0|domu KERNEL KIND ORDER...     an ORDER is STATE,STATE...
#   KIND    of guest/phases; with traced, xentrace runs all the while
where=$1 kernel=$2 kind=$3
shift 3
image=/run/images/iosup-bench-$kernel.cpio
mkdir /run/images
mount -t ext4 -o ro,noload /dev/vdc /run/images || exit 1
testbed-xen start

if [ "$kind" = traced ]; then
	# TRC_PV, and TRC_SCHED for which domain runs.
	xentrace -D -S 1024 -e 0x22f000 "$PVI_RESULTS/xentrace" >/dev/null &
	tracer=$!
fi

in_dom0()
{
	root=/run/root
	mkdir $root
	cd $root || exit 1
	cpio -idm <"$image" 2>/dev/null
	for d in dev proc sys; do
		mount --bind /$d $root/$d
	done
	chroot $root /bench/phases "$kind" - $(echo "$1" | tr , ' ')
}

# The numbers of the devices that the domU gets: nvme, e1000e, virtio-net. (The rtl8139 only
# ends the wire of the last.)
devices()
{
	for d in /sys/bus/pci/devices/*; do
		case $(cat $d/class $d/vendor | tr '\n' ' ') in
		0x010802* | 0x020000\ 0x8086* | 0x020000\ 0x1af4*) echo "${d##*/}" ;;
		esac
	done
}

in_domu()
{
	log=/var/log/xen/console/guest-domu.log
	list=
	for d in $(devices); do
		list="$list\"$d,seize=1\","
	done
	cat >domu.cfg <<CFG
name="domu"
type="pv"
kernel="$PVI_KERNELS/$kernel/vmlinux"
ramdisk="$image"
extra="console=hvc0 quiet panic=5 tsc=reliable mitigations=off kind=$kind order=$1"
memory=448
vcpus=1
on_crash="destroy"
on_reboot="destroy"
pci=[$list]
CFG
	: >$log
	xl create domu.cfg >/dev/null || exit 1
	testbed-xen wait domu 600
	cat $log
	grep -q PHASES-DONE $log
}

if [ "$where" = domu ]; then
	for d in $(devices); do
		xl pci-assignable-add "$d" >/dev/null || exit 1
	done
fi
for order; do
	echo "BOOT order=$order"
	"in_$where" "$order" || exit 1
done
if [ "$kind" = traced ]; then
	kill -INT $tracer
	wait $tracer
fi
exit 0
