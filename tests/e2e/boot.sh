#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Scenario: stock kernels boot to their init in every form, size and number of CPUs that
# matters, and each way a guest can end has its exit status.
# usage: testbed/run tests/e2e/boot.sh [sizes] [ends] [console]
# testbed: --timeout 700
set -u
[ $# -gt 0 ] || set -- sizes ends console
failed=0

say() { echo "-- $*"; }
fail() {
	echo "FAILED: $*"
	sed 's/^/   | /' log | tail -n 25
	failed=$((failed + 1))
}

# Runs a guest to its end. Its output is in log, its counts in stats.json, its status in $status.
vm() { # KERNEL PVI_DO OPTION...
	version=${1%/*}
	kernel=$PVI_KERNELS/$1
	cmdline="console=ttyS0 quiet panic=-1 ${EXTRA-} pvi.do=$2"
	shift 2
	# shellcheck disable=SC2086
	timeout 100 pviommu run --kernel "$kernel" --initrd "$PVI_INITRD/boot-$version.cpio" \
		--cmdline "$cmdline" --stats stats.json $PVI_QUIRKS "$@" </dev/null >log 2>&1
	status=$?
}

want_status() {
	[ "$status" = "$1" ] || fail "exit status $status, not $1"
	grep -q "\"exit_status\":$1," stats.json || fail "the statistics say another exit status"
}

# A field of the guest's line, as in: PVI init kernel=6.1.0 cpus=2 mem_kb=100 clock=kvm-clock
guest() { sed -n "s/^PVI init .*$1=\([^ ]*\).*/\1/p" log | tr -d '\r'; }

want() { # FIELD OP VALUE
	value=$(guest "$1")
	[ -n "$value" ] || { fail "the guest did not get to its init"; return; }
	[ "$value" "$2" "$3" ] || fail "guest: $1 is $value, which is not $2 $3"
}

boots() { # WHAT KERNEL CPUS MEM MIN_KB MAX_KB
	say "$1"
	vm "$2" poweroff --cpus "$3" --mem "$4"
	want_status 0
	want kernel = "$(cat "$PVI_KERNELS/${2%/*}/version")"
	want cpus -eq "$3"
	want mem_kb -ge "$5"
	want mem_kb -le "$6"
	want clock = kvm-clock
}

# The least memory, as the error message of far too little says it.
least() { # KERNEL
	vm "$1" poweroff --mem 1K
	[ "$status" = 2 ] || fail "--mem 1K: exit status $status, not 2"
	sed -n 's/.*give at least \([0-9]*M\)$/\1/p' log
}

sizes() {
	boots "6.1 bzImage, 1 CPU" 6.1/vmlinuz 1 192M 130000 196608
	boots "6.1 vmlinux, 2 CPUs" 6.1/vmlinux 2 192M 130000 196608
	boots "6.12 bzImage, 4 CPUs" 6.12/vmlinuz 4 256M 190000 262144
	boots "6.1 vmlinux, 8 CPUs" 6.1/vmlinux 8 256M 180000 262144
	boots "6.1 vmlinux, 5 GiB" 6.1/vmlinux 1 5G 4900000 5242880
	for k in 6.1 6.12; do
		m=$(least $k/vmlinux)
		boots "$k vmlinux in its least memory, $m" $k/vmlinux 1 "${m:-none}" 30000 100000
	done
}

ends() {
	say "the guest resets by ACPI"
	vm 6.1/vmlinux reboot --mem 192M
	want_status 3
	say "the guest resets by the keyboard controller"
	EXTRA=reboot=k vm 6.1/vmlinux reboot --mem 192M
	want_status 3
	say "the guest ends in a triple fault"
	EXTRA=reboot=t vm 6.1/vmlinux reboot --mem 192M
	want_status 5
	say "the guest panics"
	vm 6.1/vmlinux panic --mem 192M
	want_status 4
	grep -q 'Kernel panic - not syncing: sysrq triggered crash' log ||
		fail "the panic's last words are not in the output"
}

# One guest with its console on pipes, for all that happens while it runs.
# start PVI_DO OPTION...
start() {
	do=$1
	shift
	rm -f in stats.json
	mkfifo in
	# shellcheck disable=SC2086
	pviommu run --kernel "$PVI_KERNELS/6.1/vmlinux" --initrd "$PVI_INITRD/boot-6.1.cpio" \
		--cmdline "console=ttyS0 quiet pvi.do=$do" --mem 192M --stats stats.json \
		$PVI_QUIRKS "$@" <in >log 2>&1 &
	pid=$!
	exec 9>in
}

# Waits until the log has a line.
line() {
	t=0
	until grep -q "$1" log; do
		t=$((t + 1))
		if [ $t -gt 600 ] || [ ! -d /proc/$pid/fd ]; then
			fail "no line '$1'"
			kill -9 $pid 2>/dev/null
			return
		fi
		usleep 100000
	done
}

finish() {
	wait $pid
	status=$?
	exec 9>&-
}

console() {
	say "console input, live statistics, size, and the power button"
	start serve --grace 60
	line '^PVI serving'
	echo 'a line with $ and "quotes"' >&9
	line '^PVI echo=a line with \$ and "quotes"'
	# More than the port holds: none of it may be lost. Guest lines end at 255 characters.
	i=0
	while [ $i -lt 30 ]; do
		printf '%03d:%0100d\n' $i 0
		i=$((i + 1))
	done >&9
	line '^PVI echo=029:0'
	[ "$(grep -c '^PVI echo=0[0-2][0-9]:0\{100\}.$' log)" = 30 ] || fail "console input was lost"
	rss=$(awk '/^[0-9a-f]+-[0-9a-f]+ / { ram = /memfd:guest-ram/ }
		$1 == "Rss:" && !ram { sum += $2 } END { print sum }' /proc/$pid/smaps)
	echo "   VMM beside guest RAM: $rss KiB"
	[ "$rss" -le 5120 ] || fail "the VMM takes $rss KiB beside guest RAM, more than 5120"
	grep -q '^CapEff:[[:space:]]*0000000000000000$' /proc/$pid/status || fail "it has capabilities"
	grep -q '^Seccomp:[[:space:]]*2$' /proc/$pid/status || fail "it has no seccomp filter"
	grep -q '^NoNewPrivs:[[:space:]]*1$' /proc/$pid/status || fail "it may gain privileges"
	before=$(cat stats.json)
	kill -USR1 $pid
	t=0
	while [ "$(cat stats.json)" = "$before" ] && [ $t -lt 50 ]; do
		usleep 100000
		t=$((t + 1))
	done
	grep -q '"end":null' stats.json || fail "no live statistics"
	grep -q '"serial":0,' stats.json && fail "the live statistics count no serial exits"
	kill -TERM $pid
	line '^PVI button'
	finish
	want_status 0
	[ -e stats.json.tmp ] && fail "a temporary statistics file stayed behind"

	say "a guest that does not heed the power button"
	start ignore --grace 2
	line '^PVI init'
	kill -TERM $pid
	finish
	want_status 6
	say "SIGTERM twice"
	start ignore --grace 1000
	line '^PVI init'
	kill -TERM $pid
	# Two that are pending at once are one.
	while kill -TERM $pid 2>/dev/null && [ -d /proc/$pid/fd ]; do usleep 100000; done
	finish
	want_status 6

	say "stdout that nobody reads" # more than a pipe holds: 64 KiB
	mkfifo stuck
	sleep 1000 <stuck &
	reader=$!
	# shellcheck disable=SC2086
	timeout 100 pviommu run --kernel "$PVI_KERNELS/6.1/vmlinux" --mem 192M $PVI_QUIRKS \
		--initrd "$PVI_INITRD/boot-6.1.cpio" --stats stats.json \
		--cmdline "console=ttyS0 initcall_debug ignore_loglevel panic=-1" </dev/null >stuck 2>log
	status=$?
	kill $reader
	want_status 0
	grep -q '^pviommu: console: stdout was stuck or closed' log || fail "no word of the lost output"
}

for group; do $group; done
if pidof pviommu pviommu-blk >/dev/null; then fail "processes are left: $(pidof pviommu)"; fi
[ $failed = 0 ] && echo "boot: all passed" || echo "boot: $failed FAILED"
[ $failed = 0 ]
