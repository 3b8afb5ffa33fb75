#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The machine that scenarios run on has what they rely on.
# testbed: --timeout 60
set -u
failed=0

check()
{
	what=$1
	shift
	if "$@" >/dev/null; then
		echo "ok - $what"
	else
		echo "not ok - $what ($*)"
		failed=1
	fi
}

empty()
{
	[ -z "$(ls -A .)" ]
}

file_system()
{
	truncate -s 16M image && mke2fs -q -t ext4 image && mkdir mnt &&
		mount -o loop image mnt && echo data >mnt/file && umount mnt &&
		e2fsck -fn image && debugfs -R 'cat file' image 2>/dev/null | grep -q data
}

# Memory that is not touched costs nothing: guests of 5 GiB fit in less.
lends_memory()
{
	[ "$(cat /proc/sys/vm/overcommit_memory)" = 1 ]
}

check 'a 64-bit guest runs on KVM' kvm-probe
check 'the folder is empty at the start' empty
check 'kernels 6.1 are there' test -s "$PVI_KERNELS/6.1/vmlinuz" -a -s "$PVI_KERNELS/6.1/vmlinux"
check 'kernels 6.12 are there' test -s "$PVI_KERNELS/6.12/vmlinuz" -a \
	-s "$PVI_KERNELS/6.12/vmlinux"
check 'the scenario has its folder' test -f "$PVI_SCENARIO_DIR/testbed.sh"
if [ "$PVI_MACHINE" = l1 ]; then
	check 'file systems can be made, mounted and checked' file_system
	check 'memory is lent' lends_memory
	check 'the IOMMU makes groups' test -d /sys/kernel/iommu_groups/0
	check 'quirks are set' test -n "$PVI_QUIRKS"
	check 'users can use KVM' su user -c kvm-probe
	# What a sandbox needs: a root that can be pivoted, namespaces for users.
	check 'a user gets namespaces' su user -c 'unshare -r -n true'
else
	check 'no quirks on hardware' test -z "$PVI_QUIRKS"
fi
exit $failed
