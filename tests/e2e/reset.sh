#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Guest reset under I/O: a disk that is being written to and a hostile device
# that streams writes into a mapped page. After the reset no DMA lands.
set -u
. "$PVI_SCENARIO_DIR/lib.sh"

on_line() {
	case $1 in
	"step=busy") echo go >&9 ;;
	esac
}
truncate -s 64M fs.img
truncate -s 16M raw.img
mkfifo stdin stdout
exec 9<>stdin
start_hostile "$PVI_RESULTS/hostile.log"
console "$PVI_RESULTS/console.log" <stdout &
shown=$!
# shellcheck disable=SC2086
pviommu run --kernel "$PVI_KERNELS/6.1/vmlinux" --initrd "$PVI_INITRD/trouble-6.1.cpio" \
	--cmdline "console=ttyS0 quiet panic=-1 pvi.strategy=persistent pvi.then=reset" \
	--mem 160M --disk fs.img --disk raw.img --device socket=hostile.sock \
	--stats "$PVI_RESULTS/stats.json" $PVI_QUIRKS \
	<stdin >stdout 2>"$PVI_RESULTS/vmm.log" 9<&-
status=$?
wait $shown
exec 9>&-
stats=$PVI_RESULTS/stats.json
check "a reset ends the VM with status 3 (got $status)" [ $status = 3 ]
check "the stream was running" [ "$(stat_of "$stats" hostile.sock dma_at_quiesce)" -gt 100 ]
check "the disk was busy" [ "$(stat_of "$stats" fs.img dma_at_quiesce)" -gt 100 ]
for d in fs.img raw.img hostile.sock; do
	check "$d: no DMA lands after the reset" [ "$(stat_of "$stats" $d dma_after_quiesce)" = 0 ]
done
# The device streamed until its socket closed; all that it was granted came before.
gone $hostile 5
accepted=$(sed -n 's/.*stream: accepted \([0-9]*\),.*/\1/p' "$PVI_RESULTS/hostile.log")
writes=$(stat_of "$stats" hostile.sock dma_writes)
# The answer to the last one may have been under way when the connection ended.
check "the stream ended with the VM: $accepted writes known to it of $writes accepted" \
	[ "$((writes - ${accepted:-0}))" -ge 0 -a "$((writes - ${accepted:-0}))" -le 1 ]
check "no process left" sh -c '! pidof pviommu pviommu-blk'
e2fsck -fy fs.img >"$PVI_RESULTS/fsck.log" 2>&1
fsck=$?
check "the journal replays (e2fsck: $fsck)" [ $fsck -le 1 ]
finish
