#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Boots in a row: both kernels, one to eight vCPUs, one or two disks. Each guest writes
# to its disks and reads them back, the images are judged from outside, and nothing is
# left running. A boot that hangs is shown with what its threads and its vCPUs do.
# Usage: testbed/run tests/e2e/boots.sh [N], 3 without N; tests/soak/boots.sh has 20.
# testbed: --timeout 400
set -u
. "$PVI_SCENARIO_DIR/lib.sh"

most=3
[ $# = 0 ] || most=$1
limit=150 # seconds for one boot

# The live statistics, once: what has been counted so far.
counts() {
	kill -USR1 "$vmm" && sleep 1
	sed 's/.*"exits":\({[^}]*}\).*/\1/' "$stats"
}

show_hang() {
	echo "a boot hangs; exits so far, twice:"
	counts
	counts
	for task in /proc/"$vmm"/task/*; do
		echo "thread $(cat "$task/comm") $(cut -d' ' -f3 "$task/stat"): $(cat "$task/syscall")" \
			"in $(cat "$task/wchan"), $(tr '\n' ' ' <"$task/stack")"
	done
	for pid in $(pidof pviommu-blk); do
		echo "disk $(cat /proc/"$pid"/syscall), $(tr '\n' ' ' <"/proc/$pid/stack")"
	done
	kill -9 "$vmm"
}

boot() { # NUMBER KERNEL CPUS OPTION...
	name="$1: $2, $3 vCPU"
	con=$PVI_RESULTS/$1.console
	log=$PVI_RESULTS/$1.log
	stats=$PVI_RESULTS/$1.stats
	kernel=$2
	cpus=$3
	shift 3
	begin=$(cut -d. -f1 /proc/uptime)
	# shellcheck disable=SC2086
	pviommu run --kernel "$PVI_KERNELS/$kernel/vmlinux" \
		--initrd "$PVI_INITRD/boots-$kernel.cpio" --mem 160M --cpus "$cpus" "$@" \
		--cmdline "console=ttyS0 earlyprintk=serial panic=-1" --stats "$stats" \
		$PVI_QUIRKS </dev/null >"$con" 2>"$log" &
	vmm=$!
	gone $vmm $limit || show_hang
	wait $vmm
	status=$?
	took=$(($(cut -d. -f1 /proc/uptime) - begin))
	check "$name: power-off after $took s (status $status)" [ $status = 0 ]
	check "$name: no complaint" [ ! -s "$log" ]
	[ $status = 0 ] || {
		tail -n 30 "$con"
		cat "$log"
	}
}

# What the guest says of its disk is what is in the image.
same() { # IMAGE
	wanted=$(head -c 1048576 "$1" | sha256sum | cut -d' ' -f1)
	tr -d '\r' <"$con" | grep -q "^PVI read_back=$wanted\$"
}

number=0
while [ $number -lt "$most" ]; do
	number=$((number + 1))
	# The first three differ in everything; 20 have each kernel with each number.
	case $((number % 6)) in
	1) set -- 6.1 1 ;;
	2) set -- 6.12 2 ;;
	3) set -- 6.1 4 ;;
	4) set -- 6.12 1 ;;
	5) set -- 6.1 2 ;;
	0) set -- 6.12 8 ;;
	esac
	rm -f a.img b.img
	truncate -s 16M a.img
	truncate -s 16M b.img
	[ $((number % 2)) = 0 ] || set -- "$@" --disk b.img
	boot $number "$@" --disk a.img
	check "$name: the disk holds what the guest wrote" same a.img
	case $* in *b.img*) check "$name: the other one, too" same b.img ;; esac
	check "$name: nothing is left" sh -c '! pidof pviommu pviommu-blk'
done
finish
