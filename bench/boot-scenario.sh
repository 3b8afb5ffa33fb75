# SPDX-License-Identifier: BSD-2-Clause
# Inside L1, for bench/boot: boots the same guest with each VMM until its init's first line.
#
#   warm-up    a boot of each VMM, whose figures nothing uses
#   choice     a boot of each candidate for QEMU's fastest way; the fastest of each machine
#              is what the rounds measure
#   rounds     ROUNDS times each VMM once, the first of one round being the last of the next
#
# One JSON line a boot in boots.jsonl: {"phase", "round", "vmm", "options", "boot"}.
set -u
rounds=${1:-5}
# What `pviommu run` is given beyond the kernel; for studies of one's own.
ours=${2-}
kernel=$PVI_KERNELS/6.1/vmlinux
cmdline="console=ttyS0 quiet panic=-1"
mem=256M

mount -t debugfs none /sys/kernel/debug 2>/dev/null
# Polling before a halt is waiting, not work.
echo 0 >/sys/module/kvm/parameters/halt_poll_ns

initrd=$PWD/initrd
mkdir -p root/dev
mknod root/dev/console c 5 1
cp "$(command -v boot-init)" root/init
(cd root && find . | cpio -o -H newc) >"$initrd" 2>/dev/null || exit 1
pviommu=$(command -v pviommu)

# Without the shell script that finds QEMU's libraries.
here=/run/qemu
qemu="$(echo $here/lib/ld-linux*) --library-path $here/lib $here/libexec/qemu-system-x86_64"
qemu="$qemu -L $here/share -nodefaults -no-user-config -display none -no-reboot -accel kvm"
# What `pviommu run --testbed-quirks` hides, and the same signature.
cpu=host,family=25,model=33,stepping=0,-xsave,-avx,-avx2,-fma,-f16c,-pku,-vaes,-vpclmulqdq

# All that a guest without a disk can do without; then what else may make it faster.
q35="q35,smm=off,vmport=off,sata=off,smbus=off,i8042=off"
microvm="microvm,x-option-roms=off,pit=off,pic=off"
candidates="$q35 $q35,hpet=off $q35,hpet=off+qboot
$microvm,rtc=off,acpi=off $microvm,rtc=on,acpi=off $microvm,rtc=on,acpi=on"

boot_qemu() { # MACHINE[+qboot]
	firmware=
	[ "${1%+qboot}" = "$1" ] || firmware="-bios qboot.rom"
	boot-clock "PVI init" $limit log $qemu -M "${1%+qboot}" $firmware -cpu $cpu -m $mem -smp 1 \
		-kernel "$kernel" -initrd "$initrd" -append "$cmdline" -serial stdio
}

boot_pviommu() { # [OPTION...]
	boot-clock "PVI init" $limit log "$pviommu" run $PVI_QUIRKS --kernel "$kernel" \
		--initrd "$initrd" --cmdline "$cmdline" --mem $mem --stats stats.json "$@"
}

# The clock's seconds. Nothing waits for the disk, which would take hundreds.
limit=5
find $here "$kernel" "$pviommu" -type f -exec cat {} + >/dev/null

# On the emulated machine a guest now and then gets a timer interrupt while it updates its
# clock, with interrupts off, and then waits for itself for ever. Such a boot is noted as
# failed, and made again.
boot() { # PHASE ROUND VMM OPTIONS
	for try in 1 2 3; do
		boot_once "$@" && return 0
		printf '{"phase":"failed","round":%d,"vmm":"%s","options":"%s"}\n' "$2" "$3" "$4" \
			>>"$PVI_RESULTS/boots.jsonl"
	done
	return 1
}

# Sets $busy.
boot_once() { # PHASE ROUND VMM OPTIONS
	rm -f out log
	if [ "$3" = pviommu ]; then
		boot_pviommu $4 >out </dev/null
	else
		boot_qemu "$4" >out </dev/null
	fi || {
		cat log
		echo "no boot with $3 $4"
		return 1
	}
	busy=$(sed 's/{"busy":\([0-9]*\).*/\1/' out)
	echo "$1 $2: $3 $4: $((busy / 1000000)) million instructions"
	stats=null
	[ "$3" != pviommu ] || stats=$(cat stats.json)
	guest=$(sed -n 's/^PVI clock=\([0-9.]*\).*/\1/p' log)
	printf '{"phase":"%s","round":%d,"vmm":"%s","options":"%s","guest_clock":%s,"stats":%s,' \
		"$1" "$2" "$3" "$4" "${guest:-null}" "$stats" >>"$PVI_RESULTS/boots.jsonl"
	echo "\"boot\":$(cat out)}" >>"$PVI_RESULTS/boots.jsonl"
	cp log "$PVI_RESULTS/log.$1.$3"
}

{
	echo "cmdline=$cmdline"
	echo "mem=$mem"
	echo "qemu=$qemu -M OPTIONS -cpu $cpu -m $mem -smp 1 -kernel vmlinux -initrd FILE" \
		"-append CMDLINE -serial stdio"
	echo "pviommu=pviommu run $PVI_QUIRKS --kernel vmlinux --initrd FILE --cmdline CMDLINE" \
		"--mem $mem --stats FILE $ours"
	echo "l1_kernel=$(uname -r)"
	echo "guest_kernel=$(cat "$PVI_KERNELS/6.1/version")"
	echo "initrd_bytes=$(stat -c %s "$initrd")"
} >"$PVI_RESULTS/setup.txt"

boot warm-up 0 pviommu "$ours" || exit 1
boot warm-up 0 q35 "$q35" || exit 1
boot warm-up 0 microvm "$microvm,rtc=on,acpi=on" || exit 1

for vmm in q35 microvm; do
	best=
	for options in $candidates; do
		[ "${options%%,*}" = $vmm ] || continue
		# A guest that hangs spins until then, slowly.
		limit=3
		[ "$options" = "${options#*rtc=off}" ] || limit=5
		boot choice 0 $vmm "$options" || continue
		if [ -z "$best" ] || [ "$busy" -lt "$best" ]; then
			best=$busy
			eval "fastest_$vmm=\$options"
		fi
	done
	[ -n "$best" ] || exit 1
done

limit=3
order="pviommu q35 microvm"
round=1
while [ $round -le "$rounds" ]; do
	for vmm in $order; do
		case $vmm in
		pviommu) options=$ours ;;
		q35) options=$fastest_q35 ;;
		microvm) options=$fastest_microvm ;;
		esac
		boot round $round $vmm "$options" || exit 1
	done
	round=$((round + 1))
	order="${order#* } ${order%% *}"
done
