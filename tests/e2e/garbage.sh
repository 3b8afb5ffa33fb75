#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A guest whose root writes garbage to every register, config space, doorbell and
# queue of the virtio-iommu and of a disk, from two CPUs at once: all of it is refused
# and counted; the VMM does not crash, hang or grow, and still ends when told to.
# Usage: testbed/run tests/e2e/garbage.sh [SEED]
# testbed: --timeout 400
set -u
. "$PVI_SCENARIO_DIR/lib.sh"

seed=$(date +%s)
[ $# = 0 ] || seed=$1
say "seed $seed"

size() { awk '/^Anonymous:/ { print $2 }' "/proc/$1/smaps_rollup"; }
fds() { find "/proc/$1/fd" -type l | wc -l; }
measure() { # WHEN: of the VMM and of the disk's process
	for program in pviommu pviommu-blk; do
		pid=$(pidof $program)
		size "$pid" >"$program.rss.$1"
		fds "$pid" >"$program.fds.$1"
	done
}
on_line() {
	case $1 in
	"step=ready")
		measure before
		echo go >&9
		;;
	"step=again") measure after ;;
	"step=done")
		cut -d. -f1 /proc/uptime >asked
		kill -TERM "$(pidof pviommu)"
		;;
	esac
}
truncate -s 16M disk.img
mkfifo stdin stdout
exec 9<>stdin
con=$PVI_RESULTS/console.log
log=$PVI_RESULTS/vmm.log
stats=$PVI_RESULTS/stats.json
console "$con" <stdout &
shown=$!
# shellcheck disable=SC2086
timeout 350 pviommu run --kernel "$PVI_KERNELS/6.1/vmlinux" \
	--initrd "$PVI_INITRD/garbage-6.1.cpio" --mem 160M --cpus 2 --disk disk.img --grace 3 \
	--cmdline "console=ttyS0 quiet panic=-1 pvi.seed=$seed" --stats "$stats" $PVI_QUIRKS \
	<stdin >stdout 2>"$log" 9<&-
status=$?
took=$(($(cut -d. -f1 /proc/uptime) - $(cat asked)))
wait $shown
exec 9>&-

check "the guest got through it" grep -q 'PVI step=done' "$con"
check "every part ran to its end" sh -c "! grep -q 'PVI fail' '$con'"
last=$(grep 'requests answered' "$con" | tail -n 1 | tr -d '\r')
check "it works after all that: $last" \
	sh -c "echo '$last' | grep -q 'garbage: [1-9][0-9]* requests answered'"
check "SIGTERM ends it (status $status) after $took s" [ "$status:$((took < 10))" = 6:1 ]
for program in pviommu pviommu-blk; do
	before=$(cat $program.rss.before)
	after=$(cat $program.rss.after)
	check "$program does not grow: $before KiB before, $after KiB after" \
		[ "$after" -le $((before + 512)) ]
	check "$program keeps its fds: $(cat $program.fds.before) before, after" \
		[ "$(cat $program.fds.after)" = "$(cat $program.fds.before)" ]
done
iommu=$(stat_of "$stats" '"iommu"' bad_accesses)
check "bad accesses are counted ($iommu)" [ "$iommu" -gt 1000 ]
n=$(stat_of "$stats" '"iommu"' refused)
check "refused requests are counted ($n)" [ "$n" -gt 100 ]
n=$(stat_of "$stats" '"iommu"' malformed)
check "malformed chains are counted ($n)" [ "$n" -gt 100 ]
check "the device process lives" [ "$(stat_of "$stats" disk.img alive)" = true ]
check "the log stays short ($(wc -l <"$log") lines)" [ "$(wc -l <"$log")" -lt 200 ]
check "no process left" sh -c '! pidof pviommu pviommu-blk'
head -n 20 "$log"
finish
