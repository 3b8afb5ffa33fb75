#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What a hostile device can do inside its guest, under each strategy: measured with its
# DMA, printed as a matrix, and compared with what the strategy promises.
# testbed: --timeout 300
set -u
. "$PVI_SCENARIO_DIR/lib.sh"

start_hostile "$PVI_RESULTS/hostile.log"
mkfifo stdout
on_line() { :; }
console "$PVI_RESULTS/console.log" <stdout &
shown=$!
# shellcheck disable=SC2086
pviommu run --kernel "$PVI_KERNELS/6.1/vmlinux" --initrd "$PVI_INITRD/strategies-6.1.cpio" \
	--cmdline "console=ttyS0 quiet panic=-1" --mem 160M --device socket=hostile.sock \
	--stats "$PVI_RESULTS/stats.json" $PVI_QUIRKS \
	</dev/null >stdout 2>"$PVI_RESULTS/vmm.log"
status=$?
wait $shown
kill $hostile 2>/dev/null
con=$PVI_RESULTS/console.log
check "the guest powers off (status $status)" [ $status = 0 ]
check "it went to the end" grep -q '^PVI step=poweroff' "$con"
check "no kernel complaint" sh -c "! grep -q 'PVI kernel=' '$con'"
check "no failure" sh -c "! grep -q 'PVI fail=' '$con'"
check "none is not to be had under a driver" sh -c "! grep -q 'PVI none=' '$con'"
check "single-use again: nothing but the device's own is mapped" grep -q '^PVI mapped=0' "$con"

# "STRATEGY CELL READ WRITE" of each cell.
awk '$2 == "STRATEGY" { s = $3 }
	$2 == "MATRIX" { print s, $3, $4, $5 }
	$2 == "REUSE" && $3 ~ /^read/ { read = $4 }
	$2 == "REUSE" && $3 ~ /^write/ { print s, "after-dma_unmap", read, $4 }' "$con" |
	sort -u >"$PVI_RESULTS/matrix.txt"

cells="never-mapped next-page wrong-right after-dma_unmap same-page-before same-page-behind"
strategies="direct-map single-use deferred shared persistent bounce"
# What each strategy promises; to be let in without reaching anything is as good as refused.
promised() # STRATEGY CELL
{
	case $1:$2 in
	direct-map:*) echo possible ;;
	bounce:* | *:next-page) echo safe ;; # which may be another mapping of its own
	*:same-page-*) echo possible ;;
	deferred:after-dma_unmap | persistent:after-dma_unmap) echo possible ;;
	*) echo refused ;;
	esac
}
printf '   %-18s' "read/write by device"
for s in $strategies; do printf ' %-18s' "$s"; done
echo
for c in $cells; do
	printf '   %-20s' "$c"
	for s in $strategies; do
		printf ' %-18s' "$(sed -n "s,^$s $c \(.*\) \(.*\),\1/\2,p" "$PVI_RESULTS/matrix.txt")"
	done
	echo
done
for s in $strategies; do
	for c in $cells; do
		got=$(sed -n "s,^$s $c ,,p" "$PVI_RESULTS/matrix.txt")
		want=$(promised "$s" "$c")
		case $want in
		safe) check "$s, $c: $got" sh -c "echo '$got' | grep -Exq '(refused|harmless) (refused|harmless)'" ;;
		*) check "$s, $c: $got" [ "$got" = "$want $want" ] ;;
		esac
	done
done
for s in single-use deferred shared persistent; do
	tried=$(awk -v s=$s '$2 == "STRATEGY" { on = $3 == s } on && $2 == "ATTACK" { n += $4 }
		END { print n + 0 }' "$con")
	blocked=$(awk -v s=$s '$2 == "STRATEGY" { on = $3 == s } on && $2 == "ATTACK" { n += $5 }
		END { print n + 0 }' "$con")
	check "$s: attacks refused: $blocked of $tried" [ "$tried" -ge 8 -a "$blocked" = "$tried" ]
done
check "controls" sh -c "grep -q '^PVI CONTROL' '$con' && ! grep '^PVI CONTROL' '$con' | grep -v 'ok *$'"
finish
