#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# testbed/run itself: statuses, output, results, time-outs, and that nothing is left behind.
set -u
cd "$(dirname "$0")/../.."
tmp=$(mktemp -d)
# Finds our own processes again, and only those.
PVI_TEST_MARK=mark-$$-$(date +%s)
export PVI_TEST_MARK
trap 'rm -rf "$tmp"' EXIT
failed=0
mode=tests/testbed/scenario/mode.sh

result()
{
	if [ "$1" = 0 ]; then
		echo "ok - $2"
	else
		echo "not ok - $2"
		sed 's/^/    /' "$tmp/out" "$tmp/err"
		failed=1
	fi
}

# tb ARGUMENT...: in L1; status, out and err to look at
tb()
{
	status=0
	testbed/run --no-build --where l1 --results "$tmp/results" "$@" >"$tmp/out" \
		2>"$tmp/err" || status=$?
}

# Our QEMU processes, and whatever else they and the testbed started.
left()
{
	grep -lz "^PVI_TEST_MARK=$PVI_TEST_MARK\$" /proc/[0-9]*/environ 2>/dev/null |
		while read -r f; do
			f=${f#/proc/}
			tr '\0' ' ' <"/proc/${f%/environ}/cmdline" | grep -E '^[^ ]*qemu|testbed/run'
		done 2>/dev/null
}

# Ends are seen at once, but not in no time.
nothing_left()
{
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ -n "$(left)" ] || return 0
		sleep 0.2
	done
	left >>"$tmp/err"
	return 1
}

says()
{
	grep -q -- "$1" "$tmp/err"
}

tb $mode status 0
result $status 'status 0'
tb $mode status 7
[ $status = 7 ]
result $? 'the status is that of the scenario'

# The emulator gives guests in guests some interrupts twice where this is not in effect.
LD_PRELOAD=build/static/testbed/vmrun-fix.so qemu-system-x86_64 --version >"$tmp/out" 2>"$tmp/err"
grep -q QEMU "$tmp/out" && [ ! -s "$tmp/err" ]
result $? "the mend of the emulator's VMRUN knows this emulator"

bad=$(ls -t build/testbed/l1-6.1-*.snapshot | head -1)
truncate -s 1M "$bad"
tb $mode status 7
[ $status = 7 ] && says 'that snapshot is bad; once more from a new one'
result $? 'a snapshot that L1 cannot go on from is made anew'
[ "$(stat -c %s "$bad")" -gt 1048576 ] && tb $mode status 0 && ! says 'bad'
result $? 'the new one is kept'

tb $mode args 'two words' "it's" '$HOME' ''
printf '<%s>\n' 'two words' "it's" '$HOME' '' >"$tmp/want"
echo 'and more' >>"$tmp/want"
cmp -s "$tmp/out" "$tmp/want"
result $? 'arguments arrive whole, and the output is exactly what was written'

tb $mode results
[ "$(cat "$tmp/results/folder/file")" = text ] && [ "$(wc -c <"$tmp/results/zeroes")" = 3000000 ]
result $? 'results come back'

tb $mode output
seq 200000 | cmp -s - "$tmp/out"
result $? 'much output comes whole'

begin=$(date +%s)
tb --timeout 2 $mode hang
[ $status = 124 ] && says 'no end within 2 s' && [ $(($(date +%s) - begin)) -lt 20 ] &&
	[ "$(cat "$tmp/out")" = started ]
result $? 'a time-out ends it, and says so'
nothing_left
result $? 'nothing is left after a time-out'

begin=$(date +%s)
tb --timeout 60 $mode orphan
[ $status = 0 ] && [ $(($(date +%s) - begin)) -lt 30 ]
result $? 'a process that the scenario leaves does not hold it up'

for number in 9 15 2; do
	testbed/run --no-build --where l1 $mode hang >"$tmp/out" 2>"$tmp/err" &
	pid=$!
	for _ in $(seq 100); do
		! grep -q started "$tmp/out" || break
		sleep 0.2
	done
	kill -$number $pid
	status=0
	wait $pid || status=$?
	[ $status = $((128 + number)) ] && nothing_left
	result $? "signal $number ends it and leaves nothing"
done

tb $mode crash
[ $status = 125 ] && says 'L1 ended early'
result $? "a crash of L1 is the testbed's failure"

# Snapshots differ in how long it is since the kernel took a seed.
for number in 1 2 3; do
	rm -f build/testbed/l1-6.1-*.snapshot
	testbed/run --no-build --where l1 $mode random >"$tmp/one" 2>"$tmp/err-one" &
	first=$!
	tb $mode random
	cp "$tmp/out" "$tmp/two"
	wait $first && [ $status = 0 ] && [ -s "$tmp/one" ] && [ -s "$tmp/two" ] &&
		! cmp -s "$tmp/one" "$tmp/two"
	result $? "two at once work, and their random numbers differ, snapshot $number"
done

tb $mode clock
[ $(($(cat "$tmp/out") - $(date +%s))) -gt -10 ] && [ $(($(cat "$tmp/out") - $(date +%s))) -le 0 ]
result $? "L1's clock is right after the restore"

tb --kernel 6.12 $mode kernel
grep -q '^6\.12\.' "$tmp/out"
result $? '--kernel 6.12'

tb --device e1000e $mode pci
grep -q 0x10d3 "$tmp/out"
result $? '--device e1000e'

tb --device edu --device nvme $mode pci
grep -q 0x11e8 "$tmp/out" && grep -q 0x0010 "$tmp/out"
result $? '--device edu and nvme'

tb --icount $mode status 5
[ $status = 5 ]
result $? '--icount'

tb --machine xen --vcpus 2 --xen-args dom0-iommu=strict $mode xen
grep -q '^6\.1\..* xen 2 dom0-iommu=strict$' "$tmp/out"
result $? '--machine xen: the kernel, CPUs and arguments asked for'

tb --machine xen --device nvme --trace 'vtd_inv_desc_iotlb*' --caching-mode on $mode mark
[ "$(sed -n 's/.*flush_buf port 4, in_len \([0-9]*\),.*/\1/p' "$tmp/results/trace.log" | tr '\n' ' ')" = '77 78 ' ] &&
	grep -q '^vtd_inv_desc_iotlb' "$tmp/results/trace.log" && grep -q 0x0010 "$tmp/out"
result $? '--machine xen: marks and invalidations in the trace, a device'

# refused WORD ARGUMENT...: status 2 and one line that has WORD
refused()
{
	word=$1
	shift
	tb "$@"
	[ $status = 2 ] && says "$word" && [ "$(wc -l <"$tmp/err")" = 1 ]
	result $? "refused: $*"
}
refused xen-args --xen-args dom0-iommu=strict $mode
refused caching-mode --machine xen --caching-mode maybe $mode
refused vcpus --vcpus 0 $mode
refused machine --machine vax $mode
refused 5.10 --kernel 5.10 $mode
refused mem --mem 1X $mode
refused timeout --timeout 0 $mode
refused 'no such file' "$tmp/missing.sh"

nothing_left
result $? 'nothing is left at the end'
exit $failed
