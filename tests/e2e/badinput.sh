#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Scenario: whatever a user may get wrong gives exit status 2 and one line on stderr that
# names the option and its value, and leaves nothing running.
# usage: testbed/run tests/e2e/badinput.sh
set -u
failed=0
k=$PVI_KERNELS/6.1/vmlinuz
elf=$PVI_KERNELS/6.1/vmlinux

fail() {
	echo "FAILED: $*"
	sed 's/^/   | /' log
	failed=$((failed + 1))
}

# judge WHAT STATUS TEXT: the one line begins with "pviommu: TEXT" and says a remedy after ";"
# or ":".
judge() {
	[ "$2" = 2 ] || fail "$1: exit status $2, not 2"
	[ "$(wc -l <log)" = 1 ] || fail "$1: not one line"
	case $(cat log) in
	"pviommu: $3"*[\;:]*) echo "ok: $(cat log)" ;;
	*) fail "$1: not 'pviommu: $3...'" ;;
	esac
	if pidof pviommu pviommu-blk >/dev/null; then fail "$1: left something running"; fi
}

bad() { # TEXT OPTION...
	text=$1
	shift
	timeout 30 pviommu run "$@" </dev/null >log 2>&1
	judge "$*" $? "$text"
}

bad "--kernel: missing"
bad "--kernel: needs a value" --kernel
bad "--colour: no such option" --colour
bad "-z: no such option" -z
bad "stray: not an option" --kernel "$k" stray
bad "--help=x: no such option" --help=x

for v in 0 99 -1 x 1x 4294967297 ''; do
	bad "--cpus $v: not a number" --kernel "$k" --cpus "$v"
done
for v in x 3Q -5 1.5G 99999999999999999999 17179869184G ''; do
	bad "--mem $v: not a size" --kernel "$k" --mem "$v"
done
bad "--mem 100000001: not a multiple of 4K" --kernel "$k" --mem 100000001
bad "--mem 4096G: more than" --kernel "$k" --mem 4096G
for v in 0 1K 16M 60M; do
	bad "--mem $v: too small" --kernel "$elf" --mem $v
done
bad "--mem 60M: too small" --kernel "$k" --mem 60M
bad "--iommu lax: no such mode" --kernel "$k" --iommu lax
bad "--grace -1: not a number" --kernel "$k" --grace -1
bad "--stats /nowhere/x: No such file" --kernel "$k" --stats /nowhere/x
bad "--stats .: " --kernel "$k" --stats .
bad "--cmdline: 3000 characters" --kernel "$k" --cmdline "$(printf '%03000d' 0)"

bad "--kernel /nowhere: No such file" --kernel /nowhere
bad "--kernel .: not a regular file" --kernel .
mkfifo fifo
bad "--kernel fifo: not a regular file" --kernel fifo
: >empty
bad "--kernel empty: is empty" --kernel empty
bad "--kernel $0: is not a kernel" --kernel "$0"
for cut in 3 600 2000 1000000; do
	head -c $cut "$k" >cut
	case $cut in
	3) bad "--kernel cut: is not a kernel" --kernel cut ;;
	*) bad "--kernel cut: is truncated" --kernel cut ;;
	esac
	head -c $cut "$elf" >cut
	case $cut in
	3) bad "--kernel cut: is not a kernel" --kernel cut ;;
	*) bad "--kernel cut: is truncated" --kernel cut ;;
	esac
done
# Damage in the middle of the compressed payload, and in its size at the end of it.
{
	head -c 3000000 "$k"
	printf 'damage damage damage'
	tail -c +3000021 "$k"
} >damaged
bad "--kernel damaged: is damaged" --kernel damaged
# A 32-bit program is no kernel for x86-64.
{
	head -c 4 "$elf"
	printf '\001'
	tail -c +6 "$elf" | head -c 100000
} >elf32
bad "--kernel elf32: is not an x86-64 ELF kernel" --kernel elf32
bad "--kernel /bin/busybox: is a program" --kernel /bin/busybox

bad "--initrd /nowhere: No such file" --kernel "$elf" --initrd /nowhere
bad "--initrd empty: is empty" --kernel "$elf" --initrd empty
truncate -s 300M big
bad "--mem 256M: too small for this kernel and --initrd" --kernel "$elf" --mem 256M --initrd big
truncate -s 3G big
bad "--initrd big: is bigger than 2 GiB" --kernel "$elf" --mem 8G --initrd big
truncate -s 2000M big
bad "--initrd big: does not fit" --kernel "$elf" --mem 8G --initrd big

truncate -s 1M disk
bad "--disk /nowhere: no such file" --kernel "$elf" --disk /nowhere
bad "--disk .: is a directory" --kernel "$elf" --disk .
bad "--disk fifo: neither a file" --kernel "$elf" --disk fifo
bad "--disk ,ro: no such file" --kernel "$elf" --disk ,ro
bad "--disk /nowhere: no such file" --kernel "$elf" --disk disk --disk /nowhere,ro
bad "--device foo: not of the form" --kernel "$elf" --device foo
bad "--device socket=: not of the form" --kernel "$elf" --device socket=
bad "--device socket=/nowhere: " --kernel "$elf" --device socket=/nowhere
bad "--device socket=disk: " --kernel "$elf" --device socket=disk
set --
while [ $# -lt 62 ]; do set -- "$@" --disk disk; done
bad "--disk disk: one device too many" --kernel "$elf" "$@"

# Machines without KVM, and users without leave, in a /dev of our own.
# shellcheck disable=SC2016
unshare -m sh -c 'mount -t tmpfs none /dev && exec pviommu run --kernel "$0"' "$k" \
	</dev/null >log 2>&1
judge "no /dev/kvm" $? "/dev/kvm: No such file or directory"
kvm=$(printf '%d %d' "$(stat -c 0x%t /dev/kvm)" "$(stat -c 0x%T /dev/kvm)")
# shellcheck disable=SC2016
unshare -m sh -c 'mount -t tmpfs -o mode=755 none /dev && mknod -m 600 /dev/kvm c $1 && shift &&
	exec start-stop-daemon -S -c 65534:65534 -x "$(which pviommu)" -- run --kernel "$0"' \
	"$k" "$kvm" </dev/null >log 2>&1
judge "no permission" $? "/dev/kvm: no permission"
unshare -m sh -c 'mount --bind /dev/null /dev/kvm && exec pviommu run --kernel "$0"' "$k" \
	</dev/null >log 2>&1
judge "a /dev/kvm that is none" $? "/dev/kvm: not the KVM"

for arg in '' frob; do
	# shellcheck disable=SC2086
	pviommu $arg >log 2>&1
	judge "pviommu $arg" $? "${arg:-no command}"
done

[ $failed = 0 ] && echo "badinput: all passed" || echo "badinput: $failed FAILED"
[ $failed = 0 ]
