#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# kill -9 of a device process in the middle of writing: its DMA ends, the guest
# and its other devices go on, the image is whole. kill -9 of the VMM: nothing
# is left behind.
set -u
. "$PVI_SCENARIO_DIR/lib.sh"

# A guest on two disks; the console goes through on_line; sets $vmm and $shown.
start() { # NAME
	rm -f fs.img raw.img stdin stdout
	truncate -s 64M fs.img
	truncate -s 16M raw.img
	# The other disk is a block device, which has its own ways to be sized and flushed.
	raw=$(losetup -f)
	losetup "$raw" raw.img
	mkfifo stdin stdout
	exec 9<>stdin
	console "$PVI_RESULTS/$1.console" <stdout &
	shown=$!
	# shellcheck disable=SC2086
	pviommu run --kernel "$PVI_KERNELS/6.1/vmlinux" --initrd "$PVI_INITRD/trouble-6.1.cpio" \
		--cmdline "console=ttyS0 quiet panic=-1 pvi.strategy=single-use pvi.then=poweroff" \
		--mem 160M --disk fs.img --disk "$raw" --stats "$PVI_RESULTS/$1.stats" $PVI_QUIRKS \
		<stdin >stdout 2>"$PVI_RESULTS/$1.log" 9<&- &
	vmm=$!
}

say "kill -9 of a disk's process while the guest writes"
victim=
on_line() {
	case $1 in
	"step=busy")
		victim=$(device_of fs.img)
		echo "$victim" >victim
		kill -9 "$victim"
		gone "$victim" 5 && echo "yes" >victim.gone
		echo go >&9
		;;
	esac
}
start device
wait $vmm
status=$?
wait $shown
exec 9>&-
losetup -d "$raw"
log=$PVI_RESULTS/device.log
con=$PVI_RESULTS/device.console
check "the device was killed" grep -q yes victim.gone
check "the VMM names the device" grep -q 'fs.img' "$log"
check "the VMM says that it needs a reset" grep -q 'needs a reset' "$log"
check "the other disk, a block device, goes on" grep -q 'PVI other_disk=ok' "$con"
check "no kernel complaint" sh -c "! grep -q 'PVI kernel=' '$con'"
check "the guest powers off (status $status)" [ $status = 0 ]
check "no process left" sh -c '! pidof pviommu pviommu-blk'
e2fsck -fy fs.img >"$PVI_RESULTS/fsck1.log" 2>&1
fsck=$?
check "the journal replays (e2fsck: $fsck)" [ $fsck -le 1 ]
check "the file system is clean afterwards" e2fsck -fn fs.img

say "kill -9 of the VMM"
on_line() {
	case $1 in
	"step=busy") kill -9 "$(pidof pviommu)" ;;
	esac
}
start vmm
wait $vmm
status=$?
wait $shown
exec 9>&-
losetup -d "$raw"
check "the VMM died of it (status $status)" [ $status = 137 ]
for pid in $(pidof pviommu-blk); do gone "$pid" 5; done
check "no device process left" sh -c '! pidof pviommu-blk'
e2fsck -fy fs.img >"$PVI_RESULTS/fsck2.log" 2>&1
fsck=$?
check "the journal replays (e2fsck: $fsck)" [ $fsck -le 1 ]
finish
