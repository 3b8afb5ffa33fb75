# SPDX-License-Identifier: BSD-2-Clause
# What the guests' init scripts share. Results are console lines "PVI key=value".
# The full path where busybox has an applet of that name too: its shell prefers its own.
export PATH=/bin:/sbin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mount -t debugfs debugfs /sys/kernel/debug
exec </dev/console >/dev/console 2>&1

arg() { tr ' ' '\n' </proc/cmdline | sed -n "s/^$1=//p" | tail -n 1; }
say() { echo "PVI $*"; }
fail() {
	say "fail=$*"
	dmesg | tail -n 40
	poweroff -n -f
}

# The IOMMU's driver stands before virtio_pci finds the devices behind it.
load_drivers() { # STRATEGY MODULE...
	modprobe pviommu strategy="$1" || fail "modprobe pviommu"
	shift
	modprobe -a virtio_pci "$@" || fail "modprobe $*"
}

# The block device in a PCI slot. Disks are probed in any order: vda may be the second.
disk_at() { basename /sys/bus/pci/devices/0000:00:"$1".0/virtio*/block/*; }
