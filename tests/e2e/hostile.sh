#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Scenario: device processes that break the protocol. Those that do so before the guest
# runs: one line, an exit status, nothing left running. The others: the VMM gives up that
# device, names it, and the guest goes on.
# Usage: testbed/run tests/e2e/hostile.sh
set -u

failed=0
expect() { # WHAT GOT WANTED
	if [ "$2" = "$3" ]; then
		echo "-- $1: $2"
	else
		echo "hostile: $1: got '$2', wanted '$3'" >&2
		failed=1
	fi
}

start() { # MODE...: a process each, their options in $devices, their pids in $pids
	devices= pids=
	for mode; do
		rm -f "$mode.sock"
		pviommu-hostile --socket "$mode.sock" --mode "$mode" 2>"$PVI_RESULTS/$mode.log" &
		pids="$pids $!"
		devices="$devices --device socket=$mode.sock"
		until [ -S "$mode.sock" ]; do sleep 0.1; done
	done
}

run() { # LOG
	# shellcheck disable=SC2086
	timeout 90 pviommu run --kernel "$PVI_KERNELS/6.12/vmlinux" \
		--initrd "$PVI_INITRD/hostile-6.12.cpio" \
		--cmdline "console=ttyS0 quiet panic=-1 iomem=relaxed" --mem 128M \
		$devices $PVI_QUIRKS </dev/null 2>"$1" | tr -d '\r'
}

for mode in hang-version bad-json nonsense huge-bar odd-bar bad-msix cap-loop; do
	start $mode
	log=$PVI_RESULTS/$mode.vmm.log
	out=$(run "$log")
	expect "$mode: the guest did not start" "$out" ""
	expect "$mode: lines for the user" "$(grep -c . "$log")" 1
	sed 's/^/   /' "$log"
	# shellcheck disable=SC2086
	kill $pids 2>/dev/null
done

late="hang-access dup-reply wrong-size short-msg fd-flood eof flood-unread"
# shellcheck disable=SC2086
start $late
log=$PVI_RESULTS/late.vmm.log
run "$log" >"$PVI_RESULTS/console.log"
sed 's/^/   /' "$log"
expect "devices that the guest touched" "$(grep -c '^PVI device=' "$PVI_RESULTS/console.log")" 7
expect "the guest is alive after all" "$(grep -c '^PVI alive=' "$PVI_RESULTS/console.log")" 1
for mode in hang-access dup-reply wrong-size short-msg eof flood-unread; do
	expect "$mode: the VMM names it" "$(grep -c "device .*$mode.sock" "$log")" 1
done
# shellcheck disable=SC2086
kill $pids 2>/dev/null
expect "processes left behind" "$(pidof pviommu)" ""
exit $failed
