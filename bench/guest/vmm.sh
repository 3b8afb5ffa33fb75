#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Inside L1, for bench/guest-strategies: a guest of `pviommu run` with a simulated virtio disk,
# and the e1000e and the nvme that L1 has. Passes on what the guest says, and beside each pass, in a
# line "STRETCH COUNT=N...", what the VMM counted between the marks of the guest's console; at
# the end, in a line "WHOLE", what it counted since the start.
# usage: testbed/run ... bench/guest/vmm.sh CPUS "WORDS FOR THE KERNEL'S COMMAND LINE"
set -u
find_pci() # VENDOR:DEVICE
{
	for dev in /sys/bus/pci/devices/*; do
		[ "$(cat "$dev/vendor"):$(cat "$dev/device")" != "$1" ] || echo "${dev##*/}"
	done
}
# What the VMM has counted by now.
snapshot() # FILE
{
	before=$(stat -c %i stats.json)
	kill -USR1 $vmm
	until [ "$(stat -c %i stats.json)" != "$before" ]; do usleep 5000; done
	cp stats.json "$1"
}
counts() # WORD BEGIN END: how far the virtio-iommu's counts have come
{
	echo "$1 $(sed 's/.*"iommu":{\([^}]*\)}.*/\1/; s/"//g' "$2" "$3" | awk -F '[:,]' '
		NR == 1 { for (i = 1; i < NF; i += 2) was[$i] = $(i + 1) }
		NR == 2 { for (i = 1; i < NF; i += 2) n[$i] = $(i + 1) - was[$i] }
		END { print "maps=" n["map"], "unmaps=" n["unmap"], "kicks=" n["kicks"], "requests=" \
			n["attach"] + n["detach"] + n["map"] + n["unmap"] + n["probe"] + n["unknown"] }')"
}
real=$(find_pci 0x8086:0x10d3; find_pci 0x1b36:0x0010)
assign=
for bdf in $real; do
	pviommu assign "$bdf" || exit 1
	assign="$assign --assign $bdf"
done
truncate -s 4M disk.img
mkfifo in out
exec 9<>in
pviommu run --kernel "$PVI_KERNELS/6.1/vmlinux" --initrd "$PVI_INITRD/guest-strategies-6.1.cpio" \
	--mem 128M --cpus "$1" --disk disk.img $assign \
	--cmdline "console=ttyS0 quiet panic=-1 transparent_hugepage=never $2" --stats stats.json \
	$PVI_QUIRKS <in >out 2>"$PVI_RESULTS/vmm.log" 9<&- &
vmm=$!
cr=$(printf '\r')
while IFS= read -r line; do
	line=${line%"$cr"}
	case $line in
	*"PVI mark=begin") snapshot begin.json ;;
	*"PVI mark=end") snapshot end.json ;;
	*"PVI mark=last") snapshot last.json ;;
	*) echo "$line" ;;
	esac
	case $line in
	*"PVI mark="*) echo >&9 ;;
	*PHASE*) counts STRETCH begin.json end.json ;;
	*"not ok"*) bad=1 ;;
	*DONE*) done=1 ;;
	esac
done <out
wait $vmm
# The guest ends itself by a reset.
status=$?
echo '"iommu":{}' >zero.json
counts WHOLE zero.json last.json
[ "${bad-}" ] && exit 1
[ $status = 3 ] && [ "${done-}" ] && exit
cat "$PVI_RESULTS/vmm.log"
echo "not ok - pviommu run ended with status $status"
exit 1
