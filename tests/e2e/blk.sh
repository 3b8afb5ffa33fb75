#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Scenario: what a guest can ask of pviommu-blk, what its process is made of, and what
# happens when that process is killed in the middle of writing.
# Usage: testbed/run tests/e2e/blk.sh [6.1|6.12]
set -u
. "$PVI_SCENARIO_DIR/lib.sh"

kernel=${1-6.12}
con=$PVI_RESULTS/console.log
stats=$PVI_RESULTS/stats.json
truncate -s 64M fs.img
truncate -s 8M raw.img
truncate -s 1M ro.img
mkfifo stdin
: >"$con"
exec 9<>stdin
# shellcheck disable=SC2086
pviommu run --kernel "$PVI_KERNELS/$kernel/vmlinux" --initrd "$PVI_INITRD/blk-$kernel.cpio" \
	--cmdline "console=ttyS0 quiet panic=-1" --mem 192M \
	--disk fs.img --disk raw.img --disk ro.img,ro --stats "$stats" $PVI_QUIRKS \
	<stdin >"$con" 2>"$PVI_RESULTS/vmm.log" 9<&- &
vmm=$!

guest() { tr -d '\r' <"$con" | sed -n "s/^PVI .*\\b$1=\\([^ ]*\\).*/\\1/p"; }
wait_for() { # STEP, while the VMM lives
	until guest step | grep -q "$1"; do
		kill -0 $vmm 2>/dev/null || return 1
		sleep 0.2
	done
}

wait_for writing
disk=$(device_of fs.img)
equal "the disk's processes" "$(pidof pviommu-blk | wc -w)" 3
equal "its descriptors" "$(for fd in /proc/"$disk"/fd/*; do readlink "$fd"; done |
	sed 's/:\[[0-9]*\]$//; s,.*/,,; s/^pipe$/log/; s/^vmm.log$/log/' | sort | uniq -c |
	awk '{ printf "%s%s*%s", (NR > 1) ? " " : "", $1, $2 }')" \
	"3*anon_inode:[eventfd] 1*fs.img 1*log 2*null 1*socket"
equal "guest memory mapped in it" "$(grep -cE 'memfd|/dev/kvm' /proc/"$disk"/maps)" 0
equal "its capabilities" "$(sed -n 's/^CapEff:[^0-9a-f]*//p' /proc/"$disk"/status)" \
	0000000000000000
equal "its user" "$(awk '/^Uid:/ { print $2 }' /proc/"$disk"/status)" 65534
equal "its system calls are filtered" "$(awk '/^Seccomp:/ { print $2 }' /proc/"$disk"/status)" 2
equal "its root folder" "$(find /proc/"$disk"/root/ | wc -l)" 1
rss=$(awk '/^VmRSS:/ { print $2 }' /proc/"$disk"/status)
check "its memory of $rss KiB is at most 3 MiB" [ "$rss" -le 3072 ]

kill -9 "$disk"
check "the killed process is gone" gone "$disk" 5
check "the VMM lives on" kill -0 $vmm
echo go >&9
wait_for poweroff
equal "the guest's last step" "$(guest step | tail -n 1)" poweroff
(sleep 30 && kill -9 $vmm) &
guard=$!
wait $vmm
equal "exit status" $? 0
kill $guard 2>/dev/null
exec 9>&-

guest disk | sed 's/^/   guest: disk=/'
equal "disks" "$(guest disk | sed 's/,discard.*//' | tr '\n' ' ')" \
	"131072,ro=0,serial=20,write-back 16384,ro=0,serial=20,write-back 2048,ro=1,serial=20,write-back "
equal "large direct requests" "$(guest direct)" ok
equal "bytes left of what was discarded" "$(guest discarded)" 0
equal "the read-only disk" "$(guest read_only)" ok
equal "the other disk, after the kill" "$(guest other_disk)" ok
equal "the guest's complaints" "$(guest fail)" ""
equal "the VMM names the device" "$(grep -c 'device fs.img' "$PVI_RESULTS/vmm.log")" 1
equal "processes left behind" "$(pidof pviommu pviommu-blk)" ""

# The journal is replayed, then nothing is wrong.
e2fsck -fp fs.img >"$PVI_RESULTS/fsck1.log" 2>&1
[ $? -le 1 ]
equal "e2fsck replays the journal" $? 0
e2fsck -fn fs.img >"$PVI_RESULTS/fsck2.log" 2>&1
equal "e2fsck finds nothing more" $? 0
cat "$PVI_RESULTS/vmm.log" >&2
[ $failed = 0 ] || tail -n 50 "$con" >&2
finish
