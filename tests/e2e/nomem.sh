#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A guest that wants more mappings than there are: VFIO's container takes few, `pviommu run`
# answers NOMEM to those above, and pviommu.ko gets by, under each strategy that maps on demand:
# what it does about it, what its drivers see, and data through the stock nvme driver.
# testbed: --where l1 --device nvme,addr=9 --timeout 400
set -u
. "$PVI_SCENARIO_DIR/lib.sh"
. "$PVI_SCENARIO_DIR/assign-host"

LIMIT=200
disk=$(find_pci 0x1b36:0x0010 1)
modprobe vfio_iommu_type1
echo $LIMIT >/sys/module/vfio_iommu_type1/parameters/dma_entry_limit
pviommu assign "$disk" || exit 1
pins=$(pinned)
on_line() {
	case $1 in
	"ok - "* | "not ok - "* | "HELD "*) echo "   $1" ;;
	esac
}
con=$PVI_RESULTS/console.log
# Ends a guest that says nothing for so long: it hangs.
SILENCE=100
run_guest() {
	rm -f hung stdout
	: >"$con"
	mkfifo stdout
	console "$con" <stdout &
	shown=$!
	# shellcheck disable=SC2086
	pviommu run --kernel "$PVI_KERNELS/6.1/vmlinux" --initrd "$PVI_INITRD/nomem-6.1.cpio" \
		--cmdline "console=ttyS0 quiet panic=-1 transparent_hugepage=never" --mem 160M \
		--assign "$disk" --stats stats.json $PVI_QUIRKS </dev/null >stdout \
		2>"$PVI_RESULTS/vmm.log" &
	vmm=$!
	end_silent "$con" $SILENCE $vmm 2>/dev/null &
	dog=$!
	wait $vmm
	status=$?
	kill $dog 2>/dev/null
	wait $dog $shown
}
run_guest
# The emulator under L1 loses an interrupt of a guest in a guest now and then (assign.sh): two
# in a row are no accident.
if [ -e hung ]; then
	say "it said nothing for $SILENCE s: once more"
	run_guest
fi
check "the guest powers off (status $status)" [ $status = 0 ]
check "it went to the end" grep -q '^PVI step=poweroff' "$con"
check "no failure" sh -c "! grep -q 'PVI fail=' '$con'"
check "no kernel complaint" sh -c "! grep -q 'PVI kernel=' '$con'"
for s in persistent single-use shared deferred; do
	cases=1
	[ $s != persistent ] || cases=3
	equal "$s: cases that went well" "$(grep -c "^PVI ok - $s: " "$con")" $cases
	held=$(sed -n "s/^PVI HELD $s //p" "$con")
	check "$s: held $held of $LIMIT" [ "${held:-0}" -gt $((LIMIT - 20)) -a "${held:-0}" -lt $LIMIT ]
	for size in 4096 65536; do
		equal "$s: data of reads and writes of $size" \
			"$(sed -n "s/^PVI data=$s $size //p" "$con")" right
	done
done
check "no case failed" sh -c "! grep '^PVI not ok' '$con'"
check "the VMM refused MAPs" [ "$(stat_of stats.json '"iommu"' refused)" -gt 0 ]
equal "faults" "$(sed -n 's/^PVI faults=//p' "$con")" 0
equal "pinned at the end, as before" "$(pinned)" "$pins"
finish
