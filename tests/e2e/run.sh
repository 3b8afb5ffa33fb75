#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Scenario of `make run`: one guest per strategy with two simulated disks and a
# hostile device. Leaves logs, statistics and /proc readings in $PVI_RESULTS;
# scripts/report-run judges them.
# Usage: testbed/run tests/e2e/run.sh [STRATEGY]...
# check: scripts/run-demo
set -u
[ $# -gt 0 ] || set -- single-use persistent

say() { echo "-- $*"; }
die() { echo "run: $*" >&2; exit 1; }

# Sum of a field of /proc/PID/smaps, in KiB, over mappings whose path does not match $3.
rss_without() {
	awk -v f="$2:" -v skip="$3" '
		/^[0-9a-f]+-[0-9a-f]+ / { out = ($0 ~ skip) }
		$1 == f && !out { sum += $2 }
		END { print sum + 0 }' "/proc/$1/smaps"
}

# What a live process holds: guest memory by fd, by mapping, and its size. Read of
# the VMM too, which must have some: so the reading itself is known to work.
read_process() { # NAME PID
	name=$1
	shift
	fds=0
	for fd in /proc/"$1"/fd/*; do
		case $(readlink "$fd") in *memfd:*) fds=$((fds + 1)) ;; esac
	done
	maps=$(grep -c 'memfd:\|/dev/kvm' "/proc/$1/maps")
	echo "$name pid=$1 rss_kib=$(rss_without "$1" Rss NOTHING) guest_memory_fds=$fds" \
		"guest_memory_maps=$maps rss_overhead_kib=$(rss_without "$1" Rss memfd:guest-ram)"
}

# Copies the guest's console from stdin to a log and shows its steps. At the
# step "live" everything is up and idle: $2 runs, then the guest may go on.
console() { # LOG COMMAND...
	log=$1
	shift
	while IFS= read -r line; do
		echo "$line" >>"$log"
		line=${line%"$cr"}
		case $line in "PVI step="*) echo "   guest: ${line#PVI step=}" ;; esac
		if [ "$line" = "PVI step=live" ]; then
			"$@"
			echo go >&9
		fi
	done
}
cr=$(printf '\r')

read_live() { # OUT
	{
		read_process vmm "$(pidof pviommu)"
		for p in $(pidof pviommu-blk); do read_process device "$p"; done
	} >"$1"
}

one() {
	s=$1
	out=$PVI_RESULTS/$s
	mkdir -p "$out"
	truncate -s 96M "fs-$s.img"
	truncate -s 16M "raw-$s.img"
	rm -f stdin stdout hostile.sock
	mkfifo stdin stdout
	pviommu-hostile --socket hostile.sock --mode dma 2>"$out/hostile.log" &
	hostile=$!
	until [ -S hostile.sock ]; do
		kill -0 $hostile || die "the hostile device did not start"
		sleep 0.1
	done
	exec 9<>stdin
	console "$out/console.log" read_live "$out/live.txt" <stdout &
	shown=$!
	# shellcheck disable=SC2086
	pviommu run --kernel "$PVI_KERNELS/6.1/vmlinux" --initrd "$PVI_INITRD/run-6.1.cpio" \
		--cmdline "console=ttyS0 quiet panic=-1 pvi.strategy=$s" --mem 160M \
		--disk "fs-$s.img" --disk "raw-$s.img" --device socket=hostile.sock \
		--stats "$out/stats.json" $PVI_QUIRKS \
		<stdin >stdout 2>"$out/vmm.log" 9<&-
	echo "exit_status=$?" >"$out/exit.txt"
	wait $shown
	exec 9>&-
	kill $hostile 2>/dev/null
	wait $hostile 2>/dev/null
	pidof pviommu pviommu-blk >"$out/left.txt" && say "$s: processes left behind"

	# From outside: the image as the guest left it.
	e2fsck -fn "fs-$s.img" >"$out/fsck.log" 2>&1
	echo "fsck_status=$?" >>"$out/exit.txt"
	mkdir -p mnt
	if mount -o loop,ro "fs-$s.img" mnt; then
		(cd mnt && sha256sum -c sums) >"$out/sha256.log" 2>&1
		echo "sha256_status=$?" >>"$out/exit.txt"
		echo "sha256_files=$(grep -c ': OK' "$out/sha256.log")" >>"$out/exit.txt"
		umount mnt
	fi
	say "$s: done, $(tr '\n' ' ' <"$out/exit.txt")"
	rm -f "fs-$s.img" "raw-$s.img"
}

for s; do
	say "$s: booting a guest with two simulated disks and a hostile device"
	one "$s"
done
