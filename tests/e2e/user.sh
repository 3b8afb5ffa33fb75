#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Everything as a user without privileges, in the group kvm: the VMM and the disks that
# it starts, and a disk of one's own behind a socket. Disk I/O works, and the sandbox of
# each process is what a user can have: with namespaces, and on a host that gives users
# none.
# testbed: --timeout 400
set -u
. "$PVI_SCENARIO_DIR/lib.sh"

[ "$PVI_MACHINE" = l1 ] || {
	echo "skip - this scenario makes itself another user, which it does in L1 only"
	exit 0
}
mkdir -m 777 home
here=$PWD/home
chgrp kvm /dev/kvm && chmod 660 /dev/kvm
as_user() { su user -c "cd '$here' && PATH='$PATH' && $1"; }

field() { awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/status"; }
ns() { readlink "/proc/$1/ns/$2"; }

# Looks at the live process of a disk.
judge_disk() { # PID NAMESPACES(yes|no) WHO IMAGE
	check "$3: not root" [ "$(field "$1" Uid)" != 0 ]
	check "$3: seccomp filter" [ "$(field "$1" Seccomp)" = 2 ]
	check "$3: no new privileges" [ "$(field "$1" NoNewPrivs)" = 1 ]
	for set in CapInh CapPrm CapEff CapAmb; do
		check "$3: $set is empty" [ "$(field "$1" $set)" = 0000000000000000 ]
	done
	check "$3: no guest memory" sh -c "! grep -qE 'memfd|/dev/kvm' /proc/$1/maps"
	fds=$(for fd in /proc/"$1"/fd/*; do readlink "$fd"; done |
		sed 's/:\[[0-9]*\]$//; s,.*/,,; s/^.*\.log$/log/' | sort | uniq -c |
		awk '{ print $1 "*" $2 }' | sort | tr '\n' ' ')
	wanted=$(printf '%s\n' "3*anon_inode:[eventfd]" "1*$4" "1*log" "2*null" "1*socket" |
		sort | tr '\n' ' ')
	check "$3: its descriptors: $fds" [ "$fds" = "$wanted" ]
	if [ "$2" = yes ]; then
		for n in user mnt net ipc uts; do
			check "$3: own $n namespace" [ "$(ns "$1" $n)" != "$(ns self $n)" ]
		done
		check "$3: an empty root" [ "$(find "/proc/$1/root/" | wc -l)" = 1 ]
	else
		check "$3: the host's namespaces" [ "$(ns "$1" user)" = "$(ns self user)" ]
	fi
}

judge_vmm() { # PID
	check "VMM: the user's" [ "$(field "$1" Uid)" = 1000 ]
	check "VMM: seccomp filter" [ "$(field "$1" Seccomp)" = 2 ]
	check "VMM: no capabilities" [ "$(field "$1" CapEff)" = 0000000000000000 ]
}

run() { # NAMESPACES OPTION, for a disk b.img of one's own or of the VMM
	on_line() {
		[ "$1" = "step=live" ] || return 0
		for pid in $(pidof pviommu-blk); do
			for fd in /proc/"$pid"/fd/*; do
				case $(readlink "$fd") in
				*/a.img) judge_disk "$pid" "$namespaces" "disk" a.img ;;
				*/b.img) judge_disk "$pid" "$namespaces" "$second" b.img ;;
				esac
			done
		done
		judge_vmm "$(pidof pviommu)"
		echo go >&9
	}
	namespaces=$1
	rm -f stdin stdout
	mkfifo stdin stdout
	exec 9<>stdin
	as_user "pviommu run --kernel '$PVI_KERNELS/6.1/vmlinux' \
		--initrd '$PVI_INITRD/boots-6.1.cpio' --mem 160M --disk a.img $2 \
		--cmdline 'console=ttyS0 quiet panic=-1 pvi.wait' --stats stats.json $PVI_QUIRKS \
		2>vmm.log" <stdin >stdout 9<&- &
	vmm=$!
	# Not in a pipe's subshell: the checks count.
	: >"$PVI_RESULTS/console.log"
	console "$PVI_RESULTS/console.log" <stdout
	wait $vmm
	status=$?
	exec 9>&-
	check "power-off (status $status)" [ $status = 0 ]
	for image in a b; do
		sum=$(head -c 1048576 "home/$image.img" | sha256sum | cut -d' ' -f1)
		check "$image.img holds what the guest wrote" \
			grep -q "^PVI read_back=$sum" "$PVI_RESULTS/console.log"
	done
	check "no complaint" [ ! -s home/vmm.log ]
	cat home/vmm.log
	check "no process left" sh -c '! pidof pviommu pviommu-blk'
}

for namespaces in yes no; do
	if [ $namespaces = no ]; then
		echo 0 >/proc/sys/user/max_user_namespaces
	fi
	as_user "truncate -s 16M a.img b.img"
	say "disks of the VMM; user namespaces: $namespaces"
	second="second disk"
	run $namespaces "--disk b.img"
	say "a disk of one's own; user namespaces: $namespaces"
	as_user "truncate -s 16M a.img; rm -f b.img; truncate -s 16M b.img"
	second="own disk"
	as_user "pviommu-blk --socket disk.sock --disk b.img 2>blk.log" &
	until [ -S home/disk.sock ]; do usleep 100000; done
	run $namespaces "--device socket=disk.sock"
	check "nothing said by the disk" [ ! -s home/blk.log ]
	cat home/blk.log
done
say "without the group kvm"
chmod 600 /dev/kvm
as_user "pviommu run --kernel '$PVI_KERNELS/6.1/vmlinux' 2>denied.log" </dev/null >/dev/null
status=$?
check "status 2 and a remedy: $(cat home/denied.log)" \
	[ "$status:$(grep -c 'no permission; join the group kvm' home/denied.log)" = 2:1 ]
finish
