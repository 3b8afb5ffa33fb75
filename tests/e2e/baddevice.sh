#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Device processes that break the protocol. At start-up: one clear line, a non-zero
# status, nothing left running. In a running guest, all of them at once beside a
# good disk: each is cut off and named, the disk and the guest go on.
# testbed: --timeout 400
set -u
. "$PVI_SCENARIO_DIR/lib.sh"
kernel=$PVI_KERNELS/6.1/vmlinux
initrd=$PVI_INITRD/baddevice-6.1.cpio

say "at start-up"
for mode in hang-version bad-json nonsense huge-bar odd-bar cap-loop bad-msix; do
	log=$PVI_RESULTS/start-$mode.log
	start_hostile "$PVI_RESULTS/hostile-$mode.log" "$mode"
	begin=$(cut -d. -f1 /proc/uptime)
	# shellcheck disable=SC2086
	pviommu run --kernel "$kernel" --initrd "$initrd" --mem 160M \
		--device socket=hostile.sock $PVI_QUIRKS </dev/null >/dev/null 2>"$log"
	status=$?
	took=$(($(cut -d. -f1 /proc/uptime) - begin))
	check "$mode: refused with status 2 (got $status)" [ $status = 2 ]
	check "$mode: one line names the device: $(head -n 1 "$log")" \
		[ "$(wc -l <"$log"):$(grep -c 'hostile.sock' "$log")" = 1:1 ]
	check "$mode: in $took s" [ $took -lt 30 ]
	check "$mode: no VMM left" sh -c '! pidof pviommu'
	kill $hostile 2>/dev/null
	wait $hostile 2>/dev/null
done

say "in a running guest"
modes="hang-access dup-reply wrong-size short-msg fd-flood eof flood flood-unread irq-flood"
# These burn their own time, and are never cut off: fds that come along are closed.
allowed="fd-flood flood irq-flood"
devices=
pids=
for mode in $modes; do
	start_hostile "$PVI_RESULTS/hostile-$mode.log" "$mode"
	mv hostile.sock "$mode.sock"
	devices="$devices --device socket=$mode.sock"
	pids="$pids $hostile"
done
truncate -s 16M good.img
mkfifo stdout
on_line() { :; }
console "$PVI_RESULTS/console.log" <stdout &
shown=$!
log=$PVI_RESULTS/vmm.log
# shellcheck disable=SC2086
pviommu run --kernel "$kernel" --initrd "$initrd" \
	--cmdline "console=ttyS0 quiet panic=-1" --mem 160M \
	--disk good.img $devices --stats "$PVI_RESULTS/stats.json" $PVI_QUIRKS \
	</dev/null >stdout 2>"$log"
status=$?
wait $shown
con=$PVI_RESULTS/console.log
check "the guest powers off (status $status)" [ $status = 0 ]
check "the good disk works" grep -q 'PVI good_disk=ok' "$con"
check "no kernel complaint" sh -c "! grep -q 'PVI kernel=' '$con'"
for mode in $modes; do
	case " $allowed " in
	*" $mode "*)
		check "$mode: not cut off" sh -c "! grep -q '$mode.sock.*needs a reset' '$log'"
		;;
	*)
		check "$mode: cut off: $(grep "$mode.sock" "$log" | head -n 1)" \
			grep -q "$mode.sock.*needs a reset" "$log"
		;;
	esac
done
check "the log stays short ($(wc -l <"$log") lines)" [ "$(wc -l <"$log")" -lt 200 ]
check "no process left" sh -c '! pidof pviommu pviommu-blk'
# shellcheck disable=SC2086
kill $pids 2>/dev/null
finish
