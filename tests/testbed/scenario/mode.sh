# SPDX-License-Identifier: BSD-2-Clause
# What tests/testbed/run.sh has the testbed do.
case $1 in
status) exit "$2" ;;
args)
	shift
	for a; do echo "<$a>"; done
	echo 'and more' >/dev/stderr
	;;
results)
	mkdir "$PVI_RESULTS/folder"
	echo text >"$PVI_RESULTS/folder/file"
	head -c 3000000 /dev/zero >"$PVI_RESULTS/zeroes"
	;;
output)
	seq 200000
	;;
hang)
	echo started
	sleep 1000
	;;
orphan)
	sleep 1000 &
	echo "left $!"
	;;
crash) echo c >/proc/sysrq-trigger ;;
kernel) uname -r ;;
clock) date +%s ;;
random) head -c 16 /dev/urandom | od -An -tx1 ;;
xen)
	testbed-xen start
	echo "$(uname -r) $PVI_MACHINE $(nproc) $(xl info xen_commandline | grep -o dom0-iommu.*)"
	;;
mark)
	testbed-mark 77
	testbed-mark 78
	cat /sys/bus/pci/devices/*/device
	;;
pci) cat /sys/bus/pci/devices/*/device ;;
esac
